"""What a task is: where its data come from, what is trained on, and how outputs are judged."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class TaskData:
    """Inputs with their targets, for training and for testing.

    Attributes
    ----------
    x_train, x_test : ndarray of shape (n, *input), float32
    y_train : ndarray of shape (n, ...)
        As the task's loss takes them.
    y_test : ndarray of shape (n, ...)
        As the task's `tallies` take them.
    name : str
        What was made from which data set.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str


@dataclass(frozen=True)
class Task:
    """Something to be learned, with its own measure of success.

    Attributes
    ----------
    name : str
    metric : str
        Name of the figure that `score` gives, as in a table's head.
    unit : str
        "" for a share in [0, 1], or "dB".
    higher_is_better : bool
    data : callable
        From a `Dataset` to `TaskData`; seeded, so that the same images give the same items.
    loss : callable or None
        For `qk.fit`: from targets and outputs to one loss an item; None for the cross-entropy.
    tallies : callable
        From outputs of shape (n, *output), float32, and `y_test` to an array with one row an item
        (or, for a metric that ranks over all items, to anything that `score` understands).
    score : callable
        From tallies and the item weights of shape (n,) to the figure. An item of weight 2 counts as
        if it were there twice: that is how a bootstrap draws.
    """

    name: str
    metric: str
    higher_is_better: bool
    data: Callable
    loss: Callable | None
    tallies: Callable
    score: Callable
    unit: str = ""


def ratio(tallies, weights):
    """Return the sum of the first column over the sum of the second: right ones over all, say.

    Parameters
    ----------
    tallies : ndarray of shape (n, 2)
    weights : ndarray of shape (n,)

    Returns
    -------
    float

    Examples
    --------
    >>> ratio(np.array([[1, 4], [0, 6]]), np.array([1, 1]))
    0.1
    """
    over, under = weights @ tallies
    return float(over / under)
