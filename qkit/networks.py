"""The one door for a model: it is opened once, and whoever needs to know asks the value."""

import collections
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qkit._tensorflow import KerasVersionError, tensorflow

MOST_CLUSTERS = 256  # more distinct values than 8 bits can number are none to speak of

# Classes that tensorflow-model-optimization puts around a layer or before it, and what for.
_WRAPPERS = {
    "PruneLowMagnitude": "pruning",
    "ClusterWeights": "clustering",
    "QuantizeAnnotate": "quantization",
    "QuantizeWrapper": "quantization",
    "QuantizeLayer": "quantization",
}


@dataclass(frozen=True, eq=False)
class Network:
    """A Keras 2 model, opened: what goes in and out, its layers and their kernels."""

    name: str
    model: object
    inputs: Mapping  # shape of one item by name; empty where the model does not show them
    outputs: Mapping
    layers: Mapping  # by whole path through models and wrappers, as in "outer/inner/conv"
    wrapped: Mapping  # by path, what a layer is wrapped for: one of `_WRAPPERS`

    @property
    def kernels(self):
        """Weights of two axes or more, by path, as the forward pass uses them at this moment."""
        return _numbered(kernel for item in self.layers.items() for kernel in _used_weights(*item))

    @property
    def aware(self):
        """Whether it was made by `quantization_aware`."""
        return "quantization" in self.wrapped.values()

    @property
    def pruned(self):
        """Whether there are zeros among its kernels."""
        return any((kernel == 0).any() for kernel in self.kernels.values())

    @property
    def clustered(self):
        """Whether its largest kernel holds a few distinct values only."""
        largest = max(self.kernels.values(), key=np.size, default=np.empty(0))
        return np.unique(largest).size <= MOST_CLUSTERS < largest.size

    def shapes(self, *, what, classifier=True):
        """Return the shapes of its one input and its one output, or say what it has instead."""
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise ValueError(
                f"{what}: a model with one input and one output is wanted; {self.name!r} shows "
                f"{len(self.inputs)} and {len(self.outputs)}. Build one of the part that counts."
            )
        image, scores = *self.inputs.values(), *self.outputs.values()
        if classifier and (len(scores) != 1 or (scores[0] or 0) < 2):
            raise ValueError(
                f"{what}: the output of {self.name!r} has the shape {(None, *scores)}; a "
                "classifier gives a score for each of two or more classes, shape (n, classes)."
            )
        return image, scores


def network(model, *, what="network"):
    """Open a model: find out what it is, once, for all that is done with it.

    Parameters
    ----------
    model : tf.keras.Model, built, or Network, which is returned as it is
    what : str, the caller's name, for messages

    Returns
    -------
    Network

    Examples
    --------
    >>> import qkit as qk
    >>> opened = qk.network(qk.models.walkthrough_cnn())
    >>> {path: kernel.shape for path, kernel in opened.kernels.items()}
    {'conv': (3, 3, 1, 12), 'logits': (2028, 10)}
    """
    if isinstance(model, Network):
        return model
    _require_keras_2(model, what)
    layers = _numbered(_walk(model))
    wrapped = {path: why for path, layer in layers.items() if (why := _wrapped_for(layer))}
    inputs = _shapes(model.input_names, model.inputs)
    outputs = _shapes(model.output_names, model.outputs)
    return Network(model.name, model, inputs, outputs, layers, wrapped)


def _require_keras_2(model, what):
    homes = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "tf_keras" in homes and hasattr(model, "layers"):
        if not model.built:
            raise ValueError(
                f"{what}: the model {model.name!r} has not been built, so its weights do not "
                "exist yet. Give its first layer an input_shape, or call it once on data."
            )
    elif "keras" in homes:
        raise KerasVersionError(
            f"{what}: {type(model).__name__} is a Keras 3 model (made with `import keras`). "
            "Build it with `tf.keras` after `import qkit`, or with `import tf_keras`."
        )
    else:
        raise TypeError(
            f"{what}: expected a Keras 2 model, got {type(model).__name__}. "
            "Build one with `tf.keras`, for example qk.models.walkthrough_cnn()."
        )


def _shapes(names, tensors):
    pairs = zip(names or (), tensors or (), strict=True)  # None in subclassed models
    return {name: tuple(tensor.shape[1:]) for name, tensor in pairs}


def _wrapped_for(layer):
    names = (cls.__name__ for cls in type(layer).__mro__)
    return next((_WRAPPERS[name] for name in names if name in _WRAPPERS), "")


def _inside(layer):
    if _wrapped_for(layer):
        return ()
    if isinstance(layer, tensorflow().keras.layers.RNN):
        return getattr(layer.cell, "cells", ())  # a single cell is the layer itself
    if isinstance(layer, tensorflow().keras.Model):
        return layer.layers
    return layer._flatten_layers(recursive=False, include_self=False)


def _walk(layer, above=""):
    """Yield pairs of whole path and layer, for all that is inside a layer."""
    for inner in _inside(layer):
        # a wrapper goes by the name of what it holds; Keras's own ones are layers like others
        bare = getattr(inner, "layer", inner) if _wrapped_for(inner) else inner
        path = above + bare.name
        yield path, inner
        yield from _walk(inner, f"{path}/")


def _numbered(pairs):
    """Return a dict of pairs: a repeated name is numbered, a repeated value left out."""
    found, seen, times = {}, {}, collections.Counter()
    for name, value in pairs:
        if id(value) not in seen:
            seen[id(value)] = value  # kept, or another could get its id
            times[name] += 1
            found[name if times[name] == 1 else f"{name}#{times[name]}"] = value
    return found


def _used_weights(path, layer):
    """Return pairs of path and value: a layer's own kernels, masked, clustered or rounded."""
    if hasattr(layer, "quantize_config"):  # of quantization-aware training
        pairs = [
            (variable.name, quantizer(variable, False, weights=state))
            for variable, quantizer, state in layer._weight_vars
        ]
    elif hasattr(layer, "pruning_vars"):
        pairs = [(weight.name, weight * mask) for weight, mask, _ in layer.pruning_vars]
    elif hasattr(layer, "clustering_algorithms"):
        indices, originals = layer.pulling_indices, layer.original_clusterable_weights
        pairs = [
            (name, algorithm.get_clustered_weight(indices[name], originals[name]))
            for name, algorithm in layer.clustering_algorithms.items()
        ]
    else:
        inner = {id(weight) for part in _inside(layer) for weight in part.weights}
        pairs = [(w.name, w) for w in layer.weights if id(w) not in inner]
    kernels = [(name, np.asarray(w, np.float32)) for name, w in pairs if len(w.shape) > 1]
    if len(kernels) == 1:
        return [(path, kernels[0][1])]
    return [(f"{path}/{name.split('/')[-1].partition(':')[0]}", w) for name, w in kernels]
