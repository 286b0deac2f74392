"""What a model is asked to do, told from its outputs and targets, and what is counted then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from qkit import validate
from qkit.quantize.errors import decibels

_WANTED = {  # by what a metric wants: how one says it, of outputs of some classes
    "classes": "whole class numbers from 0 to {}, one for each item or pixel",
    "labels": "0 or 1 for each output",
    "numbers": "numbers of the outputs' own shape",
}


@dataclass(frozen=True)
class Metric:
    """A measure of success, for models that do something else than tell classes apart.

    Attributes
    ----------
    name : str, as in a table's head
    unit : str or None
        "" for a share in [0, 1], "dB", or None for a plain number, as an error in the targets' unit
    higher_is_better : bool
    tallies : callable
        From outputs (n, *output), float32, and targets to a row an item, or what `score` takes.
    score : callable
        From tallies and item weights of shape (n,) to the figure; weight 2 is the item twice.
    wants : {"", "classes", "labels", "numbers"}
        What targets must be; of classes it is handed numbers, also where rows are one-hot.
    """

    name: str
    unit: str | None
    higher_is_better: bool
    tallies: Callable
    score: Callable
    wants: str = ""

    def __post_init__(self):
        validate.choice(self.wants, ("", *_WANTED), name="Metric: wants")

    def __reduce__(self):
        """Travel by name where it is a ready one, so that it is the same one everywhere."""
        if METRICS.get(self.name) is self:
            return partial(find_metric, what="metric"), (self.name,)
        return Metric, tuple(vars(self).values())

    @property
    def factor(self):
        """What a figure is multiplied by where it is shown: a share is shown in percent."""
        return 100 if self.unit == "" else 1

    def said(self, value, *, signed=False):
        """Return a score, or with its sign a difference of two, with its unit."""
        sign = "+" if signed else ""
        if self.unit == "":
            return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"
        return f"{value:{sign}.2f} {self.unit}" if self.unit else f"{value:{sign}.4g}"


def ratio(tallies, weights):
    """Return the weighted sum of the first column over that of the second: right ones over all."""
    over, under = weights @ tallies
    return float(over / under) if under else 1.0  # as where nothing was to find, and nothing was


def threshold(outputs):
    """Return from where on a single output says yes: one half of a probability, 0 of a logit."""
    return 0.5 if outputs.min() >= 0 and outputs.max() <= 1 else 0.0


def answers(outputs):
    """Return the class that outputs name along the last axis, int64; a single one says yes or no.

    A threshold is that of all items, so all outputs are to be there.
    """
    if outputs.ndim > 1 and outputs.shape[-1] > 1:
        return outputs.argmax(axis=-1)
    single = outputs[..., 0] if outputs.ndim > 1 else outputs
    return (single > threshold(outputs)).astype(np.int64)


def _labels_found(outputs, y):
    found, wanted = outputs > threshold(outputs), y == 1
    return np.stack([2 * (found & wanted).sum(1), found.sum(1) + wanted.sum(1)], axis=1)


def _overlaps(outputs, y):
    """Return by item how many pixels of each class are in both, and in either; one row an item."""
    classes, found = max(outputs.shape[-1], 2), answers(outputs)
    each = np.arange(classes)
    items = zip(found.reshape(len(found), -1, 1), y.reshape(len(y), -1, 1), strict=True)
    both = [((f == each) & (t == each), (f == each) | (t == each)) for f, t in items]
    return np.array([np.concatenate([a.sum(0), o.sum(0)]) for a, o in both])


def _mean_iou(tallies, weights):
    both, either = np.split(weights @ tallies, 2)
    return float(np.mean(both[either > 0] / either[either > 0]))


def _pixels(outputs, y):
    right = answers(outputs).reshape(len(y), -1) == y.reshape(len(y), -1)
    return np.stack([right.sum(1), np.full(len(y), right.shape[1])], axis=1)


def _errors(power):
    def tallies(outputs, y):
        apart = np.abs(outputs.reshape(len(y), -1) - y.reshape(len(y), -1).astype(float)) ** power
        return np.stack([apart.sum(1), np.full(len(y), apart.shape[1])], axis=1)

    return tallies


def _root(tallies, weights):
    return float(np.sqrt(ratio(tallies, weights)))


def _moments(outputs, y):
    y = y.reshape(len(y), -1).astype(float)
    if (y == y[0]).all(axis=0).any():
        raise ValueError(
            f"accuracy: y does not vary (n = {len(y):,}), in one of the outputs or in all, and R² "
            "is what is told of how it varies. Pass items whose targets differ, or metric='RMSE'."
        )
    return np.stack([(outputs.reshape(y.shape) - y) ** 2, y, y**2, np.ones_like(y)], axis=1)


def _explained(tallies, weights):
    wrong, sums, squares, count = np.tensordot(weights, tallies, 1)
    spread = squares - sums**2 / count
    spread[spread <= 1e-12 * squares] = np.nan  # of one value alone, but for rounding
    return float(np.mean(1 - wrong / spread))


def _powers(outputs, y):
    signal = y.reshape(len(y), -1).astype(float)
    noise = outputs.reshape(signal.shape) - signal
    return np.stack([(signal**2).sum(1), (noise**2).sum(1)], axis=1)


def _decibels(tallies, weights):
    return float(decibels(*(weights @ tallies)))


# Of all labels together, and over the classes that there are.
F1 = Metric("F1 of labels", "", True, _labels_found, ratio, "labels")
MEAN_IOU = Metric("mean IoU", "", True, _overlaps, _mean_iou, "classes")
RMSE = Metric("RMSE", None, False, _errors(2), _root, "numbers")
SQNR = Metric("SQNR", "dB", True, _powers, _decibels, "numbers")
METRICS = {
    metric.name: metric
    for metric in (
        F1,
        MEAN_IOU,
        Metric("pixel accuracy", "", True, _pixels, ratio, "classes"),
        RMSE,
        Metric("MAE", None, False, _errors(1), ratio, "numbers"),
        Metric("R²", None, True, _moments, _explained, "numbers"),  # the mean of several outputs
        SQNR,
    )
}


def decides(metric, shape):
    """Whether outputs say yes or no before they are counted, from a threshold on."""
    single = not shape or shape[-1] == 1
    wants = "classes" if metric is None else metric.wants
    return wants == "labels" or (single and wants == "classes")


def find_metric(metric, *, what):
    """Return a metric by its name, or out of a function of (y, outputs); None as it is.

    Of a dict with one output's name, as for models of several, a dict of that.
    """
    if isinstance(metric, Mapping):
        if len(metric) != 1:
            raise ValueError(
                f"{what}: metric names {len(metric)} outputs, and one is judged at a time: "
                "metric={'name': None}, or with a metric in the place of None."
            )
        return {name: find_metric(of, what=what) for name, of in metric.items()}
    if metric is None or isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return METRICS[validate.choice(metric, METRICS, name=f"{what}: metric")]
    if callable(metric):
        return _of_function(metric)
    raise TypeError(
        f"{what}: metric must be a qk.Metric, a function of (y, outputs), or one of "
        f"{', '.join(map(repr, METRICS))}; got {type(metric).__name__}."
    )


def head_of(given, y, metric, *, what):
    """Return outputs, targets and metric of the one output that is judged, of a model of several.

    `given`, and `y` if one likes, is a dict by the outputs' names, and so is `metric`, of one.
    """
    require_head({"": ()} if not isinstance(given, Mapping) else given, metric, what=what)
    if not isinstance(metric, Mapping):
        return given, y, metric
    ((name, own),) = metric.items()
    if isinstance(y, Mapping) and name not in y:
        raise ValueError(f"{what}: y has {', '.join(map(repr, y))}, and nothing of {name!r}.")
    return given[name], y[name] if isinstance(y, Mapping) else y, own


def require_head(gives, metric, *, what):
    """Refuse a metric that does not say which of a model's outputs is judged."""
    names = ", ".join(map(repr, gives))
    if not isinstance(metric, Mapping) and len(gives) > 1:
        raise ValueError(
            f"{what}: the model has {len(gives)} outputs, {names}, and one is judged at a time. "
            f"Name it: metric={{{next(iter(gives))!r}: None}}, or with a metric in place of None."
        )
    if isinstance(metric, Mapping) and not set(metric) <= set(gives):
        raise ValueError(
            f"{what}: metric names the output {next(iter(metric))!r}, and the model has "
            f"{names if len(gives) > 1 else 'only one: leave the name out'}."
        )


@cache
def _of_function(function):
    """Return a metric out of a function, scikit-learn's for one; errors and losses are small."""
    name = _name_of(function)
    score, small = partial(_score_of, function), name.endswith(("error", "loss"))
    return Metric(name.replace("_", " "), None, not small, _both, score)


def _name_of(function):
    return getattr(function, "__name__", type(function).__name__)


def _both(outputs, y):
    return np.asarray(y), outputs


def _score_of(function, tallies, weights):
    times = weights.astype(int)
    try:
        return float(function(*(np.repeat(part, times, axis=0) for part in tallies)))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"metric: {_name_of(function)} must take (y, outputs), here of shape "
            f"{' and '.join(str(part.shape) for part in tallies)}, and return a number: {error}"
        ) from error


def task_of(y, shape, *, count, what):
    """Return what is to be counted for targets `y` of a model that gives items of a shape.

    Returns
    -------
    (None, y) for classes, then int64 of shape (n,); else a Metric and targets as it takes them:
    several labels of an item F1, classes of pixels mean IoU, real numbers RMSE.
    """
    y = _numbers(y, count, what)
    if (named := _named(y, shape, what)) is not None:
        return MEAN_IOU if len(shape) > 1 else None, named
    if len(shape) == 1 < shape[0] and y.shape == (count, *shape) and _yes_or_no(y):
        return F1, y
    if y.shape == (count, *shape) or (len(shape) < 2 and _alike(y.shape, (count, *shape))):
        return RMSE, y.reshape(count, *shape)
    raise _unfit(y, shape, "classes", "numbers", what=what)


def wanted(y, metric, shape, *, count, what):
    """Return targets as a metric takes them, of one's own as they are.

    What does not fit would be broadcast to a figure, or hold classes that there are not.
    """
    y, own = _numbers(y, count, what), (count, *shape)
    if not metric.wants:
        return y
    if metric.wants == "classes":
        found = _named(y, shape, what)
    else:
        fits = _alike(y.shape, own) and (metric.wants == "numbers" or _yes_or_no(y))
        found = y.reshape(own) if fits else None
    if found is None:
        raise _unfit(y, shape, metric.wants, what=f"{what}, for {metric.name},")
    return found


def _named(y, shape, what):
    """Return the class of each item or pixel, of one-hot rows too; None where `y` has none."""
    each, classes = (len(y), *shape[:-1]), shape[-1] if shape else 1
    binary = _yes_or_no(y)
    if y.shape in (each, (*each, 1)) and (binary or (classes > 1 and (y == np.round(y)).all())):
        flat, classes = y.reshape(-1), max(classes, 2)
        return validate.labels(flat, count=y.size, classes=classes, what=what).reshape(each)
    if y.shape == (*each, classes) and binary and (y.sum(axis=-1) == 1).all():
        return y.argmax(axis=-1)
    return None


def _yes_or_no(y):
    return np.isin(y, (0, 1)).all()


def _alike(shape, other):
    """Whether shapes are the same, but for a last axis of one."""
    return shape in (other, (*other, 1)) or (*shape, 1) == other


def _unfit(y, shape, *wants, what):
    ways = ", or ".join(map(_WANTED.get, wants)).format(max(*shape[-1:], 2) - 1)
    return ValueError(
        f"{what} of shape {y.shape}, {y.dtype}, cannot be held against outputs of shape "
        f"{(len(y), *shape)}. Pass {ways}."
    )


def _numbers(y, count, what):
    if y is None:
        raise ValueError(
            f"{what} is missing: pass what is right of each item. How true a file is to the float "
            "one is measured without, by qk.compare(model, x)."
        )
    y = validate.array(y, what=what)
    if y.dtype.kind in "OSU" and y.ndim:
        raise TypeError(
            f"{what} must hold numbers, got text or objects such as {y.flat[0]!r}. With the names "
            "in the order of the model's outputs, pass y = [names.index(word) for word in y]; or, "
            "to qk.accuracy and qk.compare, class_names=names."
        )
    return validate.targets(y, count=count, what=what)


def fidelity(reference, metric=None):
    """Return what is counted against outputs of the float model, and the targets that they are.

    Rows of several scores name a class, and answers are held against answers, as by a metric that
    wants them; whatever else is a signal, and what differs is noise.
    """
    if metric is not None:
        if metric.wants == "labels":
            return metric, (reference > threshold(reference)).astype(np.int64)
        return metric, answers(reference) if metric.wants == "classes" else reference
    if reference.ndim == 2 and reference.shape[1] > 1:
        return None, answers(reference)
    return SQNR, reference
