"""How often a classifier is right, and how sure that figure is."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit._tensorflow import classifier_shape
from qkit.interpreter.run import classifier_shapes, open_interpreter, scores
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Accuracy(Result):
    """Predictions on labelled images, and the share that is right.

    Attributes
    ----------
    predictions : ndarray of shape (n,), int64
    labels : ndarray of shape (n,), int64
    accuracy : float
        In [0, 1].
    interval : (float, float)
        95 % Wilson score interval of `accuracy`.
    """

    predictions: np.ndarray
    labels: np.ndarray
    accuracy: float
    interval: tuple

    @property
    def n(self):
        """Number of images."""
        return len(self.labels)

    @property
    def right(self):
        """Which predictions are right; ndarray of shape (n,), bool."""
        return self.predictions == self.labels

    def first(self, n):
        """Return the accuracy on the first `n` images alone."""
        return from_predictions(self.predictions[:n], self.labels[:n])

    def to_frame(self):
        """Return a DataFrame of one row."""
        import pandas as pd

        low, high = self.interval
        row = {"accuracy": self.accuracy, "accuracy_low": low, "accuracy_high": high, "n": self.n}
        return pd.DataFrame([row])

    def summary(self):
        """Say in one line how often it is right, with the interval."""
        low, high = self.interval
        return f"{self.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}, n = {self.n:,})"


def accuracy(model, x, y, *, batched=True, threads=None):
    """Measure the accuracy of a .tflite classifier, or of the Keras model it came from.

    Parameters
    ----------
    model : bytes or tf.keras.Model
        A .tflite file with one input and class scores of shape (n, classes) as output.
    x : ndarray of shape (n, *image), float
        On the scale the model was trained on. A file that takes integers gets them scaled, rounded
        and clipped by the grid of its own input.
    y : ndarray of shape (n,), integer
        Class numbers.
    batched : bool
        Run many images at once where the file allows it; the predictions are the same.
    threads : int or None
        None takes one a core.

    Returns
    -------
    Accuracy

    Raises
    ------
    TypeError, ValueError
        If the file cannot be run, is no classifier, or the data do not fit it.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927): the score interval.

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> accuracy(tflite, digits.x_test, digits.y_test).n
    500
    """
    if hasattr(model, "predict"):
        shape, _ = classifier_shape(model, what="accuracy")
        x = validate.images(x, shape, what="accuracy: x")
        given = model.predict(x, batch_size=500, verbose=0)
    else:
        given = scores(model, x, batched=batched, threads=threads, what="accuracy")
    y = validate.labels(y, count=len(given), classes=given.shape[1], what="accuracy: y")
    return from_predictions(given.argmax(axis=1), y)


def streamed_accuracy(model, images, *, batch_size=100, follow=None):
    """Measure the accuracy on a folder of images that are never all in memory.

    Parameters
    ----------
    model : bytes or tf.keras.Model
        As for `accuracy`.
    images : ImageFolder
        Or anything with `class_names` and `batches(size)`.
    batch_size : int
        Images in memory at once.
    follow : callable, optional
        Called with the number of images done after each batch.

    Returns
    -------
    Accuracy

    Raises
    ------
    TypeError, ValueError
        If the model is none that can be run, or knows another number of classes than the folder:
        its class numbers would then mean other things.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import qkit as qk
    >>> digits, tflite = qk.load_data("digits"), qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> whole = [(digits.x_test, digits.y_test)]
    >>> images = SimpleNamespace(class_names="0123456789", batches=lambda size: whole)
    >>> streamed_accuracy(tflite, images).n
    500
    """
    if hasattr(model, "predict"):
        classes = classifier_shape(model, what="accuracy")[1]
    else:
        classes = classifier_shapes(open_interpreter(model))[1]
    require_same_classes(images, classes)
    parts = []
    for x, y in images.batches(batch_size):
        parts.append(accuracy(model, x, y))
        if follow is not None:
            follow(sum(part.n for part in parts))
    return from_predictions(
        np.concatenate([part.predictions for part in parts]),
        np.concatenate([part.labels for part in parts]),
    )


def require_same_classes(images, classes):
    """Refuse a folder of images whose class numbers mean other things than the model's outputs.

    Parameters
    ----------
    images : ImageFolder
    classes : int
        Outputs of the model.

    Raises
    ------
    ValueError
        If their numbers of classes differ.
    """
    if len(images.class_names) != classes:
        raise ValueError(
            f"accuracy: the model has {classes:,} outputs, and the folder "
            f"{len(images.class_names):,} classes: their numbers would not mean the same. "
            "Pass class_names=… to load_image_folder, a sub-folder name for each output in order "
            "(for ImageNet the 1,000 WordNet ids, sorted); the folder may hold a few of them."
        )


def from_predictions(predictions, labels):
    """Return the accuracy of predictions that are there already.

    Parameters
    ----------
    predictions, labels : ndarray of shape (n,), integer

    Returns
    -------
    Accuracy

    Examples
    --------
    >>> from_predictions(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 3])).accuracy
    0.75
    """
    from scipy.stats import binomtest

    right = int(np.count_nonzero(predictions == labels))
    interval = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
    return Accuracy(predictions, labels, right / len(labels), (interval.low, interval.high))
