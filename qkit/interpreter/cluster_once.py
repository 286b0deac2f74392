"""One-shot clustering of a float .tflite file's weights: many share a value, none is trained."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qkit.quantize.centroids import initial_centroids, kmeans_steps, nearest_centroid
from qkit.quantize.coding import StoredBytes, kib, stored_bytes
from qkit.quantize.errors import sqnr_db
from qkit.result import Result

_DEPTHWISE = "depthwise, which tensorflow-model-optimization leaves as they are"


@dataclass(frozen=True, eq=False, repr=False)
class ClusteredWeights(Result):
    """The weights of some layers, each replaced by the nearest centroid of its layer.

    Attributes
    ----------
    clusters : int
        How many centroids each layer was given.
    init : {"linear", "random", "density", "kmeans++"}
    steps : int
        Of k-means.
    layers : tuple of Layer
        With the weights before.
    paths : mapping of str to ndarray of shape (steps + 1, clusters)
        By layer that is clustered, the centroids from the start to the end.
    counts : mapping of str to ndarray of shape (clusters,), int64
        By layer that is clustered, how many weights took each centroid.
    left_whole : mapping of str to str
        Layers that are not clustered, and why.
    values : mapping of str to ndarray of float32
        By layer, what is stored and what the network computes with.
    size : StoredBytes
        Of all layers together, in float32.
    table_bytes : int
        Of all layers together, each clustered one as a table of its centroids in float32 and the
        position in it for each weight, in as many bits as it needs.
    """

    clusters: int
    init: str
    steps: int
    layers: tuple
    paths: MappingProxyType
    counts: MappingProxyType
    left_whole: MappingProxyType
    values: MappingProxyType
    size: StoredBytes
    table_bytes: int

    @property
    def weights(self):
        """The values by the tensors' names, as `qk.with_weights` takes them."""
        return {layer.weights_name: self.values[layer.name] for layer in self.layers}

    def in_use(self, name):
        """Return how many different values a clustered layer has in the end."""
        return np.unique(self.paths[name][-1][self.counts[name] > 0]).size

    def sqnr_db(self, name):
        """Return the signal-to-quantization-noise ratio of a layer's weights, in decibels."""
        before = next(layer.weights for layer in self.layers if layer.name == name)
        return sqnr_db(before, self.values[name])

    def to_frame(self):
        """Return a DataFrame with one row per layer."""
        import pandas as pd

        rows = [
            {
                "layer": layer.name,
                "weights": layer.weights.size,
                "distinct_values": np.unique(self.values[layer.name]).size,
                "sqnr_db": self.sqnr_db(layer.name),
                "left_whole": self.left_whole.get(layer.name, ""),
            }
            for layer in self.layers
        ]
        return pd.DataFrame(rows).set_index("layer")

    def summary(self):
        """Say in one line what was asked for, and what the weights take."""
        steps = f"{self.steps} step{'s' * (self.steps != 1)} of k-means"
        return (
            f"One-shot clustering to {self.clusters} values a layer, {self.init} and {steps}, "
            f"without fine-tuning; {self.size.summary()}, index and table {kib(self.table_bytes)}"
        )


def cluster_once(layers, clusters, *, init="kmeans++", steps=0, seed=0):
    """Give all weights of a layer a few values in common, without training any.

    Parameters
    ----------
    layers : iterable of Layer
        From `qk.simulation.layers`.
    clusters : int
        Values for each layer, 1 or more.
    init : {"linear", "random", "density", "kmeans++"}
        Where they start; see `qk.centroids.initial_centroids`.
    steps : int
        Of k-means, by which they move on; 0 or more.
    seed : int
        Of "random" and "kmeans++".

    Returns
    -------
    ClusteredWeights

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> clustered = cluster_once(qk.simulation.layers(tflite), 4)
    >>> clustered.table_bytes == (108 + 20280) * 2 / 8 + 2 * 4 * 4
    True
    """
    layers = tuple(layers)
    whole = {layer.name: _DEPTHWISE for layer in layers if layer.kind == "DEPTHWISE_CONV_2D"}
    paths, counts, values, table = {}, {}, {}, 0
    for layer in layers:
        name, weights = layer.name, layer.weights
        values[name] = weights
        if name in whole:
            table += weights.nbytes
            continue
        start = initial_centroids(weights, clusters, init, seed=seed)
        paths[name] = kmeans_steps(weights, start, steps)
        index = nearest_centroid(weights, paths[name][-1])
        counts[name] = np.bincount(index.ravel(), minlength=clusters)
        values[name] = paths[name][-1][index]
        bits = int(clusters - 1).bit_length()
        table += -(-weights.size * bits // 8) + paths[name][-1].nbytes
    return ClusteredWeights(
        clusters=clusters,
        init=init,
        steps=steps,
        layers=layers,
        paths=MappingProxyType(paths),
        counts=MappingProxyType(counts),
        left_whole=MappingProxyType(whole),
        values=MappingProxyType(values),
        size=stored_bytes(values.values()),
        table_bytes=table,
    )
