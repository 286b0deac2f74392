"""Explorer of bits: each layer's weights and activations, and what is left of the accuracy."""

import ipywidgets as ipw
from matplotlib.figure import Figure

from qkit.data import drawn
from qkit.evaluate.bits_effect import bits_effect, weights_bytes
from qkit.interpreter.simulation import calibrated_ranges, layers
from qkit.plots.bits_effect import compose_bits_effect
from qkit.widgets.explorer import Explorer
from qkit.widgets.subject import subject

_OPTIONS = [*((str(bits), bits) for bits in (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)), ("float", 32)]
_CALIBRATION_IMAGES = 100


def explore_bits(model, data, *, images=1000, calibration=None):
    """Explore how few bits each layer's weights and activations can do with.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
        Its first test images are what the accuracy is measured on.
    images : int
        How many of them.
    calibration : ndarray, optional
        Images that choose the ranges of the activations; 100 random training images by default.

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
        If the model or the data are not fit for it.
    """
    tflite, x, y, reference = subject(model, data, images, what="explore_bits")
    found = layers(tflite)
    if calibration is None:
        calibration = drawn(data.x_train, _CALIBRATION_IMAGES)
    ranges = calibrated_ranges(tflite, calibration)

    names = [layer.name for layer in found]
    weights = {name: f"weight bits, {name}" for name in names}
    activations = {name: f"activation bits, {name}" for name in ("input", *names)}
    every = {"weight bits, all": list(weights.values())}
    every["activation bits, all"] = list(activations.values())
    controls = {
        label: ipw.SelectionSlider(options=_OPTIONS, value=8, description=label)
        for label in [*every, *_side_by_side(weights, activations)]
    }
    figure = Figure(figsize=(10, 4), dpi=100, layout="constrained")
    float_bytes = weights_bytes(found, dict.fromkeys(names, 32))
    update_bits, update_effect = compose_bits_effect(figure, names, float_bytes, reference, x)

    def chosen(values):
        return (
            {name: values[label] for name, label in weights.items()},
            {name: values[label] for name, label in activations.items()},
        )

    def answer(**values):
        weight_bits, activation_bits = chosen(values)
        update_bits(weight_bits, activation_bits)
        size = weights_bytes(found, weight_bits)
        return (
            f"The weights take {size / 1024:.1f} KiB, {float_bytes / size:.1f} times less than in "
            "float32."
        )

    def compute(**values):
        weight_bits, activation_bits = chosen(values)
        return bits_effect(
            tflite, x, y, ranges, weight_bits=weight_bits, activation_bits=activation_bits,
            reference=reference,
        )  # fmt: skip

    def settle(effect):
        update_effect(effect)
        return None if effect is None else f"{effect.paired.against('float32')}."

    return Explorer(
        controls,
        figure,
        answer,
        alt="Bits of each layer; share of wrong answers against size; images that flip.",
        compute=compute,
        settle=settle,
        leads=every,
    )


def _side_by_side(weights, activations):
    """Yield both labels of each layer, then that of the input, which has no weights."""
    for name, label in weights.items():
        yield from (label, activations[name])
    yield activations["input"]
