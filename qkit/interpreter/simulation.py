"""Any grid for any layer: a float .tflite file whose weights and activations are rounded.

The converter knows 8 bits for weights, 8 or 16 for activations. Here every tensor gets the grid
one likes: the weights are put on it beforehand, and behind each activation stands the file
format's own FAKE_QUANT operator. The arithmetic between the grids stays in floating point.
"""

from dataclasses import dataclass

import numpy as np

from qkit.interpreter.run import histograms
from qkit.quantize.calibration import min_max
from qkit.quantize.grid import PerAxis, choose_qparams, fake_quantize
from qkit.result import Result
from qkit.tflite.edit import Layer, is_float_constant, layers, opened, with_weights
from qkit.tflite.values import stored_values

__all__ = ["Bits", "Layer", "at_bits", "bits", "calibrated_ranges", "layers", "simulate"]


@dataclass(frozen=True, eq=False, repr=False)
class Bits(Result):
    """Grids of some bits for a network's weights and activations: a change that `effect` takes."""

    layers: tuple  # with the weights before
    weight_bits: dict  # by layer, 32 for float
    activation_bits: dict  # by layer and of "input", likewise
    ranges: dict  # of the activations, (low, high)
    granularity: object  # from the axis of output channels to that of the weights

    reference_name = "float32"

    @property
    def size_bytes(self):
        """Of all weights at these bits; scales and biases are not counted."""
        return sum(layer.weights.size * self.weight_bits[layer.name] for layer in self.layers) / 8

    def applied(self, tflite):
        """Return the file that results."""
        weights, activations, owner = {}, {}, "input"
        for layer in self.layers:
            if (bits := self.weight_bits[layer.name]) != 32:
                by = self.granularity(layer.axis)
                weights[layer.weights_name] = choose_qparams(
                    layer.weights, bits=bits, symmetric=True, granularity=by
                )
        owners = {layer.activation_name: layer.name for layer in self.layers}
        for name, ends in self.ranges.items():
            owner = owners.get(name, owner)  # a sum or a mean goes with the layer before it
            if (bits := self.activation_bits[owner]) != 32:
                # 16 bits are symmetric in TensorFlow Lite; below, the zero point may move
                ends = np.float32(ends)
                activations[name] = choose_qparams(ends, bits=bits, symmetric=bits == 16)
        return simulate(tflite, weights=weights, activations=activations)

    def summary(self):
        """Say in one line what the weights take."""
        less = sum(layer.weights.nbytes for layer in self.layers) / self.size_bytes
        kib = self.size_bytes / 1024
        return f"The weights take {kib:.1f} KiB, {less:.1f} times less than in float32"


def bits(tflite, ranges, *, weight_bits=8, activation_bits=8, granularity=PerAxis):
    """Return grids of some bits, as the converter would choose them: a change for `qk.effect`.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    ranges : mapping of str to (float, float), from `calibrated_ranges`
    weight_bits, activation_bits : int, None or mapping of str to int or None
        2 to 16; None and 32 stand for float, and so does a layer (or "input") that is not named.
    granularity : callable, from the axis of output channels to the granularity of the weights

    Returns
    -------
    Bits

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> bits(tflite, {}, weight_bits={"conv": 8, "logits": 4}).size_bytes
    10248.0
    """
    found = layers(tflite)
    names = [layer.name for layer in found]
    of_activations = _by_name(activation_bits, ["input", *names])
    return Bits(found, _by_name(weight_bits, names), of_activations, dict(ranges), granularity)


def at_bits(tflite, ranges, **options):
    """Return a float .tflite file simulated at some bits: that of the grids of `bits`.

    Parameters
    ----------
    tflite, ranges, **options : as for `bits`

    Returns
    -------
    bytes

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> coarse = at_bits(tflite, {}, weight_bits={"conv": 4, "logits": 2})
    >>> len(np.unique(layers(coarse)[1].weights[0]))
    3
    """
    file = opened(tflite)
    return bits(file, ranges, **options).applied(file)


def calibrated_ranges(tflite, x, observer=min_max):
    """Return the range of every activation that gets a grid of its own, from a sample.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    x : ndarray of shape (n, *image), float32; TensorFlow calls it the representative data set
    observer : callable, from a `Histogram` to (low, high); one of `qk.calibration`

    Returns
    -------
    dict of str to (float, float), by the tensor's name in the file, the input first

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> next(iter(calibrated_ranges(tflite, qk.load_data("digits").x_train[:20]).values()))
    (0.0, 1.0)
    """
    return {name: observer(seen) for name, seen in histograms(opened(tflite), x).items()}


def simulate(tflite, *, weights=None, activations=None):
    """Return a float .tflite file whose weights and activations are on grids, biases in float.

    With the grids of a converted file, the answers are the converted file's but for roundings that
    meet a tie in one of the two: logits differ by at most a step or two.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    weights : mapping of str to QParams, optional, by `Layer.weights_name`; others stay
    activations : mapping of str to QParams of one scale, optional, by `calibrated_ranges`' names

    Returns
    -------
    bytes

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> conv, logits = layers(tflite)
    >>> on_grid = simulate(tflite, weights={conv.weights_name: choose_qparams(conv.weights)})
    >>> len(np.unique(layers(on_grid)[0].weights)) <= 108
    True
    """
    file, weights, activations = opened(tflite), weights or {}, activations or {}
    constants = [name for name, tensor in file.names.items() if is_float_constant(tensor)]
    both = ("weights", weights, constants), ("activations", activations, file.names)
    for what, given, known in both:
        for name in given:
            if name not in known:
                raise ValueError(
                    f"simulate: {what} names {name!r}, which is not in the file. It has "
                    f"{', '.join(map(repr, known))}."
                )
    for name, qparams in activations.items():
        if qparams.scale.size != 1:
            raise ValueError(
                f"simulate: the activation {name!r} must have one scale, got "
                f"{qparams.scale.size}: kernels know no activations per channel."
            )
    on_grid = {n: fake_quantize(stored_values(file.names[n]), q) for n, q in weights.items()}
    return with_weights(file, on_grid, activations)


def _by_name(bits, names):
    """Return the bits of each name, 32 where they are None or not told."""
    if not hasattr(bits, "get"):
        bits = dict.fromkeys(names, bits)
    return {name: 32 if bits.get(name) is None else bits[name] for name in names}
