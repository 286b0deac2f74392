"""Quantization-aware training: rounding in the forward pass, and ranges that are learned."""

import contextlib
from dataclasses import dataclass

from qkit import validate
from qkit._tensorflow import quiet, require_keras_2_model
from qkit.toolchain.clustering import MOST_CLUSTERS, is_clustered
from qkit.toolchain.pruning import is_pruned
from qkit.toolchain.ranges import set_ranges
from qkit.toolchain.structure import copy_of, require_plain
from qkit.training import fit

_PRESERVE = ("sparsity", "clusters", "both")


def quantization_aware(model, *, calibration=None, preserve=None):
    """Return a copy of a model that rounds weights and activations in its forward pass.

    The copy starts from the model's weights, in `tensorflow_model_optimization`'s default 8-bit
    scheme. Its activation ranges start at ±6, whatever flows, and follow the data by a moving
    average of 0.999 a step: before some thousand steps they are not what the data say. Only the
    input's takes in all values at once.

    Parameters
    ----------
    model : tf.keras.Model
        Keras 2, Sequential or functional, built. It is left as it is.
    calibration : ndarray of shape (n, *image), float, optional
        A batch from which all ranges are set at once, so that the copy can be used, or trained on,
        without a start on the wrong grid.
    preserve : None, "sparsity", "clusters" or "both"
        What of a pruned or clustered model its training shall keep: zeros masked, weights tied to
        their centroids, or both. Plain training moves them all.

    Returns
    -------
    tf.keras.Model
        Not compiled; train it with `qk.fit`, or with `qk.weight_history` to see what it does to
        zeros and clusters.

    Raises
    ------
    KerasVersionError, TypeError, ValueError
        If the model is not one that can be wrapped, and the message names the layer and the ways
        out; or if it has no zeros or no clusters to preserve.

    Examples
    --------
    >>> import qkit as qk
    >>> qk.quantization_aware(qk.models.walkthrough_cnn()).layers[2].name
    'quant_conv'
    """
    require_keras_2_model(model, what="quantization_aware")
    require_plain(model, what="quantization_aware")
    if preserve is not None:
        _check_preserved(model, preserve)
    if calibration is not None:
        calibration = validate.images(
            calibration, model.input_shape[1:], what="quantization_aware: calibration"
        )
    with quiet():
        import tensorflow_model_optimization as tfmot
    try:
        with quiet():
            annotated = tfmot.quantization.keras.quantize_annotate_model(copy_of(model))
            aware = tfmot.quantization.keras.quantize_apply(annotated, *_quantize_scheme(preserve))
    except (RuntimeError, ValueError) as error:
        raise ValueError(_explain(model, error)) from error
    if calibration is not None:
        set_ranges(aware, calibration)
    return aware


@dataclass(frozen=True, eq=False)
class FineTuned:
    """A quantization-aware model and its control, trained alike from the same start.

    Attributes
    ----------
    qat : tf.keras.Model
        The quantization-aware one.
    control : tf.keras.Model
        A float copy trained for the same epochs on the same batches: what the training alone gives.
    qat_history, control_history : History
    """

    qat: object
    control: object
    qat_history: object
    control_history: object


def fine_tune_with_control(model, data, *, epochs, calibration=None, **options):
    """Train on from a model twice: through the grid, and in float as the control.

    Quantization-aware training is more training. Whoever compares it with the model it started from
    credits the rounding with what the extra epochs gave; the control got the same epochs.

    Parameters
    ----------
    model : tf.keras.Model
        The trained float model; left as it is.
    data : Dataset
    epochs : int
    calibration : ndarray, optional
        As for `quantization_aware`.
    **options
        Passed on to `fit`, for both alike.

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
    aware = quantization_aware(model, calibration=calibration)
    control = copy_of(model)
    return FineTuned(
        qat=aware,
        control=control,
        qat_history=fit(aware, data, epochs=epochs, **options),
        control_history=fit(control, data, epochs=epochs, **options),
    )


def _check_preserved(model, preserve):
    """Refuse to preserve what a model does not have: the library would train it as a plain one."""
    if preserve not in _PRESERVE:
        raise ValueError(
            "quantization_aware: preserve must be None, 'sparsity', 'clusters' or 'both', got "
            f"{preserve!r}."
        )
    if preserve != "clusters" and not is_pruned(model):
        raise ValueError(
            f"quantization_aware: preserve={preserve!r}, but {model.name!r} has no zero to "
            "preserve. Prune it first: pruned, history = qk.prune(model, data)."
        )
    if preserve != "sparsity" and not is_clustered(model):
        raise ValueError(
            f"quantization_aware: preserve={preserve!r}, but {model.name!r} holds more than "
            f"{MOST_CLUSTERS} distinct values. Cluster it first: clustered, history = "
            "qk.cluster(model, data)."
        )


def _quantize_scheme(preserve):
    """Return the scheme to apply, in a list; empty for the library's default."""
    if preserve is None:
        return []
    from tensorflow_model_optimization.experimental import combine

    if preserve == "sparsity":
        return [combine.Default8BitPrunePreserveQuantizeScheme()]
    return [combine.Default8BitClusterPreserveQuantizeScheme(preserve == "both")]


def _explain(model, error):
    """Return a message that names the layer for which the library has no QuantizeConfig."""
    text = str(error)
    named = [layer for layer in model.layers if _mentions(text, layer)]
    if not named:  # a layer of one's own is named by its type alone
        named = [layer for layer in model.layers if f"Layer {type(layer).__name__} " in text]
    culprit = (
        f"the layer {named[0].name!r} ({type(named[0]).__name__})"
        if named
        else f"a layer of {model.name!r}"
    )
    return (
        f"quantization_aware: {culprit} has no QuantizeConfig, so the library does not know how to "
        "put it on a grid. Ways out: replace it by a supported layer; or annotate the others with "
        "tfmot.quantization.keras.quantize_annotate_layer and leave it in float; or annotate it "
        "with a QuantizeConfig of your own and call quantize_apply. "
        f"The library said: {text.splitlines()[0]}"
    )


def _mentions(text, layer):
    with contextlib.suppress(AttributeError):
        return f"{layer.name}:" in text or f"{type(layer)}" in text
    return False
