"""Layers wrapped one by one for a training: which models allow it, and which layers stay out."""

from qkit._tensorflow import tensorflow
from qkit.networks import MOST_CLUSTERS

_STRIP = {
    "pruning": "tfmot.sparsity.keras.strip_pruning(model)",
    "clustering": "tfmot.clustering.keras.strip_clustering(model)",
}


def copy_of(model):
    """Return a copy of a Keras model with layers and weights of its own, not compiled."""
    copy = tensorflow().keras.models.clone_model(model)
    copy.set_weights(model.get_weights())  # a clone starts from new ones
    return copy


def require_stripped(network, *, what):
    """Refuse a network whose layers still wear the wrappers of pruning or clustering."""
    for path, kind in network.wrapped.items():
        if kind in _STRIP:
            raise ValueError(
                f"{what}: the layer {network.layers[path].name!r} of {network.name!r} is still "
                f"wrapped for {kind}; what the wrapper holds would go along, and the file would "
                f"grow where it should shrink. Strip it first: {_STRIP[kind]}. qk.prune and "
                "qk.cluster return stripped models."
            )


def require_plain(network, *, what):
    """Refuse a network whose layers cannot be wrapped one by one, or are wrapped already."""
    keras, model = tensorflow().keras, network.model
    if network.aware:
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
    require_stripped(network, what=what)


def require_compressed(network, *, zeros, clusters, why):
    """Refuse a network without the zeros or the clusters that it is to have, and say for what."""
    if zeros and not network.pruned:
        raise ValueError(
            f"{why}, and {network.name!r} has no zero among its weights. Prune it first: pruned, "
            "history = qk.prune(model, data)."
        )
    if clusters and not network.clustered:
        raise ValueError(
            f"{why}, and {network.name!r} holds more than {MOST_CLUSTERS} distinct values. Cluster "
            "it first: clustered, history = qk.cluster(model, data)."
        )


def layers_left_alone(model, known, misfit, *, what, remedy):
    """Return by name the layers with kernels that the library will not compress, and why.

    `known` gives a layer's weights that the library compresses, None where it does not know the
    layer; `misfit` why such weights do not fit what is asked for, or None.
    """
    found = {}
    having = [each for each in copy_of(model).layers if any(w.shape.rank > 1 for w in each.weights)]
    for layer in having:
        kind, weights = type(layer).__name__, known(layer)
        if weights is None:
            raise ValueError(
                f"{what}: the library does not know which weights of the layer {layer.name!r} "
                f"({kind}) to {what}. Replace it by a layer of Keras, or {remedy}."
            )
        reason = misfit(weights) if weights else f"the library {what}s nothing in a {kind}"
        if reason:
            found[layer.name] = reason
    if len(found) == len(having):
        reasons = "; ".join(f"{name}: {why}" for name, why in found.items())
        raise ValueError(
            f"{what}: there is nothing to {what} in {model.name!r}. "
            f"{reasons or 'It has no kernels'}."
        )
    return found
