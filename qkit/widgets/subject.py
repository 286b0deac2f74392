"""What the explorers of a network look at: its float file, some test images, and its answers."""

import numpy as np

from qkit.evaluate.accuracy import accuracy
from qkit.quantize.convert import convert


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
