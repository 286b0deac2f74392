"""The quantization schemes, as values. A new scheme is one entry here, and its test."""

import difflib
from dataclasses import dataclass, replace
from types import MappingProxyType

_NOTHING, _SAMPLE, _LABELS = "nothing", "unlabelled sample", "labelled training data"
ENGINES = ("converter", "litert_quantizer")
_EVERYWHERE = "CPU, GPU (Android), EdgeTPU, Hexagon DSP"


@dataclass(frozen=True)
class Scheme:
    """One way to put a network on a coarser grid: what it asks for, what it promises.

    Attributes
    ----------
    name, title : str
    needs : {"nothing", "unlabelled sample", "labelled training data"}
        The data it asks for beside the trained model; the last two in "pruned+full_integer".
    weights, activations, io : str
        dtype of the weights in the file, of what flows between the operators, of input and output.
    technique : str
        What the model went through before, such as "pruned" or "qat"; empty for it as it is.
    optimizations, supported_ops, supported_types : tuple of str
        Names in ``tf.lite.Optimize``, in ``tf.lite.OpsSet`` and of dtypes; empty: the default.
    per_channel : bool
        Whether each channel of the weights has its own scale.
    engine : {"converter", "litert_quantizer"}
        TensorFlow's converter, which starts from a model; or litert-quantizer, which starts from a
        float file and is asked for by the fields below.
    weight_only : bool
        Whether weights go back to float before they are used; else, without a grid of their own,
        activations are put on one as they come.
    block_size : {0, 32, 64}
        How many weights of a dense layer's output share a scale; 0: all of them.
    algorithm : {"min_max", "mse", "octav", "gptq", "hadamard"}
        How the grid of the weights is chosen. Where an operator does not go with it: "min_max".
    published_size_cut, published_accuracy, published_hardware : str or None
        What the official guide says of it, see `PUBLISHED_SOURCE`; None where it says nothing.
    """

    name: str
    title: str
    needs: str
    weights: str
    activations: str
    io: str = "float32"
    technique: str = ""
    optimizations: tuple = ("DEFAULT",)
    supported_ops: tuple = ()
    supported_types: tuple = ()
    per_channel: bool = True
    engine: str = "converter"
    weight_only: bool = False
    block_size: int = 0
    algorithm: str = "min_max"
    published_size_cut: str | None = None
    published_accuracy: str | None = None
    published_hardware: str | None = None

    @property
    def calibrated(self):
        """Whether it chooses activation ranges from a sample of unlabelled data."""
        return _SAMPLE in self.needs

    @property
    def through_grid(self):
        """Whether it wants a model that was trained through the grid (`quantization_aware`)."""
        return self.technique.endswith("qat")


PUBLISHED_SOURCE = "https://ai.google.dev/edge/litert/models/model_optimization"


def _guide(cut, loss, hardware):
    return {
        "published_size_cut": f"up to {cut}",
        "published_accuracy": f"{loss} loss",
        "published_hardware": hardware,
    }


_INTEGER = {"supported_ops": ("TFLITE_BUILTINS_INT8",), **_guide("75 %", "small", _EVERYWHERE)}
_INT16 = ("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",)
_QUANTIZER = {"engine": "litert_quantizer", "optimizations": ()}
_INT4 = (_NOTHING, "int4", "float32")
_TRAINED_INT8 = (_LABELS, "int8", "int8", "float32")
_TRAINED_FLOAT = (_LABELS, "float32", "float32", "float32")
_ALL = (
    Scheme("float32", "float32", _NOTHING, "float32", "float32", optimizations=()),
    Scheme(
        "float16", "float16 weights", _NOTHING, "float16", "float32",
        supported_types=("float16",), **_guide("50 %", "insignificant", "CPU, GPU"),
    ),
    Scheme(
        "dynamic_range", "dynamic range", _NOTHING, "int8", "float32",
        **_guide("75 %", "smallest", "CPU, GPU (Android)"),
    ),
    Scheme("full_integer", "full integer", _SAMPLE, "int8", "int8", **_INTEGER),
    Scheme(
        "full_integer_int8_io", "full integer, int8 in and out", _SAMPLE, "int8", "int8",
        io="int8", **_INTEGER,
    ),
    Scheme(
        "int16_activations", "int16 activations, int8 weights", _SAMPLE, "int8", "int16",
        supported_ops=_INT16,
    ),
    Scheme(
        "qat", "quantization-aware training", *_TRAINED_INT8, "qat",
        **_guide("75 %", "smallest", _EVERYWHERE),
    ),
    Scheme("pruned", "pruned", *_TRAINED_FLOAT, "pruned", ()),
    Scheme("clustered", "clustered", *_TRAINED_FLOAT, "clustered", ()),
    Scheme("pruned_clustered", "pruned, then clustered", *_TRAINED_FLOAT, "pruned_clustered", ()),
    Scheme("pqat", "QAT that preserves sparsity", *_TRAINED_INT8, "pqat"),
    Scheme("cqat", "QAT that preserves clusters", *_TRAINED_INT8, "cqat"),
    Scheme("pcqat", "QAT that preserves sparsity and clusters", *_TRAINED_INT8, "pcqat"),
    Scheme(
        "litert_dynamic_range", "dynamic range, by litert-quantizer", _NOTHING, "int8", "float32",
        **_QUANTIZER,
    ),
    Scheme(
        "litert_full_integer", "full integer, by litert-quantizer", _SAMPLE, "int8", "int8",
        **_QUANTIZER,
    ),
    Scheme(
        "litert_int16_activations", "int16 activations, by litert-quantizer", _SAMPLE, "int8",
        "int16", **_QUANTIZER,
    ),
    Scheme(
        "weight_only_int8", "int8 weights, computed in float", _NOTHING, "int8", "float32",
        weight_only=True, **_QUANTIZER,
    ),
    Scheme(
        "weight_only_int4", "int4 weights, computed in float", *_INT4, weight_only=True,
        **_QUANTIZER,
    ),
    Scheme("int4", "int4 weights", *_INT4, **_QUANTIZER),
    Scheme("int4_blocks_32", "int4 weights in blocks of 32", *_INT4, block_size=32, **_QUANTIZER),
    Scheme("int4_blocks_64", "int4 weights in blocks of 64", *_INT4, block_size=64, **_QUANTIZER),
    Scheme("int4_mse", "int4 weights, steps from their RMS", *_INT4, algorithm="mse", **_QUANTIZER),
    Scheme("int4_octav", "int4 weights by OCTAV", *_INT4, algorithm="octav", **_QUANTIZER),
    Scheme("int4_hadamard", "int4 weights, rotated", *_INT4, algorithm="hadamard", **_QUANTIZER),
    Scheme(
        "int4_gptq", "int4 weights by GPTQ", _SAMPLE, "int4", "float32", algorithm="gptq",
        **_QUANTIZER,
    ),
    Scheme(
        "int2", "int2 dense layers, int4 convolutions", _NOTHING, "int2", "float32", **_QUANTIZER
    ),
)  # fmt: skip
SCHEMES = MappingProxyType({scheme.name: scheme for scheme in _ALL})


def find_scheme(scheme):
    """Return the scheme of a name, or of two as in "pruned+full_integer"; a `Scheme` as it is.

    Before the plus stands what the model goes through, after it how it is converted then.
    """
    if isinstance(scheme, Scheme):
        return scheme
    if isinstance(scheme, str) and scheme.count("+") == 1:
        return _combined(*(find_scheme(part.strip()) for part in scheme.split("+")))
    if isinstance(scheme, str) and scheme in SCHEMES:
        return SCHEMES[scheme]
    typed = str(scheme).lower()
    begun = [name for name in SCHEMES if name.startswith(typed)]
    near = begun or difflib.get_close_matches(typed, SCHEMES, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"unknown scheme {scheme!r}.{hint} There are: {', '.join(SCHEMES)}; and combinations such "
        "as 'pruned+full_integer'."
    )


def _combined(first, then):
    """Return the scheme of a model that goes through one and is converted under the other."""
    name = f"{first.name}+{then.name}"
    if not first.technique or then.technique:
        raise ValueError(
            f"unknown scheme {name!r}: before the plus stands what the model goes through, one of "
            f"{', '.join(n for n, s in SCHEMES.items() if s.technique)}; after it how it is "
            f"converted, one of {', '.join(n for n, s in SCHEMES.items() if not s.technique)}."
        )
    title = f"{first.title}, {then.title}"
    if first.through_grid:
        if then.activations != "int8" or then.engine != "converter":
            raise ValueError(
                f"unknown scheme {name!r}: a model that was trained through the grid has int8 "
                "weights and activations. Only its input and output can be chosen: "
                f"'{first.name}' or '{first.name}+full_integer_int8_io'."
            )
        return replace(first, name=name, title=title, io=then.io)
    return replace(
        then, name=name, title=title, technique=first.technique,
        needs=_LABELS if then.needs == _NOTHING else f"{_LABELS}, {then.needs}",
        published_size_cut=None, published_accuracy=None, published_hardware=None,
    )  # fmt: skip
