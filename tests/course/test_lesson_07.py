"""Exercises of 07: networks that hold what they should, and networks that lost one thing."""

from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import qkit as qk
from qkit.quantize.magnitude import magnitude_mask

FILES = Path(__file__).parents[1] / "files"


@cache
def kept(name):
    """Return the walkthrough's network with weights that are kept for tests."""
    model = qk.models.walkthrough_cnn()
    with np.load(FILES / f"{name}.npz") as arrays:
        model.set_weights([arrays[f"arr_{i}"] for i in range(len(arrays.files))])
    return model


def changed(model, change):
    """Return a copy whose kernels went through a function."""
    copy = qk.models.walkthrough_cnn()
    copy.set_weights([change(w) if w.ndim > 1 else w for w in model.get_weights()])
    return copy


def answered(model):
    """Return images of which a network has all right."""
    images = qk.load_data("digits").x_test
    answers = model.predict(images, verbose=0).argmax(axis=1)
    return SimpleNamespace(x_test=images, y_test=answers)


def eight_values(kernel):
    """Return two of four inputs of a kernel, on seven values beside zero; a first one whole."""
    step = np.abs(kernel).max() / 4
    fours = np.clip(np.round(kernel / step), -3, 4)
    fours += fours == 0
    if kernel.shape[-2] % 4:
        return fours * step
    mask = np.moveaxis(magnitude_mask(np.moveaxis(kernel, -2, -1), 0, "2:4"), -1, -2)
    return fours * step * mask


def apart(kernel):
    return kernel * np.random.default_rng(0).uniform(0.99, 1.01, kernel.shape)


def one_back(kernel):
    kernel = kernel.copy()
    kernel[kernel == 0] = np.where(np.arange((kernel == 0).sum()) == 0, kernel.max(), 0)
    return kernel


def rolled(kernel):
    return np.roll(kernel, 1, axis=-1)


def trained_on(**options):
    """Return the trained network after a further epoch on digits."""
    copy = changed(kept("trained"), lambda kernel: kernel)
    qk.fit(
        copy, qk.load_data("digits"), **{"epochs": 1, "learning_rate": 1e-4, "seed": 1} | options
    )
    return copy


@cache
def of_eight():
    return changed(kept("trained"), eight_values)


CASES = {
    "07.1": (
        lambda: {"model": of_eight(), "data": answered(of_eight())},
        lambda: [of_eight()],
        lambda: [
            (kept("trained"), "no zero is left"),
            (changed(of_eight(), one_back), "not yet a pattern"),
            (changed(of_eight(), apart), "moved them apart"),
            (changed(of_eight(), rolled), "points are gone"),
            (b"file", "the network itself"),
            ("both", "a Keras network is asked for"),
        ],
    ),
    "07.2": (
        lambda: {
            "both": kept("trained_pruned_clustered"),
            "data": answered(kept("trained_pruned_clustered")),
        },
        lambda: [kept("trained_pruned_clustered")],
        lambda: [
            (kept("trained_clustered"), "conv has 0% zeros"),
            (kept("trained_pruned"), "moved apart"),
            (changed(kept("trained_pruned_clustered"), rolled), "repaired by nothing"),
            (b"file", "the network itself"),
        ],
    ),
    "07.3": (
        lambda: {"model": kept("trained"), "data": qk.load_data("digits")},
        lambda: [trained_on()],
        lambda: [
            (kept("trained_clustered"), "its weights share 16 values"),
            (kept("trained"), "the further epoch is missing"),
            (trained_on(learning_rate=1e-3), "at which rate"),
            (trained_on(validation_split=0.6), "was it whole"),
            (b"file", "the network itself"),
        ],
    ),
}
MARKS = {"07.3": pytest.mark.slow}
