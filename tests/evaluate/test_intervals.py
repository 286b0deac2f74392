"""Each interval that is called one of 95 % holds the truth about so often: no more, no less."""

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import latency as timing
from qkit.evaluate.accuracy import _scored
from qkit.evaluate.tasks import Metric, ratio

SHARE = Metric("share", "", True, None, ratio)


def of(right):
    """Return the accuracy of predictions that are right where told."""
    right = np.asarray(right, bool)
    return qk.accuracy_of(np.where(right, 3, 4), np.full(right.size, 3))


def scored(right):
    return _scored(SHARE, np.stack([right, np.ones(right.size)], axis=1), right.size)


def pair(rng, n):
    """Return which images two models have right: 90 and 92 of 100, and 5 of them one alone."""
    kind = rng.choice(4, n, p=[0.885, 0.015, 0.035, 0.065])
    return kind < 2, (kind == 0) | (kind == 2)


def of_median(instances):
    """Return a function to the intervals of the median of skewed times, and of their ratios."""

    def intervals(rng):
        # slow ones are slower than fast ones fast
        noise = np.exp(rng.gamma(2, 0.1, (2, instances)))
        times = np.array([[50], [80]]) * noise / np.exp(0.1 * 1.678347)  # the median of a gamma
        return timing._intervals(np.stack([times[0], times[1] / times[0]]))

    return intervals


# By what it is an interval of: the truth, a function from a generator to the interval or several
# such, and from how many draws its share is told, quickly and well.
INTERVALS = {
    "accuracy": (0.97, lambda rng: of(rng.random(300) < 0.97).interval, 500, 5000),
    "difference": (2, lambda rng: qk.paired(*map(of, pair(rng, 500))).interval_pp, 500, 2500),
    "score": (0.8, lambda rng: scored(rng.random(200) < 0.8).interval, 80, 600),
    "difference of scores": (
        0.02, lambda rng: qk.paired(*map(scored, pair(rng, 500))).interval, 40, 300
    ),
    **{f"latency of {n}": ((50, 1.6), of_median(n), 1500, 4000) for n in (2, 3, 5, 8, 9, 20)},
}  # fmt: skip
WELL_ALONE = {f"latency of {n}": ((50, 1.6), of_median(n), None, 4000) for n in (12, 40)}


def coverage(truths, intervals, draws):
    rng = np.random.default_rng(2)
    low, high = np.moveaxis([intervals(rng) for _ in range(draws)], -1, 0)
    return np.mean((low <= truths) & (truths <= high), axis=0)


@pytest.mark.parametrize("name", INTERVALS)
def test_interval_holds_the_truth_about_as_often_as_it_says(name):
    truths, intervals, draws, _ = INTERVALS[name]
    found = coverage(truths, intervals, draws)
    assert ((found > 0.91) & (found < 0.99)).all()  # few draws tell 95 % from 90 % and 99 %, alone


@pytest.mark.slow
@pytest.mark.parametrize("name", INTERVALS | WELL_ALONE)
def test_interval_is_one_of_95_percent(name):
    truths, intervals, _, draws = (INTERVALS | WELL_ALONE)[name]
    found = coverage(truths, intervals, draws)
    assert ((found > 0.93) & (found < 0.975)).all(), found
