"""How well a model does on labelled data, by accuracy or a metric of one's own, and how surely."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from qkit import validate
from qkit.interpreter.run import outputs, scores
from qkit.networks import network
from qkit.result import Result

_BATCH_IMAGES = 100  # of a folder, in memory at once


@dataclass(frozen=True, eq=False, repr=False)
class Accuracy(Result):
    """Predictions on labelled images, and the share that is right."""

    predictions: np.ndarray  # class numbers, shape (n,), int64; so are the labels
    labels: np.ndarray
    accuracy: float  # in [0, 1]
    interval: tuple  # its 95 % Wilson score interval

    @property
    def n(self):
        """Number of images."""
        return len(self.labels)

    def first(self, n):
        """Return the accuracy on the first `n` images alone."""
        return accuracy_of(self.predictions[:n], self.labels[:n])

    @property
    def percent(self):
        """The accuracy and the ends of its interval."""
        return tuple(100 * share for share in (self.accuracy, *self.interval))

    @property
    def row(self):
        """The figures of the table."""
        low, high = self.interval
        return {"accuracy": self.accuracy, "accuracy_low": low, "accuracy_high": high, "n": self.n}

    def summary(self):
        """Say in one line how often it is right, with the interval."""
        low, high = self.interval
        return f"{self.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}, n = {self.n:,})"


@dataclass(frozen=True)
class Metric:
    """A measure of success, for models that do something else than tell classes apart.

    Attributes
    ----------
    name : str, as in a table's head
    unit : str, "" for a share in [0, 1], or "dB"
    higher_is_better : bool
    tallies : callable
        From outputs (n, *output), float32, and targets to a row an item, or what `score` takes.
    score : callable
        From tallies and item weights of shape (n,) to the figure; weight 2 is the item twice.
    """

    name: str
    unit: str
    higher_is_better: bool
    tallies: Callable
    score: Callable

    def said(self, value, *, signed=False):
        """Return a score, or with its sign a difference of two, with its unit."""
        sign = "+" if signed else ""
        if self.unit:
            return f"{value:{sign}.2f} {self.unit}"
        return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"


@dataclass(frozen=True, eq=False, repr=False)
class Score(Result):
    """What a model scored by a metric."""

    metric: Metric
    tallies: object  # what the metric counted, item by item
    n: int  # items
    value: float  # in the metric's unit
    interval: tuple  # its 95 % bootstrap interval, over the items
    draws: np.ndarray | None = None  # on 2,000 bootstrap samples, the same for all of n items

    @property
    def row(self):
        """The figures of the table."""
        low, high = self.interval
        return {self.metric.name: self.value, "low": low, "high": high, "n": self.n}

    def summary(self):
        """Say in one line what it scored, with the interval."""
        value, low, high = map(self.metric.said, (self.value, *self.interval))
        return f"{self.metric.name} {value} (95 % interval {low} to {high}, n = {self.n:,})"


def accuracy(model, x, y=None, *, metric=None, batched=True, threads=None, follow=None):
    """Measure how well a .tflite file does, or the Keras model it came from.

    Parameters
    ----------
    model : bytes or tf.keras.Model
        With one input, and class scores of shape (n, classes) or, with a `metric`, any output.
    x : ndarray of shape (n, *input), as for `qk.outputs`; or ImageFolder, never all in memory
        On the scale the model was trained on; a file that takes integers gets them on its own grid.
    y : ndarray of shape (n,), integer class numbers, or targets as the metric takes them
        A folder has its own.
    metric : Metric, optional, to count instead of right classes
    batched, threads : as for `qk.outputs`; the predictions are the same
    follow : callable, optional, of the number of images done after each batch

    Returns
    -------
    Accuracy; or with a metric Score, its interval from 2,000 bootstrap samples of the items

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927): the interval of an accuracy.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> accuracy(model, digits.x_test, digits.y_test).n
    500
    """
    run = partial(_computed, model, batched, threads, metric is None)
    folder = hasattr(x, "batches")
    if metric is not None:
        if folder:
            raise ValueError("accuracy: a folder has class numbers; a metric takes arrays x, y.")
        y = validate.targets(y, count=len(x), what="accuracy: y")
        return _scored(metric, metric.tallies(run(x), y), len(x))
    predictions, labels = [], []
    for images, numbers in x.batches(_BATCH_IMAGES) if folder else [(x, y)]:
        given = run(images)
        n, classes = given.shape
        if folder:
            require_same_classes(x, classes)
        labels.append(validate.labels(numbers, count=n, classes=classes, what="accuracy: y"))
        predictions.append(given.argmax(axis=1))
        if follow is not None:
            follow(sum(map(len, labels)))
    return accuracy_of(np.concatenate(predictions), np.concatenate(labels))


def accuracy_of(predictions, labels):
    """Return the accuracy of predictions that are there already.

    Parameters
    ----------
    predictions, labels : array_like of shape (n,), integer

    Returns
    -------
    Accuracy

    Examples
    --------
    >>> accuracy_of(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 3])).accuracy
    0.75
    """
    from scipy.stats import binomtest

    predictions = validate.array(predictions, what="accuracy_of: predictions")
    labels = validate.array(labels, what="accuracy_of: labels")
    if predictions.shape != labels.shape or labels.ndim != 1 or not labels.size:
        raise ValueError(
            "accuracy_of: there must be one prediction a label, and one or more, got the shapes "
            f"{predictions.shape} and {labels.shape}."
        )
    right = int(np.count_nonzero(predictions == labels))
    interval = binomtest(right, len(labels)).proportion_ci(0.95, method="wilson")
    return Accuracy(predictions, labels, right / len(labels), tuple(interval))


def ratio(tallies, weights):
    """Return the weighted sum of the first column over that of the second: right ones over all."""
    over, under = weights @ tallies
    return float(over / under)


def require_same_classes(images, classes):
    """Refuse a folder of images whose class numbers mean other things than the model's outputs."""
    if len(images.class_names) != classes:
        raise ValueError(
            f"accuracy: the model has {classes:,} outputs, and the folder "
            f"{len(images.class_names):,} classes: their numbers would not mean the same. "
            "Pass class_names=… to load_image_folder, a sub-folder name for each output in order "
            "(for ImageNet the 1,000 WordNet ids, sorted); the folder may hold a few of them."
        )


def percentile_interval(draws):
    """Return the 95 % interval of bootstrap draws."""
    return tuple(np.percentile(draws, [2.5, 97.5]).tolist())


def _computed(model, batched, threads, classes, x):
    """Return the class scores, or what else there is, of a file or a Keras model."""
    if not hasattr(model, "predict"):
        run = scores if classes else outputs
        return _numbers(run(model, x, batched=batched, threads=threads, what="accuracy"))
    shape, _ = network(model, what="accuracy").shapes(what="accuracy", classifier=classes)
    x = validate.images(x, shape, what="accuracy: x")
    return _numbers(model.predict(x, batch_size=500, verbose=0))


def _numbers(given):
    """Refuse outputs that are NaN: the largest of them is none, and would pass for class 0."""
    if (lost := np.isnan(given).reshape(len(given), -1).any(axis=1)).any():
        raise ValueError(
            f"accuracy: the model gives NaN for {lost.sum():,} of {len(lost):,} items, first for "
            f"item {lost.argmax()}. Look for NaN among its weights, or an overflow in float16."
        )
    return given


def _scored(metric, tallies, n):
    rng = np.random.default_rng(0)  # the same samples for every model
    weights = (np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(2000))
    draws = np.array([metric.score(tallies, drawn) for drawn in weights])
    value = metric.score(tallies, np.ones(n))
    return Score(metric, tallies, n, value, percentile_interval(draws), draws)
