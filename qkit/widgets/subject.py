"""What explorers of a network look at, its float file and its answers, and say of its layers."""

import re

import numpy as np

from qkit.evaluate.accuracy import accuracy
from qkit.toolchain.convert import convert

_FOLDED = re.compile("FusedBatchNorm|/batchnorm/")  # in the names of what it was folded into


def subject(model, data, images, *, what):
    """Return the float file of a classifier, the first test images, and what it makes of them.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
    images : int
        How many test images.
    what : str
        The caller's name, for the message.

    Returns
    -------
    (bytes, ndarray of shape (images, *image), ndarray of shape (images,), Accuracy)

    Raises
    ------
    TypeError, ValueError
        If the model or the data are not fit for it.
    """
    if isinstance(images, bool) or not (isinstance(images, (int, np.integer)) and images >= 1):
        raise ValueError(
            f"{what}: the number of test images must be a whole number of 1 or more, got "
            f"{images!r}."
        )
    tflite = model if isinstance(model, (bytes, bytearray)) else convert(model, "float32")
    x, y = data.x_test[:images], data.y_test[:images]
    return tflite, x, y, accuracy(tflite, x, y)  # which refuses damaged files


def said_of_layers(weights, does, done):
    """Say which layers were left whole, and that others work on kernels of another scale.

    Parameters
    ----------
    weights : PrunedWeights or ClusteredWeights
    does, done : str
        The verb: "prune", "pruned".

    Returns
    -------
    str
        Sentences, each after a blank; empty where there is nothing to say.
    """
    by_reason = {}
    for name, reason in weights.left_whole.items():
        by_reason.setdefault(reason, []).append(name)
    said = [f" Not {done}: {', '.join(names)} ({why})." for why, names in by_reason.items()]
    if any(_FOLDED.search(f"{x.weights_name} {x.activation_name}") for x in weights.layers):
        said.append(
            " Batch normalisation is folded into the kernels here; tensorflow-model-optimization "
            f"{does}s those before the folding."
        )
    return "".join(said)
