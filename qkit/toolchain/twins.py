"""From a model of Keras 3 to its twin in Keras 2, which can be trained through the grid."""

import inspect

import numpy as np

from qkit._tensorflow import quiet, tensorflow
from qkit.networks import is_keras_3

# Operations on tensors, as of a + b, of whose names are layers that do the same.
_OPERATIONS = ("Add", "Subtract", "Multiply", "Maximum", "Minimum")
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_LEFT_OUT = ("initializer", "regularizer", "constraint", "dtype", "quantization_config")


def to_keras_2(model):
    """Return a model of Keras 2 with the layers and weights of one of Keras 3.

    Parameters
    ----------
    model : keras.Model, Sequential or functional, of layers that Keras 2 has too

    Returns
    -------
    tf.keras.Model, not compiled, that gives the same outputs: it was tried on random inputs

    Examples
    --------
    >>> import keras
    >>> import qkit as qk
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> qk.quantization_aware(to_keras_2(model)).count_params() > model.count_params()
    True
    """
    if not is_keras_3(model):
        raise TypeError(f"to_keras_2: expected a Keras 3 model, got {type(model).__name__}.")
    graph = getattr(model, "_functional", None) or model  # which a Sequential has inside
    if not getattr(graph, "_nodes_by_depth", None):
        raise ValueError(
            f"to_keras_2: the layers of {model.name!r} cannot be seen from outside: it is "
            "subclassed, or not built. Rebuild it with keras.Sequential or the functional API."
        )
    with quiet():
        twin = _twin_of_graph(graph, model.name)
        _require_same(model, twin)
    return twin


def _twin_of_graph(graph, name):
    keras = tensorflow().keras
    found = {
        id(t): keras.Input(tuple(t.shape[1:]), t.shape[0], t.name, t.dtype) for t in graph.inputs
    }
    inputs, layers = [*found.values()], {}
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if node.is_input:
                continue
            layer = node.operation
            if id(layer) not in layers:
                layers[id(layer)] = _twin_of_layer(layer)
            given = node.arguments.args, node.arguments.kwargs
            args, kwargs = tensorflow().nest.map_structure(lambda v: found.get(id(v), v), given)
            if not hasattr(layer, "weights"):  # an operation takes its tensors one by one
                args, kwargs = [[*args, *kwargs.values()]], {}
                if len(node.input_tensors) != len(args[0]):  # as of 2 * a
                    raise _without_twin(layer)
            outputs = tensorflow().nest.flatten(layers[id(layer)](*args, **kwargs))
            found.update(zip(map(id, node.output_tensors), outputs, strict=True))
            if getattr(layer, "weights", ()):
                layers[id(layer)].set_weights(layer.get_weights())
    outputs = [found[id(t)] for t in graph.outputs]
    single = len(inputs) == 1, len(outputs) == 1
    return keras.Model(
        inputs[0] if single[0] else inputs, outputs[0] if single[1] else outputs, name=name
    )


def _twin_of_layer(layer):
    """Return a layer of Keras 2 of the same kind and settings; weights come when it is built."""
    kind, layers = type(layer).__name__, tensorflow().keras.layers
    if hasattr(layer, "_nodes_by_depth") or hasattr(layer, "_functional"):
        return _twin_of_graph(getattr(layer, "_functional", None) or layer, layer.name)
    own = hasattr(layer, "weights")
    cls = getattr(layers, kind, None) if own or kind in _OPERATIONS else None
    if cls is None:
        raise _without_twin(layer)
    if not own:
        return cls()
    known = {name for base in cls.__mro__ for name in inspect.signature(base.__init__).parameters}
    config = {_RENAMED.get((kind, key), key): v for key, v in layer.get_config().items()}
    kept = {k: v for k, v in config.items() if k in known and not k.endswith(_LEFT_OUT)}
    if "layer" in config:  # a wrapper; one for both directions makes the other of this one
        inner = layer.forward_layer if kind == "Bidirectional" else layer.layer
        kept = {k: v for k, v in kept.items() if k != "backward_layer"}
        kept["layer"] = _twin_of_layer(inner)
    return cls(**kept | {"name": layer.name})


def _without_twin(layer):
    return ValueError(
        f"to_keras_2: Keras 2 has no twin of {layer.name!r} ({type(layer).__name__}). Write it "
        "with layers that both have, in Keras 3 or in tf.keras, and carry the weights over."
    )


def _require_same(model, twin):
    rng = np.random.default_rng(0)
    inputs = [
        rng.integers(0, 2, (2, *(n or 8 for n in t.shape[1:]))).astype(t.dtype)
        for t in model.inputs
    ]
    given = inputs[0] if len(inputs) == 1 else inputs
    for a, b in zip(_listed(model(given)), _listed(twin(given)), strict=True):
        apart = float(np.abs(np.asarray(a) - np.asarray(b)).max())
        if apart > 1e-4 * max(1.0, float(np.abs(a).max())):
            raise ValueError(
                f"to_keras_2: the twin of {model.name!r} gives other outputs, up to {apart:.2g} "
                "apart: a layer means something else in Keras 2. Rebuild the model with tf.keras."
            )


def _listed(outputs):
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]
