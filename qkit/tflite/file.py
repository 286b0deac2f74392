"""What stands in a .tflite file: its tensors with their grids, and its operators."""

from dataclasses import dataclass

import numpy as np

from qkit.result import Result

_KERNELS = ("Conv2D", "MatMul", "depthwise")  # what Keras calls the operation within a layer
_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")


class TfliteError(ValueError):
    """Bytes that are no .tflite file, or one that cannot be run."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """One tensor of a .tflite file."""

    index: int  # its number in its graph, and for the interpreter
    name: str  # may repeat
    dtype: str  # of the elements as stored, for example "int8"
    shape: tuple  # as stored; a batch axis that may be resized reads 1
    scale: np.ndarray  # steps of the grid, one a channel or a single one; empty without a grid
    zero_point: np.ndarray  # as long as `scale`
    axis: int  # the one that keeps its own scales; 0 where there is one scale
    buffer: int  # number of the buffer that holds the values; tensors may share one
    data: np.ndarray  # the stored values as bytes, for `tflite.values`; empty for activations
    sparsity: object  # the schema's, if the zeros among the values are not stored; else None

    @property
    def size_bytes(self):
        """Of the stored values; 0 for activations, which hold none."""
        return self.data.size

    @property
    def constant(self):
        """Whether the file holds its values: weights, biases, shapes."""
        return self.size_bytes > 0

    @property
    def holds_values(self):
        """Whether it holds numbers on the way from input to output, and not shapes or indices."""
        return self.dtype in ("float32", "float16", "bfloat16", "int4", "int8", "uint8", "int16")


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of a .tflite file: its name, and the tensors it reads and writes."""

    name: str
    inputs: tuple
    outputs: tuple


@dataclass(frozen=True, eq=False, repr=False)
class TfliteFile(Result):
    """The content of a .tflite file, as far as quantization is concerned."""

    tensors: tuple
    operators: tuple  # in the order in which they run
    inputs: tuple  # tensors of the whole model
    outputs: tuple
    graphs: int  # more than 1 where there are loops and branches; all their tensors are listed

    @property
    def weights(self):
        """The constant tensors that hold values: no shapes, and no integer biases."""
        return tuple(t for t in self.tensors if t.constant and t.holds_values)

    @property
    def activations(self):
        """The tensors that are computed on the way and hold values."""
        made = {id(t): t for op in self.operators for t in op.outputs}
        return tuple(t for t in made.values() if t.holds_values and not t.constant)

    @property
    def float_operators(self):
        """The operators that compute in floating point, conversions from and to the grid apart."""
        computing = (op for op in self.operators if op.name not in ("QUANTIZE", "DEQUANTIZE"))
        return tuple(x for x in computing if {t.dtype for t in x.outputs} & {"float32", "float16"})

    def to_frame(self):
        """Return a DataFrame with one row per tensor; the scale is that of the first channel."""
        import pandas as pd

        return pd.DataFrame(
            {
                "name": t.name,
                "dtype": t.dtype,
                "shape": t.shape,
                "scale": float(t.scale[0]) if t.scale.size else np.nan,
                "zero_point": int(t.zero_point[0]) if t.scale.size else pd.NA,
                "channels": t.scale.size,
                "size_bytes": t.size_bytes,
            }
            for t in self.tensors
        )

    def summary(self):
        """Say in one line how much there is, and how much of it computes in floating point."""
        stored = sum({t.buffer: t.size_bytes for t in self.tensors}.values())
        return (
            f"{len(self.operators)} operators, {len(self.float_operators)} of them in float; "
            f"{len(self.tensors)} tensors, whose constants take {stored:,} bytes"
        )


def inspect(tflite):
    """Read what stands in a .tflite file, without running it.

    Parameters
    ----------
    tflite : bytes

    Returns
    -------
    TfliteFile, whose ``to_frame()`` has a row per tensor

    Examples
    --------
    >>> import qkit as qk
    >>> file = inspect(qk.convert(qk.models.walkthrough_cnn(), "dynamic_range"))
    >>> file.operators[-1].name, max(tensor.size_bytes for tensor in file.tensors)
    ('FULLY_CONNECTED', 20280)
    """
    require_tflite(tflite)
    try:
        return _content(parsed(tflite))
    except Exception as error:  # of whatever kind, where its tables lead nowhere
        raise TfliteError(f"the .tflite file is damaged: {error}") from error


def parsed(tflite):
    """Return the schema's own object of a file, which can be changed and packed again."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_bytearray_to_object

    model = convert_bytearray_to_object(tflite)
    for buffer in model.buffers:
        if buffer.offset:  # large files keep their values behind the tables
            buffer.data = np.frombuffer(tflite, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def require_tflite(tflite):
    """Refuse what is not bytes, or bytes without the file format's mark."""
    if not isinstance(tflite, (bytes, bytearray)):
        raise TypeError(
            f"expected the bytes of a .tflite file, got {type(tflite).__name__}. Read a file with "
            "pathlib.Path(...).read_bytes(); make bytes from a model with qk.convert(model, ...)."
        )
    if len(tflite) < 8 or tflite[4:8] != b"TFL3":
        raise TfliteError(
            f"these {len(tflite):,} bytes are no .tflite file: bytes 4 to 8 must read b'TFL3', got "
            f"{bytes(tflite[4:8])!r}. Is the file another one, or cut off?"
        )


def layer_name(tensor_name):
    """Return the layer out of a name that the converter joined, without training's wrappers."""
    paths = [path.split("/") for path in tensor_name.split(";")]
    owns = [path[-2] for path in paths if len(path) > 1 and path[-1].startswith(_KERNELS)]
    name = owns[0] if owns else paths[0][-1]
    return next((name[len(w) :] for w in _WRAPPERS if name.startswith(w)), name)


def _content(model):
    from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name

    tensors, operators = [], []
    for graph in model.subgraphs:
        own = [_tensor(i, t, model.buffers) for i, t in enumerate(graph.tensors)]
        tensors += own
        for op in graph.operators:
            reads = tuple(own[i] for i in op.inputs if i >= 0)
            name = opcode_to_name(model, op.opcodeIndex).upper()
            operators.append(Operator(name, reads, tuple(own[i] for i in op.outputs)))
    first = model.subgraphs[0]
    ends = [tuple(tensors[i] for i in end) for end in (first.inputs, first.outputs)]
    return TfliteFile(tuple(tensors), tuple(operators), *ends, graphs=len(model.subgraphs))


def _tensor(index, table, buffers):
    from ai_edge_litert.tools.flatbuffer_utils import type_to_name

    data, grid = buffers[table.buffer].data, table.quantization
    has_grid = grid is not None and grid.scale is not None
    return Tensor(
        index=index,
        name=table.name.decode(errors="replace"),
        dtype=type_to_name(table.type).lower(),
        shape=tuple(int(n) for n in table.shape) if table.shape is not None else (),
        scale=np.asarray(grid.scale if has_grid else [], np.float32),
        zero_point=np.asarray(grid.zeroPoint if has_grid else [], np.int64),
        axis=int(grid.quantizedDimension) if has_grid else 0,
        buffer=int(table.buffer),
        data=np.asarray([] if data is None else data, np.uint8),
        sparsity=table.sparsity,
    )
