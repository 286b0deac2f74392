"""Any grid for any layer: a float .tflite file whose weights and activations are rounded.

The converter knows 8 bits for weights, 8 or 16 for activations. Here every tensor gets the grid
one likes: the weights are put on it beforehand, and behind each activation stands the file
format's own FAKE_QUANT operator. The arithmetic between the grids stays in floating point.
"""

from dataclasses import dataclass

import numpy as np

from qkit.interpreter.run import intermediate
from qkit.quantize.calibration import min_max
from qkit.quantize.grid import PerAxis, choose_qparams, fake_quantize
from qkit.tflite.edit import constants, packed, put_weights, unpacked
from qkit.tflite.file import TfliteError, layer_name, read_tflite

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
    """A layer with weights in a float .tflite file, batch normalisation folded in.

    Attributes
    ----------
    name : str
    kind : str
        The operator, for example "DEPTHWISE_CONV_2D".
    weights : ndarray of float32
    weights_name, activation_name : str
        Names of the tensors: the weights, and what the layer gives, its activation included.
    axis : int
        The axis of the weights that counts output channels.
    """

    name: str
    kind: str
    weights: np.ndarray
    weights_name: str
    activation_name: str
    axis: int


def layers(tflite):
    """Return the layers with weights of a float .tflite file, in the order in which they run.

    Parameters
    ----------
    tflite : bytes
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
    found = []
    values = constants(unpacked(tflite))
    for op in read_tflite(tflite).operators:
        if op.name in _CHANNEL_AXIS and op.inputs[1].name in values:
            name, activation = op.inputs[1].name, op.outputs[0].name
            axis = _CHANNEL_AXIS[op.name]
            found.append(Layer(layer_name(name), op.name, values[name], name, activation, axis))
    if not found:
        raise TfliteError(
            "layers: the file has no convolution and no dense layer with float32 weights. Pass "
            'the float file: qk.convert(model, "float32").'
        )
    return tuple(found)


def calibrated_ranges(tflite, x, observer=min_max):
    """Return the range of every activation that gets a grid of its own, from a sample.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    x : ndarray of shape (n, *image), float32
        TensorFlow calls it the representative data set.
    observer : callable
        From a stream of batches to (low, high); one of `qk.calibration`.

    Returns
    -------
    dict of str to (float, float)
        By the tensor's name in the file, the input first.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> ranges = calibrated_ranges(tflite, qk.load_data("digits").x_train[:20])
    >>> list(ranges.values())[0]
    (0.0, 1.0)
    """
    names = _own_grids(tflite)
    return {
        name: observer(batch[name] for batch in intermediate(tflite, x, [name])) for name in names
    }


def simulate(tflite, *, weights=None, activations=None):
    """Return a float .tflite file whose weights and activations are on grids.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    weights : mapping of str to QParams, optional
        By the tensor's name, as in `Layer.weights_name`. Others stay as they are.
    activations : mapping of str to QParams, optional
        By the tensor's name, as `calibrated_ranges` gives them; one scale a tensor.

    Returns
    -------
    bytes
        A file that runs like any other. Biases stay in float.

    Raises
    ------
    ValueError
        If a name is not in the file, or an activation has more than one scale.

    Notes
    -----
    With the grids of a converted file, the answers are the converted file's but for roundings that
    meet a tie in one of the two: logits differ by at most a step or two.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> conv, logits = layers(tflite)
    >>> on_grid = simulate(tflite, weights={conv.weights_name: choose_qparams(conv.weights)})
    >>> len(np.unique(layers(on_grid)[0].weights)) <= 108 and len(on_grid) == len(tflite)
    True
    """
    model = unpacked(tflite)
    weights, activations = dict(weights or {}), dict(activations or {})
    known = constants(model)
    _require_names(weights, known, "weights")
    _require_names(activations, [t.name for t in read_tflite(tflite).tensors], "activations")
    on_grid = {name: fake_quantize(known[name], qparams) for name, qparams in weights.items()}
    put_weights(model, on_grid, what="simulate")
    graph = model.subgraphs[0]
    if activations:
        _insert_grids(model, graph, activations)
    return packed(model, len(tflite))


def at_bits(tflite, ranges, *, weight_bits=8, activation_bits=8, granularity=PerAxis):
    """Return a float .tflite file simulated at some bits, as the converter would choose the grids.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    ranges : mapping of str to (float, float)
        From `calibrated_ranges`.
    weight_bits, activation_bits : int or mapping of str to int or None
        2 to 16; by layer name (and "input" for the input's grid), or one figure for all. None
        stands for float.
    granularity : callable
        From the axis of output channels to the granularity of the weights.

    Returns
    -------
    bytes

    Examples
    --------
    >>> import qkit as qk
    >>> data = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> ranges = calibrated_ranges(tflite, data.x_train[:20])
    >>> coarse = at_bits(tflite, ranges, weight_bits={"conv": 4, "logits": 2})
    >>> len(np.unique(layers(coarse)[1].weights[0]))
    3
    """
    found = layers(tflite)
    owners = {layer.activation_name: layer.name for layer in found}
    weights, activations = {}, {}
    for layer in found:
        bits = _bits(weight_bits, layer.name)
        if bits is not None:
            weights[layer.weights_name] = choose_qparams(
                layer.weights, bits=bits, symmetric=True, granularity=granularity(layer.axis)
            )
    owner = "input"
    for name, (low, high) in ranges.items():
        owner = owners.get(name, owner)  # a sum or a mean goes with the layer before it
        bits = _bits(activation_bits, owner)
        if bits is not None:
            ends = np.float32([low, high])
            # 16 bits are symmetric in TensorFlow Lite; below, the zero point may move
            activations[name] = choose_qparams(ends, bits=bits, symmetric=bits == 16)
    return simulate(tflite, weights=weights, activations=activations)


def _bits(given, name):
    if isinstance(given, (int, np.integer)) or given is None:
        return given
    return given.get(name)


def _own_grids(tflite):
    """Return the names of the input and of every float activation that has a grid of its own."""
    file = read_tflite(tflite)
    names = [tensor.name for tensor in file.inputs]
    for op in file.operators:
        if op.name not in _SAME_GRID:
            names += [t.name for t in op.outputs if t.dtype == "float32"]
    return names


def _insert_grids(model, graph, activations):
    from ai_edge_litert import schema_py_generated as schema

    fake_quant = schema.OperatorCodeT()
    fake_quant.builtinCode = fake_quant.deprecatedBuiltinCode = schema.BuiltinOperator.FAKE_QUANT
    fake_quant.version = 2  # the first that knows a narrow range
    model.operatorCodes.append(fake_quant)
    on_grid, operators = {}, []

    def put_on_grid(index):
        """Add a FAKE_QUANT behind a tensor, if a grid is asked for."""
        tensor = graph.tensors[index]
        qparams = activations.get(tensor.name.decode())
        if qparams is None:
            return
        if qparams.scale.size != 1:
            raise ValueError(
                f"simulate: the activation {tensor.name.decode()!r} must have one scale, got "
                f"{qparams.scale.size}: kernels know no activations per channel."
            )
        options = schema.FakeQuantOptionsT()
        # the operator runs with the full range only: a symmetric grid gets one more step below 0
        below = 2**qparams.bits - 1 - qparams.qmax + qparams.zero_point[0]
        options.min = -float(below * qparams.scale[0])
        options.max, options.numBits = float(qparams.high[0]), qparams.bits
        copy = schema.TensorT()
        copy.shape, copy.shapeSignature = tensor.shape, tensor.shapeSignature
        copy.type, copy.buffer, copy.name = tensor.type, 0, tensor.name + b" on its grid"
        graph.tensors.append(copy)
        on_grid[index] = len(graph.tensors) - 1
        operator = schema.OperatorT()
        operator.opcodeIndex = len(model.operatorCodes) - 1
        operator.inputs, operator.outputs = [index], [on_grid[index]]
        operator.builtinOptionsType = schema.BuiltinOptions.FakeQuantOptions
        operator.builtinOptions = options
        operators.append(operator)

    for index in graph.inputs:
        put_on_grid(index)
    for operator in graph.operators:
        operator.inputs = [on_grid.get(i, i) for i in operator.inputs]
        operators.append(operator)
        for index in operator.outputs:
            put_on_grid(index)
    graph.operators = operators
    graph.outputs = [on_grid.get(i, i) for i in graph.outputs]
    for signature in model.signatureDefs or ():
        for output in signature.outputs:
            output.tensorIndex = on_grid.get(output.tensorIndex, output.tensorIndex)


def _require_names(given, known, what):
    for name in given:
        if name not in known:
            raise ValueError(
                f"simulate: {what} names {name!r}, which is not in the file. It has "
                f"{', '.join(map(repr, known))}."
            )
