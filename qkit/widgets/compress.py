"""Explorers of sparsity and of clusters: weights changed in one shot, bytes, and the accuracy."""

import ipywidgets as ipw

from qkit.interpreter.one_shot import STORAGES, cluster_once, prune_once
from qkit.plots.effects import MOST_CLUSTERS, MOST_STEPS
from qkit.quantize.centroids import INITS
from qkit.quantize.coding import kib
from qkit.widgets.changes import explorer_of_changes, said_of_layers, subject
from qkit.widgets.explorer import choice

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

    Notes
    -----
    In a .tflite file, batch normalisation is folded into the kernels. The weights are pruned as
    the file has them; tensorflow-model-optimization prunes those before the folding.
    """
    looked_at = subject(model, data, images, what="explore_sparsity")
    found = looked_at.file
    patterns = _patterns(found)

    def change(sparsity, pattern, storage):
        pattern = patterns[pattern]
        share = 0.5 if pattern == _TWO_OF_FOUR else sparsity / 100
        return prune_once(found, share, pattern=pattern, storage=storage)

    controls = {
        "sparsity": ipw.IntSlider(50, 0, 98, description="sparsity, %"),
        "pattern": choice(patterns, "pattern"),
        "storage": choice(STORAGES, "stored as"),
        "layer": _layer_shown(prune_once(found, 0)),
    }
    alt = "A kernel with its zeros; histogram of its weights; bytes; wrong answers by sparsity."
    return explorer_of_changes(looked_at, controls, change, _said_of_pruned, alt=alt)


def explore_clusters(model, data, *, images=1000):
    """Explore what a few values for all weights of a layer do to a network, without fine-tuning.

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

    Notes
    -----
    In a .tflite file, batch normalisation is folded into the kernels. The weights are clustered as
    the file has them; tensorflow-model-optimization clusters those before the folding.
    """
    looked_at = subject(model, data, images, what="explore_clusters")

    def change(clusters, init, steps):
        return cluster_once(looked_at.file, clusters, init=init, steps=steps)

    controls = {
        "clusters": ipw.IntSlider(16, 2, MOST_CLUSTERS, description="clusters"),
        "init": choice(INITS, "start", "linear"),
        "steps": ipw.IntSlider(0, 0, MOST_STEPS, description="steps of k-means"),
        "layer": _layer_shown(change(2, "linear", 0)),
    }
    alt = "Centroids among a layer's weights, and how they move; bytes; wrong answers."
    return explorer_of_changes(looked_at, controls, change, _said_of_clustered, alt=alt)


def _layer_shown(changed):
    """Return the control of the layer that is shown, first the largest of those that change."""
    names = [layer.name for layer in changed.layers]
    changing = [layer for layer in changed.layers if layer.name not in changed.left_whole]
    most = max(changing or changed.layers, key=lambda layer: layer.weights.size)
    return choice(names, "layer shown", most.name)


def _patterns(found):
    """Return the patterns that fit at least one layer, by the words of the control."""
    words = {"each weight": None, _TWO_OF_FOUR: _TWO_OF_FOUR, "blocks of 1 × 4": _BLOCK}
    fitting = {}
    for word, pattern in words.items():
        pruned = prune_once(found, 0, pattern=pattern)
        if pattern is None or len(pruned.left_whole) < len(pruned.layers):
            fitting[word] = pattern
    return fitting


def _said_of_pruned(pruned, layer):
    size, before, rounded = pruned.size, pruned.size_before, pruned.rounded_to_0
    half = "2:4 sets half to 0, whatever the slider says. " * (pruned.pattern == _TWO_OF_FOUR)
    zeros = f" (rounding to int8 makes {rounded:,} more)" if rounded else ""
    return (
        f"One-shot pruning, without fine-tuning: {half}{pruned.set_to_0:,} of {pruned.total:,} "
        f"weights are set to 0{zeros}. All weights as {pruned.storage}: raw {kib(size.raw_bytes)} "
        f"as before; deflated {kib(before.deflated_bytes)} → {kib(size.deflated_bytes)}; entropy "
        f"floor {kib(before.entropy_bytes)} → {kib(size.entropy_bytes)}."
        f"{said_of_layers(pruned, 'prune', 'pruned')}"
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
        f"floor {kib(size.entropy_bytes)}.{said_of_layers(clustered, 'cluster', 'clustered')}"
    )
