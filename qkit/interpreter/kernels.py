"""The interpreter's kernels held against the integers of `run_integer`, operator by operator."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.interpreter.alone import operators_apart
from qkit.interpreter.run import KERNELS, run_each
from qkit.quantize.integer import IntegerTrace
from qkit.quantize.integer_operators import by_channel
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class KernelDifferences(Result):
    """How often kernels write another integer than `run_integer`, from the very same inputs."""

    kernels: str
    table: object  # DataFrame: a row for each tensor that an operator writes
    items: int

    @property
    def differing(self):
        """How many values differ, of all tensors."""
        return int(self.table["differing"].sum())

    def summary(self):
        """Say in one line how many tensors differ, and how many of their values."""
        tensors = int((self.table["differing"] > 0).sum())
        return (
            f"{self.kernels} kernels: {tensors} of {len(self.table)} tensors differ, in "
            f"{self.differing:,} of {self.table['values'].sum():,} values, on {self.items:,} items"
        )


def kernel_differences(trace, kernels="reference"):
    """Count where the interpreter's kernels write other integers than `run_integer`.

    Each operator is run by itself, on the integers of the trace: what differs is its own doing.

    Parameters
    ----------
    trace : IntegerTrace
    kernels : {"reference", "optimized", "xnnpack"}
        Written to be read; for the processor, without a delegate; and those that run by default.

    Returns
    -------
    KernelDifferences
        Its ``table`` says how many values differ and by how many steps at most.

    Examples
    --------
    >>> import qkit as qk
    >>> x = qk.load_data("digits").x_test[:2]
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "full_integer", x)
    >>> print(kernel_differences(qk.run_integer(tflite, x)))
    reference kernels: 0 of 10 tensors differ, in 0 of 27,520 values, on 2 items
    """
    import pandas as pd

    validate.instance(trace, IntegerTrace, name="kernel_differences: trace")
    validate.choice(kernels, tuple(KERNELS), name="kernel_differences: kernels")
    places = [(n, op, t) for n, op in enumerate(trace.file.operators) for t in op.outputs]
    counts, most = np.zeros(len(places), np.int64), np.zeros(len(places))
    for run, found in written(trace, kernels):
        for place, (_, op, tensor) in enumerate(places):
            theirs = found[tensor.index]
            off = np.abs(np.subtract(theirs, run[tensor.index], dtype=np.float64))
            counts[place] += np.count_nonzero(off)
            # floats that are only moved are on no grid, and are counted as they are
            steps = by_channel(op.inputs[0])[0] if op.name == "DEQUANTIZE" else 1
            most[place] = max(most[place], (off / steps).max(initial=0))
    table = pd.DataFrame({
        "number": [number for number, _, _ in places],
        "operator": [op.name for _, op, _ in places],
        "tensor": [tensor.name for _, _, tensor in places],
        "values": [trace.held[tensor.index].size for _, _, tensor in places],
        "differing": counts,
        "largest_difference_steps": most,
    })  # fmt: skip
    return KernelDifferences(kernels, table, trace.items)


def written(trace, kernels):
    """Yield for each run of a trace what it held, and what the kernels write, by number.

    Each operator is run by itself, on the integers of the trace.
    """
    operators, first = trace.file.operators, next(trace.runs())
    apart, slots = operators_apart(trace.tflite, first)
    pairs = zip(operators, slots, strict=True)
    read = [op.input(slot).index for op, fed in pairs for slot in fed]
    outputs = [tensor.index for op in operators for tensor in op.outputs]
    feeds = ([run[index] for index in read] for run in trace.runs())
    for run, found in zip(trace.runs(), run_each(apart, feeds, kernels), strict=True):
        yield run, dict(zip(outputs, found, strict=True))
