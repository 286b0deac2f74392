"""What became of the weights: zeros, 2:4, distinct values and entropy, kernel by kernel."""

import math
from dataclasses import dataclass

import numpy as np

from qkit.networks import network
from qkit.quantize.coding import distinct_values, entropy_bits, sparsity, two_of_four_share
from qkit.result import Result
from qkit.tflite.file import inspect, layer_name
from qkit.tflite.values import real_values, stored_values


@dataclass(frozen=True)
class KernelCensus:
    """What one kernel holds: a row of the table."""

    name: str  # of the layer
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
        return (
            f"{self.count:,} weights in {table['size_bytes'].sum():,} bytes: {self.sparsity:.1%} "
            f"zeros, in {(table['sparsity'] > 0).sum()} of {len(table)} kernels; 2:4 in "
            f"{(shares == 1).sum()} of {len(shares)}; {stored} distinct {distinct} "
            f"({_span(table['distinct_per_channel'])} at most in a channel); "
            f"{self.entropy_bits:.2f} bits a weight by entropy; left out: "
            f"{self.left_out_values:,} values of one axis"
        )


def weight_census(model_or_tflite):
    """Count zeros, distinct values and entropy in the kernels of a model or of a .tflite file.

    Parameters
    ----------
    model_or_tflite : tf.keras.Model or bytes
        Of a Keras 2 model, the kernels as its forward pass uses them: with the mask, the clusters
        or the grid of its wrappers.

    Returns
    -------
    WeightCensus
        A layer has one name in a model and in a file; what the converter made without a layer, and
        sparse-encoded weights, have the file's own. A file has batch normalisation folded in.

    Examples
    --------
    >>> import qkit as qk
    >>> model = qk.models.walkthrough_cnn()
    >>> weight_census(qk.convert(model, "dynamic_range")).to_frame()["distinct_stored"].to_dict()
    {'conv': 108, 'logits': 255}
    """
    if hasattr(model_or_tflite, "layers"):
        kernels, left_out = _of_model(network(model_or_tflite, what="weight_census"))
    else:
        kernels, left_out = _of_file(inspect(model_or_tflite))
    if not kernels:
        raise ValueError(
            "weight_census: there is no kernel: no stored weights of two axes or more. Is it built?"
        )
    count = sum(kernel.count for kernel in kernels)
    zeros = sum(kernel.count * kernel.sparsity for kernel in kernels) / count
    bits = sum(kernel.count * kernel.entropy_bits for kernel in kernels) / count
    return WeightCensus(tuple(kernels), left_out, count, zeros, bits)


def _of_model(opened):
    kernels = []
    for name, kernel in opened.kernels.items():
        layer = opened.layers.get(name) or opened.layers[name.rpartition("/")[0]]
        kind = type(getattr(layer, "layer", layer)).__name__
        depthwise = kind.startswith("Depthwise") or "/depthwise" in name
        if depthwise:  # (height, width, channels, multiplier)
            in_file = kernel.reshape(1, *kernel.shape[:2], -1)
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
    return kernels, left_out


def _of_file(file):
    kernels, left_out, seen, packed = [], 0, set(), {}
    for op in file.operators:
        read = [packed.get(id(tensor), tensor) for tensor in op.inputs]
        if op.name in ("DEQUANTIZE", "DENSIFY"):  # may stand between a constant and its layer
            packed[id(op.outputs[0])] = read[0]
            continue
        for tensor in read:
            # integer biases count too, which have a scale: shapes have none
            counts = tensor.constant and (tensor.holds_values or tensor.scale.size)
            if not counts or tensor.buffer in seen:
                continue
            seen.add(tensor.buffer)
            if len(tensor.shape) < 2:
                left_out += math.prod(tensor.shape)
                continue
            head = layer_name(tensor.name), tensor.shape, tensor.dtype, tensor.size_bytes
            stored, real = stored_values(tensor), real_values(tensor)
            sparse, depthwise = tensor.sparsity is not None, op.name == "DEPTHWISE_CONV_2D"
            kernels.append(_counted((*head, sparse), stored, real, depthwise))
    return kernels, left_out


def _counted(head, stored, real, depthwise):
    """Return the census of a kernel laid out as in a .tflite file, after its first five fields."""
    grouped = not depthwise and real.shape[-1] >= 4
    channels = np.moveaxis(real, -1 if depthwise else 0, 0)
    return KernelCensus(
        *head,
        sparsity=sparsity(real),
        two_of_four_share=two_of_four_share(real) if grouped else float("nan"),
        distinct_stored=distinct_values(stored),
        distinct_values=distinct_values(real),
        distinct_per_channel=max(map(distinct_values, channels)),
        entropy_bits=entropy_bits(stored),
    )


def _span(counts):
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
