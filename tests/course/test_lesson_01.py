"""Exercises of 01: what is right is taken, and typical mistakes are told by their name."""

import numpy as np

WEIGHTS = np.random.default_rng(0).normal(size=(10, 200)).astype(np.float32)


def quantizer(x, scale, zero_point):
    return np.clip(np.round(x / scale) + zero_point, -128, 127).astype(np.int8)


def cut_off(x, scale, zero_point):
    return np.clip(np.trunc(x / scale) + zero_point, -128, 127).astype(np.int8)


def wrapping(x, scale, zero_point):
    return (np.round(x / scale) + zero_point).astype(np.int64).astype(np.int8)


def without_zero_point(x, scale, zero_point):
    return np.clip(np.round(x / scale), -128, 127).astype(np.int8)


# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "01.1": (
        {},
        [quantizer],
        [
            (cut_off, "a cast cuts off"),
            (wrapping, "wraps around"),
            (without_zero_point, "a real 0 is the zero point"),
            (lambda *given: quantizer(*given).astype(np.float32), "int8"),
            (lambda x: x, "a function of values, scale and zero point"),
        ],
    ),
    "01.2": (
        {"weights": WEIGHTS},
        [0.5 * np.abs(WEIGHTS).max()],
        [
            (np.abs(WEIGHTS).max(), "min–max itself"),
            (0.1, "clipping"),
            (-1, "above 0"),
            (9.0, "beyond the largest magnitude"),
            ("half", "a number, the end"),
        ],
    ),
    "01.3": (
        {},
        ["c"],
        [("a", "largest value"), ("b", "zero point"), ("d", "steps"), (3, "one of")],
    ),
}
