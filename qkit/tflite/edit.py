"""A float .tflite file: opened once, given other weights and grids, and put together again."""

import functools
import math
import re
from copy import copy
from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.tflite.file import TfliteError, apart, inspect, layer_name, parsed
from qkit.tflite.grids import Grids, in_8_bits, in_16_bits, overwritten, own_ranges
from qkit.tflite.values import require_here, stored_values

# Where an operator keeps its weights, and which of their axes counts the output channels.
CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer with weights in a float .tflite file, batch normalisation folded in."""

    name: str  # unlike that of any other layer of the file, and no more than a label
    kind: str  # the operator, for example "DEPTHWISE_CONV_2D"
    weights: np.ndarray
    weights_name: str  # of the tensor
    activation_name: str  # of the tensor that the layer gives, its activation included
    axis: int  # the one of the weights that counts output channels


@dataclass(frozen=True, eq=False)
class FloatFile:
    """A float .tflite file, opened once: what stands in it, by names of which none repeats."""

    tflite: bytes
    names: dict  # all tensors by name, as `distinct` has it
    layers: tuple  # with weights of their own: those of a layer that runs twice are there once
    operators: tuple
    owners: dict  # by number of a tensor: the layer whose bits it takes, or "input"
    own_grids: tuple  # names of the activations whose range counts or is fixed, the input first
    in_8_bits: Grids
    in_16_bits: Grids
    overwritten: dict  # by name of an activation, that of the one that takes its memory

    @property
    def left_out(self):
        """How many weights are in no layer, by the operator that reads them, such as GATHER."""
        counted, found = {self.names[layer.weights_name].index for layer in self.layers}, {}
        for op in self.operators:
            for tensor in filter(is_float_constant, op.inputs):
                wide = sum(side > 1 for side in tensor.shape) > 1  # biases and scales are not
                if wide and tensor.index not in counted:
                    found[op.name] = found.get(op.name, 0) + math.prod(tensor.shape)
                    counted.add(tensor.index)
        return found

    def constant(self, name, shape):
        """Return the tensor with the weights of a name, which a change is to be made for."""
        if name not in self.names or self.names[name].shape != shape:
            raise ValueError(
                f"the file has no weights {name!r} of shape {shape}: the change is of another "
                "file. Make it from the one that it is applied to."
            )
        return self.names[name]


def opened(tflite):
    """Return the `FloatFile` of the bytes of a file with one graph; one that is open, as it is."""
    if isinstance(tflite, FloatFile):
        return tflite
    file = inspect(tflite)
    if file.graphs != 1:
        raise TfliteError(
            f"the file has {file.graphs} graphs: loops and branches are not simulated."
        )
    require_here(*file.tensors)
    names = dict(zip(distinct(t.name for t in file.tensors), file.tensors, strict=True))
    name_of = {tensor.index: name for name, tensor in names.items()}
    found = _layers(file.operators, name_of)
    in_8, in_16 = (rule(file.operators, file.inputs) for rule in (in_8_bits, in_16_bits))
    over = overwritten(file.operators, file.inputs, file.outputs)
    return FloatFile(
        tflite=bytes(tflite),
        names=names,
        layers=tuple(dict.fromkeys(found.values())),
        operators=file.operators,
        owners=_owners(file, found),
        own_grids=tuple(name_of[index] for index in own_ranges(file.operators, in_8, in_16)),
        in_8_bits=in_8,
        in_16_bits=in_16,
        overwritten={name_of[index]: name_of[later] for index, later in over.items()},
    )


def distinct(names):
    """Return names that tell tensors apart: where one repeats or is empty, a number follows."""
    names, found = [*names], {}
    taken = {*names}  # those still to come are the tensors' own
    for number, name in enumerate(names):
        own = apart((name,), taken, number) if not name or name in found else name
        found[own] = None
        taken.add(own)
    return [*found]


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
    """Return a float .tflite file with other values for constants, and activations on grids.

    The grids are by number of a tensor, or of (operator, tensor) for what that operator reads: some
    QParams, one after the other.
    """
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    file = opened(tflite)
    model = parsed(file.tflite)
    tensors, kernels = model.subgraphs[0].tensors, _kernels(file.operators)
    for name, values in weights.items():
        tensor = file.constant(name, values.shape)
        own, number = kernels.get(tensor.index, {tensor.index}), tensor.buffer
        if any(t.buffer == number for i, t in enumerate(tensors) if i not in own):
            # converters join equal constants: what others read stays as it is
            number = len(model.buffers)
            model.buffers.append(copy(model.buffers[tensor.buffer]))
            for index in own:
                tensors[index].buffer = number
        model.buffers[number].data = np.frombuffer(values.tobytes(), np.uint8)
    if grids:
        _put_on_grids(model, grids)
    return bytes(convert_object_to_bytearray(model))


def with_shapes(tflite, shapes):
    """Return a file whose inputs have other shapes, by number; the others follow when it runs."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    model = parsed(tflite)
    for number, shape in shapes.items():
        model.subgraphs[0].tensors[number].shape = [*shape]
    return bytes(convert_object_to_bytearray(model))


def first_signature(tflite, name, *, what):
    """Return a file in which the graph of a signature runs first; of None, the file as it is.

    Parameters
    ----------
    tflite : bytes
    name : str or None
    what : str, the caller's name, for messages
    """
    if validate.instance(name, (str, type(None)), name=f"{what}: signature") is None:
        return tflite
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    inspect(tflite)  # refuses what is damaged
    model = parsed(tflite)
    graphs = {s.signatureKey.decode(): s.subgraphIndex for s in model.signatureDefs or ()}
    if name not in graphs:
        known = ", ".join(map(repr, graphs)) or "none"
        raise ValueError(f"{what}: signature={name!r} is not in the file, which has {known}.")
    moved = {0: graphs[name], graphs[name]: 0}
    model.subgraphs = [model.subgraphs[moved.get(i, i)] for i in range(len(model.subgraphs))]
    operators = [op for graph in model.subgraphs for op in graph.operators or ()]
    for options in (
        model.signatureDefs,
        *((op.builtinOptions, op.builtinOptions2) for op in operators),
    ):
        for table in options:
            for field, number in list(getattr(table, "__dict__", {}).items()):
                if field == "subgraph" or field.endswith("ubgraphIndex"):
                    setattr(table, field, moved.get(number, number))
    # the one that was named is what an interpreter finds first
    model.signatureDefs.sort(key=lambda signature: signature.subgraphIndex != 0)
    return bytes(convert_object_to_bytearray(model))


def plain_names(names, numbers):
    """Return the names of ends without what a SavedModel adds; where they repeat, what does not."""
    plain = [re.sub(r"^serving_default_|:\d+$", "", name) for name in names]
    ways = (plain, [*names], [*map(str, numbers)])
    return next(way for way in ways if len({*way} - {""}) == len(way))


def with_inputs_in_order(tflite, names):
    """Return a file whose main graph takes its inputs in the order of these names of a signature.

    The converter's order is neither the model's nor the alphabet's.
    """
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    model = parsed(tflite)
    graph = model.subgraphs[0]
    for signature in (s for s in model.signatureDefs or () if s.subgraphIndex == 0):
        numbers = {entry.name.decode(): entry.tensorIndex for entry in signature.inputs}
        wanted = [numbers.get(name) for name in names]
        if {*wanted} == {*graph.inputs} and wanted != [*graph.inputs]:
            graph.inputs = wanted
            return bytes(convert_object_to_bytearray(model))
    return tflite


def is_float_constant(tensor):
    """Whether other values can take the place of a tensor's; not where zeros are not stored."""
    return tensor.size_bytes > 0 and tensor.dtype == "float32" and tensor.sparsity is None


def _layers(operators, name_of):
    """Return the layers by number of their operator; two with the same buffer are one."""
    found, of_buffer = {}, {}
    taken = {"all", "input"}  # as whoever names layers calls all of them, and the input
    for number, op in enumerate(operators):
        weights = op.input(1) if op.name in CHANNEL_AXIS else None
        if weights is None or not is_float_constant(weights):
            continue
        key = _kernel(op, weights)
        if key not in of_buffer:
            names = name_of[weights.index], name_of[op.outputs[0].index]
            name = apart((layer_name(names[0]), *names), taken, weights.index)
            taken.add(name)
            values, axis = stored_values(weights), CHANNEL_AXIS[op.name]
            of_buffer[key] = Layer(name, op.name, values, *names, axis)
        found[number] = of_buffer[key]
    return found


def _kernel(op, weights):
    """Return what makes the weights of two operators the same: one buffer, read alike."""
    return weights.buffer, weights.shape, op.name


def _kernels(operators):
    """Return by number of a tensor those that are the same weights, itself among them."""
    same = {}
    for op in operators:
        if op.name in CHANNEL_AXIS and (weights := op.input(1)) is not None:
            same.setdefault(_kernel(op, weights), set()).add(weights.index)
    return {index: group for group in same.values() for index in group}


def _owners(file, layers):
    """Return the layer that each tensor goes with: a sum or a mean with the one before it."""
    owners, owner = {tensor.index: "input" for tensor in file.inputs}, "input"
    for number, op in enumerate(file.operators):
        owner = layers[number].name if number in layers else owner
        owners.update((tensor.index, owner) for tensor in op.outputs)
    return owners


def _put_on_grids(model, grids):
    """Put FAKE_QUANT behind tensors of these numbers; whatever read them reads the copies."""
    from ai_edge_litert import schema_py_generated as schema

    graph, code = model.subgraphs[0], schema.BuiltinOperator.FAKE_QUANT
    # version 2 is the first that knows a narrow range
    model.operatorCodes.append(schema.OperatorCodeT(code, version=2, builtinCode=code))
    operators = []

    def behind(index, qparams):
        tensor = copy(graph.tensors[index])
        tensor.buffer, tensor.name = 0, (tensor.name or b"") + b" on its grid"
        graph.tensors.append(tensor)
        # it runs with the full range only: a symmetric grid gets one more step below 0
        below = 2**qparams.bits - 1 - qparams.qmax + qparams.zero_point[0]
        low, high = -float(below * qparams.scale[0]), float(qparams.high[0])
        operator = schema.OperatorT(
            opcodeIndex=len(model.operatorCodes) - 1,
            inputs=[index],
            outputs=[len(graph.tensors) - 1],
            builtinOptionsType=schema.BuiltinOptions.FakeQuantOptions,
            builtinOptions=schema.FakeQuantOptionsT(low, high, qparams.bits),
        )
        operators.append(operator)
        return operator.outputs[0]

    def put(place, index):
        """Return the number of the tensor that stands for one at a place."""
        return functools.reduce(behind, grids.get(place, ()), index)

    on_grid = {index: put(index, index) for index in graph.inputs}
    for number, op in enumerate(graph.operators):
        reads = [] if op.inputs is None else op.inputs
        anew = {i: put((number, i), on_grid.get(i, i)) for i in dict.fromkeys(reads)}
        op.inputs = [anew[index] for index in reads]
        operators.append(op)
        on_grid.update((index, put(index, index)) for index in op.outputs)
    graph.operators = operators
    graph.outputs = [on_grid.get(index, index) for index in graph.outputs]
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            output.tensorIndex = on_grid.get(output.tensorIndex, output.tensorIndex)
