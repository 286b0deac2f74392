"""One-shot pruning of a float .tflite file's weights: small ones become 0, none is trained."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qkit.quantize.coding import StoredBytes, stored_bytes
from qkit.quantize.grid import PerAxis, choose_qparams, dequantize, quantize
from qkit.quantize.magnitude import magnitude_mask
from qkit.result import Result

STORAGES = ("float32", "int8")
_DEPTHWISE = "depthwise, which tensorflow-model-optimization leaves whole"


@dataclass(frozen=True, eq=False, repr=False)
class PrunedWeights(Result):
    """The weights of some layers, the small ones set to 0.

    Attributes
    ----------
    sparsity : float
        Share of the weights to set to 0 in each layer, as it was asked for.
    pattern : None, "2:4" or (int, int)
    storage : {"float32", "int8"}
    layers : tuple of Layer
        With the weights before.
    masks : mapping of str to ndarray of bool
        By layer; True where a weight is kept.
    left_whole : mapping of str to str
        Layers that are not pruned, and why.
    stored : mapping of str to ndarray of float32 or int8
        By layer, what a file holds.
    values : mapping of str to ndarray of float32
        By layer, what the network computes with.
    size : StoredBytes
        Of all layers together.
    """

    sparsity: float
    pattern: object
    storage: str
    layers: tuple
    masks: MappingProxyType
    left_whole: MappingProxyType
    stored: MappingProxyType
    values: MappingProxyType
    size: StoredBytes

    @property
    def pruned_share(self):
        """Share of the weights set to 0, of the layers that are pruned; 0 where none is."""
        masks = [mask for name, mask in self.masks.items() if name not in self.left_whole]
        kept = sum(np.count_nonzero(mask) for mask in masks)
        return 1 - float(kept) / sum(mask.size for mask in masks) if masks else 0.0

    @property
    def weights(self):
        """The values by the tensors' names, as `qk.with_weights` takes them."""
        return {layer.weights_name: self.values[layer.name] for layer in self.layers}

    def threshold(self, name):
        """Return the smallest magnitude that is kept, or None where magnitude alone decides not."""
        if self.pattern is not None or name in self.left_whole:
            return None
        weights = next(layer.weights for layer in self.layers if layer.name == name)
        return float(np.abs(weights[self.masks[name]]).min())

    def to_frame(self):
        """Return a DataFrame with one row per layer."""
        import pandas as pd

        rows = [
            {
                "layer": layer.name,
                "weights": layer.weights.size,
                "pruned_share": 1 - self.masks[layer.name].mean(),
                "zero_share": np.mean(self.stored[layer.name] == 0),
                "left_whole": self.left_whole.get(layer.name, ""),
            }
            for layer in self.layers
        ]
        return pd.DataFrame(rows).set_index("layer")

    def summary(self):
        """Say in one line how many weights are left, and what they take."""
        kept = sum(np.count_nonzero(mask) for mask in self.masks.values())
        zeros = sum(np.count_nonzero(stored == 0) for stored in self.stored.values())
        total = sum(mask.size for mask in self.masks.values())
        rounded = zeros - (total - kept)
        more = f", and rounding to int8 {rounded:,} more" if rounded else ""
        return (
            f"One-shot pruning, without fine-tuning, set {total - kept:,} of {total:,} weights to "
            f"0 ({100 * (1 - kept / total):.1f} %){more}; {self.size.summary()}"
        )


def prune_once(layers, sparsity, *, pattern=None, storage="float32"):
    """Set the small weights of layers to 0, without training any.

    Parameters
    ----------
    layers : iterable of Layer
        From `qk.simulation.layers`.
    sparsity : float
        Share of the weights to set to 0 in each layer, from 0 to below 1; see `magnitude_mask`.
    pattern : None, "2:4" or (rows, columns)
        In the layout of the file: rows are output channels, columns inputs. Blocks are for dense
        layers.
    storage : {"float32", "int8"}
        How the weights are stored; int8 by output channel, symmetric, as the converter does.

    Returns
    -------
    PrunedWeights

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> pruned = prune_once(qk.simulation.layers(tflite), 0.5, pattern="2:4")
    >>> pruned.pruned_share, dict(pruned.left_whole)
    (0.5, {'conv': 'too few input channels for fours'})
    """
    if storage not in STORAGES:
        raise ValueError(f"prune_once: storage must be 'float32' or 'int8', got {storage!r}.")
    layers = tuple(layers)
    whole = {layer.name: reason for layer in layers if (reason := _left_whole(layer, pattern))}
    masks, stored, values = {}, {}, {}
    for layer in layers:
        name, weights = layer.name, layer.weights
        if name in whole:
            masks[name], values[name] = np.ones(weights.shape, bool), weights
        else:
            masks[name] = magnitude_mask(weights, sparsity, pattern)
            values[name] = np.where(masks[name], weights, np.float32(0))
        stored[name] = values[name]
        if storage == "int8":
            qparams = choose_qparams(values[name], symmetric=True, granularity=PerAxis(layer.axis))
            stored[name] = quantize(values[name], qparams)
            values[name] = dequantize(stored[name], qparams)
    return PrunedWeights(
        sparsity=sparsity,
        pattern=pattern,
        storage=storage,
        layers=layers,
        masks=MappingProxyType(masks),
        left_whole=MappingProxyType(whole),
        stored=MappingProxyType(stored),
        values=MappingProxyType(values),
        size=stored_bytes(stored.values()),
    )


def _left_whole(layer, pattern):
    """Return why a layer is not pruned, or None."""
    if layer.kind == "DEPTHWISE_CONV_2D":
        return _DEPTHWISE
    if pattern == "2:4" and layer.weights.shape[-1] <= 2:
        return "too few input channels for fours"
    if isinstance(pattern, tuple) and layer.weights.ndim != 2:
        return "no dense layer, which blocks are for"
    return None
