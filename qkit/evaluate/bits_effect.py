"""What fewer bits do to a network: the accuracy that is left, and the weights' size."""

from dataclasses import dataclass
from types import MappingProxyType

from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import Paired, paired
from qkit.interpreter.simulation import at_bits, layers
from qkit.result import Result

_FLOAT_BITS = 32


@dataclass(frozen=True, eq=False, repr=False)
class BitsEffect(Result):
    """A network at some bits, held against itself in float on the same images.

    Attributes
    ----------
    weight_bits, activation_bits : mapping of str to int
        By layer, 32 for float; the activations have the input's grid too.
    paired : Paired
        The network in float against the one at these bits.
    weights_bytes : float
        Of all weights at these bits; scales and biases are not counted.
    """

    weight_bits: MappingProxyType
    activation_bits: MappingProxyType
    paired: Paired
    weights_bytes: float

    def to_frame(self):
        """Return a DataFrame of one row."""
        frame = self.paired.to_frame()
        frame.insert(0, "accuracy", self.paired.b.accuracy)
        frame.insert(1, "weights_bytes", self.weights_bytes)
        return frame

    def summary(self):
        """Say in one line what is left, and what it cost."""
        return (
            f"{self.paired.b.summary()}; against float {self.paired.summary()}; "
            f"weights {self.weights_bytes / 1024:.1f} KiB"
        )


def bits_effect(tflite, x, y, ranges, *, weight_bits, activation_bits, reference=None):
    """Measure a network whose weights and activations are on grids of some bits.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    x, y : ndarray
        Test images and their labels.
    ranges : mapping of str to (float, float)
        From `qk.simulation.calibrated_ranges`.
    weight_bits, activation_bits : mapping of str to int
        2 to 16, or 32 for float, by layer; "input" is the input's grid. What is not named stays in
        float.
    reference : Accuracy, optional
        Of the float file on the same images, where it is known.

    Returns
    -------
    BitsEffect

    Examples
    --------
    >>> import qkit as qk
    >>> data = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> ranges = qk.simulation.calibrated_ranges(tflite, data.x_train[:20])
    >>> effect = bits_effect(
    ...     tflite, data.x_test, data.y_test, ranges, weight_bits={"logits": 4}, activation_bits={}
    ... )
    >>> effect.weights_bytes
    10572.0
    """
    found = layers(tflite)
    names = [layer.name for layer in found]
    weight_bits = {name: weight_bits.get(name, _FLOAT_BITS) for name in names}
    activation_bits = {n: activation_bits.get(n, _FLOAT_BITS) for n in ("input", *names)}
    simulated = at_bits(
        tflite,
        ranges,
        weight_bits={n: bits for n, bits in weight_bits.items() if bits != _FLOAT_BITS},
        activation_bits={n: bits for n, bits in activation_bits.items() if bits != _FLOAT_BITS},
    )
    return BitsEffect(
        weight_bits=MappingProxyType(weight_bits),
        activation_bits=MappingProxyType(activation_bits),
        paired=paired(reference or accuracy(tflite, x, y), accuracy(simulated, x, y)),
        weights_bytes=weights_bytes(found, weight_bits),
    )


def weights_bytes(found, bits):
    """Return what the weights of layers take at some bits each, in bytes.

    Parameters
    ----------
    found : iterable of Layer
    bits : mapping of str to int

    Returns
    -------
    float

    Examples
    --------
    >>> import qkit as qk
    >>> found = qk.simulation.layers(qk.convert(qk.models.walkthrough_cnn(), "float32"))
    >>> weights_bytes(found, {"conv": 8, "logits": 4})
    10248.0
    """
    return float(sum(layer.weights.size * bits[layer.name] for layer in found) / 8)
