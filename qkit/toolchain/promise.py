"""What a scheme promises, held against the file that the converter wrote."""

import contextlib

import numpy as np

from qkit.tflite.file import inspect
from qkit.tflite.probe import probe
from qkit.tflite.values import stored_values

# An int16 step of 1,000 spans ±3e7: such a range comes from a mask like −1e9, and buries the rest.
_LARGEST_INT16_STEP = 1_000
_INT32_ENDS = (-(2**31), -(2**31) + 1, 2**31 - 1)


class PromiseError(ValueError):
    """The converter wrote a file that is not what the scheme promises."""


@contextlib.contextmanager
def room_for_biases(model):
    """Give channels without weights the widest range of their layer while the block runs."""
    # A bias is stored in int32, in steps of the input's scale times the channel's. A channel
    # without weights, as pruning leaves them, gets the smallest scale there is, 1e-6 / 254, and its
    # bias is cut off without a word above 0.03 or so; after training the converter widens that.
    kept = []
    for layer in model.layers:
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
    fault = (
        scale_not_finite(file)
        or depthwise_with_one_scale(file)
        or buried_by_a_mask(file)
        or _weights(file, scheme)
        or _activations(file, scheme)
        or _float_operators(file, scheme, left_in_float)
        or _ends(file, scheme)
        or bias_cut_off(file)
    )
    if fault:
        raise PromiseError(f"convert: {scheme.name!r} was asked for, but {fault}")
    error = probe(tflite).error
    if error:
        operators = ", ".join(sorted({op.name for op in file.operators}))
        raise PromiseError(
            f"convert: {scheme.name!r} converts, but the file cannot be run: {error}. The usual "
            f"reason is an operator without a kernel for {scheme.activations} activations; the "
            f"file has {operators}."
        )


def scale_not_finite(file):
    """Say which scale is none, if one is."""
    for tensor in file.tensors:
        if not np.isfinite(tensor.scale).all():
            return (
                f"a scale of the tensor {tensor.name!r} is not finite: what flows through it is "
                "lost. The initial state of an unrolled recurrent layer, all zeros, does that to "
                "weights that its steps share. Pass the Keras model in place of its folder."
            )
    return None


def depthwise_with_one_scale(file):
    """Say which depthwise convolution meets the broken kernel for int8 weights of one scale."""
    for op in file.operators:
        if op.name == "DEPTHWISE_CONV_2D" and op.outputs[0].dtype == "float32":
            weights = op.inputs[1]
            if weights.dtype == "int8" and weights.scale.size < 2:
                return (
                    f"its depthwise convolution {weights.name!r} has int8 weights with a single "
                    "scale and float activations. The kernel for that reads memory it should not, "
                    "and gives values that change from run to run. Use per_channel=True."
                )
    return None


def buried_by_a_mask(file):
    """Say which int16 grid is so wide that all but a huge constant is rounded to zero."""
    for tensor in file.activations:
        step = tensor.scale.max(initial=0)
        if tensor.dtype == "int16" and step > _LARGEST_INT16_STEP:
            return (
                f"one step of the grid of {tensor.name!r} is {step:,.0f}: a huge constant, such as "
                "a mask of −1e9, spans the range and rounds all else to zero. Use a mask of −100."
            )
    return None


def bias_cut_off(file):
    """Say in which bias a value lies at an end of int32, if in one."""
    for tensor in file.tensors:
        bias = tensor.constant and tensor.dtype == "int32" and tensor.scale.size
        if bias and np.isin(stored_values(tensor), _INT32_ENDS).any():
            return (
                f"a bias in {tensor.name!r} is cut off: the weights of its channel are all zero, "
                "and so is nearly the step in which it is written. Pass the Keras model in place "
                "of its folder, or take the dead channel out."
            )
    return None


def _weights(file, scheme):
    found = {t.dtype for t in file.weights}
    if scheme.weights == "float32":
        extra = _list(found - {"float32"})
        return f"the file holds weights of {extra}." if extra else None
    if scheme.weights in found:
        return None
    reason = (
        "Tensors under 1,024 elements are left in float by this scheme."
        if scheme.needs == "nothing"
        else "Was the model left without calibration, or its scheme without optimizations?"
    )
    return f"the file's weights are {_list(found) or 'none'}: none was quantized. {reason}"


def _activations(file, scheme):
    found = {t.dtype for t in file.activations}
    if scheme.activations == "float32":
        extra = found - {"float32", "float16"}
        return (
            f"activations are {_list(extra)}. Is the model quantization-aware?" if extra else None
        )
    if scheme.activations in found:
        return None
    return (
        f"the activations are {_list(found) or 'none'}. The converter ignored the request: is "
        "`optimizations` empty, or was no calibration set given?"
    )


def _float_operators(file, scheme, left_in_float):
    if scheme.activations == "float32":
        return None
    left = {op.outputs[0].name: op.name for op in file.float_operators}
    unasked = [kind for name, kind in left.items() if name not in left_in_float]
    if unasked:
        return f"{len(unasked)} operators are left in float: {', '.join(sorted(set(unasked)))}."
    quantized = [name for name in left_in_float if name not in left]
    if quantized:
        return (
            f"{quantized[0]!r}, which was to be left in float, is on the grid. The converter "
            "leaves no operation in float that only passes values on, such as MAX_POOL_2D."
        )
    return None


def _ends(file, scheme):
    found = {t.dtype for t in (*file.inputs, *file.outputs) if t.holds_values}
    return (
        f"inputs and outputs are {_list(found)}, not {scheme.io}." if found - {scheme.io} else None
    )


def _list(dtypes):
    return " and ".join(sorted(dtypes))
