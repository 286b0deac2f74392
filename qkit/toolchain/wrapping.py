"""Which models a training can wrap layer by layer, and what is refused of those wrapped or not."""

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


def require_compressed(network, *, why, zeros=False, clusters=False):
    """Refuse a network without the zeros or the clusters that it is to have, and say for what."""
    if zeros and not network.pruned:
        raise ValueError(
            f"{why}, and {network.name!r} has no zero among its weights. Prune it first: pruned, "
            "history = qk.prune(model, data)."
        )
    if clusters and not network.clustered:
        raise ValueError(
            f"{why}, and the largest kernel of {network.name!r} holds one value alone, or more "
            f"than {MOST_CLUSTERS} distinct values, or than half as many as weights. Cluster it "
            "first: clustered, history = qk.cluster(model, data)."
        )
