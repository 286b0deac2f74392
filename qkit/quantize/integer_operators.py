"""What each operator of a .tflite file has its kernel do: by its options, its tensors' grids."""

import numpy as np

from qkit.quantize import integer_kernels as kernels
from qkit.quantize.grid import PerAxis, PerTensor, QParams
from qkit.quantize.integer_kernels import multiplier_and_shift, requantize, requantize_wide

_INT32 = 2  # among the file format's types
_PADDING = ("SAME", "VALID")
_JOINING = ("ADD", "MUL", "CONCATENATION", "PACK")  # of which no input is a weight or the like
_ACTIVATIONS = {"NONE": (None, None), "RELU": (0, None), "RELU_N1_TO_1": (-1, 1), "RELU6": (0, 6)}


def grid_of(tensor):
    """Return the grid of a `Tensor`, None without one: a scale of 0 is none to LiteRT either."""
    if not tensor.scale.any() or tensor.dtype.startswith("float"):
        return None
    limits, zero_point = np.iinfo(tensor.dtype), tensor.zero_point.astype(np.int32)
    several, axis = tensor.scale.size > 1, tensor.axis - len(tensor.shape)  # runs may come first
    granularity = PerAxis(axis) if several else PerTensor()
    return QParams(tensor.scale, zero_point, limits.min, limits.max, granularity)


def activation_ends(tensor, activation):
    """Return the lowest and the highest integer that a fused activation leaves to a tensor."""
    limits, zero = np.iinfo(tensor.dtype), int(tensor.zero_point[0])
    low, high = (
        end if real is None else zero + int(kernels.nearest(np.float32(real) / tensor.scale[0]))
        for real, end in zip(_ACTIVATIONS[activation], (limits.min, limits.max), strict=True)
    )
    return max(low, limits.min), min(high, limits.max)


def output_factor(source, weights, out):
    """Return what an accumulator is multiplied by to come onto the grid of the output."""
    if source.dtype == "uint8" and len(weights.shape) == 4:  # convolutions: in single precision
        return np.float64(source.scale * weights.scale) / np.float64(out.scale)
    return np.float64(source.scale) * np.float64(weights.scale) / np.float64(out.scale)


def centred(values, tensor):
    """Return integers without their zero point, as float32, which is exact for up to 17 bits."""
    return np.subtract(values, int(tensor.zero_point[0]), dtype=np.float32)


def by_channel(tensor):
    """Return scales and zero points, each along the axis of the channels that it belongs to."""
    shape = [1] * len(tensor.shape)
    if tensor.scale.size > 1:
        shape[tensor.axis] = -1
    return tensor.scale.reshape(shape), tensor.zero_point.reshape(shape)


def by_run(op, read):
    """Return what an operator reads, in parts of which each has one set of weights and the like.

    That is all at once, unless the network computes these: then they are other ones in each run.
    """
    runs = max(map(len, read[1:]), default=1)
    if runs == 1 or op.name in _JOINING:
        return [read]
    return [[array[run % len(array)][None] for array in read] for run in range(runs)]


def accumulators(op, x, weights, bias=None):
    """Return the sums of a convolution's or dense layer's products, with their bias: int64.

    x has two axes in front of the operator's own: for runs, and for the items of each; the others
    are the same in all runs, and are there once.
    """
    source, kernel, options = *op.inputs[:2], op.options
    x, weights = centred(x, source), centred(weights[0], kernel)
    if op.name == "FULLY_CONNECTED":
        sums = kernels.connect(x.reshape(-1, weights.shape[1]), weights)
        ahead = x.shape[1:-1] if options and options.keepNumDims else (-1,)
        sums = sums.reshape(len(x), *ahead, len(weights))
    else:
        compute = kernels.convolve if op.name == "CONV_2D" else kernels.convolve_by_channel
        sums = _over_items(compute, x, weights, **window(options),
                           dilation=(options.dilationHFactor, options.dilationWFactor))  # fmt: skip
    return sums if bias is None else sums + bias[0].astype(np.int64)


def _multiply(op, x, weights, bias=None):
    source, kernel, (out,) = *op.inputs[:2], op.outputs
    sums, factor = accumulators(op, x, weights, bias), output_factor(source, kernel, out)
    back = requantize_wide if wide_sums(op) else requantize
    if op.name == "FULLY_CONNECTED" and kernel.dtype != "int16":
        return _onto(op, kernels.rescale(sums, factor))
    return _onto(op, back(sums, *multiplier_and_shift(factor)))


def wide_sums(op):
    """Whether sums have 64 bits: those of int16 layers, unless their bias has 32."""
    bias = op.input(2)
    if op.inputs[0].dtype != "int16" or bias is None or bias.dtype == "int64":
        return op.inputs[0].dtype == "int16"
    if getattr(op.options, "quantizedBiasType", None) != _INT32:
        why = "the options do not say so: the interpreter reads beyond its end"
        if op.name == "DEPTHWISE_CONV_2D":  # whose options have no word for it
            why = "LiteRT's kernel takes int64 alone"
        raise ValueError(
            f"its bias is {bias.dtype} and {why}. Convert with biases of int64, as is the default"
        )
    return False


def _add(op, *parts):
    steps, short = _steps(op, parts), op.inputs[0].dtype == "int16"
    *scales, scale = (t.scale[0] for t in (*op.inputs, *op.outputs))
    powers = np.log2([*scales, scale])
    by_powers = short and getattr(op.options, "potScaleInt16", False)
    if by_powers and np.all(np.abs(powers - np.rint(powers)) < 1e-3):
        shifts = np.rint(powers[2] - powers[:2]).astype(int)
        return _onto(op, sum(map(kernels.round_shift, steps, shifts)))  # ``reference_ops::Add``
    return _onto(op, kernels.add(steps, scales, scale, 15 if short else 20))


def _mul(op, *parts):
    a, b = _steps(op, parts)
    one, other = (t.scale[0] for t in op.inputs)
    factor = one * other / op.outputs[0].scale[0]  # in single precision
    return _onto(op, requantize(a * b, *multiplier_and_shift(factor)))


def _pool(op, x):
    compute = kernels.largest if op.name == "MAX_POOL_2D" else kernels.average
    kernel = op.options.filterHeight, op.options.filterWidth
    found = _over_items(compute, x, kernel, **window(op.options))
    return np.clip(found, *activation_ends(op.outputs[0], activation(op)))


def _mean(op, x, axes):
    source, (out,) = op.inputs[0], op.outputs
    over = sorted({1 + int(axis) % (x.ndim - 1) for axis in axes.ravel()})
    factor = np.float64(source.scale[0]) / np.float64(out.scale[0])
    found = kernels.mean(x, over, *multiplier_and_shift(factor), int(source.zero_point[0]))
    return _onto(op, found if op.options.keepDims else found.squeeze(tuple(over)))


def _rescaled(op, x):
    source, (out,) = op.inputs[0], op.outputs
    factor = np.float64(source.scale[0]) / np.float64(out.scale[0])
    if op.name != "QUANTIZE":  # the activations divide in single precision
        factor = source.scale[0] / out.scale[0]
    steps = np.int64(x) - int(source.zero_point[0])
    return _onto(op, requantize(steps, *multiplier_and_shift(factor)))


def _quantize(op, x):
    if x.dtype.kind != "f":
        return _rescaled(op, x)
    (out,), (scale, zero) = op.outputs, by_channel(op.outputs[0])
    limits = np.iinfo(out.dtype)
    return np.clip(kernels.nearest(x / scale) + zero, limits.min, limits.max)


def _dequantize(op, x):
    scale, zero = by_channel(op.inputs[0])
    return np.subtract(x, zero, dtype=np.float32) * scale


def _softmax(op, x):
    scale, beta, (out,) = op.inputs[0].scale[0], np.float32(op.options.beta), op.outputs
    if x.dtype == np.int16:
        return kernels.softmax_short(x, np.float64(scale * beta) / (10 / 65535))
    return kernels.softmax(x, scale, op.options.beta, out.dtype)


def _logistic(op, x):
    if x.dtype == np.int16:
        return kernels.logistic_short(x, op.inputs[0].scale[0])
    return _onto(op, kernels.nearest(kernels.logistic(_dequantize(op, x)) / op.outputs[0].scale[0]))


def _pad(op, x, around, value=None):
    sides = [(0, 0), *around[0].tolist()]
    value = op.outputs[0].zero_point if value is None else value
    return np.pad(x, sides, constant_values=int(value.item()))


def _concatenate(op, *parts):
    (out,) = op.outputs
    if out.dtype == "uint8":  # whose kernel alone brings its inputs onto one grid
        parts = [_brought(x, t, out) for x, t in zip(parts, op.inputs, strict=True)]
    return np.concatenate(_as_many(parts), op.options.axis + (op.options.axis >= 0))


def _brought(x, source, out):
    """Return integers on another grid, as ``ConcatenationWithScaling`` rounds: in float32."""
    if (*source.scale, *source.zero_point) == (*out.scale, *out.zero_point):
        return x
    factor = source.scale[0] * (1 / out.scale[0])
    steps = kernels.nearest(x * factor - np.float32(source.zero_point[0]) * factor)
    return np.clip(steps + int(out.zero_point[0]), 0, 255).astype(np.uint8)


def _pack(op, *parts):
    return np.stack(_as_many(parts), op.options.axis + (op.options.axis >= 0))


def _shape(op, x):
    return np.array([x.shape[1:]])


def _reshape(op, x, shape=None):
    shape = op.options.newShape if shape is None else shape[0]
    return x.reshape(len(x), *shape)


def _to_output_shape(op, x, *_):
    return x.reshape(len(x), *op.outputs[0].shape)


def _transpose(op, x, order):
    return x.transpose(0, *(1 + order.ravel()))


def _strided_slice(op, x, *ends):
    if op.options.ellipsisMask or op.options.newAxisMask:
        raise ValueError("it has a mask for an ellipsis or new axes")
    if op.options.offset:  # LiteRT looks at no mask then, nor at where the tensor ends
        raise ValueError("its ends count from its starts. Slice from start to end")
    o, found = op.options, [slice(None)]
    for axis, (start, stop, step) in enumerate(np.concatenate(ends).T.tolist()):
        at = 1 << axis
        open_start = o.beginMask & at
        one = slice(None if open_start else start, None if o.endMask & at else stop, step)
        found.append((0 if open_start else start) if o.shrinkAxisMask & at else one)
    return x[tuple(found)]


MOVING = frozenset(
    {"RESHAPE", "SHAPE", "PACK", "STRIDED_SLICE", "EXPAND_DIMS", "SQUEEZE", "TRANSPOSE"}
)  # which pass on what they take, on a grid or not
MULTIPLYING = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
OPERATORS = {
    "QUANTIZE": _quantize, "DEQUANTIZE": _dequantize, **dict.fromkeys(MULTIPLYING, _multiply),
    "MAX_POOL_2D": _pool, "AVERAGE_POOL_2D": _pool, "MEAN": _mean,
    "ADD": _add, "MUL": _mul, "PAD": _pad, "PADV2": _pad,
    "CONCATENATION": _concatenate, "RELU": _rescaled, "RELU6": _rescaled, "RELU_N1_TO_1": _rescaled,
    "SOFTMAX": _softmax, "LOGISTIC": _logistic,
    "RESHAPE": _reshape, "SHAPE": _shape, "PACK": _pack, "STRIDED_SLICE": _strided_slice,
    "EXPAND_DIMS": _to_output_shape, "SQUEEZE": _to_output_shape, "TRANSPOSE": _transpose,
}  # fmt: skip


def _onto(op, steps):
    """Return steps on the grid of an operator's output, within what its activation leaves."""
    (out,) = op.outputs
    steps = steps + int(out.zero_point[0])
    return np.clip(steps, *activation_ends(out, activation(op))).astype(out.dtype)


def activation(op):
    """Return the name of what an operator does to its sums itself."""
    if op.name in _ACTIVATIONS:
        return op.name
    number = getattr(op.options, "fusedActivationFunction", 0)
    if number >= len(_ACTIVATIONS):
        raise ValueError("a hyperbolic tangent or a sign is no activation in integers")
    return [*_ACTIVATIONS][number]  # in the order of the file format


def window(options):
    """Return how the window of a convolution or a pooling moves."""
    return {"stride": (options.strideH, options.strideW), "padding": _PADDING[options.padding]}


def _over_items(compute, x, *args, **how):
    """Compute with the axes for runs and for their items as one."""
    found = compute(x.reshape(-1, *x.shape[2:]), *args, **how)
    return found.reshape(*x.shape[:2], *found.shape[1:])


def _steps(op, parts):
    """Return two inputs without zero points; missing axes come behind the one for runs."""
    parts = [np.int64(x) - int(t.zero_point[0]) for x, t in zip(parts, op.inputs, strict=True)]
    most = max(part.ndim for part in parts)
    return [part.reshape(len(part), *[1] * (most - part.ndim), *part.shape[1:]) for part in parts]


def _as_many(parts):
    runs = max(map(len, parts))
    return [np.broadcast_to(part, (runs, *part.shape[1:])) for part in parts]
