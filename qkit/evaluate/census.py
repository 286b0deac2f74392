"""What became of the weights: zeros, 2:4, distinct values and entropy, kernel by kernel."""

from dataclasses import asdict, dataclass

import numpy as np

from qkit.networks import network
from qkit.quantize.coding import distinct_values, entropy_bits, sparsity, two_of_four_share
from qkit.result import Result
from qkit.tflite.file import inspect, layer_name
from qkit.tflite.values import real_values, stored_values

_UNPACKING = ("DEQUANTIZE", "DENSIFY")  # what may stand between a constant and its layer


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
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False, repr=False)
class WeightCensus(Result):
    """What the kernels of a model or file hold."""

    kernels: tuple  # of KernelCensus, in the order in which the layers run
    left_out_values: int  # weights of one axis, but for what the converter left out or folded

    @property
    def count(self):
        """How many weights there are in all kernels."""
        return sum(kernel.count for kernel in self.kernels)

    @property
    def size_bytes(self):
        """Of all kernels as stored."""
        return sum(kernel.size_bytes for kernel in self.kernels)

    @property
    def sparsity(self):
        """Share of zeros among the weights of all kernels, in 0–1."""
        return self._mean("sparsity")

    @property
    def entropy_bits(self):
        """Bits a weight, over all kernels, each with a code of its own."""
        return self._mean("entropy_bits")

    def to_frame(self):
        """Return a DataFrame with one row per kernel."""
        import pandas as pd

        return pd.DataFrame([asdict(kernel) for kernel in self.kernels]).set_index("name")

    def summary(self):
        """Say how many zeros and distinct values the kernels have, and what they carry."""
        table = self.to_frame()
        shares = table["two_of_four_share"].dropna()
        stored, values = _span(table["distinct_stored"]), _span(table["distinct_values"])
        distinct = f"{stored} distinct values a kernel"
        if stored != values:
            distinct = f"{stored} distinct numbers stored a kernel, which stand for {values} values"
        return (
            f"{self.count:,} weights in {self.size_bytes:,} bytes: {self.sparsity:.1%} zeros, in "
            f"{(table['sparsity'] > 0).sum()} of {len(table)} kernels; 2:4 in "
            f"{(shares == 1).sum()} of {len(shares)}; {distinct} "
            f"({_span(table['distinct_per_channel'])} at most in a channel); "
            f"{self.entropy_bits:.2f} bits a weight by entropy; left out: "
            f"{self.left_out_values:,} values of one axis"
        )

    def _mean(self, name):
        return sum(k.count * getattr(k, name) for k in self.kernels) / self.count


def weight_census(model_or_tflite):
    """Count zeros, distinct values and entropy in the kernels of a model or of a .tflite file.

    Parameters
    ----------
    model_or_tflite : tf.keras.Model or bytes
        A Keras 2 model, of which the kernels are counted as its forward pass uses them: with the
        mask, the clusters or the grid of the wrappers that it may have. Or a .tflite file.

    Returns
    -------
    WeightCensus
        Of tensors of two axes or more. A layer has one name in a model and in a file; what the
        converter made without a layer, and sparse-encoded weights, have the file's own name. Where
        batch normalisation is folded into a layer, a file has other values than its model: zeros
        stay, shared values become those of a channel.

    Examples
    --------
    >>> import qkit as qk
    >>> model = qk.models.walkthrough_cnn()
    >>> weight_census(qk.convert(model, "dynamic_range")).to_frame()["distinct_stored"].to_dict()
    {'conv': 108, 'logits': 255}
    """
    if isinstance(model_or_tflite, (bytes, bytearray)):
        found, left_out = _of_file(bytes(model_or_tflite))
    elif hasattr(model_or_tflite, "layers"):
        found, left_out = _of_model(model_or_tflite)
    else:
        raise TypeError(
            "weight_census: expected a Keras model or the bytes of a .tflite file, got "
            f"{type(model_or_tflite).__name__}. Read a file with pathlib.Path(...).read_bytes()."
        )
    if not found:
        raise ValueError(
            "weight_census: there is no kernel: no stored weights of two axes or more. Is it built?"
        )
    return WeightCensus(tuple(found), left_out)


def _of_model(model):
    opened = network(model, what="weight_census")
    found = []
    for name, kernel in opened.kernels.items():
        layer = opened.layers.get(name) or opened.layers[name.rpartition("/")[0]]
        kind = type(getattr(layer, "layer", layer)).__name__
        depthwise = kind.startswith("Depthwise") or "/depthwise" in name
        if depthwise:  # (height, width, channels, multiplier)
            in_file = kernel.reshape(1, *kernel.shape[:2], -1)
        else:  # a transposed convolution counts its outputs before its inputs
            in_file = np.moveaxis(kernel, -2 if kind.endswith("Transpose") else -1, 0)
        head = name, kernel.shape, "float32", kernel.nbytes, False
        found.append(KernelCensus(*head, **_statistics(in_file, in_file, depthwise)))
    few = [
        weight
        for layer in opened.model.layers
        if type(layer).__name__ != "QuantizeLayer"  # the input's range
        for weight in getattr(layer, "layer", layer).weights
        if len(weight.shape) < 2
    ]
    return found, sum(int(np.prod(weight.shape)) for weight in few)


def _of_file(tflite):
    file = inspect(tflite)
    readers = {}  # by tensor, the position and name of the operator that computes with it
    for position, op in reversed([*enumerate(file.operators)]):
        through = op.name in _UNPACKING and id(op.outputs[0]) in readers
        reader = readers[id(op.outputs[0])] if through else (position, op.name)
        readers |= {id(tensor): reader for tensor in op.inputs}
    constants = [t for t in file.tensors if t.constant and (t.holds_values or t.scale.size)]
    found, left_out, seen = [], 0, set()
    for tensor in sorted(constants, key=lambda t: readers.get(id(t), (-1, ""))):
        if tensor.buffer in seen:
            continue
        seen.add(tensor.buffer)
        if len(tensor.shape) < 2:  # integer biases too, which have a scale: shapes have none
            left_out += stored_values(tensor).size
            continue
        depthwise = readers.get(id(tensor), (-1, ""))[1] == "DEPTHWISE_CONV_2D"
        sparse = tensor.sparsity is not None
        head = layer_name(tensor.name), tensor.shape, tensor.dtype, tensor.size_bytes, sparse
        statistics = _statistics(stored_values(tensor), real_values(tensor), depthwise)
        found.append(KernelCensus(*head, **statistics))
    return found, left_out


def _statistics(stored, real, depthwise):
    """Return what is counted of a kernel in the layout of a .tflite file."""
    grouped = not depthwise and real.shape[-1] >= 4
    channels = np.moveaxis(real, -1 if depthwise else 0, 0)
    return {
        "sparsity": sparsity(real),
        "two_of_four_share": two_of_four_share(real) if grouped else float("nan"),
        "distinct_stored": distinct_values(stored),
        "distinct_values": distinct_values(real),
        "distinct_per_channel": max(distinct_values(channel) for channel in channels),
        "entropy_bits": entropy_bits(stored),
    }


def _span(counts):
    low, high = counts.min(), counts.max()
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
