"""What a model is asked to do, told from its outputs and targets, and what is counted then."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from qkit import validate
from qkit.quantize.errors import decibels


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
    """

    name: str
    unit: str | None
    higher_is_better: bool
    tallies: Callable
    score: Callable

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


F1 = Metric("F1 of labels", "", True, _labels_found, ratio)  # of all labels together
MEAN_IOU = Metric("mean IoU", "", True, _overlaps, _mean_iou)  # over the classes that there are
RMSE = Metric("RMSE", None, False, _errors(2), _root)
SQNR = Metric("SQNR", "dB", True, _powers, _decibels)
METRICS = {
    metric.name: metric
    for metric in (
        F1,
        MEAN_IOU,
        Metric("pixel accuracy", "", True, _pixels, ratio),
        RMSE,
        Metric("MAE", None, False, _errors(1), ratio),
        Metric("R²", None, True, _moments, _explained),  # the mean over several outputs
        SQNR,
    )
}


def decides(metric, shape):
    """Whether outputs say yes or no before they are counted, from a threshold on."""
    single = not shape or shape[-1] == 1
    return metric is F1 or (single and metric in (None, MEAN_IOU, METRICS["pixel accuracy"]))


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
    classes = shape[-1] if shape else 1
    column = y.reshape(count) if y.shape in ((count,), (count, 1)) else None
    yes_or_no, whole = np.isin(y, (0, 1)).all(), (y == np.round(y)).all()
    if len(shape) > 1:
        pixels = (count, *shape[:-1])
        if whole and y.shape in (pixels, (*pixels, 1)) and (classes > 1 or yes_or_no):
            return MEAN_IOU, _classes(y.reshape(pixels), max(classes, 2), what)
    elif classes == 1 and column is not None:
        return (None, column.astype(np.int64)) if yes_or_no else (RMSE, y.reshape(count, *shape))
    elif column is not None and whole:
        return None, _classes(column, classes, what)
    elif y.shape == (count, classes) and yes_or_no:
        one_hot = (y.sum(axis=1) == 1).all()
        return (None, y.argmax(axis=1)) if one_hot else (F1, y)
    if y.shape == (count, *shape):
        return RMSE, y
    raise ValueError(
        f"{what} of shape {y.shape}, {y.dtype}, cannot be held against outputs of shape "
        f"{(count, *shape)}. Pass whole class numbers from 0 to {classes - 1}, one for each item "
        "or pixel, or numbers of the outputs' own shape."
    )


def numbered(y, class_names, *, what):
    """Return class numbers for labels that are words, by the order of the model's outputs."""
    if class_names is None or isinstance(y, Mapping):
        return y
    if isinstance(class_names, (str, bytes)) or not isinstance(class_names, Iterable):
        raise TypeError(f"{what}: class_names must be a list of words, got {class_names!r}.")
    names, words = list(map(str, class_names)), validate.array(y, what=what)
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: class_names holds a name twice.")
    if words.dtype.kind not in "OSU":
        return y
    place = {name: number for number, name in enumerate(names)}
    if unknown := sorted({str(word) for word in words.flat} - set(names)):
        raise ValueError(
            f"{what} holds {', '.join(map(repr, unknown[:3]))}, which class_names has not: "
            f"{', '.join(map(repr, names[:5]))}{' …' if names[5:] else ''}."
        )
    return np.array([place[str(word)] for word in words.flat], np.int64).reshape(words.shape)


def _numbers(y, count, what):
    if y is None:
        raise ValueError(
            f"{what} is missing: pass what is right of each item. How true a file is to the float "
            "one is measured without, by qk.compare(model, x)."
        )
    y = validate.array(y, what=what)
    if y.dtype.kind in "OSU" and y.ndim:
        raise TypeError(
            f"{what} must hold numbers, got text or objects such as {y.flat[0]!r}. Pass the names "
            "in the order of the model's outputs as class_names=[…]."
        )
    return validate.targets(y, count=count, what=what)


def _classes(y, classes, what):
    return validate.labels(y.reshape(-1), count=y.size, classes=classes, what=what).reshape(y.shape)


def fidelity(reference):
    """Return what is counted against outputs of the float model, and the targets that they are.

    Rows of several scores name a class, and answers are held against answers; whatever else is a
    signal, and what differs is noise.
    """
    if reference.ndim == 2 and reference.shape[1] > 1:
        return None, answers(reference)
    return SQNR, reference
