"""Clustering leaves as many distinct values as asked for, and says what it left alone."""

import numpy as np
import pytest

import qkit as qk
from qkit.quantize.coding import distinct_values, sparsity
from qkit.toolchain.kernels import kernels


def short(model, data, **options):
    return qk.cluster(model, data, **{"cache": False, **options})


@pytest.mark.parametrize("init", ["kmeans++", "linear", "random", "density"])
def test_no_more_values_than_clusters(init, trained, digits):
    model, history = short(trained, digits, clusters=5, init=init)
    for name, kernel in kernels(model).items():
        assert 2 <= distinct_values(kernel) <= 5
        assert history.distinct_values[name][-1] == distinct_values(kernel)
        assert history.distinct_values[name][0] <= 5
    assert history.left_alone == {}


def test_each_channel_has_its_own_values(trained, digits):
    model, _ = short(trained, digits, clusters=3, per_channel=True)
    conv = model.get_layer("conv").kernel.numpy()
    assert max(distinct_values(conv[..., c]) for c in range(12)) <= 3
    assert 3 < distinct_values(conv) <= 36
    assert distinct_values(model.get_layer("logits").kernel.numpy()) <= 3


def test_centroids_are_trained(trained, digits):
    still, _ = short(trained, digits, clusters=4, learning_rate=0.0)
    moved, _ = short(trained, digits, clusters=4, learning_rate=1e-3)
    assert not np.array_equal(
        np.unique(kernels(still)["logits"]), np.unique(kernels(moved)["logits"])
    )


def test_layers_with_too_few_weights_and_depthwise_ones_are_named(trained, digits):
    _, history = short(trained, digits, clusters=16, per_channel=True)
    assert history.left_alone == {"conv": "9 weights are no more than 16 clusters"}
    _, history = short(qk.models.depthwise_cnn(), digits, clusters=8)
    assert set(history.left_alone) == {f"block{i}_dw" for i in (1, 2, 3, 4)}


@pytest.mark.parametrize("seed", [0, 1])
def test_seeded_to_the_bit(seed, trained, digits):
    first, second = (
        short(trained, digits, clusters=4, init="random", seed=seed)[0] for _ in range(2)
    )
    for weight, again in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)


def test_zeros_survive_where_asked_for_and_only_there(compressed, digits):
    pruned = compressed["pruned"][0]
    kept = compressed["pruned_clustered"][0]
    lost, _ = short(pruned, digits)
    for name, before in kernels(pruned).items():
        assert sparsity(kernels(kept)[name]) >= sparsity(before) > 0.75
        assert distinct_values(kernels(kept)[name]) <= 16
        assert sparsity(kernels(lost)[name]) < 0.01


def test_the_other_way_round_pruning_unties_the_clusters(compressed, digits):
    clustered = compressed["clustered"][0]
    pruned, _ = qk.prune(clustered, digits, epochs=1, cache=False)
    assert distinct_values(kernels(clustered)["logits"]) <= 16
    assert distinct_values(kernels(pruned)["logits"]) > 1_000
