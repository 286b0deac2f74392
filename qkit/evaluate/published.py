"""Figures that others have published, as data, to stand beside our own."""

from types import MappingProxyType

from qkit.quantize.schemes import PUBLISHED_SOURCE, SCHEMES

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
