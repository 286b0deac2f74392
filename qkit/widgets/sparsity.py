"""Explorer of sparsity: which weights one-shot pruning leaves, their bytes, and the accuracy."""

from functools import lru_cache

import ipywidgets as ipw
import numpy as np
from matplotlib.figure import Figure

from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import paired
from qkit.evaluate.sparsity_effect import SparsityEffect
from qkit.interpreter.prune_once import STORAGES, prune_once
from qkit.interpreter.simulation import layers
from qkit.plots.sparsity import compose_sparsity_effect
from qkit.quantize.coding import kib
from qkit.tflite.edit import with_weights
from qkit.widgets.explorer import Explorer, choice
from qkit.widgets.subject import said_of_layers, subject

_TWO_OF_FOUR, _BLOCK = "2:4", (1, 4)  # TensorFlow Lite has a kernel for blocks of this size


def explore_sparsity(model, data, *, images=1000):
    """Explore what setting the small weights to 0 does to a network, without fine-tuning.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
        Its first test images are what the accuracy is measured on.
    images : int
        How many of them.

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
        If the model or the data are not fit for it.

    Notes
    -----
    In a .tflite file, batch normalisation is folded into the kernels. The weights are pruned as
    the file has them; tensorflow-model-optimization prunes those before the folding.
    """
    tflite, x, y, reference = subject(model, data, images, what="explore_sparsity")
    found = layers(tflite)
    patterns = _patterns(found)
    pruned_first = [layer for layer in found if layer.name not in prune_once(found, 0).left_whole]
    largest = max(pruned_first or found, key=lambda layer: layer.weights.size)
    controls = {
        "sparsity": ipw.IntSlider(50, 0, 98, description="sparsity, %"),
        "pattern": choice(patterns, "pattern"),
        "storage": choice(STORAGES, "stored as"),
        "layer": choice([layer.name for layer in found], "layer shown", largest.name),
    }
    figure = Figure(figsize=(10, 5.4), dpi=100, layout="constrained")
    raw_bytes = sum(layer.weights.nbytes for layer in found)
    update_weights, update_effect = compose_sparsity_effect(figure, raw_bytes, reference)

    @lru_cache(maxsize=256)
    def pruned_by(sparsity, pattern, storage):
        return prune_once(found, sparsity / 100, pattern=pattern, storage=storage)

    @lru_cache(maxsize=256)
    def effect_of(sparsity, pattern, storage):
        pruned = pruned_by(sparsity, pattern, storage)
        found_right = accuracy(with_weights(tflite, pruned.weights), x, y)
        return SparsityEffect(pruned, pruned_by(0, None, storage), paired(reference, found_right))

    def asked(sparsity, pattern, storage):
        pattern = patterns[pattern]
        return 50 if pattern == _TWO_OF_FOUR else sparsity, pattern, storage

    def answer(layer, **values):
        pruned = pruned_by(*asked(**values))
        whole = pruned_by(0, None, pruned.storage)
        update_weights(pruned, whole, layer)
        return f"{_said_bytes(pruned, whole)}{said_of_layers(pruned, 'prune', 'pruned')}"

    def compute(layer, **values):
        return effect_of(*asked(**values))

    def settle(effect):
        update_effect(effect)
        return None if effect is None else f"{effect.paired.against('all weights in float32')}."

    return Explorer(
        controls,
        figure,
        answer,
        alt="A kernel with its zeros; histogram of its weights; bytes; wrong answers by sparsity.",
        compute=compute,
        settle=settle,
    )


def _patterns(found):
    """Return the patterns that fit at least one layer, by the words of the control."""
    words = {"each weight": None, _TWO_OF_FOUR: _TWO_OF_FOUR, "blocks of 1 × 4": _BLOCK}
    return {
        word: pattern
        for word, pattern in words.items()
        if pattern is None or len(prune_once(found, 0, pattern=pattern).left_whole) < len(found)
    }


def _said_bytes(pruned, whole):
    kept = sum(np.count_nonzero(mask) for mask in pruned.masks.values())
    total = sum(mask.size for mask in pruned.masks.values())
    rounded = total - kept - sum(np.count_nonzero(stored == 0) for stored in pruned.stored.values())
    half = "2:4 sets half to 0, whatever the slider says. " * (pruned.pattern == _TWO_OF_FOUR)
    zeros = f" (rounding to int8 makes {-rounded:,} more)" if rounded < 0 else ""
    return (
        f"One-shot pruning, without fine-tuning: {half}{total - kept:,} of {total:,} weights are "
        f"set to 0{zeros}. All weights as {pruned.storage}: raw {kib(pruned.size.raw_bytes)} as "
        f"before; deflated {kib(whole.size.deflated_bytes)} → {kib(pruned.size.deflated_bytes)}; "
        f"entropy floor {kib(whole.size.entropy_bytes)} → {kib(pruned.size.entropy_bytes)}."
    )
