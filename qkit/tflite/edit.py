"""A float .tflite file: opened once, given other weights and grids, and put together again."""

from copy import copy
from dataclasses import dataclass

import numpy as np

from qkit.tflite.file import TfliteError, inspect, layer_name, parsed
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
    names: dict  # all tensors by name; where the file repeats one, the tensor's number follows
    layers: tuple
    own_grids: tuple  # names of the input and of float activations with a grid of their own


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
        name = f"{tensor.name} #{tensor.index}" if tensor.name in names else tensor.name
        names[name] = tensor
    name_of = {tensor.index: name for name, tensor in names.items()}
    made = [t for op in file.operators if op.name not in _SAME_GRID for t in op.outputs]
    own = (*file.inputs, *(tensor for tensor in made if tensor.dtype == "float32"))
    own_grids = tuple(name_of[tensor.index] for tensor in own)
    return FloatFile(bytes(tflite), names, tuple(_layers(file.operators, name_of)), own_grids)


def layers(tflite):
    """Return the layers with weights of a float .tflite file, in the order in which they run.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``

    Returns
    -------
    tuple of Layer

    Examples
    --------
    >>> import qkit as qk
    >>> conv, logits = layers(qk.convert(qk.models.walkthrough_cnn(), "float32"))
    >>> logits.name, logits.weights.shape
    ('logits', (10, 2028))
    """
    found = opened(tflite).layers
    if not found:
        raise TfliteError(
            "layers: the file has no convolution and no dense layer with float32 weights. Pass "
            'the float file: qk.convert(model, "float32").'
        )
    return found


def with_weights(tflite, weights, grids=None):
    """Return a float .tflite file with other values for constants, and activations on grids."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    file = opened(tflite)
    model = parsed(file.tflite)
    for name, values in weights.items():
        if name not in file.names or file.names[name].shape != values.shape:
            raise ValueError(
                f"the file has no weights {name!r} of shape {values.shape}: the change is of "
                "another file. Make it from the one that it is applied to."
            )
        model.buffers[file.names[name].buffer].data = np.frombuffer(values.tobytes(), np.uint8)
    if grids:
        _put_on_grids(model, {file.names[name].index: qparams for name, qparams in grids.items()})
    return bytes(convert_object_to_bytearray(model))


def _layers(operators, name_of):
    """Yield the layers; one whose name was there before goes by that of its weights."""
    taken = set()
    for op in operators:
        if op.name in _CHANNEL_AXIS and is_float_constant(op.inputs[1]):
            weights, activation = (name_of[t.index] for t in (op.inputs[1], op.outputs[0]))
            name = next(n for n in (layer_name(weights), weights, activation) if n not in taken)
            taken.add(name)
            values = stored_values(op.inputs[1])
            yield Layer(name, op.name, values, weights, activation, _CHANNEL_AXIS[op.name])


def is_float_constant(tensor):
    """Whether other values can take the place of a tensor's; not where zeros are not stored."""
    return tensor.constant and tensor.dtype == "float32" and tensor.sparsity is None


def _put_on_grids(model, grids):
    """Put a FAKE_QUANT behind each tensor of these numbers; whatever read it reads the copy."""
    from ai_edge_litert import schema_py_generated as schema

    graph, code = model.subgraphs[0], schema.BuiltinOperator.FAKE_QUANT
    # version 2 is the first that knows a narrow range
    model.operatorCodes.append(schema.OperatorCodeT(code, version=2, builtinCode=code))
    on_grid = {}

    def behind(index):
        qparams, tensor = grids[index], copy(graph.tensors[index])
        tensor.buffer, tensor.name = 0, tensor.name + b" on its grid"
        on_grid[index] = len(graph.tensors)
        graph.tensors.append(tensor)
        # it runs with the full range only: a symmetric grid gets one more step below 0
        below = 2**qparams.bits - 1 - qparams.qmax + qparams.zero_point[0]
        low, high = -float(below * qparams.scale[0]), float(qparams.high[0])
        return schema.OperatorT(
            opcodeIndex=len(model.operatorCodes) - 1,
            inputs=[index],
            outputs=[on_grid[index]],
            builtinOptionsType=schema.BuiltinOptions.FakeQuantOptions,
            builtinOptions=schema.FakeQuantOptionsT(low, high, qparams.bits),
        )

    operators = [behind(index) for index in graph.inputs if index in grids]
    for op in graph.operators:
        op.inputs = [on_grid.get(index, index) for index in op.inputs]
        operators += [op, *(behind(index) for index in op.outputs if index in grids)]
    graph.operators = operators
    graph.outputs = [on_grid.get(index, index) for index in graph.outputs]
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            output.tensorIndex = on_grid.get(output.tensorIndex, output.tensorIndex)
