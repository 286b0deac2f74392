"""Exercises of 00: what of a file shrinks, and what an interval says."""

from functools import cache

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.course.exercises import choice, exercise, number
from qkit.models import walkthrough_cnn
from qkit.toolchain.convert import convert

_FILTERS = 48


@exercise("00.1", "a number, how many times smaller,")
def larger_ratio(answer, files):
    """Weigh both files of a larger network."""
    right = _ratio(*_larger())
    return number(
        answer,
        right,
        mistakes=[
            (1 / right, "the other way round: the larger file over the smaller one"),
            (1 - 1 / right, "that is the share that is saved"),
            (100 - 100 / right, "that is the share that is saved, in per cent"),
            (_ratio(files["float32"], files["full_integer"]), "that is the small network's ratio"),
            (4, "the numbers alone are 4 times smaller; graph, names and scales are not"),
        ],
        hint="what is not numbers stays about as long as in the small network's files: two sums, "
        "one of four bytes a number, one of one",
        rel=0.005,
        abs=0.03,
    )


def _ratio(float_file, int8_file):
    return len(float_file) / len(int8_file)


@cache
def _larger():
    """Return the two files of a network with more filters; untrained, for bytes are alike."""
    config = walkthrough_cnn().get_config()
    next(x for x in config["layers"] if x["class_name"] == "Conv2D")["config"]["filters"] = _FILTERS
    larger = tensorflow().keras.Sequential.from_config(config)
    sample = np.random.default_rng(0).random((20, 28, 28), np.float32)
    return convert(larger, "float32"), convert(larger, "full_integer", sample)


@exercise("00.2", "one of the letters")
def what_an_interval_says(answer):
    """Ask what is known where an interval of points holds 0."""
    return choice(
        answer,
        {
            "a": "that no loss is shown does not show that there is none: how far does it reach?",
            "b": "−0.20 is what these images show; on others it may as well be a gain",
            "c": None,
            "d": "points are answers gained less answers lost: many of each may add up to nothing",
        },
    )
