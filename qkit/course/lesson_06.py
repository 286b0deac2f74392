"""Exercises of 06: a step of k-means, a start that was blamed, bits that a value takes."""

import numpy as np

from qkit.course.exercises import exercise, gained, number
from qkit.evaluate.census import weight_census
from qkit.quantize.centroids import initial_centroids, kmeans_steps
from qkit.toolchain.compress import cluster


@exercise("06.1", "a function of weights and centroids, two arrays of one dimension,")
def k_means_step(answer):
    """Go on from two starts, and move centroids of which one has no weight and none is in order."""
    weights = np.random.default_rng(3).standard_t(3, size=2_000)
    starts = [(weights, initial_centroids(weights, 16, init)) for init in ("linear", "kmeans++")]
    starts.append((np.array([0.0, 1, 5, 5, 8]), np.array([90, 0.4, 5])))
    for given, centroids in starts:
        got = np.asarray(answer(given.copy(), centroids.copy()))
        if fault := _misplaced(got, given, centroids):
            return fault
    return None


def _misplaced(got, weights, centroids):
    """Return what is wrong with centroids after a step, or None."""
    _, right, second = kmeans_steps(weights, centroids, 2)
    if got.shape != centroids.shape:
        return f"{centroids.size} centroids came in, and the shape {got.shape} comes out"
    if np.isnan(got).any():
        return "the mean of no weights is not a number: a centroid that has none stays"
    if np.allclose(got, right, atol=1e-4):
        return None
    if np.allclose(np.sort(got), np.sort(right), atol=1e-4):
        return "these are the right places, in another order than the centroids came in"
    if any(
        np.allclose(got, more, atol=1e-4) for more in (second, kmeans_steps(weights, got, 1)[1])
    ):
        return "that is where more steps lead; one is asked for"
    nearest = abs(weights[:, None] - centroids).argmin(axis=1)
    having = np.isin(np.arange(centroids.size), nearest)
    if not np.allclose(got[~having], centroids[~having]):
        return "a centroid that has no weights stays where it is, and yours moves"
    if np.allclose(got[having], [np.median(weights[nearest == n]) for n in np.flatnonzero(having)]):
        return "that is the median of a centroid's weights; the mean is asked for"
    return f"a centroid is off by {abs(got - right).max():.2g}: whose weights are nearest to it?"


@exercise("06.2", 'the arguments of qk.cluster, dict(clusters=4, init="linear", …),')
def mended(answer, model, data):
    """Train with them what was complained of, and say how far its values could get."""
    arguments = {"learning_rate": 1e-4} | answer
    if (arguments.get("clusters"), arguments.get("init")) != (4, "linear"):
        return 'the complaint is about clusters=4 and init="linear"; those are to stay'
    rate = arguments["learning_rate"]
    if rate > 1e-4:
        return "the rate may not rise above 1e-4; what else takes a value further?"
    network, history = cluster(model, data, **arguments)
    most = max(kernel.distinct_values for kernel in weight_census(network).kernels)
    if most > 4:
        return f"a kernel holds {most} values: a set for each channel is more than four"
    found = gained(model, network, data.x_test, data.y_test)
    if found.difference_pp >= -1.5:
        return None
    return (
        f"{found.difference_pp:+.1f} points; steps × rate is {history.steps[-1] * rate:.2g}, and a "
        "value can get no further from where it began"
    )


_WEIGHTS, _SHARES = 4_000, np.array([1 / 2, 1 / 4, 1 / 8, 1 / 8])


@exercise("06.3", "a number of bytes")
def entropy_floor(answer):
    """Ask for the floor of a kernel in which four values are not used equally often."""
    bits = -(_SHARES * np.log2(_SHARES)).sum()
    mistakes = [
        (bits, "that is bits for one weight; bytes of all of them are asked for"),
        (bits * _WEIGHTS, "those are bits; a byte has eight"),
        (_WEIGHTS * 2 / 8, "two bits each is an index of four: what is used often may cost less"),
        (_WEIGHTS * 4, "that is the kernel in float32; a coder needs to tell four values apart"),
        (bits * np.log(2) * _WEIGHTS / 8, "a bit is a choice of two: the logarithm is to base 2"),
    ]
    return number(
        answer,
        bits * _WEIGHTS / 8,
        mistakes=mistakes,
        hint="a value that has the share p of the weights costs log2(1/p) bits each time",
    )
