"""Exercises of 01: what is right is taken, and typical mistakes are told by their name."""

import numpy as np

import qkit as qk

WEIGHTS = np.random.default_rng(0).normal(size=(10, 200)).astype(np.float32)
LARGEST = float(np.abs(WEIGHTS).max())


def quantizer(x, bits, *, widen=True, whole=True, clip=True, to_integer=np.round):
    """Return integers, scale and zero point; each keyword leaves out one idea."""
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    low, high = (min(x.min(), 0), max(x.max(), 0)) if widen else (x.min(), x.max())
    scale = (high - low) / (most - least)
    zero_point = least - low / scale
    zero_point = round(zero_point) if whole else zero_point
    q = to_integer(x / scale + (zero_point if whole else round(zero_point)))
    return np.clip(q, least, most) if clip else q, scale, zero_point


def without(**idea):
    return lambda x, bits: quantizer(x, bits, **idea)


def with_scale_times(factor):
    def changed(x, bits):
        q, scale, zero_point = quantizer(x, bits)
        return q, factor * scale, zero_point

    return changed


def of_the_kit(x, bits):
    grid = qk.grid.choose_qparams(x, bits=bits)
    return qk.grid.quantize(x, grid), grid.scale[0], grid.zero_point[0]


def symmetric(x, bits):
    scale = np.abs(x).max() / (2 ** (bits - 1) - 1)
    return np.round(x / scale), scale, 0


def from_the_low_end(x, bits):
    """Round what the zero point is rounded from a second time, apart from it."""
    _, scale, zero_point = quantizer(x, bits)
    return np.round((x - min(x.min(), 0)) / scale) - 2 ** (bits - 1), scale, zero_point


def as_int8(x, bits):
    q, *grid = quantizer(x, bits)
    return q.astype(np.int8), *grid  # whose differences would not fit in a byte


# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "01.1": (
        {},
        [6 / 255, 0.02353, 0.0235, np.array([6 / 255], np.float32)],
        [
            (4 / 255, "has to hold 0"),
            (6 / 127, "symmetric"),
            (6 / 256, "255 steps"),
            (42.5, "units a step"),
            (1.0, "the length of the range"),
            ("6/255", "a number is asked for"),
        ],
    ),
    "01.2": (
        {},
        [quantizer, as_int8, of_the_kit],
        [
            (without(widen=False), "0 has no integer"),
            (without(whole=False), "the zero point is an integer"),
            (without(to_integer=lambda q: q), "one whole number"),
            (lambda x, bits: (*quantizer(x, bits)[:2], 0), "steps off"),
            (lambda x, bits: quantizer(x, 8), "the integers go from -8 to 7"),
            (symmetric, "coarser than need be"),
            (without(to_integer=np.floor), "half a step"),
            (without(to_integer=np.trunc), "half a step"),
            (from_the_low_end, "half a step"),
            (with_scale_times(-1), "no length"),
            (with_scale_times(np.nan), "no length"),
            (lambda x, bits: (*quantizer(x, bits)[:2], np.nan), "the zero point is an integer"),
            (lambda x: x, "a function of values and bits"),
        ],
    ),
    "01.3": (
        {"weights": WEIGHTS},
        [0.5 * LARGEST],
        [
            (LARGEST, "min–max ends at"),
            (9.0, "min–max ends at"),
            (0.1, "clipping"),
            (0.95 * LARGEST, "rounding"),
            (-1, "above 0"),
            ("half", "a number, the end"),
        ],
    ),
}
