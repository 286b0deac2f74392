"""Exercises of 12: a metric, and comparisons of small networks, made when they are asked for."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit._tensorflow import tensorflow
from qkit.course.lesson_12 import colleagues_file

WEIGHTS = Path(__file__).parents[1] / "files" / "trained.npz"


@dataclass
class Made(Sequence):
    """Answers that take seconds: each is made by a function, when it is its turn."""

    makers: list  # functions without arguments; or these, each with a part of what is said

    def __len__(self):
        return len(self.makers)

    def __getitem__(self, place):
        maker = self.makers[place]
        return (maker[0](), maker[1]) if isinstance(maker, tuple) else maker()


# ---- 12.1 ----


def turned(y, outputs):
    return (outputs.ravel() - y + 180) % 360 - 180


def near(y, outputs):
    return np.mean(np.abs(turned(y, outputs)) < 3)


def around_once(y, outputs):
    off = np.abs(outputs.ravel() - y)
    return np.mean(np.minimum(off, 360 - off) < 3)


# ---- 12.2: the same digits, judged by their number times ten ----

DIGITS = qk.load_data("digits")
X, Y = DIGITS.x_test[:100], DIGITS.y_test[:100]


def within_three(y, outputs):
    return np.mean(np.abs(outputs.ravel() - y.ravel()) < 3)


@functools.cache
def networks():
    keras = tensorflow().keras
    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28))
    flat = keras.layers.Flatten()(image)
    slant = keras.layers.Dense(1, name="slant")(flat)
    digit = keras.layers.Dense(10, name="digit")(flat)
    return keras.Model(image, slant), keras.Model(image, [slant, digit])


def compared(both, y, metric, schemes=("float16",)):
    return lambda: qk.compare(networks()[both], (X, y), list(schemes), metric=metric)


SLANT = np.float32(Y - 5)


# ---- 12.3 ----


@functools.cache
def theirs():
    model = qk.models.walkthrough_cnn()
    with np.load(WEIGHTS) as kept:
        model.set_weights([kept[name] for name in kept.files])
    return colleagues_file(model)


FRAMES, CAMERA = 255 * DIGITS.x_test, 255 * DIGITS.x_train[:100]


def brought(frames, camera, y=DIGITS.y_test, file=theirs):
    data = frames if y is None else (frames, y)
    return lambda: qk.compare(file(), data, ["full_integer"], calibration=camera)


def own_answers():
    return qk.outputs(theirs(), FRAMES / 255).argmax(axis=1)


def of_another():
    return (WEIGHTS.parent / "trained_float32.tflite").read_bytes()


MARKS = {"12.2": pytest.mark.slow, "12.3": pytest.mark.slow}
CASES = {
    "12.1": (
        {},
        [near],
        [
            (lambda y, outputs: np.mean(np.abs(outputs.ravel() - y) < 3), "2° apart"),
            (lambda y, outputs: np.mean(np.abs(outputs - y) < 3), "each with each"),
            (lambda y, outputs: 100 * near(y, outputs), "per cent"),
            (lambda y, outputs: near(y, outputs) * len(y), "how many"),
            (around_once, "within a turn"),
            (lambda y, outputs: np.mean(np.abs(turned(y, outputs)) < 1.5), "yours says"),
            (lambda y, outputs: np.abs(turned(y, outputs)) < 3, "one number"),
            (lambda y: 1.0, "a function of y and outputs"),
            (lambda y, outputs: 1.234e-5, "yours says 0.000"),
            (lambda y, outputs: None, "a number is asked for, got NoneType"),
            (lambda y, outputs: f"{near(y, outputs)}", "a number is asked for, got str"),
        ],
    ),
    "12.2": (
        lambda: {"expected": compared(0, SLANT, within_three)()},
        Made([compared(1, SLANT, {"slant": within_three})]),
        Made(
            [
                (compared(0, SLANT, within_three), "with one output"),
                (compared(1, SLANT, {"slant": None}), "judged by RMSE"),
                (compared(1, Y, {"digit": None}), "judged by accuracy"),
                (compared(1, SLANT + 100, {"slant": within_three}), "which output"),
                (compared(1, SLANT, {"slant": within_three}, []), "no row of float16"),
                (networks, "a comparison, of qk.compare"),
            ]
        ),
    ),
    "12.3": (
        lambda: {"theirs": theirs(), "frames": FRAMES, "labels": DIGITS.y_test},
        Made([brought(FRAMES, CAMERA)]),
        Made(
            [
                (brought(FRAMES / 255, CAMERA / 255), "float32 itself is at"),
                (brought(FRAMES / 255, CAMERA), "float32 itself is at"),
                (brought(FRAMES, CAMERA / 255), "calibration sample"),
                (brought(FRAMES[:200], CAMERA, DIGITS.y_test[:200]), "200 images are judged"),
                (brought(FRAMES, CAMERA, None), "without labels"),
                (lambda: brought(FRAMES / 255, CAMERA, own_answers())(), "labels are other ones"),
                (brought(FRAMES / 255, CAMERA / 255, file=of_another), "another file"),
                (theirs, "a qk.compare"),
            ]
        ),
    ),
}
