"""Explorers of what changes a network without training: fewer bits, zeros, shared values."""

import re
from functools import lru_cache, partial
from types import SimpleNamespace

import ipywidgets as ipw

from qkit import validate
from qkit.data import drawn
from qkit.evaluate.accuracy import accuracy, require_classes
from qkit.evaluate.effect import effect
from qkit.interpreter.one_shot import STORAGES, cluster_once, prune_once
from qkit.interpreter.run import open_interpreter, taken
from qkit.interpreter.simulation import Bits, bits, calibrated_ranges
from qkit.plots.effects import MOST_CLUSTERS, MOST_STEPS, live_effect
from qkit.quantize.centroids import INITS
from qkit.result import kb
from qkit.samples import count, rows, samples
from qkit.tflite.edit import opened
from qkit.toolchain.convert import convert
from qkit.widgets.controls import choice
from qkit.widgets.explorer import Explorer

_BITS = [*((str(bits), bits) for bits in (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)), ("float", 32)]
# TensorFlow Lite has a kernel for blocks of this size
_PATTERNS = {"each weight": None, "2:4": "2:4", "blocks of 1 × 4": (1, 4)}


def dataset(data):
    """Return data with parts to train and to test: of (x, y) both are all items."""
    if not isinstance(data, tuple) or len(data) != 2:
        return data
    return SimpleNamespace(x_train=data[0], y_train=data[1], x_test=data[0], y_test=data[1])


def part(data, name, *, what, tflite=None):
    """Return an array of a Dataset; of items that a file takes, checked, one for each input."""
    found = getattr(data, name, None)
    if found is None:
        raise TypeError(
            f"{what}: expected a Dataset with {name}, got {type(data).__name__} without it. Pass "
            "what qk.load_data returns, a qk.Dataset, or (x, y)."
        )
    if tflite is None:
        return validate.array(found, what=f"{what}: data.{name}")
    return samples(found, taken(open_interpreter(tflite), found)[0], what=f"{what}: data.{name}")


def subject(model, data, images, *, what):
    """Return a model's FloatFile, so many test images, their labels, and its Accuracy on them."""
    images = validate.whole(images, name=f"{what}: the number of test images")
    tflite = model if isinstance(model, (bytes, bytearray)) else convert(model, "float32")
    x, y = part(data, "x_test", what=what, tflite=tflite), part(data, "y_test", what=what)
    if y.shape[:1] != (count(x),):
        raise ValueError(f"{what}: of {count(x):,} items data.y_test has the shape {y.shape}.")
    x, y = rows(x, slice(images)), y[:images]
    reference = accuracy(tflite, x, y)  # which refuses damaged files
    require_classes(reference, what=what)
    return opened(tflite), x, y, reference


def explore_bits(model, data, *, images=1000, calibration=None, start=None):
    """Explore how few bits each layer's weights and activations can do with.

    Parameters
    ----------
    model : tf.keras.Model or bytes, a trained Keras 2 classifier, or its float .tflite file
    data : Dataset; or (x, y), labelled items, from which ranges are chosen, too
    images : int, how many of its first test images the accuracy is measured on
    calibration : ndarray, optional, images that choose the activations' ranges; 100 by default
    start : Bits, optional, from ``explore_layers(…).bits()`` or `qk.simulation.bits`; all 8 else

    Returns
    -------
    Explorer
    """
    data = dataset(data)
    file, *measured = subject(model, data, images, what="explore_bits")
    if calibration is None:
        calibration = drawn(part(data, "x_train", what="explore_bits", tflite=file.tflite), 100)
    ranges = calibrated_ranges(file, calibration)
    names = [layer.name for layer in file.layers]

    def change(**values):
        of_weights = {name: values[f"weight bits, {name}"] for name in names}
        of_activations = {name: values[f"activation bits, {name}"] for name in ("input", *names)}
        return bits(file, ranges, weight_bits=of_weights, activation_bits=of_activations)

    kinds = "weight bits", "activation bits"
    labels = [f"{kind}, {name}" for name in ("all", *names) for kind in kinds]
    labels.append("activation bits, input")  # which has no weights
    now = _bits_at_first(start, labels[2:])
    controls = {x: ipw.SelectionSlider(options=_BITS, value=now.get(x, 8)) for x in labels}
    leads = {
        f"{kind}, all": partial(dict.fromkeys, [x for x in labels[2:] if x.startswith(kind)])
        for kind in kinds
    }
    alt = "Bits of each layer; share of wrong answers against size; images that flip."
    return _explorer(file, measured, controls, change, "{}.".format, alt, leads)


def _bits_at_first(start, labels):
    """Return bits by label of their control: those of a change, of the same layers."""
    if start is None:
        return {}
    validate.instance(start, Bits, name="explore_bits: start")
    both = ("weight", start.weight_bits), ("activation", start.activation_bits)
    found = {f"{kind} bits, {name}": b for kind, by in both for name, b in by.items()}
    if {*found} != {*labels}:
        raise ValueError(
            f"explore_bits: start is of the layers {', '.join(start.weight_bits)}, which are not "
            "those of the model. Make it from the same model."
        )
    allowed = dict(_BITS).values()
    return {k: validate.choice(b, allowed, name=f"explore_bits: {k}") for k, b in found.items()}


def explore_sparsity(model, data, *, images=1000):
    """Explore what setting the small weights to 0 does to a network, without fine-tuning.

    Parameters
    ----------
    model, data, images : as for `explore_bits`

    Returns
    -------
    Explorer
    """
    file, *measured = subject(model, dataset(data), images, what="explore_sparsity")

    def fits(words):
        left_whole = prune_once(file, 0, pattern=_PATTERNS[words]).left_whole
        return _PATTERNS[words] is None or len(left_whole) < len(file.layers)

    def change(sparsity, pattern, storage):
        share = 0.5 if pattern == "2:4" else sparsity / 100
        return prune_once(file, share, pattern=_PATTERNS[pattern], storage=storage)

    controls = {
        "layer": _layer_shown(prune_once(file, 0)),
        "sparsity": ipw.IntSlider(50, 0, 98, description="sparsity, %"),
        "pattern": choice(filter(fits, _PATTERNS)),
        "storage": choice(STORAGES, description="stored as"),
    }
    alt = "A kernel with its zeros; histogram of its weights; bytes; wrong answers by sparsity."
    return _explorer(file, measured, controls, change, _said_of_pruned, alt)


def explore_clusters(model, data, *, images=1000):
    """Explore what a few values for all weights of a layer do to a network, without fine-tuning.

    Parameters
    ----------
    model, data, images : as for `explore_bits`

    Returns
    -------
    Explorer
    """
    file, *measured = subject(model, dataset(data), images, what="explore_clusters")
    controls = {
        "layer": _layer_shown(cluster_once(file, 2)),
        "clusters": ipw.IntSlider(16, 2, MOST_CLUSTERS),
        "init": choice(INITS, value="linear", description="start"),
        "steps": ipw.IntSlider(0, 0, MOST_STEPS, description="steps of k-means"),
    }
    alt = "Centroids among a layer's weights, and how they move; bytes; wrong answers."
    change = partial(cluster_once, file)
    return _explorer(file, measured, controls, change, _said_of_clustered, alt)


def _explorer(file, measured, controls, change, said, alt, leads=None):
    """Return an explorer that draws a change at once, and its accuracy as soon as it is there.

    It is ``change(**values)`` of the controls, but for the layer that is shown.
    """
    x, y, reference = measured
    changed = lru_cache(maxsize=256)(change)
    others = _said_of_others(file)
    first = changed(**{name: c.value for name, c in controls.items() if name != "layer"})
    figure, update_change, update_effect = live_effect(first, reference, x)

    def answer(layer=None, **values):
        found = changed(**values)
        update_change(found, layer)
        return f"{said(found, layer)}{others}", found

    return Explorer(
        controls, figure, answer, alt=alt, draw=update_effect, leads=leads,
        compute=partial(effect, file, x=x, y=y, reference=reference),
        say=lambda effect: f"{effect.paired.against(effect.change.reference_name)}.",
    )  # fmt: skip


def _said_of_others(file):
    """Say which weights are not changed here, as they are in no layer that one can choose."""
    if not (left_out := file.left_out):
        return ""
    kinds = ", ".join(f"{count:,} of {kind}" for kind, count in left_out.items())
    others = sum(left_out.values())
    share = others / (others + sum(layer.weights.size for layer in file.layers))
    return f" Not among these weights, and left as they are: {kinds} ({share:.0%} of all)."


def _layer_shown(changed):
    # at first the largest of those that change
    sizes = {x.name: (x.name not in changed.left_whole, x.weights.size) for x in changed.layers}
    return choice(sizes, value=max(sizes, key=sizes.get))


def _said_of_pruned(pruned, layer):
    size, before = pruned.size, pruned.size_before
    half = "2:4 sets half to 0, whatever the slider says. " * (pruned.pattern == "2:4")
    more = pruned.rounded_to_0
    zeros = f" (rounding to int8 makes {more:,} more)" if more else ""
    return (
        f"One-shot pruning, without fine-tuning: {half}{pruned.set_to_0:,} of {pruned.total:,} "
        f"weights are set to 0{zeros}. All weights as {pruned.storage}: raw {kb(size.raw_bytes)} "
        f"as before; deflated {kb(before.deflated_bytes)} → {kb(size.deflated_bytes)}; entropy "
        f"floor {kb(before.entropy_bytes)} → {kb(size.entropy_bytes)}."
        f"{_said_of_layers(pruned, 'prune', 'pruned')}"
    )


def _said_of_clustered(clustered, layer):
    size, before = clustered.size, clustered.size_before
    said = f"{layer} is left as it is."
    if layer not in clustered.left_whole:
        counts = clustered.counts[layer]
        said = (
            f"{layer}: {(counts > 0).sum()} of {clustered.clusters} values in use, the "
            f"fullest by {100 * counts.max() / counts.sum():.0f} % of the weights; SQNR "
            f"{clustered.sqnr_db(layer):.1f} dB."
        )
    return (
        f"One-shot clustering, without fine-tuning. {said} All weights: raw "
        f"{kb(before.raw_bytes)} as before; deflated {kb(before.deflated_bytes)} → "
        f"{kb(size.deflated_bytes)}; as index and table {kb(clustered.table_bytes)}; entropy "
        f"floor {kb(size.entropy_bytes)}.{_said_of_layers(clustered, 'cluster', 'clustered')}"
    )


def _said_of_layers(weights, does, done):
    """Say which layers were left whole, and that training works on other kernels."""
    said = ""
    for why in dict.fromkeys(weights.left_whole.values()):
        names = ", ".join(name for name, reason in weights.left_whole.items() if reason == why)
        said += f" Not {done}: {names} ({why})."
    names = " ".join(f"{x.weights_name} {x.activation_name}" for x in weights.layers)
    if re.search("FusedBatchNorm|/batchnorm/", names):  # is in the names of what it was folded into
        said += (
            " Batch normalisation is folded into the kernels here; tensorflow-model-optimization "
            f"{does}s those before the folding."
        )
    return said
