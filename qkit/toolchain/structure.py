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
                f"{kind}; what the wrapper holds would go along, and the file would grow where it "
                f"should shrink. Strip it first: {_STRIP[kind]}. qk.prune and qk.cluster return "
                "stripped models."
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


def layers_left_alone(model, compressible, misfit, *, what, remedy):
    """Return the layers with kernels that the library will not compress, with the reason.

    Parameters
    ----------
    model : tf.keras.Model
    compressible : callable
        From a layer to the weights that the library compresses; None where it does not know it.
    misfit : callable
        From such weights to why they do not fit what is asked for, or None.
    what : {"prune", "cluster"}
        For the messages.
    remedy : str
        For a layer that the library does not know.

    Returns
    -------
    dict of str to str
        By layer name.

    Raises
    ------
    ValueError
        If the library does not know a layer with kernels, or nothing is left to compress.
    """
    found, some = {}, False
    for layer in copy_of(model).layers:
        if not any(len(weight.shape) > 1 for weight in layer.weights):
            continue
        kind, known = type(layer).__name__, compressible(layer)
        if known is None:
            raise ValueError(
                f"{what}: the library does not know which weights of the layer {layer.name!r} "
                f"({kind}) to {what}. Replace it by a layer of Keras, or {remedy}."
            )
        reason = misfit(known) if known else f"the library {what}s nothing in a {kind}"
        if reason:
            found[layer.name] = reason
        else:
            some = True
    if not some:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.items())
        raise ValueError(
            f"{what}: there is nothing to {what} in {model.name!r}. "
            f"{reasons or 'It has no kernels'}."
        )
    return found
