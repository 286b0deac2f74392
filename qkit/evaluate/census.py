"""What became of the weights: zeros, 2:4, distinct values and entropy, kernel by kernel."""

import math
from dataclasses import dataclass

import numpy as np

from qkit.networks import network
from qkit.quantize.coding import distinct_values, entropy_bits, sparsity, two_of_four_share
from qkit.result import Result
from qkit.tflite.file import TfliteError, apart, inspect, layer_name
from qkit.tflite.values import real_values, stored_values

# The places of an operator's inputs that are kernels, or tables of which it takes rows.
_KERNELS = {
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"), (1,)),
    **dict.fromkeys(("CONV_3D", "CONV_3D_TRANSPOSE", "EMBEDDING_LOOKUP"), (1,)),
    **dict.fromkeys(("GATHER", "GATHER_ND"), (0,)),
    **{"BATCH_MATMUL": (0, 1), "EMBEDDING_LOOKUP_SPARSE": (4,), "HASHTABLE_LOOKUP": (2,)},
    **dict.fromkeys(("LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM"), (*range(1, 9), 16)),
    "BIDIRECTIONAL_SEQUENCE_LSTM": (*range(1, 9), 16, *range(18, 26), 33, *range(40, 48)),
    **dict.fromkeys(("RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "SVDF"), (1, 2)),
    "BIDIRECTIONAL_SEQUENCE_RNN": (1, 2, 5, 6, 10, 11),
}
# The axis of output channels, where it is not the first.
_CHANNEL_AXIS = {"DEPTHWISE_CONV_2D": -1, "CONV_3D": -1, "CONV_3D_TRANSPOSE": -2}
# What may stand between a constant and its layer.
_BETWEEN = ("DEQUANTIZE", "DENSIFY", "CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE")


@dataclass(frozen=True)
class KernelCensus:
    """What one kernel holds: a row of the table."""

    name: str  # of the layer; where that repeats, of the tensor
    shape: tuple  # Keras counts output channels last, a .tflite file first, depthwise ones last
    dtype: str
    size_bytes: int  # as stored
    sparse_encoded: bool  # zeros left out; the places of the others are not in `size_bytes`
    sparsity: float  # share of zeros
    two_of_four_share: float  # groups of four inputs with two zeros or more; NaN where none are
    distinct_stored: int  # numbers as stored: of int8 at most 256, whatever the scales
    distinct_values: int  # as the network computes with them: an integer times each scale
    distinct_per_channel: int  # in the output channel with most; at most the number of clusters
    entropy_bits: float  # of the stored numbers, in bits a weight

    @property
    def count(self):
        """How many weights there are, zeros included."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False, repr=False)
class WeightCensus(Result):
    """What the kernels of a model or file hold."""

    kernels: tuple  # of KernelCensus, in the order in which the layers run
    left_out_values: int  # weights of one axis, but for what the converter left out or folded
    count: int  # weights in all kernels
    sparsity: float  # share of zeros among them
    entropy_bits: float  # a weight, each kernel with a code of its own
    other_values: int = 0  # of a file: those of more axes that no layer multiplies with

    def to_frame(self):
        """Return a DataFrame with one row per kernel."""
        import pandas as pd

        return pd.DataFrame(self.kernels).set_index("name")

    def summary(self):
        """Say how many zeros and distinct values the kernels have, and what they carry."""
        table = self.to_frame()
        shares = table["two_of_four_share"].dropna()
        stored, values = _span(table["distinct_stored"]), _span(table["distinct_values"])
        stand_for = f"numbers stored a kernel, which stand for {values} values"
        distinct = "values a kernel" if stored == values else stand_for
        others = f", and {self.other_values:,} of other constants" if self.other_values else ""
        return (
            f"{self.count:,} weights in {table['size_bytes'].sum():,} bytes: {self.sparsity:.1%} "
            f"zeros, in {(table['sparsity'] > 0).sum()} of {len(table)} kernels; 2:4 in "
            f"{(shares == 1).sum()} of {len(shares)}; {stored} distinct {distinct} "
            f"({_span(table['distinct_per_channel'])} at most in a channel); "
            f"{self.entropy_bits:.2f} bits a weight by entropy; left out: "
            f"{self.left_out_values:,} values of one axis{others}"
        )


def weight_census(model_or_tflite):
    """Count zeros, distinct values and entropy in the kernels of a model or of a .tflite file.

    Parameters
    ----------
    model_or_tflite : tf.keras.Model or bytes
        Of a Keras 2 model, the weights of two axes or more, as its forward pass uses them: with the
        mask, the clusters or the grid of its wrappers. Of a file, the constants of two axes or more
        that a layer multiplies its input with (convolutions, dense and recurrent layers, matrix
        products), and the tables of which embeddings take rows. First states of variables, anchors,
        masks, addends, factors of a normalisation, and what custom operators read are no kernels.

    Returns
    -------
    WeightCensus
        A layer has one name in a model and in a file; what the converter made without a layer,
        sparse-encoded weights, and layers of which another has the name, have the file's own. A
        file has batch normalisation folded in.

    Examples
    --------
    >>> import qkit as qk
    >>> model = qk.models.walkthrough_cnn()
    >>> weight_census(qk.convert(model, "dynamic_range")).to_frame()["distinct_stored"].to_dict()
    {'conv': 108, 'logits': 255}
    """
    if hasattr(model_or_tflite, "layers"):
        kernels, left_out, others = _of_model(network(model_or_tflite, what="weight_census"))
    else:
        kernels, left_out, others = _of_file(inspect(model_or_tflite))
    if not kernels:
        raise ValueError(
            "weight_census: there is no kernel: no stored weights of two axes or more. Is it built?"
        )
    count = sum(kernel.count for kernel in kernels)
    zeros = sum(kernel.count * kernel.sparsity for kernel in kernels) / count
    bits = sum(kernel.count * kernel.entropy_bits for kernel in kernels) / count
    return WeightCensus(tuple(kernels), left_out, count, zeros, bits, others)


def _of_model(opened):
    kernels = []
    for name, kernel in opened.kernels.items():
        layer = opened.layers.get(name) or opened.layers[name.rpartition("/")[0]]
        kind = type(getattr(layer, "layer", layer)).__name__
        depthwise = kind.startswith("Depthwise") or "/depthwise" in name
        if depthwise:  # (height, width, channels, multiplier)
            in_file = np.moveaxis(kernel.reshape(*kernel.shape[:2], -1), -1, 0)
        else:  # a transposed convolution counts its outputs before its inputs
            in_file = np.moveaxis(kernel, -2 if kind.endswith("Transpose") else -1, 0)
        head = name, kernel.shape, "float32", kernel.nbytes, False
        kernels.append(_counted(head, in_file, in_file, depthwise))
    left_out = sum(
        math.prod(weight.shape)
        for layer in opened.model.layers
        if type(layer).__name__ != "QuantizeLayer"  # the input's range
        for weight in getattr(layer, "layer", layer).weights
        if len(weight.shape) < 2
    )
    return kernels, left_out, 0


def _of_file(file):
    kernels, seen, names = [], set(), {""}
    makers = {id(op.outputs[0]): op for op in file.operators if op.name in _BETWEEN and op.outputs}
    for op in file.operators:
        for slot in _KERNELS.get(op.name, ()):
            tensor, steps = _source(op.input(slot), makers)
            if tensor is None or tensor.buffer in seen or not _holds_weights(tensor):
                continue
            stored, real = (_laid_out(f(tensor), steps) for f in (stored_values, real_values))
            if stored.ndim < 2:
                continue
            seen.add(tensor.buffer)
            name = apart((layer_name(tensor.name), tensor.name), names, tensor.index)
            names.add(name)
            head = name, stored.shape, tensor.dtype, tensor.size_bytes, tensor.sparsity is not None
            real = np.moveaxis(real, _channel_axis(op, slot), 0)
            kernels.append(_counted(head, stored, real, op.name == "DEPTHWISE_CONV_2D"))
    read = {tensor.buffer: tensor for op in file.operators for tensor in op.inputs}
    rest = [t for t in read.values() if t.size_bytes and t.buffer not in seen and _holds_weights(t)]
    flat = sum(stored_values(t).size for t in rest if len(t.shape) < 2)
    return kernels, flat, sum(stored_values(t).size for t in rest if len(t.shape) > 1)


def _holds_weights(tensor):
    """Whether it may be one; integer biases are, which have a scale: shapes have none."""
    return tensor.constant and (tensor.holds_values or tensor.scale.size > 0)


def _source(tensor, makers):
    """Return what a tensor is made from, and the operators that lay it out as it is."""
    steps = []
    while tensor is not None and id(tensor) in makers and len(steps) < len(makers):  # no circles
        steps.insert(0, makers[id(tensor)])
        tensor = steps[0].input(0)
    return tensor, steps


def _laid_out(values, steps):
    try:
        for op in steps:
            if op.name == "TRANSPOSE":
                values = values.transpose(stored_values(op.input(1)))
            else:
                values = values.reshape(op.outputs[0].shape)
    except (AttributeError, TypeError, ValueError) as error:
        raise TfliteError(f"a {op.name} of constants cannot be followed: {error}") from error
    return values


def _channel_axis(op, slot):
    if op.name != "BATCH_MATMUL":
        return _CHANNEL_AXIS.get(op.name, 0)
    turned = getattr(op.options, "adjY" if slot else "adjX", False)
    return -2 if turned == bool(slot) else -1


def _counted(head, stored, real, depthwise):
    """Return the census of a kernel, output channels first, after its first five fields."""
    grouped = not depthwise and real.shape[-1] >= 4
    return KernelCensus(
        *head,
        sparsity=sparsity(real),
        two_of_four_share=two_of_four_share(real) if grouped else float("nan"),
        distinct_stored=distinct_values(stored),
        distinct_values=distinct_values(real),
        distinct_per_channel=max(map(distinct_values, real)),
        entropy_bits=entropy_bits(stored),
    )


def _span(counts):
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
