"""What stands in a .tflite file: its tensors with their grids, and its operators."""

import math
import re
import struct
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from qkit.result import Result
from qkit.tflite import lifetimes, model_explorer, tables
from qkit.tflite.bounds import require_ends, require_fit

_KERNELS = ("Conv2D", "MatMul", "depthwise")  # what Keras calls the operation within a layer
_WRAPPERS = ("quant_", "prune_low_magnitude_", "cluster_")
_RECURRENT = ("LSTM", "RNN", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN",
              "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN")  # fmt: skip
_MULTIPLYING = ("CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV",
                "BATCH_MATMUL", *_RECURRENT)  # fmt: skip
# What is raised where a number of the file leads out of it, or to what is no table.
_ASTRAY = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, struct.error)


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
    buffer: int  # number of the one with the values, below 0 elsewhere; tensors may share one
    data: np.ndarray  # the stored values as bytes, for `tflite.values`; empty for activations
    sparsity: object  # the schema's, if the zeros among the values are not stored; else None
    details: object = None  # the schema's, of a grid by blocks or of another kind
    graph: tuple = ()  # all tensors of its graph, of which the details name some
    elsewhere: str = ""  # name of the other file that holds the values
    elsewhere_bytes: int = 0  # that they take there
    variable: bool = False  # whether it keeps its values from run to run
    free: tuple = ()  # axes whose length may be changed
    ranked: bool = True  # whether the shape is known, down to how many axes it has

    def __str__(self):
        """Return its name and form, as "image int8 1×28×28"."""
        return f"{self.name} {self.form}".strip()

    @property
    def form(self):
        """Its dtype and shape in a word or two."""
        return f"{self.dtype} {'×'.join(map(str, self.shape))}".strip()

    @property
    def granularity(self):
        """What has a scale of its own: "per tensor", "per channel", "in blocks"; or ""."""
        if self.details:
            return "in blocks" if hasattr(self.details, "blockShape") else "of another kind"
        return ("", "per tensor", "per channel")[min(self.scale.size, 2)]

    @property
    def memory_bytes(self):
        """Of all values in memory, with one item in a batch; None where the file does not tell."""
        width = re.search(r"\d+", "8" if self.dtype == "bool" else self.dtype)
        if width is None or not (self.ranked or self.shape) or min(self.shape, default=0) < 0:
            return None
        size = -(-math.prod(self.shape) * int(width[0]) // 8)
        return size if size < 2**63 else None  # of a damaged shape

    @property
    def size_bytes(self):
        """Of the values stored in this file; 0 for activations, which hold none."""
        return self.data.size

    @property
    def constant(self):
        """Whether its values are stored: weights, biases, shapes."""
        return self.size_bytes > 0 or bool(self.elsewhere)

    @property
    def holds_values(self):
        """Whether it holds numbers on the way from input to output, and not shapes or indices."""
        wide = ("int32", "int64", "uint32", "uint64")
        return self.dtype.startswith(("float", "bfloat", "int", "uint")) and self.dtype not in wide


@dataclass(frozen=True, eq=False)
class Operator:
    """One operator of a .tflite file: its name, and the tensors it reads and writes."""

    name: str
    inputs: tuple
    outputs: tuple
    slots: tuple = ()  # the place of each input in the operator's list, where some may be left out
    options: object = None  # the schema's
    graph: int = 0  # the number of its graph; 0 is the whole model, which may call others

    def input(self, slot):
        """Return the input at a place of the operator's list, or None where it is left out."""
        return dict(zip(self.slots, self.inputs, strict=True)).get(slot)

    @property
    def written_bytes(self):
        """Of all that it writes, in memory; None where the file does not tell."""
        sizes = [tensor.memory_bytes for tensor in self.outputs]
        return None if None in sizes else sum(sizes)

    @property
    def multiply_accumulates(self):
        """How many it takes, by the shapes in the file; of convolutions, padding counted too.

        None where its kind is not known to multiply and add, such as an activation; or a shape.
        """
        ends = (*self.inputs, *self.outputs[:1])
        if self.name not in _MULTIPLYING or not all(t.ranked or t.shape for t in ends):
            return None
        if self.name in _RECURRENT:  # each step meets each kernel once, of gates and projections
            kernels = [t.shape for t in ends[1:-1] if len(t.shape) == 2 and not t.variable]
            return math.prod(ends[0].shape[:-1]) * sum(map(math.prod, kernels))
        if (weights := self.input(1)) is None or not self.outputs:
            return None
        shape, given, out = weights.shape, ends[0].shape, ends[-1].shape
        if self.name == "TRANSPOSE_CONV":  # each input value meets the kernel once
            return (read := self.input(2)) and math.prod(read.shape) * math.prod(shape[:-1])
        if self.name == "BATCH_MATMUL":
            return math.prod(out) * given[-2 if self.options and self.options.adjX else -1]
        if self.name == "DEPTHWISE_CONV_2D":
            return math.prod(out) * math.prod(shape[1:3])
        if self.name == "CONV_3D":  # output channels last
            return math.prod(out) * math.prod(shape[:-1])
        return math.prod(out) * math.prod(shape[1:])  # output channels first


@dataclass(frozen=True, eq=False, repr=False)
class TfliteFile(Result):
    """The content of a .tflite file, as far as quantization is concerned."""

    tensors: tuple
    operators: tuple  # in the order in which they run
    inputs: tuple  # tensors of the whole model
    outputs: tuple
    graphs: int  # more than 1 where there are loops and branches; all their tensors are listed
    graph_name: str  # of the whole model, as Model Explorer has it

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
    def multiply_accumulates(self):
        """How many a run of all operators takes, each once; None where shapes are not told."""
        counts = [op.multiply_accumulates for op in self.operators if op.name in _MULTIPLYING]
        return None if None in counts else sum(counts)

    @property
    def float_operators(self):
        """The operators that compute in floating point, conversions from and to the grid apart."""
        computing = (op for op in self.operators if op.name not in ("QUANTIZE", "DEQUANTIZE"))
        return tuple(x for x in computing if {t.dtype for t in x.outputs} & {"float32", "float16"})

    @property
    def memory_plan(self):
        """Which activations of the main graph are alive when: a `MemoryPlan`."""
        return lifetimes.memory_plan(self)

    @property
    def operator_table(self):
        """A DataFrame with one row per operator, in order: what it reads, writes and takes."""
        return tables.operator_table(self)

    def to_frame(self):
        """Return a DataFrame with one row per tensor; the scale is that of the first channel."""
        return tables.tensor_table(self)

    def to_model_explorer(self, path):
        """Write node data for Model Explorer into a folder; return the paths of its files.

        Load them there beside the .tflite file itself. Of other graphs than the main one: nothing.
        """
        return model_explorer.write_node_data(self, path)

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
    TfliteFile
        Its ``to_frame()`` has a row per tensor, its ``operator_table`` one per operator, and its
        ``memory_plan`` says which activations are alive when. Pictures: `plot_graph`,
        `plot_memory_plan`. For Model Explorer: ``to_model_explorer(folder)``.

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
    except _ASTRAY as error:
        raise TfliteError(
            f"the .tflite file is damaged: {error}. Is it cut off, or was it not copied whole?"
        ) from error


def parsed(tflite):
    """Return the schema's own object of a file, which can be changed and packed again."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_bytearray_to_object

    model = convert_bytearray_to_object(tflite)
    for buffer in model.buffers or ():
        if buffer.data is None and buffer.offset > 1:  # large files keep values behind the tables
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


def apart(wanted, taken, number):
    """Return the first of some names that is not taken, or the last one with a number behind."""
    numbered = (f"{wanted[-1]} #{number}".strip() for number in count(number))
    return next(name for name in chain(wanted, numbered) if name not in taken)


def _content(model):
    from ai_edge_litert.schema_py_generated import TensorType
    from ai_edge_litert.tools.flatbuffer_utils import opcode_to_name

    dtypes = {number: name for name, number in vars(TensorType).items()}
    tensors, operators, ends = [], [], []
    for number, graph in enumerate(model.subgraphs):
        own = []
        for table in graph.tensors or ():
            dtype = dtypes.get(table.type, "unknown").lower()
            own.append(_tensor(table, dtype, own, model))
        for op in graph.operators or ():
            name = opcode_to_name(model, op.opcodeIndex) or "UNKNOWN"
            operators.append(_operator(name.upper(), op, own, number))
        ends.append([_numbered(own, _listed(end)) for end in (graph.inputs, graph.outputs)])
        tensors += own
    content = tuple(tensors), tuple(operators), *ends[0]
    return TfliteFile(*content, graphs=len(ends), graph_name=_graph_name(model))


def _graph_name(model):
    """Return the name of the first graph; where it has none, that of its signature, or "main"."""
    keys = [s.signatureKey for s in model.signatureDefs or () if s.subgraphIndex == 0]
    found = model.subgraphs[0].name or (keys and keys[0]) or b"main"
    return found.decode(errors="replace")


def _listed(vector):
    return [] if vector is None else vector.tolist()


def _numbered(own, numbers):
    """Return the tensors of these numbers; −1 stands for one that is left out."""
    for number in numbers:
        if not -1 <= number < len(own):
            raise ValueError(f"there is no tensor {number} among {len(own)}")
    return tuple(own[number] for number in numbers if number != -1)


def _operator(name, table, own, graph):
    reads, writes = _listed(table.inputs), _listed(table.outputs)
    slots = tuple(slot for slot, number in enumerate(reads) if number != -1)
    require_ends(name, reads, writes)
    ends = _numbered(own, reads), _numbered(own, writes)
    require_fit(name, *ends, table.builtinOptions)
    return Operator(name, *ends, slots, table.builtinOptions, graph)


def _tensor(table, dtype, own, model):
    data, grid, elsewhere, size = model.buffers[table.buffer].data, table.quantization, "", 0
    has_grid = grid is not None and grid.scale is not None
    scale = np.asarray(grid.scale if has_grid else [], np.float32)
    zeros = np.int64((_listed(grid.zeroPoint) if has_grid else []) or [0])
    if table.externalBuffer:
        (other,) = (x for x in model.externalBuffers if x.id == table.externalBuffer)
        name = model.externalBufferGroups[other.group].name or b"?"
        elsewhere, size = name.decode(errors="replace"), other.length
    return Tensor(
        index=len(own),
        name=(table.name or b"").decode(errors="replace"),
        dtype=dtype,
        shape=tuple(_listed(table.shape)),
        scale=scale,
        zero_point=np.broadcast_to(zeros, scale.shape),
        axis=grid.quantizedDimension if has_grid else 0,
        buffer=-table.externalBuffer or table.buffer,
        # number 0 stands for none, whatever it holds
        data=np.asarray([] if data is None or not table.buffer else data, np.uint8),
        sparsity=table.sparsity,
        details=grid and grid.details,
        graph=own,
        elsewhere=elsewhere,
        elsewhere_bytes=size,
        variable=table.isVariable,
        ranked=table.hasRank,
        free=tuple(axis for axis, n in enumerate(_listed(table.shapeSignature)) if n == -1),
    )
