"""How well files do a task, whatever its metric: with intervals, and paired with the first."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qkit.evaluate.task import Task
from qkit.interpreter.run import outputs
from qkit.result import Result

_RESAMPLES = 2000


@dataclass(frozen=True, eq=False, repr=False)
class TaskScores(Result):
    """What each file scored on the same test items.

    Attributes
    ----------
    task : Task
    n : int
        Number of test items.
    score : mapping of str to float
        In the task's unit.
    interval : mapping of str to (float, float)
        Its 95 % bootstrap interval, over the test items.
    difference : mapping of str to float
        Of the score, to the first file's; of all files but the first.
    difference_interval : mapping of str to (float, float)
        Its 95 % bootstrap interval: both are scored on the same items drawn.
    """

    task: Task
    n: int
    score: MappingProxyType
    interval: MappingProxyType
    difference: MappingProxyType
    difference_interval: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per file."""
        import pandas as pd

        nothing = (np.nan, np.nan)
        rows = {
            name: {
                self.task.metric: score,
                "low": self.interval[name][0],
                "high": self.interval[name][1],
                "difference": self.difference.get(name, np.nan),
                "difference_low": self.difference_interval.get(name, nothing)[0],
                "difference_high": self.difference_interval.get(name, nothing)[1],
            }
            for name, score in self.score.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("file")

    def summary(self):
        """Say in one line what each scored, and how far that is from the first."""
        first, *others = self.score
        parts = [f"{first} {self._shown(self.score[first])}"]
        for name in others:
            low, high = (self._shown(end, signed=True) for end in self.difference_interval[name])
            change = self._shown(self.difference[name], signed=True)
            parts.append(f"{name} {self._shown(self.score[name])} ({change}, {low} to {high})")
        return f"{self.task.metric}: {'; '.join(parts)}, n = {self.n:,}"

    def _shown(self, value, *, signed=False):
        sign = "+" if signed else ""
        if self.task.unit:
            return f"{value:{sign}.2f} {self.task.unit}"
        return f"{100 * value:{sign}.2f} {'points' if signed else '%'}"


def task_scores(models, task, x, y):
    """Score several files on a task, on the same items.

    Parameters
    ----------
    models : dict of str to bytes
        The .tflite files by name, from whatever tool; differences are to the first.
    task : Task
    x : ndarray of shape (n, *input), float
    y : ndarray of shape (n, ...)
        Targets, as the task's `tallies` take them.

    Returns
    -------
    TaskScores

    Raises
    ------
    TypeError, ValueError
        If there are no models, one cannot be run on these inputs, or the targets are not as many.

    Notes
    -----
    The intervals are percentiles of 2,000 bootstrap samples of the test items, the same samples for
    all files: what is hard for all of them does not widen the interval of a difference.

    Examples
    --------
    >>> import qkit as qk
    >>> from qkit.published.classification import CLASSIFICATION
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> models = {name: qk.convert(model, name) for name in ("float32", "float16")}
    >>> task_scores(models, CLASSIFICATION, digits.x_test, digits.y_test).n
    500
    """
    if not isinstance(models, dict) or not models:
        raise TypeError(
            "task_scores: models must be a dict from name to .tflite bytes with one entry or more, "
            f"got {'an empty one' if models == {} else type(models).__name__}."
        )
    if len(x) != len(y):
        raise ValueError(f"task_scores: {len(x):,} inputs and {len(y):,} targets do not match.")
    tallies = {
        name: task.tallies(outputs(tflite, x, what="task_scores"), y)
        for name, tflite in models.items()
    }
    first, *others = tallies

    def measured(statistic):
        """Return a statistic of the item weights, and its interval."""
        return statistic(np.ones(len(x))), _interval(statistic, len(x))

    scores = {name: measured(lambda w, t=t: task.score(t, w)) for name, t in tallies.items()}
    changes = {
        name: measured(lambda w, t=tallies[name]: task.score(t, w) - task.score(tallies[first], w))
        for name in others
    }
    return TaskScores(
        task=task,
        n=len(x),
        score=MappingProxyType({name: value for name, (value, _) in scores.items()}),
        interval=MappingProxyType({name: ends for name, (_, ends) in scores.items()}),
        difference=MappingProxyType({name: value for name, (value, _) in changes.items()}),
        difference_interval=MappingProxyType({name: ends for name, (_, ends) in changes.items()}),
    )


def _interval(statistic, n):
    from scipy.stats import bootstrap

    drawn = bootstrap(
        (np.arange(n),),
        lambda items: statistic(np.bincount(items, minlength=n)),
        vectorized=False,
        batch=1,  # a sample at a time: 2,000 of 10,000 items would take 160 MB
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=0,  # the same samples for every file
    ).confidence_interval
    return float(drawn.low), float(drawn.high)
