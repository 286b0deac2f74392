"""Explorers of sparsity and of clusters: weights changed in one shot, bytes, and the accuracy."""

import re

import ipywidgets as ipw

from qkit.interpreter.one_shot import STORAGES, cluster_once, prune_once
from qkit.plots.effects import MOST_CLUSTERS, MOST_STEPS
from qkit.quantize.centroids import INITS
from qkit.quantize.coding import kib
from qkit.widgets.changes import explorer_of_changes, subject
from qkit.widgets.explorer import choice

# TensorFlow Lite has a kernel for blocks of this size
_PATTERNS = {"each weight": None, "2:4": "2:4", "blocks of 1 × 4": (1, 4)}
_FOLDED = re.compile("FusedBatchNorm|/batchnorm/")  # in the names of what it was folded into


def explore_sparsity(model, data, *, images=1000):
    """Explore what setting the small weights to 0 does to a network, without fine-tuning.

    The weights are pruned as the .tflite file has them, batch normalisation folded in.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
    images : int
        How many of its first test images the accuracy is measured on.

    Returns
    -------
    Explorer
    """
    looked_at = subject(model, data, images, what="explore_sparsity")
    fitting = [
        words
        for words, pattern in _PATTERNS.items()
        if pattern is None or _changing(prune_once(looked_at.file, 0, pattern=pattern))
    ]

    def change(sparsity, pattern, storage):
        share = 0.5 if pattern == "2:4" else sparsity / 100
        return prune_once(looked_at.file, share, pattern=_PATTERNS[pattern], storage=storage)

    controls = {
        "sparsity": ipw.IntSlider(50, 0, 98, description="sparsity, %"),
        "pattern": choice(fitting),
        "storage": choice(STORAGES, description="stored as"),
        "layer": _layer_shown(prune_once(looked_at.file, 0)),
    }
    alt = "A kernel with its zeros; histogram of its weights; bytes; wrong answers by sparsity."
    return explorer_of_changes(looked_at, controls, change, _said_of_pruned, alt)


def explore_clusters(model, data, *, images=1000):
    """Explore what a few values for all weights of a layer do to a network, without fine-tuning.

    The weights are clustered as the .tflite file has them, batch normalisation folded in.

    Parameters
    ----------
    model, data, images
        As for `explore_sparsity`.

    Returns
    -------
    Explorer
    """
    looked_at = subject(model, data, images, what="explore_clusters")

    def change(clusters, init, steps):
        return cluster_once(looked_at.file, clusters, init=init, steps=steps)

    controls = {
        "clusters": ipw.IntSlider(16, 2, MOST_CLUSTERS),
        "init": choice(INITS, value="linear", description="start"),
        "steps": ipw.IntSlider(0, 0, MOST_STEPS, description="steps of k-means"),
        "layer": _layer_shown(change(2, "linear", 0)),
    }
    alt = "Centroids among a layer's weights, and how they move; bytes; wrong answers."
    return explorer_of_changes(looked_at, controls, change, _said_of_clustered, alt)


def _changing(changed):
    return [layer for layer in changed.layers if layer.name not in changed.left_whole]


def _layer_shown(changed):
    """Return the control of the layer that is shown, first the largest of those that change."""
    names = [layer.name for layer in changed.layers]
    most = max(_changing(changed) or changed.layers, key=lambda layer: layer.weights.size)
    return choice(names, value=most.name, description="layer shown")


def _said_of_pruned(pruned, layer):
    size, before = pruned.size, pruned.size_before
    half = "2:4 sets half to 0, whatever the slider says. " * (pruned.pattern == "2:4")
    more = pruned.rounded_to_0
    zeros = f" (rounding to int8 makes {more:,} more)" if more else ""
    return (
        f"One-shot pruning, without fine-tuning: {half}{pruned.set_to_0:,} of {pruned.total:,} "
        f"weights are set to 0{zeros}. All weights as {pruned.storage}: raw {kib(size.raw_bytes)} "
        f"as before; deflated {kib(before.deflated_bytes)} → {kib(size.deflated_bytes)}; entropy "
        f"floor {kib(before.entropy_bytes)} → {kib(size.entropy_bytes)}."
        f"{_said_of_layers(pruned, 'prune', 'pruned')}"
    )


def _said_of_clustered(clustered, layer):
    size, before = clustered.size, clustered.size_before
    said = f"{layer} is left as it is."
    if layer not in clustered.left_whole:
        counts = clustered.counts[layer]
        said = (
            f"{layer}: {clustered.in_use(layer)} of {clustered.clusters} values in use, the "
            f"fullest by {100 * counts.max() / counts.sum():.0f} % of the weights; SQNR "
            f"{clustered.sqnr_db(layer):.1f} dB."
        )
    return (
        f"One-shot clustering, without fine-tuning. {said} All weights: raw "
        f"{kib(before.raw_bytes)} as before; deflated {kib(before.deflated_bytes)} → "
        f"{kib(size.deflated_bytes)}; as index and table {kib(clustered.table_bytes)}; entropy "
        f"floor {kib(size.entropy_bytes)}.{_said_of_layers(clustered, 'cluster', 'clustered')}"
    )


def _said_of_layers(weights, does, done):
    """Say which layers were left whole, and that training works on other kernels."""
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
