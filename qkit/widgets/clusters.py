"""Explorer of clusters: where shared values start and move, their bytes, and the accuracy."""

from functools import lru_cache

import ipywidgets as ipw
from matplotlib.figure import Figure

from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.clusters_effect import ClustersEffect
from qkit.evaluate.significance import paired
from qkit.interpreter.cluster_once import cluster_once
from qkit.interpreter.simulation import layers
from qkit.plots.clusters import MOST_CLUSTERS, MOST_STEPS, compose_clusters_effect
from qkit.quantize.centroids import INITS
from qkit.quantize.coding import kib, stored_bytes
from qkit.tflite.edit import with_weights
from qkit.widgets.explorer import Explorer, choice
from qkit.widgets.subject import said_of_layers, subject


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

    Raises
    ------
    TypeError, ValueError
        If the model or the data are not fit for it.

    Notes
    -----
    In a .tflite file, batch normalisation is folded into the kernels. The weights are clustered as
    the file has them; tensorflow-model-optimization clusters those before the folding.
    """
    tflite, x, y, reference = subject(model, data, images, what="explore_clusters")
    found = layers(tflite)
    before = stored_bytes(layer.weights for layer in found)
    clustered_first = [layer for layer in found if layer.kind != "DEPTHWISE_CONV_2D"]
    largest = max(clustered_first or found, key=lambda layer: layer.weights.size)
    controls = {
        "clusters": ipw.IntSlider(16, 2, MOST_CLUSTERS, description="clusters"),
        "init": choice(INITS, "start", "linear"),
        "steps": ipw.IntSlider(0, 0, MOST_STEPS, description="steps of k-means"),
        "layer": choice([layer.name for layer in found], "layer shown", largest.name),
    }
    figure = Figure(figsize=(10, 5.4), dpi=100, layout="constrained")
    update_weights, update_effect = compose_clusters_effect(figure, before, reference)

    @lru_cache(maxsize=256)
    def clustered_by(clusters, init, steps):
        return cluster_once(found, clusters, init=init, steps=steps)

    @lru_cache(maxsize=256)
    def effect_of(clusters, init, steps):
        clustered = clustered_by(clusters, init, steps)
        found_right = accuracy(with_weights(tflite, clustered.weights), x, y)
        return ClustersEffect(clustered, before, paired(reference, found_right))

    def answer(layer, **values):
        clustered = clustered_by(**values)
        update_weights(clustered, layer)
        return (
            f"One-shot clustering, without fine-tuning. {_said_layer(clustered, layer)} All "
            f"weights: raw {kib(before.raw_bytes)} as before; deflated "
            f"{kib(before.deflated_bytes)} → {kib(clustered.size.deflated_bytes)}; as index and "
            f"table {kib(clustered.table_bytes)}; entropy floor "
            f"{kib(clustered.size.entropy_bytes)}."
            f"{said_of_layers(clustered, 'cluster', 'clustered')}"
        )

    def compute(layer, **values):
        return effect_of(**values)

    def settle(effect):
        update_effect(effect)
        return None if effect is None else f"{effect.paired.against('the weights as they were')}."

    return Explorer(
        controls,
        figure,
        answer,
        alt="Centroids among a layer's weights, and how they move; bytes; wrong answers.",
        compute=compute,
        settle=settle,
    )


def _said_layer(clustered, name):
    if name in clustered.left_whole:
        return f"{name} is left as it is."
    counts = clustered.counts[name]
    return (
        f"{name}: {clustered.in_use(name)} of {clustered.clusters} values in use, the fullest by "
        f"{100 * counts.max() / counts.sum():.0f} % of the weights; SQNR "
        f"{clustered.sqnr_db(name):.1f} dB."
    )
