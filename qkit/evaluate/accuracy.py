"""How well a model does on labelled data, by accuracy or a metric of one's own, and how surely."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from qkit import validate
from qkit.evaluate.tasks import (
    SQNR,
    Metric,
    answers,
    decides,
    find_metric,
    head_of,
    task_of,
    threshold,
    wanted,
)
from qkit.interpreter.run import outputs
from qkit.networks import is_keras_3, network
from qkit.result import Result
from qkit.samples import Stream, samples
from qkit.tflite.edit import first_signature

_BATCH_IMAGES = 100  # of a folder, in memory at once


@dataclass(frozen=True, eq=False, repr=False)
class Accuracy(Result):
    """Predictions on labelled images, and the share that is right."""

    predictions: np.ndarray  # class numbers, shape (n,), int64; so are the labels
    labels: np.ndarray
    accuracy: float  # in [0, 1]
    interval: tuple  # its 95 % Wilson score interval
    name: str = "accuracy"  # what is counted: of a single output, with the threshold
    at: float | None = None  # that threshold

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
        what = "" if self.name == "accuracy" else f"{self.name} "
        return f"{what}{self.accuracy:.4f} (95 % interval {low:.4f} to {high:.4f}, n = {self.n:,})"


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
    def worst(self):
        """Number of the item with the lowest SQNR, and that in dB; None of other metrics."""
        if self.metric is not SQNR:
            return None
        signal, noise = self.tallies.T
        with np.errstate(divide="ignore", invalid="ignore"):
            each = 10 * np.log10(signal / noise)
        each = np.where(noise > 0, each, np.inf)  # without noise it is perfect, silent or not
        return int(each.argmin()), float(each.min())

    @property
    def row(self):
        """The figures of the table."""
        low, high = self.interval
        return {self.metric.name: self.value, "low": low, "high": high, "n": self.n}

    def summary(self):
        """Say in one line what it scored, with the interval."""
        value, low, high = map(self.metric.said, (self.value, *self.interval))
        place, worst = self.worst or (0, np.inf)
        also = f"; worst item {self.metric.said(worst)}, no. {place:,}" if worst < np.inf else ""
        interval = f"95 % interval {low} to {high}, n = {self.n:,}"
        return f"{self.metric.name} {value} ({interval}{also})"


def accuracy(
    model,
    x,
    y=None,
    *,
    metric=None,
    class_names=None,
    batched=True,
    threads=None,
    follow=None,
    signature=None,
):
    """Measure how well a .tflite file does, or the Keras model it came from.

    What is counted is told from `y` and the outputs: right classes, of one output too, at the
    threshold 0.5 where all outputs lie in [0, 1], else at 0; for several labels of an item F1, for
    classes of pixels mean IoU, for real numbers RMSE.

    Parameters
    ----------
    model : bytes or tf.keras.Model
    x : ndarray of shape (n, *input), as for `qk.outputs`; or ImageFolder, never all in memory
        On the scale the model was trained on; a file that takes integers gets them on its own grid.
        Of several inputs a list, or a dict by name.
    y : ndarray of class numbers (n,), (n, 1) or one-hot, or of targets of the outputs' shape
        A folder has its own. Words, where `class_names` has them in the order of the outputs.
    metric : Metric, str or callable, optional, to count something else
        One of "RMSE", "MAE", "R²", "mean IoU", "pixel accuracy", "F1 of labels", "SQNR"; or any
        function of (y, outputs), where the larger is better but for a name in "error" or "loss".
        Of several outputs a dict of the one that is judged: ``{"box": "MAE"}``, or ``{"kind":
        None}`` for what its targets ask for; `y` is of that output, or a dict as well.
    class_names : sequence of str, optional, the words that `y` may hold
    batched, threads : as for `qk.outputs`; the predictions are the same
    signature : str, optional, of a file with several
    follow : callable, optional, of the number of images done after each batch

    Returns
    -------
    Accuracy; or Score of a metric, its interval from 2,000 bootstrap samples of the items

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
    metric = find_metric(metric, what="accuracy")
    y = validate.numbered(y, class_names, what="accuracy: y")
    if signature is not None:
        model = first_signature(model, signature, what="accuracy")
    run = partial(model_outputs, model, batched=batched, threads=threads)
    if not hasattr(x, "batches"):
        return judged(*head_of(run(x), y, metric, what="accuracy"))
    if metric is not None:
        raise ValueError("accuracy: a folder has class numbers; a metric takes arrays x, y.")
    predictions, labels = [], []
    for images, numbers in x.batches(_BATCH_IMAGES):
        given = run(images)
        require_same_classes(x, given.shape[-1])
        predictions.append(answers(given))
        labels.append(numbers)
        if follow is not None:
            follow(sum(map(len, labels)))
    return accuracy_of(np.concatenate(predictions), np.concatenate(labels))


def judged(given, y, metric=None, *, name="", at=None):
    """Hold outputs against targets, by a metric or what these ask for.

    A single output, or one of several labels, says yes from a threshold on, which is that of all
    files of a model: rounding may move the range of one by which it is told.
    """
    if metric is None:
        metric, y = task_of(y, given.shape[1:], count=len(given), what="accuracy: y")
    else:
        y = wanted(y, metric, given.shape[1:], count=len(given), what="accuracy: y")
    if decides(metric, given.shape[1:]):
        at = threshold(given) if at is None else at
        name = name or f"accuracy at {at:g}"
        given = (given > at).astype(np.float32)
    else:
        at = None
    if metric is not None:
        return _scored(metric, metric.tallies(given, y), len(given))
    return replace(accuracy_of(answers(given), y), name=name or "accuracy", at=at)


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


def require_classes(found, *, what):
    """Refuse what shows right and wrong answers where something else is counted."""
    if not isinstance(found, Accuracy):
        raise ValueError(
            f"{what} shows which answers are right, and of these outputs and targets "
            f"{found.metric.name} is counted. Measure them by qk.compare(model, (x, y)), or pass "
            "class numbers."
        )


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
    """Return the 95 % interval of bootstrap draws, those left out that have no score."""
    draws = draws[~np.isnan(draws)]
    if not draws.size:
        return float("nan"), float("nan")
    # nothing can be interpolated between infinite ones
    how = ("linear", "linear") if np.isfinite(draws).all() else ("lower", "higher")
    ends = zip((2.5, 97.5), how, strict=True)
    return tuple(float(np.percentile(draws, share, method=method)) for share, method in ends)


def model_outputs(model, x, *, batched=True, threads=None):
    """Return what a file or a Keras model gives, of shape (n, *output); refuse what is NaN."""
    if isinstance(x, Stream):
        given = [model_outputs(model, x, batched=batched, threads=threads) for x in x.parts()]
        if not isinstance(given[0], Mapping):
            return np.concatenate(given)
        return {name: np.concatenate([part[name] for part in given]) for name in given[0]}
    if not hasattr(model, "predict"):
        return without_nan(outputs(model, x, batched=batched, threads=threads, what="accuracy"))
    if is_keras_3(model):
        takes = {t.name: (tuple(t.shape[1:]), t.dtype) for t in model.inputs}
    else:
        takes = network(model, what="accuracy").takes
    x = samples(x, takes, what="accuracy: x") if takes else validate.array(x, what="accuracy: x")
    given = model.predict([*x.values()] if isinstance(x, Mapping) else x, batch_size=500, verbose=0)
    if isinstance(given, (list, tuple)):
        names = (
            network(model, what="accuracy").gives if not is_keras_3(model) else model.output_names
        )
        given = dict(zip(names, given, strict=True))
    if isinstance(given, Mapping) and len(given) == 1:
        (given,) = given.values()
    return without_nan(given)


def without_nan(given):
    """Refuse outputs that are NaN: the largest of them is none, and would pass for class 0."""
    if isinstance(given, Mapping):
        return {name: without_nan(part) for name, part in given.items()}
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
    draws = draws if n > 1 else draws * np.nan  # one item does not tell how items scatter
    value = metric.score(tallies, np.ones(n))
    return Score(metric, tallies, n, value, percentile_interval(draws), draws)
