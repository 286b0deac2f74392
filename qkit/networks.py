"""The one door for a model: it is opened once, and whoever needs to know asks the value."""

import collections
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qkit._tensorflow import KerasVersionError
from qkit.result import Result

MOST_CLUSTERS = 256  # more distinct values than 8 bits can number are none to speak of

# Classes that tensorflow-model-optimization puts around a layer or before it, and what for.
_WRAPPERS = {
    "PruneLowMagnitude": "pruning",
    "ClusterWeights": "clustering",
    "QuantizeAnnotate": "quantization",
    "QuantizeWrapper": "quantization",
    "QuantizeLayer": "quantization",
}


@dataclass(frozen=True)
class Spec:
    """An input or output of a network: the shape of one item, and its dtype."""

    shape: tuple
    dtype: str


@dataclass(frozen=True, eq=False, repr=False)
class Network(Result):
    """A model, opened: what goes in and out, its layers, its kernels and its traits.

    Attributes
    ----------
    kind : str
        What it came as, such as "Keras 2".
    name : str
    model : object
        The model itself.
    inputs, outputs : mapping of str to Spec
        By name; empty where the model does not show them.
    layers : mapping of str to object
        By whole path through models and wrappers, as in "outer/inner/conv". Wrappers for pruning,
        clustering and quantization have the path of the layer inside.
    wrapped : mapping of str to {"pruning", "clustering", "quantization"}
        By path, what layers are wrapped for.
    recurrent, mixed_precision : bool
        Whether a layer has a state that goes from step to step; computes in fewer bits than its
        weights have.
    read_kernels : callable
        What `kernels` calls.
    """

    kind: str
    name: str
    model: object
    inputs: MappingProxyType
    outputs: MappingProxyType
    layers: MappingProxyType
    wrapped: MappingProxyType
    recurrent: bool
    mixed_precision: bool
    read_kernels: Callable

    @property
    def kernels(self):
        """Weights of two axes or more, by path, as the forward pass uses them at this moment."""
        return self.read_kernels()

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

    def single_shapes(self, *, what):
        """Return the shapes of its one input and its one output, or say how many it has."""
        if len(self.inputs) != 1 or len(self.outputs) != 1:
            raise ValueError(
                f"{what}: a model with one input and one output is wanted; {self.name!r} shows "
                f"{len(self.inputs)} and {len(self.outputs)}. Build one of the part that counts."
            )
        return tuple(spec.shape for ends in (self.inputs, self.outputs) for spec in ends.values())

    def classifier_shape(self, *, what):
        """Return the shape of an image and the number of classes, or say why it classifies none."""
        image, scores = self.single_shapes(what=what)
        if len(scores) != 1 or scores[0] is None or scores[0] < 2:
            raise ValueError(
                f"{what}: the output of {self.name!r} has the shape {(None, *scores)}; a "
                "classifier gives a score for each of two or more classes, shape (n, classes)."
            )
        return image, scores[0]

    def to_frame(self):
        """Return a DataFrame with one row per layer: its class, its wrapper, its weights."""
        import pandas as pd

        rows = [
            (path, type(_bare(layer)).__name__, self.wrapped.get(path, ""), layer.count_params())
            for path, layer in self.layers.items()
        ]
        columns = ["path", "layer", "wrapped for", "weights"]
        return pd.DataFrame(rows, columns=columns).set_index("path")

    def summary(self):
        """Say in one line what it is, and what goes in and out."""
        ends = [
            ", ".join(f"{name} {spec.shape}" for name, spec in end.items()) or "not shown"
            for end in (self.inputs, self.outputs)
        ]
        return f"{self.name!r}, {self.kind}: {' → '.join(ends)}, {len(self.layers)} layers"


def network(model, *, what="network"):
    """Open a model: find out what it is, once, for all that is done with it.

    Parameters
    ----------
    model : tf.keras.Model or Network
        Keras 2, built; it is not changed. A `Network` is returned as it is.
    what : str
        The caller's name, for messages.

    Returns
    -------
    Network

    Raises
    ------
    KerasVersionError, TypeError, ValueError
        If it is of Keras 3; no model; or not built.

    Examples
    --------
    >>> import qkit as qk
    >>> opened = qk.network(qk.models.walkthrough_cnn())
    >>> {path: kernel.shape for path, kernel in opened.kernels.items()}
    {'conv': (3, 3, 1, 12), 'logits': (2028, 10)}
    >>> opened.aware, opened.pruned, opened.recurrent
    (False, False, False)
    """
    if isinstance(model, Network):
        return model
    homes = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    for recognises, opener in _KINDS:
        if recognises(model, homes):
            return opener(model, what)
    raise TypeError(
        f"{what}: expected a Keras 2 model, got {type(model).__name__}. "
        "Build one with `tf.keras`, for example qk.models.walkthrough_cnn()."
    )


def _keras_2(model, what):
    if not model.built:
        raise ValueError(
            f"{what}: the model {model.name!r} has not been built, so its weights do not "
            "exist yet. Give its first layer an input_shape, or call it once on data."
        )
    layers = _numbered(_walk(model))
    return Network(
        kind="Keras 2",
        name=model.name,
        model=model,
        inputs=_specs(model.input_names, model.inputs),
        outputs=_specs(model.output_names, model.outputs),
        layers=MappingProxyType(layers),
        wrapped=MappingProxyType(
            {path: _wrapped_for(layer) for path, layer in layers.items() if _wrapped_for(layer)}
        ),
        recurrent=any("RNN" in _classes(_bare(layer)) for layer in layers.values()),
        mixed_precision=any(n.compute_dtype != n.variable_dtype for n in layers.values()),
        read_kernels=lambda: _kernels(layers),
    )


def _keras_3(model, what):
    raise KerasVersionError(
        f"{what}: {type(model).__name__} is a Keras 3 model (made with `import keras`). "
        "Build it with `tf.keras` after `import qkit`, or with `import tf_keras`."
    )


# A kind of model is an entry: what recognises it, from the object and the packages of its classes,
# and what opens it, from the object and the caller's name.
_KINDS = (
    (lambda model, homes: "tf_keras" in homes and hasattr(model, "layers"), _keras_2),
    (lambda model, homes: "keras" in homes, _keras_3),
)


def _specs(names, tensors):
    ends = zip(names or (), tensors or (), strict=True)  # None in subclassed models
    return MappingProxyType({n: Spec(tuple(t.shape[1:]), t.dtype.name) for n, t in ends})


def _classes(layer):
    return [cls.__name__ for cls in type(layer).__mro__]


def _wrapped_for(layer):
    return next((_WRAPPERS[name] for name in _classes(layer) if name in _WRAPPERS), "")


def _bare(layer):
    """Return the layer that a wrapper holds; Keras's own wrappers are layers like others."""
    return getattr(layer, "layer", layer) if _wrapped_for(layer) else layer


def _inside(layer):
    """Return the layers of which a layer consists."""
    if _wrapped_for(layer):
        return ()
    if "RNN" in _classes(layer):  # a single cell is the layer itself, stacked ones have names
        return getattr(layer.cell, "cells", ())
    if hasattr(layer, "layers"):
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
    found, seen, times = {}, set(), collections.Counter()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            times[name] += 1
            found[name if times[name] == 1 else f"{name}#{times[name]}"] = value
    return found


def _kernels(layers):
    found = []
    for path, layer in layers.items():
        several = _used_weights(layer)
        for weight, value in several:
            own = path if len(several) == 1 else f"{path}/{weight}"
            found.append((own, np.asarray(value, np.float32)))
    return _numbered(found)


def _used_weights(layer):
    """Return name and value of a layer's own kernels, masked, clustered or rounded."""
    if hasattr(layer, "quantize_config"):  # of quantization-aware training
        pairs = [
            (variable.name, quantizer(variable, False, weights=state))
            for variable, quantizer, state in layer._weight_vars
        ]
    elif hasattr(layer, "pruning_vars"):
        pairs = [(weight.name, weight * mask) for weight, mask, _ in layer.pruning_vars]
    elif hasattr(layer, "clustering_algorithms"):
        pairs = [
            (name, algorithm.get_clustered_weight(layer.pulling_indices[name], original))
            for name, algorithm in layer.clustering_algorithms.items()
            for original in (layer.original_clusterable_weights[name],)
        ]
    else:
        inner = {id(weight) for part in _inside(layer) for weight in part.weights}
        pairs = [(w.name, w) for w in layer.weights if id(w) not in inner]
    named = [(name.split("/")[-1].partition(":")[0], value) for name, value in pairs]
    return [(name, value) for name, value in named if len(value.shape) > 1]
