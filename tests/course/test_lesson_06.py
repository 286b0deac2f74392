"""Exercises of 06: a step of k-means and its near misses, a training, a floor."""

from functools import cache

import numpy as np
import pytest

import qkit as qk


def k_means_step(weights, centroids, of=np.mean):
    nearest = np.abs(weights[:, None] - centroids).argmin(axis=1)
    groups = [weights[nearest == n] for n in range(len(centroids))]
    pairs = zip(groups, centroids, strict=True)
    return np.array([of(group) if group.size else old for group, old in pairs])


def of_nobody(weights, centroids):
    nearest = np.abs(weights[:, None] - centroids).argmin(axis=1)
    held = (nearest[:, None] == np.arange(len(centroids))).T
    return np.array([weights[each].sum() / max(each.sum(), 1) for each in held])


def with_nan(weights, centroids):
    moved, stays = k_means_step(weights, centroids), of_nobody(weights, centroids) == 0
    return np.where(stays, np.nan, moved)


def many(weights, centroids):
    for _ in range(300):
        centroids = k_means_step(weights, centroids)
    return centroids


def shared(weights, centroids):
    return centroids[np.abs(weights[:, None] - centroids).argmin(axis=1)]


@cache
def trained():
    """Hand over a network of the digits, and the digits."""
    data, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    qk.fit(model, data, epochs=10)
    return {"model": model, "data": data}


LINEAR = {"clusters": 4, "init": "linear"}
CASES = {
    "06.1": (
        {},
        [k_means_step],
        [
            (of_nobody, "stays where it is"),
            (with_nan, "not a number"),
            (lambda *given: np.sort(k_means_step(*given)), "another order"),
            (lambda *given: k_means_step(*given, of=np.median), "the median"),
            (many, "one is asked for"),
            (shared, "16 centroids came in"),
            (lambda weights, centroids: centroids, "off by"),
            (lambda weights: weights, "a function of weights and centroids"),
        ],
    ),
    "06.2": (
        trained,
        [LINEAR | {"epochs": 20}],
        [
            (LINEAR | {"learning_rate": 1e-5}, "steps × rate is 0.00037"),
            (LINEAR | {"learning_rate": 1e-3}, "may not rise"),
            (LINEAR | {"init": "kmeans++"}, "those are to stay"),
            (LINEAR | {"per_channel": True}, "a set for each channel"),
            (4, "the arguments of qk.cluster"),
        ],
    ),
    "06.3": (
        {},
        [875],
        [
            (1.75, "for one weight"),
            (7_000, "a byte has eight"),
            (1_000, "an index of four"),
            (16_000, "in float32"),
            (606.5, "base 2"),
            (500, "log2(1/p)"),
        ],
    ),
}
MARKS = {"06.2": pytest.mark.slow}
