"""The layers of a Keras model, as wrapping them needs it: in sight, plain, and one's own."""

from qkit._tensorflow import tensorflow

_WRAPPERS = {"PruneLowMagnitude": "pruning", "ClusterWeights": "clustering"}
_STRIP = {
    "pruning": "tfmot.sparsity.keras.strip_pruning(model)",
    "clustering": "tfmot.clustering.keras.strip_clustering(model)",
}


def copy_of(model):
    """Return a copy of a model with layers and weights of its own, not compiled.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    tf.keras.Model
    """
    copy = tensorflow().keras.models.clone_model(model)
    copy.set_weights(model.get_weights())  # a clone starts from new ones
    return copy


def is_quantization_aware(model):
    """Return whether a Keras model was made by `quantization_aware`.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    bool
    """
    return any(type(layer).__name__.startswith("Quantize") for layer in model.layers)


def require_stripped(model, *, what):
    """Refuse a model whose layers still wear the wrappers of pruning or clustering.

    Parameters
    ----------
    model : tf.keras.Model
    what : str
        The caller's name, for the message.

    Raises
    ------
    ValueError
        With the layer, what an unstripped file would hold, and the call that strips.
    """
    for layer in model.layers:
        kind = next(
            (_WRAPPERS[c.__name__] for c in type(layer).__mro__ if c.__name__ in _WRAPPERS), None
        )
        if kind:
            raise ValueError(
                f"{what}: the layer {layer.name!r} of {model.name!r} is still wrapped for "
                f"{kind}; the masks and indices of the wrapper would go along, and the compressor "
                f"would find nothing to gain. Strip it first: {_STRIP[kind]}. qk.prune and "
                "qk.cluster return stripped models."
            )


def require_plain(model, *, what):
    """Refuse a model whose layers cannot be wrapped one by one, or are wrapped already.

    Parameters
    ----------
    model : tf.keras.Model
    what : str
        The caller's name, for the message.

    Raises
    ------
    ValueError
        If it is quantization-aware, wrapped, subclassed, or has a model among its layers.
    """
    keras = tensorflow().keras
    if is_quantization_aware(model):
        raise ValueError(
            f"{what}: {model.name!r} is quantization-aware already; train it with qk.fit, or "
            "wrap the float model it came from. Pruning and clustering go before the grid."
        )
    if not isinstance(model, keras.Sequential) and not getattr(model, "_is_graph_network", False):
        raise ValueError(
            f"{what}: {model.name!r} is a subclassed model, whose layers cannot be seen from "
            "outside. Rebuild it with tf.keras.Sequential or the functional API."
        )
    nested = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
    if nested:
        raise ValueError(
            f"{what}: the layer {nested[0]!r} is itself a model, and nested models are not "
            "supported. Call its layers one by one in the outer model."
        )
    require_stripped(model, what=what)
