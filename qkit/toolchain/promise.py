"""What a scheme promises, held against the file that the converter wrote."""

import contextlib
import itertools

import numpy as np

from qkit.tflite.faults import TAKING, known_faults
from qkit.tflite.file import inspect
from qkit.tflite.probe import probe

_SECOND = {  # by the engine that leaves in float what it has no kernel for
    name: f" Take 'litert_{name}', which computes these in float and has them counted."
    for name in ("full_integer", "int16_activations")
}


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
    known = (f"{consequence} {remedy}" for *_, consequence, remedy in known_faults(file))
    broken = _dtypes(file, scheme), _float_operators(file, scheme, left_in_float)
    for fault in itertools.chain(known, *broken):
        raise PromiseError(f"convert: {scheme.name!r} was asked for, but {fault}")
    trial = probe(tflite)
    if error := trial.error or trial.failed:
        operators = ", ".join(sorted({op.name for op in file.operators}))
        raise PromiseError(
            f"convert: {scheme.name!r} converts, but the file cannot be run: {error}. The usual "
            f"reason is an operator without a kernel for {scheme.activations} activations; the "
            f"file has {operators}.{_SECOND.get(scheme.name, '')}"
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
    taken = {id(t) for op in file.operators if op.name in TAKING for t in op.outputs}
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
    if scheme.activations == "float32" or scheme.engine != "converter":
        return  # the quantizer promises none: what it knows no grid for computes in float
    ends = {id(tensor) for tensor in file.inputs}
    left = {
        op.outputs[0].name: op.name
        for op in file.float_operators
        if op.name != "CAST" or id(op.inputs[0]) not in ends  # integers that the model itself takes
    }
    unasked = [kind for name, kind in left.items() if name not in left_in_float]
    if unasked:
        kinds = ", ".join(sorted(set(unasked)))
        yield f"{len(unasked)} operators are left in float: {kinds}.{_SECOND.get(scheme.name, '')}"
    for name in left_in_float:
        if name not in left:
            yield (
                f"{name!r}, which was to be left in float, is on the grid. The converter leaves "
                "no operation in float that only passes values on, such as MAX_POOL_2D."
            )


def _list(dtypes):
    return " and ".join(sorted(dtypes)) or "none"
