"""One-shot clustering of a network: weights by hand, bytes by hand, accuracy by the file."""

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.cluster_once import cluster_once
from qkit.interpreter.simulation import Layer, layers
from qkit.quantize.coding import entropy_coded_bytes


def layer(kind, weights, axis=0):
    return Layer("it", kind, np.float32(weights), "it/weights", "it/out", axis)


def test_by_hand():
    dense = layer("FULLY_CONNECTED", [[0.0, 1.0, 2.0], [9.0, 10.0, 3.0]])
    start = cluster_once([dense], 3, init="linear")
    assert start.paths["it"].tolist() == [[0, 5, 10]]
    assert start.values["it"].tolist() == [[0, 0, 0], [10, 10, 5]]
    assert start.counts["it"].tolist() == [3, 1, 2]
    moved = cluster_once([dense], 3, init="linear", steps=1)
    assert moved.paths["it"].tolist() == [[0, 5, 10], [1, 3, 9.5]]
    assert moved.values["it"].tolist() == [[1, 1, 1], [9.5, 9.5, 3]]
    assert moved.in_use("it") == 3
    noise = 1 + 0 + 1 + 0.25 + 0.25 + 0
    assert moved.sqnr_db("it") == pytest.approx(10 * np.log10(195 / noise))
    assert moved.table_bytes == 2 + 12  # six positions of two bits and three float32
    assert moved.size.entropy_bytes == entropy_coded_bytes(moved.values["it"])


@pytest.mark.parametrize(("clusters", "bits"), [(2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (64, 6)])
def test_positions_take_the_bits_they_need(tflite, clusters, bits):
    clustered = cluster_once(layers(tflite("float32")), clusters)
    expected = -(-108 * bits // 8) + -(-20280 * bits // 8) + 2 * 4 * clusters
    assert clustered.table_bytes == expected


def test_depthwise_kernels_are_left_and_counted():
    weights = np.random.default_rng(0).normal(size=(1, 3, 3, 8))
    clustered = cluster_once([layer("DEPTHWISE_CONV_2D", weights, axis=3)], 2)
    assert "depthwise" in clustered.left_whole["it"]
    assert np.array_equal(clustered.values["it"], np.float32(weights))
    assert clustered.table_bytes == clustered.size.raw_bytes == 4 * 72
    assert clustered.to_frame().loc["it", "distinct_values"] == 72


def test_equal_centroids_count_once():
    dense = layer("FULLY_CONNECTED", [[1.0, 1.0], [1.0, 2.0]])
    clustered = cluster_once([dense], 8, init="kmeans++")
    assert clustered.in_use("it") == 2
    assert clustered.sqnr_db("it") == np.inf


def test_many_clusters_keep_the_answers_and_two_do_not(tflite, digits):
    x, y = digits.x_test[:100], digits.y_test[:100]
    many, two = (
        qk.clusters_effect(tflite("float32"), x, y, clusters=n, init="linear") for n in (64, 2)
    )
    assert len(many.paired.disagreements) <= 3
    assert len(two.paired.disagreements) > 3
    after = layers(qk.with_weights(tflite("float32"), two.clustered.weights))
    assert [np.unique(each.weights).size for each in after] == [2, 2]


def test_table_and_line(tflite, digits):
    x, y = digits.x_test[:50], digits.y_test[:50]
    effect = qk.clusters_effect(tflite("float32"), x, y, clusters=16, steps=1)
    row = effect.to_frame().loc[0]
    assert row["clusters"] == 16
    assert row["accuracy"] == effect.paired.b.accuracy
    assert row["deflated_bytes"] == effect.clustered.size.deflated_bytes
    assert effect.summary().startswith(
        "One-shot clustering to 16 values a layer, kmeans++ and 1 step of k-means, without"
    )
    assert effect.size_before.raw_bytes == 81552


def test_what_is_out_of_range_is_refused(tflite):
    found = layers(tflite("float32"))
    with pytest.raises(ValueError, match="init must be one of 'linear', 'random', 'density'"):
        cluster_once(found, 4, init="uniform")
    with pytest.raises(ValueError, match="clusters must be a whole number"):
        cluster_once(found, 0)
