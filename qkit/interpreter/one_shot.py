"""One-shot pruning and clustering of a float .tflite file's weights, without any training."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from qkit import validate
from qkit.quantize.centroids import initial_centroids, kmeans_steps, nearest_centroid
from qkit.quantize.coding import stored_bytes
from qkit.quantize.errors import sqnr_db
from qkit.quantize.grid import PerAxis, choose_qparams, dequantize, quantize
from qkit.quantize.magnitude import magnitude_mask
from qkit.result import Result, kb
from qkit.tflite.edit import Layer, layers, with_weights

STORAGES = ("float32", "int8")


@dataclass(frozen=True, eq=False, repr=False)
class OneShot(Result):
    """What pruned and clustered weights have in common: a change that `qk.effect` takes."""

    layers: tuple  # with the weights before
    left_whole: dict  # by layer that is not changed, why
    stored: dict  # by layer, what a file holds
    values: dict  # by layer, what the network computes with

    @cached_property
    def size(self):
        """`StoredBytes` of all layers together."""
        return stored_bytes(self.stored.values())

    @property
    def size_before(self):
        """`StoredBytes` of the weights before, stored in the same way."""
        return _size_before(self.layers, self.storage)

    def applied(self, tflite):
        """Return the file that results."""
        return with_weights(tflite, {x.weights_name: self.values[x.name] for x in self.layers})

    def before(self, name):
        """Return a layer's weights before."""
        return next(layer.weights for layer in self.layers if layer.name == name)


@dataclass(frozen=True, eq=False, repr=False)
class PrunedWeights(OneShot):
    """The weights of some layers, the small ones set to 0."""

    masks: dict  # by layer; True where a weight is kept
    pattern: object
    storage: str

    reference_name = "all weights in float32"

    @property
    def total(self):
        """How many weights there are, those of layers that are left whole too."""
        return sum(mask.size for mask in self.masks.values())

    @property
    def set_to_0(self):
        """How many weights were set to 0."""
        return sum(np.count_nonzero(~mask) for mask in self.masks.values())

    @property
    def rounded_to_0(self):
        """How many more became 0 by rounding to int8."""
        return sum(
            np.count_nonzero((self.stored[x.name] == 0) & (x.weights != 0) & self.masks[x.name])
            for x in self.layers
        )

    @property
    def pruned_share(self):
        """Share of the weights set to 0, of the layers that are pruned; 0 where none is."""
        kept = [mask.ravel() for name, mask in self.masks.items() if name not in self.left_whole]
        return 1 - float(np.concatenate(kept).mean()) if kept else 0.0

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
    storage = "float32"

    @property
    def table_bytes(self):
        """Of all layers, as a table of float32 centroids and, in the bits it takes, an index."""
        bits = int(self.clusters - 1).bit_length()
        whole = sum(self.values[name].nbytes for name in self.left_whole)
        index = sum(-(-self.values[name].size * bits // 8) for name in self.paths)
        return whole + index + sum(path[-1].nbytes for path in self.paths.values())

    def sqnr_db(self, name):
        """Return the signal-to-quantization-noise ratio of a layer's weights, in decibels."""
        return sqnr_db(self.before(name), self.values[name])

    def summary(self):
        """Say in one line what was asked for, and what the weights take."""
        steps = f"{self.steps} step{'s' * (self.steps != 1)} of k-means"
        return (
            f"One-shot clustering to {self.clusters} values a layer, {self.init} and {steps}, "
            f"without fine-tuning; {self.size.summary()}, index and table {kb(self.table_bytes)}"
        )


def prune_once(tflite, sparsity, *, pattern=None, storage="float32"):
    """Set the small weights of a float .tflite file's layers to 0, without training any.

    In the file, batch normalisation is folded into the kernels, which scales each output channel:
    other weights are small than before, where tensorflow-model-optimization prunes.

    Parameters
    ----------
    tflite : bytes, FloatFile or sequence of Layer, of ``qk.convert(model, "float32")``
    sparsity : float in [0, 1), share of the weights to set to 0 in each layer
    pattern : None, "2:4" or (rows, columns), of output channels and inputs of dense layers
    storage : {"float32", "int8"}, by output channel and symmetric, as the converter does

    Returns
    -------
    PrunedWeights, a change, whose cost `qk.effect` measures

    Examples
    --------
    >>> import qkit as qk
    >>> pruned = prune_once(qk.convert(qk.models.walkthrough_cnn(), "float32"), 0.5, pattern="2:4")
    >>> pruned.pruned_share, pruned.left_whole
    (0.5, {'conv': 'too few input channels for fours'})
    """
    validate.choice(storage, STORAGES, name="prune_once: storage")
    found, whole = _taken(tflite, pattern)
    masks, stored, values = {}, {}, {}
    for layer in found:
        name, weights = layer.name, layer.weights
        masks[name] = np.ones(weights.shape, bool)
        if name not in whole:
            masks[name] = magnitude_mask(weights, sparsity, pattern)
        left = np.where(masks[name], weights, np.float32(0))
        stored[name], values[name] = _stored(left, layer, storage)
    return PrunedWeights(found, whole, stored, values, masks, pattern, storage)


def cluster_once(tflite, clusters, *, init="kmeans++", steps=0, seed=0):
    """Give all weights of a layer a few values in common, without training any.

    Parameters
    ----------
    tflite : bytes, FloatFile or sequence of Layer, as for `prune_once`
    clusters : int, values for each layer; 1 or more
    init : {"linear", "random", "density", "kmeans++"}, where they start
    steps : int, of k-means, by which they move on; 0 or more
    seed : int, of "random" and "kmeans++"

    Returns
    -------
    ClusteredWeights, a change, whose cost `qk.effect` measures

    Examples
    --------
    >>> import qkit as qk
    >>> clustered = cluster_once(qk.convert(qk.models.walkthrough_cnn(), "float32"), 4)
    >>> clustered.table_bytes == (108 + 20280) * 2 / 8 + 2 * 4 * 4
    True
    """
    found, whole = _taken(tflite)
    values = {layer.name: layer.weights for layer in found}
    paths, counts = {}, {}
    for name, weights in values.items():
        if name not in whole:
            start = initial_centroids(weights, clusters, init, seed=seed)
            paths[name] = kmeans_steps(weights, start, steps)
            index = nearest_centroid(weights, paths[name][-1])
            counts[name] = np.bincount(index.ravel(), minlength=clusters)
            values[name] = paths[name][-1][index]
    return ClusteredWeights(found, whole, values, values, paths, counts, clusters, init, steps)


def _taken(given, pattern=None):
    """Return the layers of a file or as they are, and by name why some are left whole."""
    if not (pattern is None or isinstance(pattern, (str, tuple, list))):
        raise ValueError(f'prune_once: pattern must be None, "2:4" or a block, got {pattern!r}.')
    found = tuple(given) if isinstance(given, (tuple, list)) else layers(given)
    whole = {}
    for layer in found:
        validate.instance(layer, Layer, name="prune_once, cluster_once: each of the layers")
        if layer.kind == "DEPTHWISE_CONV_2D":
            whole[layer.name] = "depthwise, which tensorflow-model-optimization leaves whole"
        elif pattern == "2:4" and layer.weights.shape[-1] <= 2:
            whole[layer.name] = "too few input channels for fours"
        elif isinstance(pattern, (tuple, list)) and layer.weights.ndim != 2:
            whole[layer.name] = "no dense layer, which blocks are for"
    return found, whole


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
