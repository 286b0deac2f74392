"""Explorer of bits: each layer's weights and activations, and what is left of the accuracy."""

import ipywidgets as ipw

from qkit.data import drawn
from qkit.interpreter.simulation import bits, calibrated_ranges, layers
from qkit.widgets.changes import explorer_of_changes, subject

_OPTIONS = [*((str(bits), bits) for bits in (2, 3, 4, 5, 6, 7, 8, 10, 12, 16)), ("float", 32)]
_CALIBRATION_IMAGES = 100


def explore_bits(model, data, *, images=1000, calibration=None):
    """Explore how few bits each layer's weights and activations can do with.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
    images : int
        How many of its first test images the accuracy is measured on.
    calibration : ndarray, optional
        Images that choose the ranges of the activations; 100 random training images by default.

    Returns
    -------
    Explorer
    """
    looked_at = subject(model, data, images, what="explore_bits")
    if calibration is None:
        calibration = drawn(data.x_train, _CALIBRATION_IMAGES)
    ranges = calibrated_ranges(looked_at.file, calibration)
    names = [layer.name for layer in layers(looked_at.file)]
    weights = {name: f"weight bits, {name}" for name in names}
    activations = {name: f"activation bits, {name}" for name in ("input", *names)}
    every = {
        "weight bits, all": list(weights.values()),
        "activation bits, all": list(activations.values()),
    }

    def change(**values):
        return bits(
            looked_at.file,
            ranges,
            weight_bits={name: values[label] for name, label in weights.items()},
            activation_bits={name: values[label] for name, label in activations.items()},
        )

    beside = [label for name in names for label in (weights[name], activations[name])]
    controls = {
        label: ipw.SelectionSlider(options=_OPTIONS, value=8)
        for label in [*every, *beside, activations["input"]]  # the input has no weights
    }
    alt = "Bits of each layer; share of wrong answers against size; images that flip."
    return explorer_of_changes(looked_at, controls, change, _said, alt, leads=every)


def _said(change, layer):
    return f"{change.summary()}."
