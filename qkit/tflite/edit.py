"""A float .tflite file: opened once, given other weights, and put together again."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.tflite.file import TfliteError, TfliteFile, inspect, layer_name, parsed
from qkit.tflite.values import stored_values

# Operators whose output is on the grid of their input, by the 8-bit quantization specification.
_SAME_GRID = frozenset(
    {"RESHAPE", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS",
     "SLICE", "STRIDED_SLICE", "GATHER", "CONCATENATION", "RESIZE_BILINEAR",
     "RESIZE_NEAREST_NEIGHBOR", "MINIMUM", "MAXIMUM"}
)  # fmt: skip
# Where an operator keeps its weights, and which of their axes counts the output channels.
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer with weights in a float .tflite file, batch normalisation folded in."""

    name: str  # unlike that of any other layer of the file
    kind: str  # the operator, for example "DEPTHWISE_CONV_2D"
    weights: np.ndarray
    weights_name: str  # of the tensor
    activation_name: str  # of the tensor that the layer gives, its activation included
    axis: int  # the one of the weights that counts output channels


@dataclass(frozen=True, eq=False)
class FloatFile:
    """A float .tflite file, opened once: what stands in it, by names of which none repeats."""

    tflite: bytes
    file: TfliteFile
    names: dict  # all tensors by name; where the file repeats one, the tensor's number follows
    layers: tuple
    own_grids: tuple  # names of the input and of float activations with a grid of their own

    def constant(self, name):
        """Return the values of a float32 constant, or None where the name is of no such one."""
        tensor = self.names.get(name)
        return stored_values(tensor) if tensor is not None and _is_float_constant(tensor) else None


def opened(tflite):
    """Return the `FloatFile` of the bytes of a file with one graph; one that is open, as it is."""
    if isinstance(tflite, FloatFile):
        return tflite
    file = inspect(tflite)
    if file.graphs != 1:
        raise TfliteError(
            f"the file has {file.graphs} graphs: loops and branches are not simulated."
        )
    names = {}
    for tensor in file.tensors:
        repeats = tensor.name in names
        names[f"{tensor.name} #{tensor.index}" if repeats else tensor.name] = tensor
    name_of = {tensor.index: name for name, tensor in names.items()}
    own_grids = list(file.inputs)
    for op in file.operators:
        if op.name not in _SAME_GRID:
            own_grids += [t for t in op.outputs if t.dtype == "float32"]
    return FloatFile(
        tflite=bytes(tflite),
        file=file,
        names=names,
        layers=tuple(_layers(file.operators, name_of)),
        own_grids=tuple(name_of[tensor.index] for tensor in own_grids),
    )


def layers(tflite):
    """Return the layers with weights of a float .tflite file, in the order in which they run.

    Parameters
    ----------
    tflite : bytes or FloatFile
        From ``qk.convert(model, "float32")``.

    Returns
    -------
    tuple of Layer

    Raises
    ------
    TfliteError
        If the file has no such layer, or its weights are not in float32.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> [(layer.name, layer.weights.shape) for layer in layers(tflite)]
    [('conv', (12, 3, 3, 1)), ('logits', (10, 2028))]
    """
    found = opened(tflite).layers
    if not found:
        raise TfliteError(
            "layers: the file has no convolution and no dense layer with float32 weights. Pass "
            'the float file: qk.convert(model, "float32").'
        )
    return found


def with_weights(tflite, weights):
    """Return a float .tflite file with other values in the place of some of its constants.

    Parameters
    ----------
    tflite : bytes or FloatFile
        From ``qk.convert(model, "float32")``.
    weights : mapping of str to array_like of floating point
        By the tensor's name in the file, as in `qk.simulation.Layer.weights_name`; each of the
        tensor's shape. Others stay as they are.

    Returns
    -------
    bytes
        A file that runs like any other.

    Raises
    ------
    TypeError, ValueError
        If a name is not in the file, or values are not finite floating point or of another shape.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> conv = qk.simulation.layers(tflite)[0]
    >>> changed = with_weights(tflite, {conv.weights_name: np.round(conv.weights, 1)})
    >>> len(np.unique(qk.simulation.layers(changed)[0].weights)) < 108
    True
    """
    file = opened(tflite)
    model = parsed(file.tflite)
    put_weights(model, file, weights, what="with_weights")
    return packed(model)


def put_weights(model, file, weights, *, what):
    """Put other values in the place of float32 constants of a `FloatFile`, in its parsed model."""
    for name, values in weights.items():
        known = file.constant(name)
        if known is None:
            names = [n for n in file.names if file.constant(n) is not None]
            raise ValueError(
                f"{what}: weights names {name!r}, which is not in the file. It has "
                f"{', '.join(map(repr, names))}."
            )
        values = validate.values(values, what=f"{what}: {name}")
        if values.shape != known.shape:
            raise ValueError(
                f"{what}: the weights {name!r} have the shape {known.shape} in the file, got "
                f"{values.shape}. Its first axis counts output channels, the last one inputs."
            )
        buffer = model.buffers[file.names[name].buffer]
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)


def packed(model):
    """Return the bytes of a file from the schema's object of it."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    return bytes(convert_object_to_bytearray(model))


def _layers(operators, name_of):
    """Yield the layers; one whose name was there before goes by that of its weights."""
    taken = set()
    for op in operators:
        if op.name in _CHANNEL_AXIS and _is_float_constant(op.inputs[1]):
            weights = name_of[op.inputs[1].index]
            activation = name_of[op.outputs[0].index]
            name = next(n for n in (layer_name(weights), weights, activation) if n not in taken)
            taken.add(name)
            values = stored_values(op.inputs[1])
            yield Layer(name, op.name, values, weights, activation, _CHANNEL_AXIS[op.name])


def _is_float_constant(tensor):
    # where zeros are not stored, other values could not take their place
    return tensor.constant and tensor.dtype == "float32" and tensor.sparsity is None
