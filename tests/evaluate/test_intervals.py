"""Each interval that is called one of 95 % holds the truth about so often: no more, no less."""

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import latency as timing
from qkit.evaluate.accuracy import Metric, _scored, ratio

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


def wilson(rng):
    low, high = of(rng.random(300) < 0.97).interval
    return low <= 0.97 <= high


def difference(rng):
    low, high = qk.paired(*map(of, pair(rng, 500))).interval_pp
    return low <= 2 <= high


def score(rng):
    low, high = scored(rng.random(200) < 0.8).interval
    return low <= 0.8 <= high


def difference_of_scores(rng):
    low, high = qk.paired(*map(scored, pair(rng, 500))).interval
    return low <= 0.02 <= high


def latencies(instances):
    """Return whether medians of skewed times, and of their ratios, are held."""

    def held(rng):
        noise = np.exp(
            rng.gamma(2, 0.1, (2, instances))
        )  # slow ones are slower than fast ones fast
        times = np.array([[50], [80]]) * noise / np.exp(0.1 * 1.678347)  # the median of a gamma
        found = timing._intervals(np.stack([times[0], times[1] / times[0]]))
        return [low <= truth <= high for (low, high), truth in zip(found, (50, 1.6), strict=True)]

    held.__name__ = f"latency of {instances}"
    return held


QUICK = [(wilson, 500), (difference, 500), (score, 80), (difference_of_scores, 40)]
QUICK += [(latencies(n), 1500) for n in (2, 3, 5, 8, 9, 20)]


def coverage(held, draws):
    rng = np.random.default_rng(2)
    return np.mean([held(rng) for _ in range(draws)], axis=0)


@pytest.mark.parametrize(("held", "draws"), QUICK, ids=lambda value: getattr(value, "__name__", ""))
def test_interval_holds_the_truth_about_as_often_as_it_says(held, draws):
    found = coverage(held, draws)  # by so few draws 95 % differs from 90 % and 99 %, no finer
    assert ((found > 0.91) & (found < 0.99)).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("held", "draws"),
    [(wilson, 10_000), (difference, 10_000), (score, 2000), (difference_of_scores, 1000)]
    + [(latencies(n), 20_000) for n in (2, 3, 5, 8, 9, 12, 20, 40)],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_interval_is_one_of_95_percent(held, draws):
    found = coverage(held, draws)
    assert ((found > 0.93) & (found < 0.975)).all(), found
