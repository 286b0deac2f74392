"""Exercises of 01: the scale of a range without 0, a quantizer, the end of a range."""

import numpy as np

from qkit.course.exercises import exercise, number
from qkit.quantize import grid
from qkit.quantize.errors import quantization_error


@exercise("01.1", "a number")
def scale_of_a_range_without_zero(answer):
    """Ask for the scale of values from 2 to 6, whose grid has to hold 0."""
    return number(
        answer,
        6 / 255,
        rel=2e-3,  # three digits are enough
        mistakes=[
            (4 / 255, "the grid has to hold 0 as well: from where to where does it reach?"),
            (6 / 127, "that is a symmetric grid; half of its integers would never be used"),
            (6 / 256, "between 256 integers there are 255 steps"),
            (255 / 6, "that many steps a unit; a scale is units a step"),
        ],
        hint="the length of the range, with 0 in it, over the number of steps",
    )


@exercise("01.2", "a function of values and bits that returns integers, scale and zero point")
def quantizer(answer):
    """Try it on values of both signs, of one, and far from 0, on 8 and on 4 bits."""
    rng = np.random.default_rng(7)
    for low, high in [(-3, 5), (0, 6), (2, 6), (-9, -7)]:
        x = rng.uniform(low, high, 500).astype(np.float32)
        for bits in (8, 4):
            q, scale, zero_point = answer(x.copy(), bits)
            fault = _fault(x, np.asarray(q, float), float(scale), float(zero_point), bits)
            if fault:
                return f"values from {low} to {high} on {bits} bits: {fault}"
    return None


def _fault(x, q, scale, zero_point, bits):
    """Return what is wrong with integers that stand for `x`, by what a grid has to hold."""
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    needed = (max(x.max(), 0) - min(x.min(), 0)) / (2**bits - 1)
    if q.shape != x.shape or (q != np.round(q)).any():
        return "one whole number is asked for in place of each value"
    if not zero_point.is_integer():
        return f"the zero point is an integer, for it stands for 0; got {zero_point:g}"
    if q.min() < least or q.max() > most:
        return f"the integers go from {least} to {most}, yours from {q.min():g} to {q.max():g}"
    if not least <= zero_point <= most:
        return f"0 has no integer: the zero point {zero_point:g} is none of {least} to {most}"
    if not 0 < scale <= 1.02 * needed:
        how = "coarser than need be" if scale > 0 else "no length"
        return f"a step of {needed:.4g} is enough, and yours is {scale:.4g}: {how}"
    off = np.abs((q - zero_point) * scale - x) / scale
    # at an end half a step may go to the zero point's own rounding
    wrong = off[off > np.where((q > least) & (q < most), 0.51, 1.01)]
    if wrong.size:
        due = "half a step, and at an end one, is due"
        return f"read back, a value is {wrong.max():.2g} steps off; {due}"
    return None


@exercise("01.3", "a number, the end of a symmetric range,")
def end_of_a_range(answer, weights):
    """Ask for 4 dB more than min–max has on 3 bits."""
    if not answer > 0:
        return "a symmetric range goes from −end to end, so end is above 0"
    largest = float(np.abs(weights).max())
    chosen, full = (_error(weights, end) for end in (answer, largest))
    gain_db = chosen.sqnr_db - full.sqnr_db
    if gain_db >= 4:
        return None
    if answer >= 0.999 * largest:
        return f"min–max ends at {largest:.3f}; further out the steps are wider still"
    cause = "clipping" if chosen.clipping_share > 0.5 else "rounding"
    return f"it gains {gain_db:.1f} dB, and most of what is left is {cause}: move the end"


def _error(weights, end):
    qparams = grid.choose_qparams(weights, bits=3, symmetric=True, range=(-end, end))
    return quantization_error(weights, qparams)
