"""What the explorers of a network share: its file opened once, and a change measured beside."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from qkit import validate
from qkit.evaluate.accuracy import Accuracy, accuracy
from qkit.evaluate.effect import effect
from qkit.plots.effects import live_effect
from qkit.tflite.edit import FloatFile, opened
from qkit.toolchain.convert import convert
from qkit.widgets.explorer import Explorer


@dataclass(frozen=True, eq=False)
class Subject:
    """A float file, the first test images with their labels, and what it makes of them."""

    file: FloatFile
    x: np.ndarray
    y: np.ndarray
    reference: Accuracy


def subject(model, data, images, *, what):
    """Return the `Subject` of a classifier, Keras model or float file, and so many test images."""
    images = validate.whole(images, name=f"{what}: the number of test images")
    tflite = model if isinstance(model, (bytes, bytearray)) else convert(model, "float32")
    x, y = data.x_test[:images], data.y_test[:images]
    reference = accuracy(tflite, x, y)  # which refuses damaged files
    return Subject(opened(tflite), x, y, reference)


def explorer_of_changes(subject, controls, change, said, alt, leads=None):
    """Return an explorer whose controls choose a change, at once, and whose accuracy follows.

    ``change(**values)`` makes it of the controls but that of the layer, ``said(change, layer)``
    says in words what is known at once.
    """
    changed = lru_cache(maxsize=256)(change)
    first = changed(**{name: c.value for name, c in controls.items() if name != "layer"})
    figure, update_change, update_effect = live_effect(first, subject.reference, subject.x)

    def answer(layer=None, **values):
        found = changed(**values)
        update_change(found, layer)
        return said(found, layer), found

    def measure(change):
        return effect(subject.file, change, subject.x, subject.y, reference=subject.reference)

    def say(effect):
        return f"{effect.paired.against(effect.change.reference_name)}."

    return Explorer(
        controls, figure, answer, alt=alt, compute=measure, draw=update_effect, say=say, leads=leads
    )
