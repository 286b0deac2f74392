"""Quantization-aware training: rounding in the forward pass, and ranges that are learned."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from unittest import mock

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet, tensorflow
from qkit.networks import network
from qkit.samples import samples
from qkit.toolchain.wrapping import copy_of, require_compressed, require_plain
from qkit.training import Settings, fit, prepared, seeded

# By what is preserved: the library's scheme, in `tfmot.experimental.combine`, and its arguments.
_SCHEMES = {
    None: (),
    "sparsity": ("Default8BitPrunePreserveQuantizeScheme",),
    "clusters": ("Default8BitClusterPreserveQuantizeScheme", False),
    "both": ("Default8BitClusterPreserveQuantizeScheme", True),
}


def quantization_aware(model, *, calibration=None, preserve=None):
    """Return a copy of a model that rounds weights and activations in its forward pass.

    Its activation ranges start at ±6, whatever flows, and follow the data by a moving average of
    0.999 a step: before some thousand steps they are not what the data say. Only the input's takes
    in all values at once.

    Parameters
    ----------
    model : tf.keras.Model, Sequential or functional; it is left as it is
    calibration : ndarray of shape (n, *input), optional; of several inputs a list, or a dict
        Items from which all ranges are set.
    preserve : None, "sparsity", "clusters" or "both"
        What of a pruned or clustered model its training shall keep: zeros masked, weights tied to
        their centroids, or both. Plain training moves them all.

    Returns
    -------
    tf.keras.Model, not compiled; `qk.fit` trains it, `qk.weight_history` lets one watch

    Examples
    --------
    >>> import qkit as qk
    >>> qk.quantization_aware(qk.models.walkthrough_cnn()).layers[2].name
    'quant_conv'
    """
    opened = network(model, what="quantization_aware")
    require_plain(opened, what="quantization_aware")
    validate.choice(preserve, _SCHEMES, name="quantization_aware: preserve")
    # what is not there is trained by the library as a plain model
    require_compressed(
        opened,
        zeros=preserve in ("sparsity", "both"),
        clusters=preserve in ("clusters", "both"),
        why=f"quantization_aware: preserve={preserve!r} was asked for",
    )
    model = opened.model
    if calibration is not None:
        calibration = samples(calibration, opened.takes, what="quantization_aware: calibration")
    try:
        with quiet():
            aware = _wrapped(copy_of(model), *_SCHEMES[preserve])
    except (AttributeError, RuntimeError, ValueError) as error:
        raise ValueError(_explain(model, error)) from error
    if calibration is not None:
        _set_ranges(aware, calibration)
    return aware


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A quantization-aware model and its float control, trained alike from the same start."""

    qat: object
    control: object
    qat_history: object
    control_history: object


def fine_tune_with_control(model, data, *, epochs, calibration=None, **options):
    """Train on from a model twice: through the grid, and in float as the control.

    Quantization-aware training is more training: beside the model it started from, the rounding
    would be credited with what the extra epochs gave. The control got the same epochs.

    Parameters
    ----------
    model : tf.keras.Model, the trained float model; it is left as it is
    data : Dataset
    epochs : int
    calibration, **options : as for `quantization_aware`; and for `fit`, of both alike

    Returns
    -------
    FineTuned

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> tuned = fine_tune_with_control(model, digits, epochs=1, cache=False)
    >>> len(tuned.qat_history.loss) == len(tuned.control_history.loss) == 1
    True
    """
    opened, *_ = prepared(model, data, "fine_tune_with_control", epochs, **options)
    aware = quantization_aware(model, calibration=calibration)
    control = copy_of(opened.model)
    return FineTuned(
        qat=aware,
        control=control,
        qat_history=fit(aware, data, epochs=epochs, **options),
        control_history=fit(control, data, epochs=epochs, **options),
    )


@dataclass(frozen=True, eq=False)
class RangeHistory:
    """How activation ranges moved while a quantization-aware model was trained."""

    steps: np.ndarray  # training steps done; the first is 0
    ranges: dict  # by grid, its smallest and largest value at those steps, of shape (k, 2)
    data_ranges: dict  # what training images span in the end: where the ranges are going


def activation_ranges(model):
    """Return the ranges that a quantization-aware model has learned for its activations.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    dict of str to (float, float), by "input", or the names of several, and those of layers
    """
    return _ranges(network(model, what="activation_ranges").model)


def _ranges(model):
    found = {}
    inputs = {
        layer.name: layer.input.name
        for layer in model.layers
        if layer.name.startswith("quantize_layer")
    }
    for variable in model.variables:
        path, _, kind = variable.name.partition(":")[0].rpartition("/")
        if kind.endswith(("_min", "_max")) and "kernel" not in kind:
            layer = path.removeprefix("quant_")
            if path in inputs:
                layer = inputs[path] if len(inputs) > 1 else "input"
            found.setdefault(layer, {})[kind[-3:]] = float(variable.numpy())
    return {layer: (ends["min"], ends["max"]) for layer, ends in found.items()}


def range_history(model, data, *, steps, every=20, batch_size=32, seed=0):
    """Train a quantization-aware model and record its activation ranges on the way.

    Parameters
    ----------
    model : tf.keras.Model, from `qk.quantization_aware`; trained in place, as by `qk.fit`
    data : Dataset
    steps, every : int, training steps, of one batch each; and those between two records
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
    opened = network(model, what="range_history")
    model = opened.model
    if not _ranges(model):
        raise ValueError(
            f"range_history: {model.name!r} has no ranges to follow; wrap it with "
            "qk.quantization_aware first."
        )
    validate.whole(steps, name="range_history: steps")
    validate.whole(every, name="range_history: every", most=2**20)
    x, y = Settings(1, batch_size, seed, 0, 1e-3).checked(opened, data, what="range_history")
    draw = np.random.default_rng(seed).integers(len(x), size=steps * batch_size)
    records = {0: _ranges(model)}
    keras = tensorflow().keras
    follow = keras.callbacks.LambdaCallback(
        on_batch_end=lambda batch, logs: records.update({batch + 1: _ranges(model)})
    )
    with quiet(), seeded(seed):
        model.compile(
            keras.optimizers.Adam(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            steps_per_execution=every,
        )
        model.fit(
            x[draw], y[draw], batch_size=batch_size, shuffle=False, callbacks=[follow], verbose=0
        )
    ranges = {name: np.array([found[name] for found in records.values()]) for name in records[0]}
    return RangeHistory(np.array([*records]), ranges, _data_ranges(model, x[draw[:500]]))


def _wrapped(model, scheme=None, *options):
    import tensorflow_model_optimization as tfmot
    from tensorflow_model_optimization.experimental import combine

    chosen = [getattr(combine, scheme)(*options)] if scheme else []
    annotated = tfmot.quantization.keras.quantize_annotate_model(model)
    return tfmot.quantization.keras.quantize_apply(annotated, *chosen)


def _data_ranges(aware, images):
    """Return what a batch spans, without keeping it in the model's own ranges."""
    kept = aware.get_weights()
    _set_ranges(aware, images)
    found = _ranges(aware)
    aware.set_weights(kept)
    return found


def _set_ranges(aware, calibration):
    """Set all ranges from one batch, in place; weights and BatchNorm statistics stay."""
    kept = [(v, v.numpy()) for v in aware.variables if not v.name.endswith(("_min:0", "_max:0"))]
    with quiet(), contextlib.ExitStack() as stack:
        for layer in network(aware).layers.values():
            for holder in (layer, *getattr(layer, "_quantize_activations", ())):
                for name in vars(holder).keys() & {"quantizer", "_output_quantizers"}:
                    quantizers = _adopting(getattr(holder, name))
                    stack.enter_context(mock.patch.object(holder, name, quantizers))
        several = isinstance(calibration, Mapping)
        aware([*calibration.values()] if several else calibration, training=True)
    for variable, value in kept:
        variable.assign(value)


def _adopting(given):
    """Return quantizers whose ranges become those of a batch; others than moving ones, as given.

    The library's own, of this model alone: its function would change for every other training too.
    """
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops, quantizers

    if isinstance(given, list):
        return [*map(_adopting, given)]
    if not isinstance(given, quantizers.MovingAverageQuantizer):
        return given

    def adopt(inputs, training, weights, **_):
        return quant_ops.MovingAvgQuantize(
            inputs, weights["min_var"], weights["max_var"], is_training=training,
            ema_decay=0.0,  # where the library has 0.999 built in
            num_bits=given.num_bits, per_channel=given.per_axis,
            symmetric=given.symmetric, narrow_range=given.narrow_range,
        )  # fmt: skip

    return adopt


def _explain(model, error):
    """Return a message that names the layer for which the library has no QuantizeConfig."""
    said = str(error)
    written = [
        layer for layer in model.layers if type(layer).__name__ in ("TFOpLambda", "SlicingOpLambda")
    ]
    if written:
        names = ", ".join(repr(layer.name) for layer in written)
        return (
            f"quantization_aware: {names} of {model.name!r} is written as an operation, and the "
            "library wraps layers alone. Write it as a layer: tf.keras.layers.Add()([a, b]) for "
            "a + b, Multiply, Concatenate, ReLU or Reshape for theirs, and put the weights into "
            "the new model: new.set_weights(model.get_weights())."
        )
    named = (
        f"the layer {layer.name!r} ({type(layer).__name__})"
        for layer in model.layers  # one of one's own is named by its type alone
        if f"Layer {layer.name}:" in said or f"Layer {type(layer).__name__} " in said
    )
    culprit = next(named, f"a layer of {model.name!r}")
    return (
        f"quantization_aware: {culprit} has no QuantizeConfig, so the library does not know how to "
        "put it on a grid. Ways out: replace it by a supported layer; or annotate the others with "
        "tfmot.quantization.keras.quantize_annotate_layer and leave it in float; or annotate it "
        "with a QuantizeConfig of your own and call quantize_apply. "
        f"The library said: {said.splitlines()[0]}"
    )
