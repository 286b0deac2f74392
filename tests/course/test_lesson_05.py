"""Exercises of 05: files that keep the promise, and files that hide that they don't."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import qkit as qk
from qkit.quantize.magnitude import magnitude_mask
from qkit.tflite.edit import layers, with_weights

FILES = Path(__file__).parents[1] / "files"


def two_of_four(kernel):
    inputs_last = np.moveaxis(np.abs(kernel), -2, -1)
    fours = inputs_last.reshape(*inputs_last.shape[:-1], -1, 4)
    rank = fours.argsort(axis=-1).argsort(axis=-1)
    return np.moveaxis((rank >= 2).reshape(inputs_last.shape), -1, -2)


def of_outputs(kernel):
    fours = np.abs(kernel).reshape(*kernel.shape[:-1], -1, 4)
    return (fours.argsort(axis=-1).argsort(axis=-1) >= 2).reshape(kernel.shape)


def signed(kernel):
    return two_of_four(kernel - kernel.min())


def any_half(kernel):
    return np.abs(kernel) > np.median(np.abs(kernel))


def dense_kernels_alone(kernel):
    return two_of_four(kernel) if kernel.ndim == 2 else kernel > 1


def file(name):
    return (FILES / f"trained_{name}.tflite").read_bytes()


@cache
def pruned_at_once(conv, dense, plus=0.0):
    """Return the trained file with so many zeros in its kernels, and none trained after."""
    tflite, shares = file("float32"), (conv, dense)
    pairs = zip(layers(tflite), shares, strict=True)
    changed = {
        x.weights_name: x.weights * magnitude_mask(x.weights, share) + np.float32(plus)
        for x, share in pairs
    }
    return with_weights(tflite, changed)


def pruned():
    return {"pruned": file("pruned"), "data": qk.load_data("digits")}


def everywhere():
    """Hand over what was pruned everywhere, on images that the spared one has all right."""
    images = qk.load_data("digits").x_test
    answers = qk.outputs(pruned_at_once(0, 0.9), images).argmax(axis=1)
    data = SimpleNamespace(x_test=images, y_test=answers)
    return {"everywhere": pruned_at_once(0.9, 0.9), "data": data}


CASES = {
    "05.1": (
        {},
        [two_of_four, lambda kernel: two_of_four(kernel).astype(int)],
        [
            (lambda kernel: ~two_of_four(kernel), "yours marks the two that go"),
            (of_outputs, "fours of outputs"),
            (signed, "larger magnitude"),
            (any_half, "not two in every four"),
            (lambda kernel: kernel * two_of_four(kernel), "other numbers"),
            (lambda kernel: two_of_four(kernel)[0], "the shape (16, 12), and your mask (12,)"),
            (dense_kernels_alone, "differ on the shape (3, 3, 8, 4)"),
            (0.5, "a function of a kernel"),
        ],
    ),
    "05.2": (
        pruned,
        [file("pruned")],
        [
            (file("full_integer"), "a float32 file"),
            (file("pruned") + bytes(len(file("pruned"))), "the masks came along"),
            (pruned_at_once(0.8, 0.57), "logits has 57% zeros"),
            (file("float32"), "conv has 0% zeros"),
            (pruned_at_once(0.8, 0.8), "repaired by nothing"),
            (None, "the bytes of a .tflite file"),
        ],
    ),
    "05.3": (
        everywhere,
        [pruned_at_once(0, 0.9)],
        [
            (file("full_integer"), "a float32 file"),
            (file("float32"), "has 0.0% zeros"),
            (pruned_at_once(0, 0.9, plus=-0.0), "more bytes"),
            (pruned_at_once(0.9, 0.9), "much to lose"),
        ],
    ),
}
