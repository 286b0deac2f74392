"""What a scheme promises, held against the file that the converter wrote."""

import contextlib
import itertools

import numpy as np

from qkit.tflite.file import inspect
from qkit.tflite.probe import probe
from qkit.tflite.values import stored_values

# An int16 step of 1,000 spans ±3e7: such a range comes from a mask like −1e9, and buries the rest.
_LARGEST_INT16_STEP = 1_000
_LARGEST_EXPONENT = 88  # of e in float32: a softmax cannot tell values further apart
_TAKING = ("GATHER", "EMBEDDING_LOOKUP")  # rows of a table, on whose grid they stay at first
_PASSING = ("CAST", "DEQUANTIZE", "QUANTIZE", "RESHAPE")
_INT32_ENDS = (-(2**31), -(2**31) + 1, 2**31 - 1)


class PromiseError(ValueError):
    """The converter wrote a file that is not what the scheme promises."""


@contextlib.contextmanager
def room_for_biases(model):
    """Give channels without weights the widest range of their layer while the block runs.

    Anything but a Keras model is passed over.
    """
    # A bias is stored in int32, in steps of the input's scale times the channel's. A channel
    # without weights, as pruning leaves them, gets the smallest scale there is, 1e-6 / 254, and its
    # bias is cut off without a word above 0.03 or so; after training the converter widens that.
    kept = []
    for layer in getattr(model, "layers", ()):
        for weight, _, state in getattr(layer, "_weight_vars", ()):
            low, high = state["min_var"], state["max_var"]
            dead = ~weight.numpy().reshape(-1, weight.shape[-1]).any(axis=0)
            if low.shape.rank == 1 and dead.any() and not dead.all():
                kept += [(low, low.numpy()), (high, high.numpy())]
                low.assign(np.where(dead, low.numpy().min(), low.numpy()))
                high.assign(np.where(dead, high.numpy().max(), high.numpy()))
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def check_promise(tflite, scheme, left_in_float=()):
    """Raise PromiseError unless dtypes are the scheme's, no fault is known, and the file runs.

    `left_in_float` names what operators in float give: these, and no others.
    """
    file = inspect(tflite)
    broken = _dtypes(file, scheme), _float_operators(file, scheme, left_in_float)
    for fault in itertools.chain(_known_faults(file), *broken):
        raise PromiseError(f"convert: {scheme.name!r} was asked for, but {fault}")
    trial = probe(tflite)
    if error := trial.error or trial.failed:
        operators = ", ".join(sorted({op.name for op in file.operators}))
        raise PromiseError(
            f"convert: {scheme.name!r} converts, but the file cannot be run: {error}. The usual "
            f"reason is an operator without a kernel for {scheme.activations} activations; the "
            f"file has {operators}."
        )


def _known_faults(file):
    """Yield what goes wrong in silence in a file, whatever was asked for."""
    for tensor in file.tensors:
        if not np.isfinite(tensor.scale).all():
            yield (
                f"a scale of the tensor {tensor.name!r} is not finite: what flows through it is "
                "lost. The initial state of an unrolled recurrent layer, all zeros, does that to "
                "weights that its steps share. Pass the Keras model in place of its folder."
            )
    for op in file.operators:
        in_float = op.name == "DEPTHWISE_CONV_2D" and op.outputs[0].dtype == "float32"
        if in_float and op.inputs[1].dtype == "int8" and op.inputs[1].scale.size < 2:
            yield (
                f"its depthwise convolution {op.inputs[1].name!r} has int8 weights with a single "
                "scale and float activations. The kernel for that reads memory it should not, "
                "and gives values that change from run to run. Use per_channel=True."
            )
    softened = {id(t) for op in file.operators if op.name == "SOFTMAX" for t in op.inputs}
    for tensor in file.activations:
        step = tensor.scale.max(initial=0)
        largest = _LARGEST_INT16_STEP if tensor.dtype == "int16" else np.inf
        if step > min(largest, _LARGEST_EXPONENT if id(tensor) in softened else np.inf):
            yield (
                f"one step of the grid of {tensor.name!r} is {step:,.0f}: a huge constant, such as "
                "a mask of −1e9, spans the range and rounds all else to zero. Use a mask of −100."
            )
    makers = {id(tensor): op for op in file.operators for tensor in op.outputs}
    for op in file.operators:
        ids = op.input(1 if op.name == "GATHER" else 0) if op.name in _TAKING else None
        while ids is not None:
            if ids.scale.max(initial=0) > 1:
                yield (
                    f"the numbers of rows that {op.name} takes go through {ids.name!r}, a grid in "
                    f"steps of {ids.scale[0]:.3g}: most become those of others. Give the network "
                    "integers, tf.keras.Input(shape, dtype='int32'), or keep float inputs."
                )
            maker = makers.get(id(ids))
            ids = maker.inputs[0] if maker and maker.name in _PASSING and maker.inputs else None
    for tensor in file.tensors:
        bias = tensor.constant and tensor.dtype == "int32" and tensor.scale.size
        if bias and np.isin(stored_values(tensor), _INT32_ENDS).any():
            yield (
                f"a bias in {tensor.name!r} is cut off: the weights of its channel are all zero, "
                "and so is nearly the step in which it is written. Pass the Keras model in place "
                "of its folder, or take the dead channel out."
            )


def _dtypes(file, scheme):
    """Yield where weights, activations, inputs or outputs are not of the dtypes promised."""
    weights = {t.dtype for t in file.weights}
    if scheme.weights == "float32" and weights - {"float32"}:
        yield f"the file holds weights of {_list(weights - {'float32'})}."
    elif scheme.weights not in {*weights, "float32"}:
        reason = (
            "Tensors under 1,024 elements are left in float by this scheme."
            if scheme.needs == "nothing"
            else "Was the model left without calibration, or its scheme without optimizations?"
        )
        yield f"the file's weights are {_list(weights)}: none was quantized. {reason}"
    taken = {id(t) for op in file.operators if op.name in _TAKING for t in op.outputs}
    activations = {t.dtype for t in file.activations if id(t) not in taken}
    integers = activations - {"float32", "float16"}
    if scheme.activations == "float32" and integers:
        yield f"activations are {_list(integers)}. Is the model quantization-aware?"
    elif scheme.activations not in {*activations, "float32"}:
        yield (
            f"the activations are {_list(activations)}. The converter ignored the request: is "
            "`optimizations` empty, or was no calibration set given?"
        )
    # what the model itself takes as integers, on no grid, stays so
    ends = (t for t in (*file.inputs, *file.outputs) if t.holds_values)
    ends = {t.dtype for t in ends if t.dtype.startswith("float") or t.scale.size}
    if ends - {scheme.io}:
        yield f"inputs and outputs are {_list(ends)}, not {scheme.io}."


def _float_operators(file, scheme, left_in_float):
    """Yield which operators compute in float, or on the grid, and were to do the other."""
    if scheme.activations == "float32":
        return
    ends = {id(tensor) for tensor in file.inputs}
    left = {
        op.outputs[0].name: op.name
        for op in file.float_operators
        if op.name != "CAST" or id(op.inputs[0]) not in ends  # integers that the model itself takes
    }
    unasked = [kind for name, kind in left.items() if name not in left_in_float]
    if unasked:
        yield f"{len(unasked)} operators are left in float: {', '.join(sorted(set(unasked)))}."
    for name in left_in_float:
        if name not in left:
            yield (
                f"{name!r}, which was to be left in float, is on the grid. The converter leaves "
                "no operation in float that only passes values on, such as MAX_POOL_2D."
            )


def _list(dtypes):
    return " and ".join(sorted(dtypes)) or "none"
