"""Centroids: held against tensorflow-model-optimization, SciPy, hands and laws."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.vq import kmeans2

from qkit.quantize.centroids import INITS, initial_centroids, kmeans_steps, nearest_centroid

MANY = settings(max_examples=100, deadline=None)
COUNTS = (1, 2, 3, 4, 8, 16, 64)


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(0).normal(0, 0.1, (40, 50)).astype(np.float32)


@pytest.fixture(scope="module")
def tfmot_centroids(tf):
    from tensorflow_model_optimization.python.core.clustering.keras import clustering_centroids

    found = {
        "linear": clustering_centroids.LinearCentroidsInitialisation,
        "density": clustering_centroids.DensityBasedCentroidsInitialisation,
    }

    def centroids(weights, clusters, init):
        return found[init](tf.constant(weights), clusters).get_cluster_centroids().numpy()

    return centroids


@pytest.mark.parametrize("clusters", COUNTS)
@pytest.mark.parametrize("init", ["linear", "density"])
@pytest.mark.parametrize("scale", [1.0, 0.05, 30.0])
def test_without_chance_they_start_as_in_tfmot(tfmot_centroids, weights, init, clusters, scale):
    values = np.float32(scale) * weights
    ours, theirs = (
        initial_centroids(values, clusters, init),
        tfmot_centroids(values, clusters, init),
    )
    assert np.allclose(ours, np.sort(theirs), rtol=0, atol=2e-6 * np.abs(values).max())
    assert len(np.unique(ours)) == len(np.unique(np.round(theirs, 7)))


def test_density_gives_fewer_values_than_asked_for(weights):
    assert len(np.unique(initial_centroids(weights, 64, "density"))) <= 30


@pytest.mark.parametrize("clusters", [4, 16])
def test_far_draws_are_as_good_as_tensorflows(tf, weights, clusters):
    from tensorflow.python.ops import clustering_ops

    column = weights.reshape(-1, 1)

    def error(centroids):
        return np.square(weights - centroids[nearest_centroid(weights, centroids)]).mean()

    theirs = [
        error(np.ravel(clustering_ops.kmeans_plus_plus_initialization(column, clusters, seed, -1)))
        for seed in range(40)
    ]
    ours = [error(initial_centroids(weights, clusters, "kmeans++", seed=s)) for s in range(40)]
    near_by = [error(initial_centroids(weights, clusters, "random", seed=s)) for s in range(40)]
    noise = np.hypot(np.std(ours), np.std(theirs)) / np.sqrt(40)
    assert abs(np.mean(ours) - np.mean(theirs)) < 4 * noise
    assert np.mean(near_by) > np.mean(ours) + 4 * noise  # the test would see another rule


def test_draws_are_seeded_and_lie_within_the_weights(weights):
    for init in ("random", "kmeans++"):
        first, again, other = (initial_centroids(weights, 16, init, seed=s) for s in (1, 1, 2))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        assert weights.min() <= first[0]
        assert first[-1] <= weights.max()
    assert np.isin(initial_centroids(weights, 16, "kmeans++"), weights).all()


@pytest.mark.parametrize("init", INITS)
def test_equal_weights_and_more_centroids_than_weights_are_no_trouble(init):
    assert np.allclose(initial_centroids(np.full(5, 0.5), 4, init), 0.5, atol=0.011)
    assert initial_centroids([1.0, 2.0], 5, init).shape == (5,)


@MANY
@given(st.integers(0, 2**32), st.integers(1, 80), st.booleans())
def test_the_nearest_is_the_nearest(seed, clusters, ties):
    rng = np.random.default_rng(seed)
    values, centroids = rng.normal(size=(7, 9)), rng.normal(size=clusters)
    if ties:
        values, centroids = np.round(values), np.round(centroids)
    values, centroids = np.float32(values), np.float32(centroids)
    expected = np.abs(values[..., None] - centroids).argmin(axis=-1)  # as tfmot looks it up
    assert np.array_equal(nearest_centroid(values, centroids), expected)


def test_the_nearest_by_hand():
    # between two, and of two that are equal, the first
    assert nearest_centroid(np.float32([0.5, 2.0]), np.float32([1, 0, 1])).tolist() == [0, 0]
    assert nearest_centroid(np.float32([[0.5]]), np.float32([0, 1])).tolist() == [[0]]
    assert nearest_centroid(np.float32([0.5, -7.0]), np.float32([3])).tolist() == [0, 0]


@pytest.mark.parametrize("steps", [0, 1, 5, 20])
def test_steps_are_those_of_scipy(weights, steps):
    start = initial_centroids(weights, 8, "linear")
    path = kmeans_steps(weights, start, steps)
    assert path.shape == (steps + 1, 8)
    assert np.array_equal(path[0], start)
    if steps:
        expected, _ = kmeans2(weights.reshape(-1, 1).astype(float), start[:, None], iter=steps)
        assert np.allclose(path[-1], expected[:, 0], atol=1e-6)


@MANY
@given(st.integers(0, 2**32), st.integers(1, 30), st.sampled_from([*INITS]))
def test_no_step_makes_the_error_larger(seed, clusters, init):
    values = np.random.default_rng(seed).standard_t(2, 200).astype(np.float32)
    path = kmeans_steps(values, initial_centroids(values, clusters, init, seed=seed), 6)
    errors = [
        np.square(values - c[nearest_centroid(values, c)], dtype=np.float64).sum() for c in path
    ]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(errors))


def test_a_centroid_without_weights_stays():
    path = kmeans_steps(np.float32([0, 1]), np.float32([-50, 0.4, 90]), 3)
    assert path[-1].tolist() == [-50, 0.5, 90]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: initial_centroids([1.0], 0),
            "clusters must be a whole number from 1 to 65536, got 0",
        ),
        (lambda: initial_centroids([1.0], 2.5), "got 2.5"),
        (lambda: initial_centroids([1.0], 2, "kmeans"), "one of 'linear', 'random', 'density'"),
        (lambda: initial_centroids([np.nan], 2), "NaN or infinite"),
        (
            lambda: kmeans_steps(np.ones(1), np.ones(1), -1),
            "steps must be a whole number of 0 or more",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
