"""What the explorers of a network share: its file opened once, and a change measured beside."""

import re
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

_FOLDED = re.compile("FusedBatchNorm|/batchnorm/")  # in the names of what it was folded into


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


def explorer_of_changes(looked_at, controls, change, said, *, alt, leads=None):
    """Return an explorer whose controls choose a change, at once, and whose accuracy follows.

    ``change(**values)`` makes it of the controls but that of the layer, ``said(change, layer)``
    says in words what is known at once.
    """
    changed = lru_cache(maxsize=256)(change)
    values = {name: control.value for name, control in controls.items() if name != "layer"}
    figure, update_change, update_effect = live_effect(
        changed(**values), looked_at.reference, looked_at.x
    )

    @lru_cache(maxsize=256)
    def measured(change):
        return effect(
            looked_at.file, change, looked_at.x, looked_at.y, reference=looked_at.reference
        )

    def answer(layer=None, **values):
        found = changed(**values)
        update_change(found, layer)
        return said(found, layer)

    def compute(layer=None, **values):
        return measured(changed(**values))

    def settle(effect):
        update_effect(effect)
        if effect is None:
            return None
        return f"{effect.paired.against(effect.change.reference_name)}."

    return Explorer(controls, figure, answer, alt=alt, compute=compute, settle=settle, leads=leads)


def said_of_layers(weights, does, done):
    """Say which layers were left whole, and that others ("prune", "pruned") work on other kernels.

    Sentences, each after a blank; empty where there is nothing to say.
    """
    by_reason = {}
    for name, reason in weights.left_whole.items():
        by_reason.setdefault(reason, []).append(name)
    said = [f" Not {done}: {', '.join(names)} ({why})." for why, names in by_reason.items()]
    if any(_FOLDED.search(f"{x.weights_name} {x.activation_name}") for x in weights.layers):
        said.append(
            " Batch normalisation is folded into the kernels here; tensorflow-model-optimization "
            f"{does}s those before the folding."
        )
    return "".join(said)
