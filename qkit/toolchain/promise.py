"""What a scheme promises, held against the file that the converter wrote."""

import numpy as np

from qkit.tflite.file import read_tflite
from qkit.tflite.probe import probe
from qkit.toolchain.dead_channels import cut_off_biases

# An int16 step of 1,000 spans ±3e7: such a range comes from a mask like −1e9, and buries the rest.
_LARGEST_INT16_STEP = 1_000


class PromiseError(ValueError):
    """The converter wrote a file that is not what the scheme promises."""


def check_promise(tflite, scheme, left_in_float=()):
    """Check that the dtypes in a file are those of its scheme, and that it runs.

    Parameters
    ----------
    tflite : bytes
        As the converter wrote them.
    scheme : Scheme
    left_in_float : sequence of str
        What operators in float give: these, and no others.

    Raises
    ------
    PromiseError
        With what differs and the likely reason.
    """
    file = read_tflite(tflite)
    fault = (
        _check_known_faults(file, scheme)
        or _check_weights(file, scheme)
        or _check_activations(file, scheme)
        or _check_float_operators(file, scheme, left_in_float)
        or _check_io(file, scheme)
    )
    if fault:
        raise PromiseError(f"convert: {scheme.name!r} was asked for, but {fault}")
    cut_off = cut_off_biases(tflite, file)
    if cut_off:
        raise PromiseError(
            f"convert: {scheme.name!r} was asked for, but a bias in {cut_off[0]!r} is cut off: the "
            "weights of its channel are all zero, and so is nearly the step in which it is "
            "written. Pass the Keras model in place of its folder, or take the dead channel out."
        )
    _check_runs(tflite, file, scheme)


def _check_known_faults(file, scheme):
    for tensor in file.tensors:
        if not np.isfinite(tensor.scale).all():
            return (
                f"a scale of the tensor {tensor.name!r} is not finite: what flows through it is "
                "lost. The initial state of an unrolled recurrent layer, all zeros, does that to "
                "weights that its steps share. Pass the Keras model in place of its folder."
            )
    for op in file.operators:
        if op.name != "DEPTHWISE_CONV_2D" or op.outputs[0].dtype != "float32":
            continue
        if op.inputs[1].dtype == "int8" and not op.inputs[1].per_channel:
            return (
                f"its depthwise convolution {op.inputs[1].name!r} has int8 weights with a single "
                "scale and float activations. The kernel for that reads memory it should not, and "
                "gives values that change from run to run. Use per_channel=True."
            )
    if scheme.activations == "int16":
        for tensor in file.activations:
            if tensor.dtype == "int16" and tensor.scale.max(initial=0) > _LARGEST_INT16_STEP:
                return (
                    f"one step of the grid of {tensor.name!r} is {tensor.scale.max():,.0f}: a huge "
                    "constant, such as a mask of −1e9, spans the range and rounds all else to "
                    "zero. Use a mask of −100."
                )
    return None


def _check_weights(file, scheme):
    found = {t.dtype for t in file.weights}
    if scheme.weights == "float32":
        extra = found - {"float32"}
        return f"the file holds weights of {_list(extra)}." if extra else None
    if scheme.weights not in found:
        reason = (
            "Tensors under 1,024 elements are left in float by this scheme."
            if scheme.needs == "nothing"
            else "Was the model left without calibration, or its scheme without optimizations?"
        )
        return f"the file's weights are {_list(found)}: none was quantized. {reason}"
    return None


def _check_activations(file, scheme):
    found = {t.dtype for t in file.activations}
    if scheme.activations == "float32":
        extra = found - {"float32", "float16"}
        return (
            f"activations are {_list(extra)}. Is the model quantization-aware?" if extra else None
        )
    if scheme.activations not in found:
        return (
            f"the activations are {_list(found)}. The converter ignored the request: is "
            "`optimizations` empty, or was no calibration set given?"
        )
    return None


def _check_float_operators(file, scheme, left_in_float):
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


def _check_io(file, scheme):
    found = {t.dtype for t in (*file.inputs, *file.outputs) if t.holds_values}
    if found - {scheme.io}:
        return f"inputs and outputs are {_list(found)}, not {scheme.io}."
    return None


def _check_runs(tflite, file, scheme):
    error = probe(tflite).error
    if not error:
        return
    operators = ", ".join(sorted({op.name for op in file.operators}))
    raise PromiseError(
        f"convert: {scheme.name!r} converts, but the file cannot be run: {error}. The usual reason "
        f"is an operator without a kernel for {scheme.activations} activations; the file has "
        f"{operators}."
    )


def _list(dtypes):
    return " and ".join(sorted(dtypes)) or "without values"
