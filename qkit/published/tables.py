"""Figures that others have published, as data, to stand beside our own."""

from types import MappingProxyType

import numpy as np

from qkit.published.architectures import ARCHITECTURES
from qkit.toolchain.schemes import PUBLISHED_SOURCE, SCHEMES

# The walkthrough this kit reproduces: MNIST, post-training quantization against quantization-aware
# training, 10 epochs each. MiB are 1,048,576 bytes.
WALKTHROUGH = MappingProxyType(
    {
        "float accuracy": 0.9821,
        "QAT accuracy, Keras": 0.9834,
        "QAT accuracy, .tflite": 0.9832,
        "float .tflite, MiB": 0.0809,
        "QAT .tflite, MiB": 0.0238,
        "times smaller": 4.0,
        "float slower by, s": 1.34,
    }
)

ARCHITECTURES_SOURCE = (
    "https://ai.google.dev/edge/litert/models/model_optimization, on one big core of a Pixel 2; "
    "the accuracies of Nasnet-Mobile and Resnet-v2 50: "
    "https://www.tensorflow.org/model_optimization/guide/quantization/training"
)

_NOWHERE = float("nan")
# top-1 original, post-training quantized, trained through the grid, "8-bit" without saying how;
# the first three again for milliseconds; megabytes original and optimized
_ARCHITECTURES = {
    "Mobilenet-v1-1-224": (0.709, 0.657, 0.70, _NOWHERE, 124, 112, 64, 16.9, 4.3),
    "Mobilenet-v2-1-224": (0.719, 0.637, 0.709, _NOWHERE, 89, 98, 54, 14, 3.6),
    "Inception_v3": (0.78, 0.772, 0.775, _NOWHERE, 1130, 845, 543, 95.7, 23.9),
    "Resnet_v2_101": (0.770, 0.768, *2 * (_NOWHERE,), 3973, 2868, _NOWHERE, 178.3, 44.9),
    "Nasnet-Mobile": (0.74, *2 * (_NOWHERE,), 0.73, *5 * (_NOWHERE,)),
    "Resnet-v2 50": (0.756, *2 * (_NOWHERE,), 0.75, *5 * (_NOWHERE,)),
}
_ARCHITECTURE_COLUMNS = (
    *(f"top1_{kind}" for kind in ("original", "ptq", "qat", "8_bit")),
    *(f"latency_{kind}_ms" for kind in ("original", "ptq", "qat")),
    *(f"size_{kind}_mb" for kind in ("original", "optimized")),
)
# The published columns that a scheme of ours stands beside; dynamic range is what the guide's
# post-training column was, and "optimized" is one size for all that stores int8 weights.
_COUNTERPARTS = {
    "top-1": {
        "float32": "top1_original",
        "dynamic_range": "top1_ptq",
        "full_integer": "top1_8_bit",
        "qat": "top1_qat",
    },
    "latency, × float32": {
        "float32": "latency_original_ms",
        "dynamic_range": "latency_ptq_ms",
        "qat": "latency_qat_ms",
    },
    "size, MB": {
        "float32": "size_original_mb",
        "dynamic_range": "size_optimized_mb",
        "full_integer": "size_optimized_mb",
        "qat": "size_optimized_mb",
    },
}
_MEASURED_COLUMNS = {
    "top-1": ("accuracy", "accuracy_low", "accuracy_high", "accuracy_status"),
    "latency, × float32": ("latency_ratio", "latency_ratio_low", "latency_ratio_high", "status"),
    "size, MB": ("size_mb", "size_mb", "size_mb", "status"),
}

INT16_SOURCE = (
    "https://ai.google.dev/edge/litert/models/post_training_integer_quant_16x8 and the guide of "
    "https://ai.google.dev/edge/litert/models/model_optimization"
)

# metric; float32, int8 and int16 activations (int8 weights in both)
_INT16_ACTIVATIONS = (
    ("Wav2letter", "word error rate", 0.067, 0.077, 0.072),
    ("DeepSpeech 0.5.1 (unrolled)", "character error rate", 0.0613, 0.4367, 0.0652),
    ("YoloV3", "mAP (IoU = 0.5)", 0.577, 0.563, 0.574),
    ("MobileNetV1", "top-1", 0.7062, 0.694, 0.6936),
    ("MobileNetV2", "top-1", 0.718, 0.7126, 0.7137),
    ("MobileBert", "F1", 0.8881, 0.0208, 0.8873),
    ("MobileBert", "exact match", 0.8123, 0.0, 0.8115),
)

COMPRESSION_SOURCE = (
    "https://www.tensorflow.org/model_optimization/guide/pruning/pruning_with_keras and "
    "https://www.tensorflow.org/model_optimization/guide/clustering/clustering_example"
)

# MNIST, the network of the walkthrough; technique, times smaller, and the two files divided
_COMPRESSION = (
    ("pruned 80 %", 3, "zipped .h5", "zipped .h5 and zipped .tflite, float32"),
    ("pruned 80 %, dynamic range", 10, "zipped .h5", "zipped .tflite, int8 weights"),
    ("16 clusters", 6, "zipped .h5", "zipped .h5 and zipped .tflite, float32"),
    ("16 clusters, dynamic range", 8, "zipped .h5", "zipped .tflite, int8 weights"),
)


def techniques():
    """Return the official guide's table of techniques.

    Returns
    -------
    pandas.DataFrame
        One row per technique: needs, size_cut, accuracy, hardware. Its source stands in
        ``.attrs["source"]``.

    Examples
    --------
    >>> techniques().loc["float16 weights", "size_cut"]
    'up to 50 %'
    """
    import pandas as pd

    named = ("float16", "dynamic_range", "full_integer", "qat")
    frame = pd.DataFrame(
        {
            SCHEMES[name].title: {
                "needs": SCHEMES[name].needs,
                "size_cut": SCHEMES[name].published_size_cut,
                "accuracy": SCHEMES[name].published_accuracy,
                "hardware": SCHEMES[name].published_hardware,
            }
            for name in named
        }
    ).T.rename_axis("technique")
    frame.attrs["source"] = PUBLISHED_SOURCE
    return frame


def architectures():
    """Return the official guide's table of networks before and after 8-bit quantization.

    Returns
    -------
    pandas.DataFrame
        One row per network: top-1 accuracies in [0, 1], latencies in ms, sizes in MB (1,000,000
        bytes); NaN where nothing is published. Its source stands in ``.attrs["source"]``.

    Examples
    --------
    >>> float(architectures().loc["Mobilenet-v2-1-224", "latency_ptq_ms"])
    98.0
    """
    import pandas as pd

    frame = pd.DataFrame.from_dict(
        _ARCHITECTURES, "index", columns=_ARCHITECTURE_COLUMNS, dtype=float
    )
    frame.attrs["source"] = ARCHITECTURES_SOURCE
    return frame.rename_axis("model")


def beside_architectures(measured):
    """Return the published figures of networks beside ours.

    Latencies are ratios to float32, as no two machines have the same milliseconds.

    Parameters
    ----------
    measured : pandas.DataFrame
        Rows of `Comparison.to_frame`, with the scheme as a column or the index, and a column
        `architecture` with a name in ``qk.published.ARCHITECTURES``.

    Returns
    -------
    pandas.DataFrame
        One row per architecture, quantity and scheme: `published`, `measured`, `low` and `high`
        (its 95 % interval), `status`, which is "measured", or "not possible" or "not measured"
        with the reason, and `text` with all of it, for reading.

    Raises
    ------
    ValueError
        If an architecture or a column is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"architecture": "MobileNet", "scheme": "float32", "size_bytes": 16.9e6}
    >>> row |= {"latency_ratio": 1.0, "latency_ratio_low": 1.0, "latency_ratio_high": 1.0}
    >>> row |= {"status": "measured", "accuracy_status": "not measured: no images"}
    >>> row |= dict.fromkeys(["accuracy", "accuracy_low", "accuracy_high"])
    >>> beside_architectures(pd.DataFrame([row]))["text"].to_list()[-1]
    '16.90; published 16.9'
    """
    import pandas as pd

    ours = measured.reset_index() if "scheme" not in measured else measured
    unknown = set(ours["architecture"]) - set(ARCHITECTURES)
    if unknown:
        raise ValueError(
            f"beside_architectures: {sorted(unknown)[0]!r} is no published network; there are: "
            f"{', '.join(ARCHITECTURES)}"
        )
    ours, theirs = ours.assign(size_mb=ours["size_bytes"] / 1e6), architectures()
    rows = []
    for quantity, columns in _MEASURED_COLUMNS.items():
        for row in ours.to_dict("records"):
            published = theirs.loc[ARCHITECTURES[row["architecture"]].published_name]
            column = _COUNTERPARTS[quantity].get(row["scheme"])
            figure = published[column] if column else _NOWHERE
            if quantity.startswith("latency"):
                figure /= published["latency_original_ms"]
            if row["scheme"] == "qat" and np.isnan(published["latency_qat_ms"]):
                figure = _NOWHERE  # the published file is the post-training one
            ours_here = (row[name] for name in columns)
            rows.append((row["architecture"], quantity, row["scheme"], figure, *ours_here))
    names = ["architecture", "quantity", "scheme", "published", "measured", "low", "high", "status"]
    frame = pd.DataFrame(rows, columns=names)
    frame["text"] = [_said(row) for row in frame.to_dict("records")]
    frame.attrs["source"] = ARCHITECTURES_SOURCE
    return frame


def _said(row):
    """Return a cell in words: what we measured or why not, and what is published."""
    text = row["status"]
    if text == "measured":
        digits = 3 if row["quantity"] == "top-1" else 2
        text = f"{row['measured']:.{digits}f}"
        if row["high"] > row["low"]:
            text += f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})"
    if not np.isnan(row["published"]):
        text += f"; published {row['published']:.4g}"
    return text


def int16_activations():
    """Return the official guide's table of int8 against int16 activations.

    Returns
    -------
    pandas.DataFrame
        One row per model and metric: float32, int8, int16; error rates are better when small. Its
        source stands in ``.attrs["source"]``.

    Examples
    --------
    >>> float(int16_activations().loc[("MobileBert", "F1"), "int8"])
    0.0208
    """
    import pandas as pd

    columns = ["model", "metric", "float32", "int8", "int16"]
    frame = pd.DataFrame(_INT16_ACTIVATIONS, columns=columns).set_index(["model", "metric"])
    frame.attrs["source"] = INT16_SOURCE
    return frame


def compression():
    """Return what the official tutorials claim for pruning and clustering, and what they divide.

    Returns
    -------
    pandas.DataFrame
        One row per technique: times_smaller, and the kinds of file, before and after, whose bytes
        are divided. Its source stands in ``.attrs["source"]``.

    Examples
    --------
    >>> compression().loc["pruned 80 %, dynamic range", ["before", "after"]].to_list()
    ['zipped .h5', 'zipped .tflite, int8 weights']
    """
    import pandas as pd

    columns = ["technique", "times_smaller", "before", "after"]
    frame = pd.DataFrame(_COMPRESSION, columns=columns).set_index("technique")
    frame.attrs["source"] = COMPRESSION_SOURCE
    return frame


def beside_walkthrough(ours):
    """Return the walkthrough's published figures beside ours.

    Parameters
    ----------
    ours : dict of str to float
        Keys from `WALKTHROUGH`.

    Returns
    -------
    pandas.DataFrame
        Columns published, here.

    Raises
    ------
    KeyError
        If a key names no published figure.

    Examples
    --------
    >>> float(beside_walkthrough({"float accuracy": 0.9805}).loc["float accuracy", "published"])
    0.9821
    """
    import pandas as pd

    unknown = set(ours) - set(WALKTHROUGH)
    if unknown:
        raise KeyError(
            f"{sorted(unknown)[0]!r} is no figure of the walkthrough; there are: "
            f"{', '.join(WALKTHROUGH)}"
        )
    return pd.DataFrame(
        {name: {"published": WALKTHROUGH[name], "here": value} for name, value in ours.items()}
    ).T
