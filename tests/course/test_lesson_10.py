"""Exercises of 10: each step of the kernel, and what is mistaken in it."""

from pathlib import Path

import numpy as np

import qkit as qk

FILES = Path(__file__).parents[1] / "files"
TFLITE = (FILES / "trained_full_integer.tflite").read_bytes()
KERNEL = np.load(FILES / "trained.npz")["arr_0"]
FILTER = KERNEL[:, :, 0, 3]
IMAGE = qk.load_data("digits").x_test[:1]

OPERATORS = qk.inspect(TFLITE).operators
CONV = next(op for op in OPERATORS if op.name == "CONV_2D")
PIXEL, WEIGHT, BIAS = CONV.inputs
(OUT,) = CONV.outputs
SCALE, ZERO, LOWEST = WEIGHT.scale[3], int(PIXEL.zero_point[0]), int(OUT.zero_point[0])
INTEGERS = np.round(KERNEL / WEIGHT.scale).astype(int)  # filters last
CONSTANT = -ZERO * INTEGERS[..., 3].sum()
TRACE = qk.run_integer(TFLITE, IMAGE)
LAYER = TRACE[OUT.index][0].astype(int)
BLOCKS = LAYER.reshape(13, 2, 13, 2, 12)


def to_integer(factor):
    fraction, power = np.frexp(factor)
    m = int(np.floor(fraction * 2**31 + 0.5))
    return (m // 2, int(power) + 1) if m == 2**31 else (m, int(power))


def never_halved(factor):
    fraction, power = np.frexp(factor)
    return int(np.floor(fraction * 2**31 + 0.5)), int(power)


def cut_off(factor):
    fraction, power = np.frexp(factor)
    return int(fraction * 2**31), int(power)


def high(total, m):
    return (total * m + 2**30) >> 31


def down(x, s):
    return (x + (1 << (-s - 1)) - (x < 0)) >> -s


def in_place(sums, m, s):
    """Work on what comes in, which is the check's own."""
    s *= -1
    x = high(sums, m)
    return clamped((x + (1 << (s - 1)) - (x < 0)) >> s)


def clamped(steps):
    return np.clip(steps + LOWEST, LOWEST, 127)


CASES = {
    "10.1": (
        {"tflite": TFLITE, "image": IMAGE, "trained": FILTER},
        [INTEGERS[:, :, 0, 3], INTEGERS[:, :, 0, 3].astype(np.float32)],
        [
            (FILTER / SCALE, "not rounded yet"),
            (FILTER * SCALE, "That is a division"),
            (np.trunc(FILTER / SCALE), "a cast cuts off"),
            (np.round(FILTER / WEIGHT.scale[0]), "first filter"),
            (INTEGERS[:, :, 0, 3] + ZERO, "zero point is 0"),
            (INTEGERS[:, :, 0], "shape"),
        ],
    ),
    "10.2": (
        {"tflite": TFLITE, "image": IMAGE},
        [CONSTANT, float(CONSTANT)],
        [
            (-CONSTANT, "sign"),
            (CONSTANT + TRACE[BIAS.index][3], "bias"),
            (-ZERO * 9, "a weight of its own"),
            (-ZERO * INTEGERS.sum(), "all filters"),
            (0, "zero point of 0"),
            (1, "hang on the pixels"),
            (-ZERO * INTEGERS.sum((0, 1, 2)), "one number"),
        ],
    ),
    "10.3": (
        {"tflite": TFLITE, "image": IMAGE},
        [PIXEL.scale * WEIGHT.scale],
        [
            (WEIGHT.scale, "not of weights"),
            (PIXEL.scale, "theirs"),
            (PIXEL.scale + WEIGHT.scale, "product of steps"),
            (WEIGHT.scale / PIXEL.scale, "ratio"),
            (PIXEL.scale * WEIGHT.scale / OUT.scale, "after the bias"),
            (2 * PIXEL.scale * WEIGHT.scale, "worth?"),
        ],
    ),
    "10.4": (
        {"tflite": TFLITE, "image": IMAGE},
        [to_integer, qk.integer.multiplier_and_shift],
        [
            (lambda factor: np.frexp(factor)[0] * 2.0**31 * np.array([1, 0]), "round"),
            (lambda factor: to_integer(factor)[::-1], "m comes first"),
            (lambda factor: (to_integer(factor)[0], -to_integer(factor)[1]), "power of two"),
            (never_halved, "32 bits"),
            (lambda factor: (int(factor * 2**31), 0), "all 31 bits"),
            (cut_off, "a cast cuts off"),
            (lambda factor: (2**30, 0), "frexp"),
            (lambda factor: factor, "from a factor to (m, s)"),
        ],
    ),
    "10.5": (
        {"tflite": TFLITE, "image": IMAGE},
        [
            lambda total, m, s: clamped(down(high(total, m), s)),
            lambda total, m, s: clamped(np.floor(high(total, m) * 2.0**s + 0.5)),
            in_place,
        ],
        [
            (lambda total, m, s: clamped(high(total, m) * 2.0**s), "behind the point"),
            (
                lambda total, m, s: clamped(down(high(total, m), s)) - LOWEST,
                "which of the four",
            ),
            (lambda total, m, s: np.clip(down(high(total, m), s), 0, 127), "zero point"),
            (lambda total, m, s: np.clip(down(high(total, m), s), LOWEST, 127), "zero point"),
            (lambda total, m, s: down(high(total, m), s) + LOWEST, "clamped"),
            (lambda total, m, s: clamped(high(total, m) >> -s), "rounds down"),
            (lambda total, m, s: clamped(down((total * m) >> 31, s)), "once"),
            (lambda total, m, s: clamped(np.floor(total * m * 2.0 ** (s - 31) + 0.5)), "once"),
            (lambda total, m, s: clamped(np.rint(high(total, m) * 2.0**s)), "even"),
            (lambda total, m, s: total[0], "came out"),
            (lambda total: total, "sums, m and s"),
        ],
    ),
    "10.6": (
        {"tflite": TFLITE, "image": IMAGE},
        [BLOCKS.max((1, 3))],
        [
            (BLOCKS[:, 0, :, 0], "one value of each four"),
            (BLOCKS.mean((1, 3)), "mean of four"),
            (BLOCKS.max((1, 3)) - LOWEST, "zero point stays"),
            (np.maximum(LAYER[1:, 1:], LAYER[:-1, :-1]), "overlap"),
            (BLOCKS.max((1, 3))[None], "shape"),
            (BLOCKS.min((1, 3)), "take the largest"),
        ],
    ),
}
