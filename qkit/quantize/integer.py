"""A quantized .tflite file, run in integers by NumPy: what each operator writes is kept."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qkit.quantize.grid import dequantize, quantize
from qkit.quantize.integer_kernels import multiplier_and_shift, requantize
from qkit.quantize.integer_operators import (
    MOVING,
    MULTIPLYING,
    OPERATORS,
    accumulators,
    by_run,
    grid_of,
)
from qkit.result import Result
from qkit.samples import count, samples
from qkit.tflite.edit import plain_names
from qkit.tflite.file import TfliteError, TfliteFile, inspect
from qkit.tflite.values import real_values, stored_values

__all__ = ["IntegerTrace", "multiplier_and_shift", "requantize", "run_integer"]

_ON_GRIDS = ("int4", "int8", "uint8", "int16")  # what integer kernels take
_BLOCK = 2**19  # values of all tensors that a block of items has: they stay near the processor


@dataclass(frozen=True, eq=False, repr=False)
class IntegerTrace(Result):
    """What each tensor of a file holds, computed in integers."""

    tflite: bytes
    file: TfliteFile
    held: dict  # by number of a tensor: an array with an axis for runs, then as the file has it
    steady: frozenset  # numbers of those that are the same in all runs, such as weights: once
    items: int
    size: int  # items of a run; 0 where the file has no axis for them

    @cached_property
    def tensors(self):
        """What each tensor holds, by its number: an array of integers with all items first."""
        return {number: self._by_item(number, array) for number, array in self.held.items()}

    def runs(self):
        """Yield for each run what each tensor held, by its number, as the file has it.

        Where a run takes several items, the last one was filled up.
        """
        for run in range(-(-self.items // max(self.size, 1))):
            yield {k: a[0 if k in self.steady else run] for k, a in self.held.items()}

    def __getitem__(self, tensor):
        """Return what a tensor holds, by its name or its number."""
        return self.tensors[self._found(tensor).index]

    @property
    def outputs(self):
        """What the file gives: an array for each of its outputs."""
        return tuple(self.tensors[tensor.index] for tensor in self.file.outputs)

    @property
    def output(self):
        """The first of the outputs."""
        return self.outputs[0]

    @property
    def table(self):
        """A DataFrame with a row for each tensor that an operator wrote."""
        import pandas as pd

        return pd.DataFrame([
            _row(number, op.name, tensor, self.tensors[tensor.index])
            for number, op in enumerate(self.file.operators)
            for tensor in op.outputs
        ])  # fmt: skip

    def accumulators(self, number):
        """Return the sums of products, with the bias, that an operator rounds onto its grid.

        It is a convolution or a dense layer, named by its number in `file.operators`.
        """
        op = self.file.operators[number]
        if op.name not in MULTIPLYING:
            raise ValueError(f"operator {number}, {op.name}, has no sums of products.")
        read = [self.held[tensor.index] for tensor in op.inputs]
        sums = np.concatenate([accumulators(op, *part) for part in by_run(op, read)])
        return self._by_item(op.outputs[0].index, sums)

    def real(self, tensor):
        """Return the real numbers that a tensor stands for; without a grid it is as it is."""
        found = self._found(tensor)
        if found.constant:
            return real_values(found)
        if grid := grid_of(found):
            return self._by_item(found.index, dequantize(self.held[found.index], grid))
        return self[found.index]

    def summary(self):
        """Say in one line how much was computed."""
        values = sum(self.tensors[t.index].size for op in self.file.operators for t in op.outputs)
        return f"{len(self.file.operators)} operators on {self.items:,} items, {values:,} values"

    def _by_item(self, number, array):
        if number in self.steady:
            return array[0]
        both = self.size and array.shape[1:2] == (self.size,)
        return array.reshape(-1, *array.shape[2:])[: self.items] if both else array

    def _found(self, name):
        found = [t for t in self.file.tensors if name in (t.name, t.index)]
        found = [t for t in found if t.index in self.tensors]
        if len(found) != 1:
            raise KeyError(f"{len(found)} tensors are called {name!r}; `table` has their names")
        return found[0]


def run_integer(tflite, x):
    """Run a fully quantized .tflite file in integer NumPy, and keep what each operator writes.

    The integers are those of TensorFlow Lite's reference kernels, to the last bit.

    Parameters
    ----------
    tflite : bytes, of a file that computes in int8, in uint8, or in int16 with weights in int8
    x : ndarray of shape (n, *input), float, on the scale the model was trained on
        Or of the input's own integer dtype: on its grid already. Of several inputs a dict by name,
        or a list in the file's order.

    Returns
    -------
    IntegerTrace
        ``trace.output`` is what the file gives, ``trace[name]`` what a tensor holds: by name or,
        as names may repeat, by number.

    Raises
    ------
    TfliteError
        Where an operator is not covered, or computes in floating point.

    Source: https://ai.google.dev/edge/litert/models/quantization_spec

    Examples
    --------
    >>> import qkit as qk
    >>> x = qk.load_data("digits").x_test[:2]
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "full_integer_int8_io", x)
    >>> trace = run_integer(tflite, x)
    >>> trace.output.shape, trace.output.dtype
    ((2, 10), dtype('int8'))
    >>> print(trace)
    8 operators on 2 items, 25,932 values
    """
    file = inspect(tflite)
    _require_integers(file)
    constants = {t.index: stored_values(t)[None] for t in file.tensors if t.constant}
    arrays, size, items = _given(file, x)
    each = sum(math.prod(t.shape) for op in file.operators for t in op.outputs)
    step, runs = max(_BLOCK // max(each, 1), 1), len(next(iter(arrays.values())))
    blocks = [
        _walked(file, constants, {k: a[start : start + step] for k, a in arrays.items()})
        for start in range(0, runs, step)
    ]
    steady = _steady(file, constants)
    held = constants | {
        index: blocks[0].pop(index) if index in steady else
        _joined([block.pop(index) for block in blocks], file.tensors[index])
        for index in [*blocks[0]]
    }  # fmt: skip
    return IntegerTrace(bytes(tflite), file, held, steady, items, size)


def _require_integers(file):
    """Refuse a file with operators that are not covered, or that compute in floating point."""
    if file.graphs != 1:
        raise TfliteError(f"run_integer: the file has {file.graphs} graphs, of loops or branches.")
    unknown = sorted({op.name for op in file.operators} - {*OPERATORS})
    if unknown:
        raise TfliteError(
            f"run_integer: {', '.join(unknown)} is not covered. Covered: {', '.join(OPERATORS)}."
        )
    for op in file.operators:
        ends = {tensor.dtype for tensor in (*op.inputs, *op.outputs)}
        converts = op.name in ("QUANTIZE", "DEQUANTIZE") and "float32" in ends
        for place, tensor in enumerate((*op.inputs, *op.outputs)):
            weights = op.name in MULTIPLYING and 0 < place < len(op.inputs)
            if op.name not in MOVING and not (converts and tensor.dtype == "float32"):
                _require_grid(op, tensor, weights, converts)


def _require_grid(op, tensor, weights, converts):
    """Refuse a tensor that is on no grid, or on another than an operator computes on."""
    told = f"run_integer: the tensor {tensor.name!r} of {op.name} is {tensor.dtype}"
    scales, fitting = tensor.scale.size, {1}
    if converts:
        fitting.update(tensor.shape[tensor.axis :][:1])
    if scales > 1 and not weights and scales not in fitting:
        raise TfliteError(
            f"{told} and has {scales} scales along axis {tensor.axis}: its integer kernel takes "
            f"{' or '.join(map(str, sorted(fitting)))}. Convert with full_integer: there weights "
            "alone have scales by channel."
        )
    if tensor.dtype in ("int32", "int64"):
        return
    taken = ("int2",) * (weights and op.name == "FULLY_CONNECTED") + _ON_GRIDS
    if tensor.dtype not in taken:
        why = f"its integer kernel takes {', '.join(taken)}"
        if "float" in tensor.dtype:
            why = "this operator computes in floating point"
        raise TfliteError(f"{told}: {why}. Convert with full_integer, and calibrate.")
    if not scales or not (weights or tensor.scale.all()):  # dead weights may have a scale of 0
        has = "a scale of 0" if scales else "no scale"
        raise TfliteError(f"{told} and has {has}: no grid to compute on.")


def _given(file, x):
    """Return what the inputs hold, by number, with an axis for runs; and the items of a run.

    Where all ends have their first axis in common it counts the items of a run; the last run is
    filled up. Elsewhere an item is a whole input: 0.
    """
    firsts = {tensor.shape[:1] for tensor in (*file.inputs, *file.outputs)}
    alike = len(firsts) == 1 and () not in firsts
    size = firsts.pop()[0] if alike else int(all(t.shape[:1] == (1,) for t in file.inputs))
    parts = _parts(file, x)
    inputs = {
        name: (_item(t)[min(size, 1) :], _wanted(t, parts))
        for name, t in zip(_names(file), file.inputs, strict=True)
    }
    checked = samples(x, inputs, what="run_integer: x")
    arrays = {}
    for name, tensor in zip(inputs, file.inputs, strict=True):
        array = checked if len(inputs) == 1 else checked[name]
        if size:
            array = array[np.arange(-(-len(array) // size) * size) % len(array)]
            array = array.reshape(-1, size, *array.shape[1:])
        grid = grid_of(tensor) if array.dtype.kind == "f" else None
        arrays[tensor.index] = quantize(array, grid) if grid else array
    return arrays, size, count(checked)


def _parts(file, x):
    """Return what was given for each input, by its number, as far as that can be told."""
    names = _names(file)
    if not isinstance(x, Mapping):
        x = dict(zip(names, x if len(names) > 1 else [x], strict=False))
    return {t.index: x.get(name) for name, t in zip(names, file.inputs, strict=True)}


def _names(file):
    return plain_names(*([getattr(t, key) for t in file.inputs] for key in ("name", "index")))


def _item(tensor):
    return tuple(None if axis in tensor.free else n for axis, n in enumerate(tensor.shape))


def _wanted(tensor, parts):
    """Return the dtype to ask for: the tensor's own if that was given, or if it has no grid."""
    given = str(getattr(parts[tensor.index], "dtype", "float32"))
    return tensor.dtype if given == tensor.dtype or not tensor.scale.any() else np.float32


def _walked(file, constants, arrays):
    """Return by number what each tensor holds after a block of runs, inputs included."""
    values = constants | arrays
    for number, op in enumerate(file.operators):
        read = [values[tensor.index] for tensor in op.inputs]
        try:
            parts = [OPERATORS[op.name](op, *part) for part in by_run(op, read)]
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise TfliteError(
                f"run_integer: operator {number}, {op.name}, cannot be followed: {error}"
            ) from error
        (out,) = op.outputs
        values[out.index] = _joined(parts, out).astype(out.dtype, copy=False)
    return {index: array for index, array in values.items() if index not in constants}


def _joined(parts, tensor):
    """Return in one array what a tensor holds in runs that come in parts."""
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        raise TfliteError(
            f"run_integer: {tensor.name!r} comes out in other shapes for other items, such as "
            f"{shapes[0]} and {shapes[1]}: no one array holds them. Run the items one at a time."
        )
    return np.concatenate(parts)


def _steady(file, constants):
    """Return the numbers of what is the same for all items: shapes, and what is made of them."""
    found = {*constants}
    for op in file.operators:
        if op.name == "SHAPE" or found.issuperset(tensor.index for tensor in op.inputs):
            found.update(tensor.index for tensor in op.outputs)
    return frozenset(found)


def _row(number, operator, tensor, values):
    whole = values.dtype.kind in "iu"
    ends = np.iinfo(values.dtype) if whole else np.finfo(values.dtype)
    at_an_end = np.count_nonzero((values == ends.min) | (values == ends.max))
    return {
        "number": number, "operator": operator, "tensor": tensor.name, "index": tensor.index,
        "dtype": str(values.dtype), "shape": "×".join(map(str, values.shape)),
        "lowest": values.min(), "highest": values.max(),
        "at_an_end_share": at_an_end / values.size if whole else math.nan,
    }  # fmt: skip
