"""One-shot pruning and clustering of a float .tflite file's weights, without any training."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from qkit import validate
from qkit.quantize.centroids import initial_centroids, kmeans_steps, nearest_centroid
from qkit.quantize.coding import distinct_values, kib, stored_bytes
from qkit.quantize.errors import sqnr_db
from qkit.quantize.grid import PerAxis, choose_qparams, dequantize, quantize
from qkit.quantize.magnitude import magnitude_mask
from qkit.result import Result
from qkit.tflite.edit import layers, with_weights

STORAGES = ("float32", "int8")


@dataclass(frozen=True, eq=False, repr=False)
class OneShot(Result):
    """What pruned and clustered weights have in common: a change that `qk.effect` takes.

    All by layer: why some are left whole, what a file holds, what the network computes with.
    """

    layers: tuple  # with the weights before
    left_whole: dict
    stored: dict
    values: dict
    storage: str

    @cached_property
    def size(self):
        """`StoredBytes` of all layers together."""
        return stored_bytes(self.stored.values())

    @property
    def size_before(self):
        """`StoredBytes` of the weights before, stored in the same way."""
        return _size_before(self.layers, self.storage)

    @property
    def weights(self):
        """The values by the tensors' names, as `with_weights` takes them."""
        return {layer.weights_name: self.values[layer.name] for layer in self.layers}

    def applied(self, tflite):
        """Return the file that results."""
        return with_weights(tflite, self.weights)

    def before(self, name):
        """Return a layer's weights before."""
        return next(layer.weights for layer in self.layers if layer.name == name)


@dataclass(frozen=True, eq=False, repr=False)
class PrunedWeights(OneShot):
    """The weights of some layers, the small ones set to 0."""

    masks: dict  # by layer; True where a weight is kept
    pattern: object

    reference_name = "all weights in float32"

    @property
    def total(self):
        """How many weights there are, those of layers that are left whole too."""
        return sum(mask.size for mask in self.masks.values())

    @property
    def set_to_0(self):
        """How many weights were set to 0."""
        return self.total - sum(np.count_nonzero(mask) for mask in self.masks.values())

    @property
    def rounded_to_0(self):
        """How many more became 0 by rounding to int8."""
        return sum(
            np.count_nonzero((self.stored[name] == 0) & (self.before(name) != 0) & kept)
            for name, kept in self.masks.items()
        )

    @property
    def pruned_share(self):
        """Share of the weights set to 0, of the layers that are pruned; 0 where none is."""
        masks = [mask for name, mask in self.masks.items() if name not in self.left_whole]
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return 1 - float(kept) / sum(mask.size for mask in masks) if masks else 0.0

    @property
    def row(self):
        """The figures of the table, and of an effect's."""
        return {"pruned_share": self.pruned_share, "deflated_bytes": self.size.deflated_bytes}

    def threshold(self, name):
        """Return the smallest magnitude that is kept, or None where magnitude alone decides not."""
        if self.pattern is not None or name in self.left_whole:
            return None
        return float(np.abs(self.before(name)[self.masks[name]]).min())

    def summary(self):
        """Say in one line how many weights are left, and what they take."""
        rounded = self.rounded_to_0
        more = f", and rounding to int8 {rounded:,} more" if rounded else ""
        return (
            f"One-shot pruning, without fine-tuning, set {self.set_to_0:,} of {self.total:,} "
            f"weights to 0 ({100 * self.set_to_0 / self.total:.1f} %){more}; {self.size.summary()}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class ClusteredWeights(OneShot):
    """The weights of some layers, each replaced by the nearest centroid of its layer."""

    paths: dict  # by layer that is clustered, the centroids after each step of k-means, from 0
    counts: dict  # by layer that is clustered, how many weights took each centroid
    clusters: int
    init: str
    steps: int

    reference_name = "the weights as they were"

    @property
    def table_bytes(self):
        """Of all layers, as a table of float32 centroids and, in the bits it takes, an index."""
        bits = int(self.clusters - 1).bit_length()
        whole = sum(self.values[name].nbytes for name in self.left_whole)
        index = sum(-(-self.values[name].size * bits // 8) for name in self.paths)
        return whole + index + sum(path[-1].nbytes for path in self.paths.values())

    @property
    def row(self):
        """The figures of the table, and of an effect's."""
        return {"clusters": self.clusters, "deflated_bytes": self.size.deflated_bytes}

    def in_use(self, name):
        """Return how many different values a clustered layer has in the end."""
        return distinct_values(self.values[name])

    def sqnr_db(self, name):
        """Return the signal-to-quantization-noise ratio of a layer's weights, in decibels."""
        return sqnr_db(self.before(name), self.values[name])

    def summary(self):
        """Say in one line what was asked for, and what the weights take."""
        steps = f"{self.steps} step{'s' * (self.steps != 1)} of k-means"
        return (
            f"One-shot clustering to {self.clusters} values a layer, {self.init} and {steps}, "
            f"without fine-tuning; {self.size.summary()}, index and table {kib(self.table_bytes)}"
        )


def prune_once(tflite, sparsity, *, pattern=None, storage="float32"):
    """Set the small weights of a float .tflite file's layers to 0, without training any.

    In the file, batch normalisation is folded into the kernels, which scales each output channel:
    other weights are small than before, where tensorflow-model-optimization prunes.

    Parameters
    ----------
    tflite : bytes, FloatFile or sequence of Layer
        From ``qk.convert(model, "float32")``, or `qk.simulation.layers`.
    sparsity : float
        Share of the weights to set to 0 in each layer, from 0 to below 1; see `magnitude_mask`.
    pattern : None, "2:4" or (rows, columns)
        Rows are output channels, columns inputs. Blocks are for dense layers.
    storage : {"float32", "int8"}
        int8 is by output channel, symmetric, as the converter does.

    Returns
    -------
    PrunedWeights
        A change, whose cost `qk.effect` measures.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> pruned = prune_once(tflite, 0.5, pattern="2:4")
    >>> pruned.pruned_share, pruned.left_whole
    (0.5, {'conv': 'too few input channels for fours'})
    """
    validate.choice(storage, STORAGES, name="prune_once: storage")
    found = _layers(tflite)
    whole = {layer.name: reason for layer in found if (reason := _left_whole(layer, pattern))}
    masks, stored, values = {}, {}, {}
    for layer in found:
        name, weights = layer.name, layer.weights
        if name in whole:
            masks[name] = np.ones(weights.shape, bool)
        else:
            masks[name] = magnitude_mask(weights, sparsity, pattern)
        left = np.where(masks[name], weights, np.float32(0))
        stored[name], values[name] = _stored(left, layer, storage)
    return PrunedWeights(found, whole, stored, values, storage, masks, pattern)


def cluster_once(tflite, clusters, *, init="kmeans++", steps=0, seed=0):
    """Give all weights of a layer a few values in common, without training any.

    Parameters
    ----------
    tflite : bytes, FloatFile or sequence of Layer
        From ``qk.convert(model, "float32")``, or `qk.simulation.layers`.
    clusters : int
        Values for each layer, 1 or more.
    init : {"linear", "random", "density", "kmeans++"}
        Where they start.
    steps : int
        Of k-means, by which they move on; 0 or more.
    seed : int
        Of "random" and "kmeans++".

    Returns
    -------
    ClusteredWeights
        A change, whose cost `qk.effect` measures.

    Examples
    --------
    >>> import qkit as qk
    >>> clustered = cluster_once(qk.convert(qk.models.walkthrough_cnn(), "float32"), 4)
    >>> clustered.table_bytes == (108 + 20280) * 2 / 8 + 2 * 4 * 4
    True
    """
    found = _layers(tflite)
    whole = {layer.name: reason for layer in found if (reason := _left_whole(layer))}
    values = {layer.name: layer.weights for layer in found}
    paths, counts = {}, {}
    for name, weights in values.items():
        if name not in whole:
            start = initial_centroids(weights, clusters, init, seed=seed)
            paths[name] = kmeans_steps(weights, start, steps)
            index = nearest_centroid(weights, paths[name][-1])
            counts[name] = np.bincount(index.ravel(), minlength=clusters)
            values[name] = paths[name][-1][index]
    return ClusteredWeights(
        found, whole, values, values, "float32", paths, counts, clusters, init, steps
    )


def _layers(given):
    """Return layers, whether they come by themselves or in a file."""
    return tuple(given) if isinstance(given, (tuple, list)) else layers(given)


def _left_whole(layer, pattern=None):
    """Return why a layer is not changed, or None."""
    if layer.kind == "DEPTHWISE_CONV_2D":
        return "depthwise, which tensorflow-model-optimization leaves whole"
    if pattern == "2:4" and layer.weights.shape[-1] <= 2:
        return "too few input channels for fours"
    if isinstance(pattern, tuple) and layer.weights.ndim != 2:
        return "no dense layer, which blocks are for"
    return None


def _stored(values, layer, storage):
    """Return weights as a file holds them, and as the network computes with them."""
    if storage == "float32":
        return values, values
    qparams = choose_qparams(values, symmetric=True, granularity=PerAxis(layer.axis))
    stored = quantize(values, qparams)
    return stored, dequantize(stored, qparams)


@lru_cache(maxsize=4)  # the same for all settings of an explorer
def _size_before(found, storage):
    return stored_bytes(_stored(layer.weights, layer, storage)[0] for layer in found)
