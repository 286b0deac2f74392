"""Any grid for any layer: a float .tflite file whose weights and activations are rounded.

The converter knows 8 bits for weights, 8 or 16 for activations. Here every tensor gets the grid
one likes: the weights are put on it beforehand, and behind each activation stands the file
format's own FAKE_QUANT operator. The arithmetic between the grids stays in floating point.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from qkit import validate
from qkit.interpreter.run import intermediate
from qkit.quantize.calibration import min_max
from qkit.quantize.grid import PerAxis, choose_qparams, fake_quantize
from qkit.quantize.histogram import Histogram
from qkit.result import Result, kb
from qkit.tflite.edit import Layer, is_float_constant, layers, opened, with_weights
from qkit.tflite.grids import fixed_ends, rounds
from qkit.tflite.values import stored_values

__all__ = ["Bits", "Layer", "at_bits", "bits", "calibrated_ranges", "layers", "simulate"]


class Ranges(dict):
    """The range of each activation by name, on the grid that it is on in 8 bits."""

    def __init__(self, file, seen, observer):
        own = dict(zip(file.own_grids, map(observer, seen), strict=True))
        self.observed = {}  # likewise, but each for itself
        for name, (low, high) in own.items():
            # memory that is written over is seen twice in the converter, and spans both
            later_low, later_high = own.get(file.overwritten.get(name), (low, high))
            self.observed[name] = min(low, later_low), max(high, later_high)
        ends = {file.names[name].index: span for name, span in self.observed.items()}
        for name in own:
            self[name] = _ends(file.in_8_bits.of[file.names[name].index][-1], 8, ends)


@dataclass(frozen=True, eq=False, repr=False)
class Bits(Result):
    """Grids of some bits for a network's weights and activations: a change that `effect` takes."""

    layers: tuple  # with the weights before
    weight_bits: dict  # by layer, 32 for float
    activation_bits: dict  # by layer and of "input", likewise
    ranges: dict  # of the activations, (low, high) as they were seen
    granularity: object  # from the axis of output channels to that of the weights

    reference_name = "float32"

    @property
    def size_bytes(self):
        """Of all weights at these bits; scales and biases are not counted."""
        return sum(layer.weights.size * self.weight_bits[layer.name] for layer in self.layers) / 8

    def applied(self, tflite):
        """Return the file that results."""
        file, weights = opened(tflite), {}
        for layer in self.layers:
            file.constant(layer.weights_name, layer.weights.shape)  # else it is another file
            if (bits := self.weight_bits[layer.name]) != 32:
                by = self.granularity(layer.axis)
                weights[layer.weights_name] = choose_qparams(
                    layer.weights, bits=bits, symmetric=True, granularity=by
                )
        moved = {t.index for op in file.operators if not rounds(op) for t in op.outputs}
        grids = self.grids(file).items()
        needed = {place: by for place, by in grids if place not in moved or len(by) > 1}
        return with_weights(file, _on_grid(file, weights), needed)

    def grids(self, tflite):
        """Return the grids of the activations, some QParams each, by place as in `with_weights`."""
        file, found = opened(tflite), {}
        bits = {index: self.activation_bits.get(owner, 32) for index, owner in file.owners.items()}
        own = {file.names[name].index: self.ranges.get(name) for name in file.own_grids}
        seen = {index: ends for index, ends in own.items() if ends}

        @cache
        def grid(source, bits):
            # 16 bits are symmetric in TensorFlow Lite; below, the zero point may move
            ends = np.float32(_ends(source, bits, seen))
            return choose_qparams(ends, bits=bits, symmetric=bits == 16)

        def known(source):
            return isinstance(source, tuple) or source in seen

        for ties in (file.in_8_bits, file.in_16_bits) if seen else ():
            for place, index, sources in ties.places(file.operators):
                of, named = bits[index], index in seen or index not in own
                asked = of != 32 and (of == 16) == (ties is file.in_16_bits)
                sources = [source if known(source) else index for source in sources]
                if asked and named and all(map(known, sources)):
                    found[place] = tuple(grid(source, of) for source in sources)
        return found

    def summary(self):
        """Say in one line what the weights take."""
        less = sum(layer.weights.nbytes for layer in self.layers) / self.size_bytes
        size = kb(self.size_bytes)
        return f"The weights take {size}, {less:.1f} times less than in float32"


def bits(tflite, ranges, *, weight_bits=8, activation_bits=8, granularity=PerAxis):
    """Return grids of some bits, as the converter would choose them: a change for `qk.effect`.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    ranges : Ranges from `calibrated_ranges`, or mapping of str to (float, float), by its names
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
    file = opened(tflite)
    found = layers(file)
    names = [layer.name for layer in found]
    for name in validate.instance(ranges, Mapping, name="bits: ranges"):
        if name not in file.own_grids:
            raise ValueError(
                f"bits: ranges names {name!r}, which is no activation with a range in this file. "
                "Take those of calibrated_ranges, from the same file."
            )
    of_activations = _by_name(activation_bits, ["input", *names])
    ranges = dict(getattr(ranges, "observed", ranges))
    return Bits(found, _by_name(weight_bits, names), of_activations, ranges, granularity)


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
    """Return the range of every activation that has one, from a sample, as the converter does.

    What it ties together in 8 bits has one range, and softmax and its like have a fixed one; what
    was seen of each, from which other bits have theirs, goes along as `observed`.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    x : ndarray of shape (n, *image), float32; TensorFlow calls it the representative data set
    observer : callable, from a `Histogram` to (low, high); one of `qk.calibration`

    Returns
    -------
    Ranges, a dict of str to (float, float), by the tensor's name in the file, the input first

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> next(iter(calibrated_ranges(tflite, qk.load_data("digits").x_train[:20]).values()))
    (0.0, 1.0)
    """
    file = opened(tflite)
    return Ranges(file, histograms(file, x).values(), observer)


def histograms(file, x):
    """Return how each activation that has a grid of its own spreads, from one pass.

    Parameters
    ----------
    file : FloatFile
    x : ndarray of shape (n, *input), float32

    Returns
    -------
    dict of str to Histogram, by the tensor's name in the file, the input first

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> next(iter(histograms(opened(tflite), qk.load_data("digits").x_test[:2]).values())).low
    0.0
    """
    found = {file.names[name].index: Histogram() for name in file.own_grids}
    for image in intermediate(file.tflite, x, found):
        for index, values in image.items():
            found[index].add(values)
    return dict(zip(file.own_grids, found.values(), strict=True))


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
    file, by_name = opened(tflite), (Mapping, type(None))
    weights = validate.instance(weights, by_name, name="simulate: weights") or {}
    activations = validate.instance(activations, by_name, name="simulate: activations") or {}
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
    grids = {file.names[name].index: (qparams,) for name, qparams in activations.items()}
    return with_weights(file, _on_grid(file, weights), grids)


def _on_grid(file, weights):
    return {n: fake_quantize(stored_values(file.names[n]), q) for n, q in weights.items()}


def _ends(source, bits, seen):
    return fixed_ends(source, bits) if isinstance(source, tuple) else seen[source]


def _by_name(bits, names):
    """Return the bits of each name, 32 where they are None or not told."""
    if not hasattr(bits, "get"):
        bits = dict.fromkeys(names, bits)
    return {name: 32 if bits.get(name) is None else bits[name] for name in names}
