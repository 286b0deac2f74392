"""The one door for a model: it is opened once, and whoever needs to know asks the value."""

import collections
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qkit._tensorflow import KerasVersionError, keras_3, tensorflow

OTHER_FLOATS = ("float16", "bfloat16", "float64")  # in which LiteRT has hardly an operator
MOST_CLUSTERS = 256  # more distinct values than 8 bits can number are none to speak of

_SCALING = ("Rescaling", "Normalization", "Embedding")  # which whole numbers are for

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
    dtypes: Mapping  # of the inputs, by name
    layers: Mapping  # by whole path through models and wrappers, as in "outer/inner/conv"
    wrapped: Mapping  # by path, what a layer is wrapped for: one of `_WRAPPERS`

    @property
    def kernels(self):
        """Weights of two axes or more, by path, as the forward pass uses them at this moment.

        A weight's own name follows the path in layers of which one part has several.
        """
        used = [
            (self._part(path, name), name.rpartition("/")[2], kernel)
            for path, layer in self.layers.items()
            if not path.startswith(tuple(f"{above}/" for above in self.wrapped))
            for name, kernel in _used_weights(layer)
        ]
        times = collections.Counter(path for path, *_ in used)
        several = {self._owner(path) for path in times if times[path] > 1}
        return _numbered(
            (f"{path}/{name}" if self._owner(path) in several else path, kernel)
            for path, name, kernel in used
        )

    @property
    def weights(self):
        """All weights as variables, by the path of their layer and their own name."""
        own = ((p, name, w) for p, layer in self.layers.items() for name, w in _own_weights(layer))
        return _numbered((f"{self._part(p, n)}/{n.rpartition('/')[2]}", w) for p, n, w in own)

    def _part(self, path, name):
        """Return the path of that part of a layer which the whole name of a weight speaks of."""
        inside = [part for part in self.layers if part.startswith(f"{path}/")]
        words = set(name.split("/"))
        named = (p for p in inside if words.issuperset(p.removeprefix(f"{path}/").split("/")))
        return max(named, key=len, default=path)

    def _owner(self, path):
        """Return the path of the layer, below all models, that a layer is a part of."""
        above = path.rpartition("/")[0]
        part = above and not isinstance(self.layers[above], tensorflow().keras.Model)
        return above if part else path

    @property
    def takes(self):
        """Shape of an item and dtype of each input, by name; None if whole numbers are scaled."""
        scaled = any(type(layer).__name__ in _SCALING for layer in self.layers.values())
        kinds = {n: None if scaled and d.kind == "f" else d for n, d in self.dtypes.items()}
        return {name: (shape, kinds[name]) for name, shape in self.inputs.items()}

    @property
    def batch(self):
        """Items of a run, where the model was built for so many; else 1."""
        return max((tensor.shape[0] or 1 for tensor in self.model.inputs or ()), default=1)

    @property
    def gives(self):
        """Shape of an item of each output, by name."""
        return self.outputs

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
        """Whether its largest kernel holds a few distinct values only, but more than one."""
        largest = max(self.kernels.values(), key=np.size, default=np.empty(0))
        kept = largest[largest != 0]  # what pruning left: its zeros are no cluster
        most = MOST_CLUSTERS if kept.size > MOST_CLUSTERS else kept.size // 2
        return np.unique(largest).size > 1 and np.unique(kept).size <= most

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
    kinds = zip(inputs, model.inputs or (), strict=True)
    dtypes = {name: np.dtype(tensor.dtype.as_numpy_dtype) for name, tensor in kinds}
    return Network(model.name, model, inputs, outputs, dtypes, layers, wrapped)


def is_keras_3(model):
    """Whether it is a model of Keras 3."""
    return "keras" in _homes(model) and hasattr(model, "layers")


def speaks_keras_2(model):
    """Whether it is a model of Keras 2."""
    return "tf_keras" in _homes(model) and hasattr(model, "layers")


def _homes(model):
    return {cls.__module__.partition(".")[0] for cls in type(model).__mro__}


def _keras_of(model):
    return keras_3() if is_keras_3(model) else tensorflow().keras


def in_float32(model):
    """Return a copy of a model of mixed precision that computes in float32, with its weights."""
    names = (*OTHER_FLOATS, "mixed_float16", "mixed_bfloat16")  # of policies and of dtypes

    def plain(part):
        return "float32" if isinstance(part, str) and part in names else part

    policies = _keras_of(model).mixed_precision
    before = policies.global_policy()
    policies.set_global_policy("float32")  # by which layers of one's own make theirs
    try:
        return _rebuilt(model, plain)
    finally:
        policies.set_global_policy(before)


def unrolled(model):
    """Return a copy of a model whose recurrent layers are written out step by step."""

    def without_loop(part):
        return {**part, "unroll": True} if isinstance(part, dict) and "unroll" in part else part

    return _rebuilt(model, without_loop)


def _rebuilt(model, change):
    """Return a copy with the same weights, each part of its layers' configurations changed."""

    def changed(part):
        if isinstance(part, dict):
            return change({name: changed(inner) for name, inner in part.items()})
        if isinstance(part, (list, tuple)):  # as of the layers of a model in a wrapper
            return (list if isinstance(part, list) else tuple)(map(changed, part))
        return change(part)

    def clone(layer):
        if isinstance(layer, keras.Model):  # which may hold layers of one's own
            return _rebuilt(layer, change)
        return type(layer).from_config(changed(layer.get_config()))

    keras = _keras_of(model)
    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return copy


def _require_keras_2(model, what):
    if speaks_keras_2(model):
        if not model.built:
            raise ValueError(
                f"{what}: the model {model.name!r} has not been built, so its weights do not "
                "exist yet. Give its first layer an input_shape, or call it once on data."
            )
    elif "keras" in _homes(model):
        raise KerasVersionError(
            f"{what}: {type(model).__name__} is a Keras 3 model (made with `import keras`), and "
            "tensorflow-model-optimization knows Keras 2 alone: qk.to_keras_2(model) makes its "
            "twin, with the same weights"
        )
    elif isinstance(model, (bytes, bytearray)):
        raise TypeError(
            f"{what}: expected a Keras 2 model, got bytes: nothing can be trained in a .tflite "
            "file. Train where it comes from, and quantize the file made of that."
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


def _bare(layer):
    """Return what a wrapper holds, whose name it goes by; Keras's own are layers like others."""
    return getattr(layer, "layer", layer) if _wrapped_for(layer) else layer


def _inside(layer):
    layer = _bare(layer)
    if isinstance(layer, tensorflow().keras.layers.RNN):
        return getattr(layer.cell, "cells", ())  # a single cell is the layer itself
    if isinstance(layer, tensorflow().keras.Model):
        return layer.layers
    return layer._flatten_layers(recursive=False, include_self=False)


def _walk(layer, above=""):
    """Yield pairs of whole path and layer, for all that is inside a layer."""
    for inner in _inside(layer):
        path = above + _bare(inner).name
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


def _own_weights(layer):
    """Return pairs of whole name and variable, without those of the parts of a layer."""
    inner = {id(weight) for part in _inside(layer) for weight in part.weights}
    return [(_name(weight), weight) for weight in layer.weights if id(weight) not in inner]


def _name(weight):
    return weight.name.partition(":")[0]


def _used_weights(layer):
    """Return pairs of whole name and value: a layer's own kernels, or all under a wrapper."""
    pairs = _own_weights(layer)
    if (bare := _bare(layer)) is not layer:
        used = {id(weight): weight for weight in bare.weights}
        used.update((id(weight), value) for weight, value in _through_wrapper(layer))
        pairs = [(_name(w), used[id(w)]) for w in layer.weights if id(w) in used]
    return [(name, np.asarray(value, np.float32)) for name, value in pairs if len(value.shape) > 1]


def _through_wrapper(layer):
    """Yield pairs of variable and value: masked, clustered or rounded."""
    for variable, quantizer, state in getattr(layer, "_weight_vars", ()):  # quantization-aware
        yield variable, quantizer(variable, False, weights=state)
    for weight, mask, _ in getattr(layer, "pruning_vars", ()):
        yield weight, weight * mask
    for name, algorithm in getattr(layer, "clustering_algorithms", {}).items():
        original = layer.original_clusterable_weights[name]
        yield original, algorithm.get_clustered_weight(layer.pulling_indices[name], original)
