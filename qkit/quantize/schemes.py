"""The quantization schemes, as values. A new scheme is one entry here, and its test."""

import difflib
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Scheme:
    """One way to put a network on a coarser grid: what it asks for, what it promises.

    Attributes
    ----------
    name : str
    title : str
        For tables and pictures.
    needs : {"nothing", "unlabelled sample", "labelled training data"}
        The data it asks for beside the trained model.
    weights : str
        dtype of the weights in the file.
    activations : str
        dtype of what flows between the operators.
    io : str
        dtype of the model's input and output.
    optimizations : tuple of str
        Names in ``tf.lite.Optimize``.
    supported_ops : tuple of str
        Names in ``tf.lite.OpsSet``; empty for the converter's default.
    supported_types : tuple of str
        Names of TensorFlow dtypes; empty for the converter's default.
    per_channel : bool
        Whether each channel of the weights has its own scale.
    published_size_cut, published_accuracy, published_hardware : str or None
        What the official guide says of it, see `PUBLISHED_SOURCE`; None where it says nothing.
    """

    name: str
    title: str
    needs: str
    weights: str
    activations: str
    io: str = "float32"
    optimizations: tuple = ("DEFAULT",)
    supported_ops: tuple = ()
    supported_types: tuple = ()
    per_channel: bool = True
    published_size_cut: str | None = None
    published_accuracy: str | None = None
    published_hardware: str | None = None

    @property
    def calibrated(self):
        """Whether it chooses activation ranges from a sample of unlabelled data."""
        return self.needs == "unlabelled sample"

    @property
    def trained(self):
        """Whether it wants a model that was trained through the grid (`quantization_aware`)."""
        return self.needs == "labelled training data"


PUBLISHED_SOURCE = "https://ai.google.dev/edge/litert/models/model_optimization"

_NOTHING, _SAMPLE, _LABELS = "nothing", "unlabelled sample", "labelled training data"
_EVERYWHERE = "CPU, GPU (Android), EdgeTPU, Hexagon DSP"

SCHEMES = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme("float32", "float32", _NOTHING, "float32", "float32", optimizations=()),
            Scheme(
                "float16",
                "float16 weights",
                _NOTHING,
                "float16",
                "float32",
                supported_types=("float16",),
                published_size_cut="up to 50 %",
                published_accuracy="insignificant loss",
                published_hardware="CPU, GPU",
            ),
            Scheme(
                "dynamic_range",
                "dynamic range",
                _NOTHING,
                "int8",
                "float32",
                published_size_cut="up to 75 %",
                published_accuracy="smallest loss",
                published_hardware="CPU, GPU (Android)",
            ),
            Scheme(
                "full_integer",
                "full integer",
                _SAMPLE,
                "int8",
                "int8",
                supported_ops=("TFLITE_BUILTINS_INT8",),
                published_size_cut="up to 75 %",
                published_accuracy="small loss",
                published_hardware=_EVERYWHERE,
            ),
            Scheme(
                "full_integer_int8_io",
                "full integer, int8 in and out",
                _SAMPLE,
                "int8",
                "int8",
                io="int8",
                supported_ops=("TFLITE_BUILTINS_INT8",),
                published_size_cut="up to 75 %",
                published_accuracy="small loss",
                published_hardware=_EVERYWHERE,
            ),
            Scheme(
                "int16_activations",
                "int16 activations, int8 weights",
                _SAMPLE,
                "int8",
                "int16",
                supported_ops=("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",),
            ),
            Scheme(
                "qat",
                "quantization-aware training",
                _LABELS,
                "int8",
                "int8",
                published_size_cut="up to 75 %",
                published_accuracy="smallest loss",
                published_hardware=_EVERYWHERE,
            ),
        )
    }
)


def find_scheme(scheme):
    """Return a scheme by its name; a `Scheme` is returned as it is.

    Parameters
    ----------
    scheme : str or Scheme

    Returns
    -------
    Scheme

    Raises
    ------
    ValueError
        If there is none of that name; the message has the nearest one.

    Examples
    --------
    >>> find_scheme("float16").published_size_cut
    'up to 50 %'
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and scheme in SCHEMES:
        return SCHEMES[scheme]
    typed = str(scheme).lower()
    near = [name for name in SCHEMES if name.startswith(typed)]
    near = near or difflib.get_close_matches(typed, SCHEMES, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"unknown scheme {scheme!r}.{hint} There are: {', '.join(SCHEMES)}.")
