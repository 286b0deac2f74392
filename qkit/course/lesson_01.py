"""Exercises of 01: a scale and a zero point, a quantizer, the end of a range."""

import numpy as np

from qkit.course.exercises import choice, exercise
from qkit.quantize import grid
from qkit.quantize.errors import quantization_error

_RNG = 7  # of the arrays that a quantizer is tried on


@exercise("01.1", "a function of values, scale and zero point that returns int8")
def quantizer(answer):
    """Try it on three grids, and beyond the ends of each."""
    rng = np.random.default_rng(_RNG)
    for scale, zero_point in [(0.05, 3), (0.2, -128), (1.0, 0)]:
        x = rng.normal(scale=40 * scale, size=500).astype(np.float32)
        x = np.append(x, np.float32([0, 900 * scale, -900 * scale]))
        qparams = grid.QParams(np.float32([scale]), np.int32([zero_point]), -128, 127)
        right, got = grid.quantize(x, qparams), np.asarray(answer(x.copy(), scale, zero_point))
        if got.shape != x.shape:
            return f"{x.shape} values came in and {got.shape} came out"
        if got[-3] != zero_point:
            return f"a real 0 is the zero point, {zero_point}, and yours is {got[-3]}"
        if got.dtype != np.int8 and (got.min() < -128 or got.max() > 127):
            return f"int8 ends at −128 and 127, and yours holds {got.min()} to {got.max()}: clip"
        if (got[-2:] != [127, -128]).any():
            return "what lies beyond the grid is clipped before it becomes int8; yours wraps around"
        if (got == np.clip(np.trunc(x / scale) + zero_point, -128, 127)).all():
            return "the nearest integer is asked for; a cast cuts off what is behind the point"
        if got.dtype != np.int8:
            return f"the values are right, and {got.dtype} takes more than a byte each: int8"
        if (got != right).any():
            return f"{np.count_nonzero(got != right)} of {x.size} values are on another integer"
    return None


@exercise("01.2", "a number, the end of a symmetric range,")
def end_of_a_range(answer, weights):
    """Ask for 4 dB more than min–max has on 3 bits."""
    if not answer > 0:
        return "a symmetric range goes from −end to end, so end is above 0"
    largest = float(np.abs(weights).max())
    chosen, full = (_sqnr_db(weights, end) for end in (answer, largest))
    if chosen - full >= 4:
        return None
    if answer > largest:
        return f"that is beyond the largest magnitude, {largest:.2f}: still wider steps"
    if answer > 0.999 * largest:
        return "that is min–max itself"
    return (
        f"it gains {chosen - full:.1f} dB, as {'clipping' if chosen < full else 'rounding'} takes "
        "the rest: where is the 3-bit curve of section 3 highest, and in which unit is its axis?"
    )


def _sqnr_db(weights, end):
    qparams = grid.choose_qparams(weights, bits=3, symmetric=True, range=(-end, end))
    return quantization_error(weights, qparams).sqnr_db


@exercise("01.3", "one of the letters")
def why_zero_is_on_the_grid(answer):
    """Ask why a range is widened until it holds 0."""
    return choice(
        answer,
        {
            "a": "the largest value is at an end of the grid, wherever 0 is",
            "b": "an integer 0 has no meaning of its own: the zero point may be any integer",
            "c": None,
            "d": "the scale is the range over 255 steps; where 0 lies has no say in it",
        },
    )
