"""The tables of a .tflite file: a row for each tensor, and one for each operator."""

import math

import numpy as np


def tensor_table(file):
    """Return a DataFrame with one row per tensor; the scale is that of the first channel."""
    import pandas as pd

    alive = file.memory_plan.lifetimes
    frame = pd.DataFrame(
        {
            "name": t.name,
            "dtype": t.dtype,
            "shape": t.shape,
            "scale": float(t.scale[0]) if t.scale.size else np.nan,
            "zero_point": int(t.zero_point[0]) if t.scale.size else pd.NA,
            "channels": t.scale.size,
            "size_bytes": t.size_bytes,
            "granularity": t.granularity,
            "kind": "constant" if t.constant else "activation",
            "memory_bytes": None if t.constant else t.memory_bytes,
            "first_operator": alive.get(t, (None, None))[0],
            "last_operator": alive.get(t, (None, None))[1],
        }
        for t in file.tensors
    )
    return _whole(frame, "memory_bytes", "first_operator", "last_operator")


def operator_table(file):
    """Return a DataFrame with one row per operator, in the order in which they run."""
    import pandas as pd

    alive = file.memory_plan.alive_bytes  # of the first graph, whose operators come first
    weights = [*map(_weights, file.operators)]
    frame = pd.DataFrame(
        {
            "operator": [op.name for op in file.operators],
            "reads": [", ".join(map(str, op.inputs)) for op in file.operators],
            "writes": [", ".join(map(str, op.outputs)) for op in file.operators],
            "weights": [t.dtype if t else "" for t in weights],
            "granularity": [t.granularity if t else "" for t in weights],
            "multiply_accumulates": [op.multiply_accumulates for op in file.operators],
            "written_bytes": [op.written_bytes for op in file.operators],
            "alive_bytes": [*alive, *[None] * (len(file.operators) - len(alive))],
            "graph": [op.graph for op in file.operators],
        }
    )
    return _whole(frame, "multiply_accumulates", "written_bytes", "alive_bytes")


def _weights(operator):
    """Return the largest constant that an operator reads and that holds values, or None."""
    stored = (tensor for tensor in operator.inputs if tensor.constant and tensor.holds_values)
    return max(stored, key=lambda tensor: math.prod(tensor.shape), default=None)


def _whole(frame, *columns):
    """Return a table with whole numbers in some columns, where one may be missing."""
    columns = [column for column in columns if column in frame]
    # those of a damaged shape may be beyond 64 bits, and stay Python's own
    whole = {column: frame[column].astype(object).convert_dtypes() for column in columns}
    return frame.assign(**whole)
