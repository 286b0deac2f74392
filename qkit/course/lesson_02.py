"""Exercises of 02: a sample of one's own, what float16 saves, and a file that loses too much."""

import numpy as np

from qkit.course.exercises import choice, exercise, gained
from qkit.interpreter.run import outputs
from qkit.tflite.file import inspect
from qkit.toolchain.convert import convert

_TEST_IMAGES = 2000
_MOST_IMAGES = 20
_NEAR = 0.003  # mean difference of two images that are nearly the same


@exercise("02.1", "an array of 1 to 20 images of 28 × 28 on [0, 1]")
def own_sample(answer, model, data):
    """Convert with a sample that was made without the data, and judge the file by the data."""
    sample = np.asarray(answer, np.float32)
    if sample.shape[1:] != data.x_train.shape[1:] or not 1 <= len(sample) <= _MOST_IMAGES:
        return f"1 to {_MOST_IMAGES} images of 28 × 28 are asked for, got the shape {sample.shape}"
    if sample.min() < 0 or sample.max() > 1:
        ends = f"{sample.min():.4g} to {sample.max():.4g}"
        return f"the pixels go from {ends}: the input's grid is to span [0, 1] and no more"
    if any(_known(image, data) for image in sample):
        return "an image of the data is among them, or nearly: you have none"
    x, y = data.x_test[:_TEST_IMAGES], data.y_test[:_TEST_IMAGES]
    reference = convert(model, "float32")
    lost_pp = -gained(reference, convert(model, "full_integer", sample), x, y).difference_pp
    if lost_pp < 1:
        return None
    highest = outputs(reference, sample).max()
    why = (
        "what share of a digit's pixels is lit, and of yours?"
        if sample.mean() > data.x_train.mean()
        else "too little is lit for the layers to show their ranges"
    )
    return f"{lost_pp:.1f} points are lost. Your highest logit is {highest:.0f}: {why}"


def _known(image, data):
    return any(
        (abs(images - image).mean(axis=(1, 2)) < _NEAR).any()
        for images in (data.x_train, data.x_test)
    )


@exercise("02.2", "one of the letters")
def what_float16_saves(answer):
    """Ask what a CPU gains from weights in float16."""
    return choice(
        answer,
        {
            "a": "before they are multiplied, the weights are float32 again: look at the operators",
            "b": "the weights take the memory of float32 once more: look at qk.memory",
            "c": "the sums are of float32 numbers; only what is stored was rounded",
            "d": None,
        },
    )


@exercise("02.3", "the bytes of a .tflite file")
def repaired_file(answer, network, x, y):
    """Look at what a file computes in and at its grids before its accuracy."""
    file = inspect(answer)
    if file.float_operators:
        return (
            f"{len(file.float_operators)} of its operators compute in float: that goes around what "
            "is wrong. Integers all the way are asked for"
        )
    (low, high), *_ = ends = _grids(file)
    slack, widest = 0.02 * np.ptp(x), 2 * np.ptp(x)  # a symmetric grid may be twice as wide
    if low > x.min() + slack or high < x.max() - slack or high - low > widest:
        spans, flows = f"{low:.2f} to {high:.2f}", f"{x.min():.2f} to {x.max():.2f}"
        return f"the grid of its input goes from {spans}, and what flows in from {flows}"
    theirs = _grids(inspect(convert(network, "full_integer", x)))
    if all(any(np.allclose(own, each) for own in ends) for each in theirs):
        return "its ranges are those of the test images: what judges a file has no say in it"
    lost_pp = -gained(convert(network, "float32"), answer, x, y).difference_pp
    return None if lost_pp < 1 else f"the grid of its input fits, and {lost_pp:.1f} points are lost"


def _grids(file):
    """Return the real numbers at the ends of each activation's grid, the input's first."""
    tensors = [t for t in (*file.inputs, *file.activations) if t.scale.size]
    limits = [np.iinfo(t.dtype) for t in tensors]
    return [
        tuple(t.scale[0] * (np.array([ends.min, ends.max]) - t.zero_point[0]))
        for t, ends in zip(tensors, limits, strict=True)
    ]
