"""The activation ranges that quantization-aware training learns, and how they settle."""

from dataclasses import dataclass
from types import MappingProxyType
from unittest import mock

import numpy as np

from qkit import validate
from qkit._tensorflow import classifier_shape, quiet, require_keras_2_model, tensorflow
from qkit.result import Result
from qkit.training import seeded


@dataclass(frozen=True, eq=False, repr=False)
class RangeHistory(Result):
    """How activation ranges moved while a quantization-aware model was trained.

    Attributes
    ----------
    steps : ndarray of shape (k,), int64
        Training steps done; the first is 0.
    ranges : mapping of str to ndarray of shape (k, 2), float64
        For each grid, its smallest and largest value at those steps.
    data_ranges : mapping of str to (float, float)
        What a batch of the training images spans after the training: where the ranges are going.
    """

    steps: np.ndarray
    ranges: MappingProxyType
    data_ranges: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per step and two columns per grid."""
        import pandas as pd

        columns = {}
        for layer, ends in self.ranges.items():
            columns[layer, "min"], columns[layer, "max"] = ends.T
        return pd.DataFrame(columns, index=pd.Index(self.steps, name="step"))

    def summary(self):
        """Say in one line how far the widest grid still is from the data at the last step."""
        excess = {
            layer: np.ptp(ends[-1]) / max(np.ptp(self.data_ranges[layer]), 1e-12)
            for layer, ends in self.ranges.items()
        }
        layer = max(excess, key=excess.get)
        return (
            f"after {self.steps[-1]:,} steps the grid of {layer!r} spans "
            f"{excess[layer]:.2f} times what the data do"
        )


def activation_ranges(model):
    """Return the ranges that a quantization-aware model has learned for its activations.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    dict of str to (float, float)
        For the input and each layer that has a grid of its own, by the float model's layer names:
        smallest and largest value of its grid.
    """
    found = {}
    for variable in model.variables:
        path, _, kind = variable.name.partition(":")[0].rpartition("/")
        layer = "input" if path.startswith("quantize_layer") else path.removeprefix("quant_")
        for end, position in (("_min", 0), ("_max", 1)):
            if kind.endswith(end) and "kernel" not in kind:
                found.setdefault(layer, [np.nan, np.nan])[position] = float(variable.numpy())
    return {layer: tuple(ends) for layer, ends in found.items()}


def range_history(model, data, *, steps, every=20, batch_size=32, seed=0):
    """Train a quantization-aware model and record its activation ranges on the way.

    Parameters
    ----------
    model : tf.keras.Model
        From `qk.quantization_aware`; trained in place, by Adam as in `qk.fit`.
    data : Dataset
    steps : int
        Training steps, of one batch each.
    every : int
        Steps between two records.
    batch_size, seed : int

    Returns
    -------
    RangeHistory

    Examples
    --------
    >>> import qkit as qk
    >>> aware = qk.quantization_aware(qk.models.walkthrough_cnn())
    >>> range_history(aware, qk.load_data("digits"), steps=4, every=2).steps
    array([0, 2, 4])
    """
    require_keras_2_model(model, what="range_history")
    if not activation_ranges(model):
        raise ValueError(
            f"range_history: {model.name!r} has no ranges to follow; wrap it with "
            "qk.quantization_aware first."
        )
    if steps < 1 or every < 1:
        raise ValueError(f"range_history: steps and every must be 1 or more, got {steps}, {every}")
    shape, classes = classifier_shape(model, what="range_history")
    x = validate.images(data.x_train, shape, what="range_history: data.x_train")
    y = validate.labels(
        data.y_train, count=len(x), classes=classes, what="range_history: data.y_train"
    )
    draw = np.random.default_rng(seed).integers(len(x), size=steps * batch_size)
    records = [(0, activation_ranges(model))]

    def record(batch, logs):
        records.append((batch + 1, activation_ranges(model)))

    keras = tensorflow().keras
    with quiet(), seeded(seed):
        model.compile(
            keras.optimizers.Adam(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=every,
        )
        model.fit(
            x[draw],
            y[draw],
            batch_size=batch_size,
            shuffle=False,
            callbacks=[keras.callbacks.LambdaCallback(on_batch_end=record)],
            verbose=0,
        )
    return RangeHistory(
        steps=np.array([step for step, _ in records]),
        ranges=MappingProxyType(
            {layer: np.array([found[layer] for _, found in records]) for layer in records[0][1]}
        ),
        data_ranges=MappingProxyType(_data_ranges(model, x[draw[:500]])),
    )


def _data_ranges(model, calibration):
    """Return what a batch spans, without keeping it in the model's own ranges."""
    kept = model.get_weights()
    set_ranges(model, calibration)
    found = activation_ranges(model)
    model.set_weights(kept)
    return found


def set_ranges(aware, calibration):
    """Set all ranges of a quantization-aware model from one batch, in place.

    Weights and BatchNorm statistics stay as they are.

    Parameters
    ----------
    aware : tf.keras.Model
    calibration : ndarray of shape (n, *image), float32
    """
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    follow = quant_ops.MovingAvgQuantize

    def adopt(*args, ema_decay, **kwargs):
        # a decay of 0 adopts the batch's range, where the library has 0.999 built in
        return follow(*args, ema_decay=0.0, **kwargs)

    kept = [(v, v.numpy()) for v in aware.variables if not v.name.endswith(("_min:0", "_max:0"))]
    with quiet(), mock.patch.object(quant_ops, "MovingAvgQuantize", adopt):
        aware(calibration, training=True)
    for variable, value in kept:
        variable.assign(value)
