"""Shorter number formats: what each keeps of a value, to the last bit."""

import math
from dataclasses import dataclass

import numpy as np

from qkit.quantize.grid import choose_qparams, dequantize, quantize
from qkit.result import Result

FLOATS = {"float32": (8, 23), "float16": (5, 10), "bfloat16": (8, 7)}  # exponent, fraction bits
INTEGERS = {"int16": 16, "int8": 8, "int4": 4}
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Number:
    """The number of one format that is nearest to a value."""

    format: str
    parts: tuple  # of kind and bits, the most significant first; an integer in two's complement
    formula: str  # how the bits are read
    value: float  # what was to be stored
    stored: float
    below: float  # the next number of the format; NaN where there is none
    above: float
    spacing: float  # of neighbours around `value`, or at the end of the range that it is beyond
    beyond: bool  # whether the range ends before `value`: it is clipped, or becomes infinite

    @property
    def error(self):
        """What is stored, minus what was to be."""
        return self.stored - self.value

    @property
    def relative_error(self):
        """Magnitude of the error, as a share of the value's; 0 where it is kept exactly."""
        return abs(self.error / self.value) if self.error else 0.0


@dataclass(frozen=True, repr=False)
class Numbers(Result):
    """One value in several formats."""

    value: float
    low: float  # the range of the integer formats' grids; it contains 0
    high: float
    rows: tuple  # of Number

    def __getitem__(self, name):
        """Return the Number of a format."""
        return next(row for row in self.rows if row.format == name)

    def summary(self):
        """Say what the shorter formats keep, how far off, and which is closer."""
        if not any(row.error for row in self.rows):
            return "Every format keeps it exactly."
        half = self["float16"]
        floats = f"{_said(half)}; {_said(self['bfloat16'])}"
        integers = "; ".join(_said(self[name]) + _against(self[name], half) for name in INTEGERS)
        said = f"{floats}. On {self.low:g} … {self.high:g}, {integers}."
        return said.replace("-", "−")


def nearest_numbers(value, low=-1.0, high=1.0, *, symmetric=False):
    """Return a value as float32, float16, bfloat16, int16, int8 and int4 keep it.

    The fields of binary floating point, and ties to the even fraction, are those of IEEE 754-2019.

    Parameters
    ----------
    value : float, finite
    low, high : float, the range of the integer formats' grids; widened until it contains 0
    symmetric : bool, whether these grids have the zero point 0

    Returns
    -------
    Numbers

    Examples
    --------
    >>> found = nearest_numbers(0.123456789)
    >>> found["float16"].stored, found["int8"].parts, found["int8"].formula
    (0.12347412109375, (('integer', '00001111'),), '(15 + 1) × 0.00784314')
    """
    try:
        value, low, high = float(value), float(low), float(high)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"nearest_numbers: value, low and high must be numbers: {error}") from None
    if not math.isfinite(value):
        raise ValueError(f"nearest_numbers: the value must be a finite number, got {value}.")
    if not -math.inf < low < high < math.inf:
        raise ValueError(
            f"nearest_numbers: the range must be finite, its low end below its high end, got {low} "
            f"to {high}."
        )
    rows = [_nearest_float(name, value) for name in FLOATS]
    for name, bits in INTEGERS.items():
        grid = choose_qparams([0.0], bits=bits, symmetric=symmetric, range=(low, high))
        rows.append(_nearest_integer(name, value, grid))
    return Numbers(value, min(low, 0.0), max(high, 0.0), tuple(rows))


def _nearest_float(name, value):
    exponent_bits, fraction_bits = FLOATS[name]
    bias, fractions = 2 ** (exponent_bits - 1) - 1, 2**fraction_bits
    infinity = (2**exponent_bits - 1) * fractions
    # below the smallest normal number, the spacing no longer shrinks
    exponent = math.frexp(value)[1] - 1 if value else 1 - bias
    exponent = min(max(exponent, 1 - bias), bias)
    spacing = math.ldexp(1.0, exponent - fraction_bits)
    # the bits without the sign count the numbers from 0 upwards; round() takes halves to even
    place = min((exponent + bias - 1) * fractions + round(abs(value) / spacing), infinity)
    signed = int(math.copysign(place, value))

    unsigned, real = (np.uint16, np.float16) if name == "float16" else (np.uint32, np.float32)
    cut_off = 16 * (name == "bfloat16")  # bits that float32 has more

    def number(place):
        return 1.0 * math.copysign(unsigned(abs(place) << cut_off).view(real), place)  # quiet NaN

    bits = f"{place:0{exponent_bits + fraction_bits}b}"
    exponent, fraction = bits[:exponent_bits], bits[exponent_bits:]
    parts = ("sign", f"{np.signbit(value):d}"), ("exponent", exponent), ("fraction", fraction)
    stored, power = math.copysign(number(place), value), max(place // fractions, 1) - bias
    formula = f"{math.ldexp(stored, -power):.7g} × 2{str(power).translate(_RAISED)}"
    if place == infinity:
        formula = "an exponent of ones alone stands for ∞"
    return Number(
        name, parts, formula.replace("-", "−"), value, stored, number(signed - 1),
        number(signed + 1), spacing, beyond=place == infinity,
    )  # fmt: skip


def _nearest_integer(name, value, grid):
    scale, zero_point = float(grid.scale[0]), int(grid.zero_point[0])
    low, high = float(grid.low[0]), float(grid.high[0])

    def number(q):
        return float(dequantize([q], grid)[0]) if grid.qmin <= q <= grid.qmax else math.nan

    # the grid's numbers are float32: near a tie, a neighbour may be closer than where it would lie
    around = int(quantize([value], grid)[0]) + np.array([1, 0, -1])
    near, within = np.clip(around, grid.qmin, grid.qmax).tolist(), min(max(value, low), high)
    q = min(near, key=lambda q: abs(number(q) - within))
    away = f"({q} {'-' if zero_point > 0 else '+'} {abs(zero_point)})" if zero_point else q
    bits = f"{q & (2**grid.bits - 1):0{grid.bits}b}"
    formula = f"{away} × {scale:.6g}".replace("-", "−")
    return Number(
        name, (("integer", bits),), formula, value, number(q), number(q - 1), number(q + 1), scale,
        beyond=not low - scale / 2 <= value <= high + scale / 2,
    )  # fmt: skip


def _said(number):
    """Say what a format keeps, and how far off that is."""
    stored = f"{number.stored:.8g}".replace("inf", "∞")
    if math.isinf(number.stored):
        return f"{number.format} has no number so large, and keeps {stored}"
    if number.error == 0:
        return f"{number.format} keeps it exactly"
    verb = "clips it to" if number.beyond else "keeps"
    off, percent = two_digits(abs(number.error)), two_digits(100 * number.relative_error)
    return f"{number.format} {verb} {stored} (off by {off}, {percent} %)"


def _against(number, other):
    """Say how many times closer than another format a number is; nothing where one is exact."""
    ours, theirs = abs(number.error), abs(other.error)
    if 0 in (ours, theirs) or math.isinf(theirs):
        return ""
    ratio, word = (theirs / ours, "closer") if ours <= theirs else (ours / theirs, "farther off")
    if ratio < 1.05:
        return f", as far off as {other.format}"
    return f", {two_digits(ratio)} times {word} than {other.format}"


def two_digits(x):
    """Return a number to two digits, without an exponent where it is of ordinary size."""
    return f"{float(f'{x:.2g}'):g}"
