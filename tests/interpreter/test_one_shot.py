"""One-shot pruning and clustering: weights by hand, bytes by hand or by other means."""

import dataclasses
import zlib

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.one_shot import cluster_once, prune_once
from qkit.interpreter.simulation import Layer, layers
from qkit.quantize.coding import entropy_coded_bytes, stored_bytes


@pytest.fixture(scope="module")
def found(tflite):
    return layers(tflite("float32"))


def layer(kind, weights, axis=0):
    return Layer("it", kind, np.float32(weights), "it/weights", "it/out", axis)


def test_pruned_by_hand():
    dense = layer("FULLY_CONNECTED", [[0.1, -4, 3, 0.2], [2, 1, 0.5, -2]])
    pruned = prune_once([dense], 0.5)
    assert pruned.values["it"].tolist() == [[0, -4, 3, 0], [2, 0, 0, -2]]
    assert pruned.threshold("it") == 2
    assert pruned.pruned_share == 0.5
    assert pruned.size.raw_bytes == 32
    assert pruned.size.entropy_bytes == entropy_coded_bytes(pruned.values["it"])
    block = prune_once([dense], 0.5, pattern=(1, 4))
    assert block.values["it"].tolist() == [dense.weights[0].tolist(), [0, 0, 0, 0]]
    assert block.threshold("it") is None


def test_a_file_is_opened_on_the_way_in(tflite, found):
    of_file, of_layers = (prune_once(given, 0.8) for given in (tflite("float32"), found))
    assert of_file.size.by_way == of_layers.size.by_way
    assert prune_once(found, 0.0).size.deflated_bytes == of_file.size_before.deflated_bytes
    in_int8 = prune_once(found, 0.8, storage="int8")
    assert in_int8.size_before.raw_bytes == in_int8.size.raw_bytes == 20388


def test_int8_is_by_output_channel_and_zeros_stay_zeros(found):
    pruned = prune_once(found, 0.8, storage="int8")
    for each in found:
        stored, values = pruned.stored[each.name], pruned.values[each.name]
        assert stored.dtype == np.int8
        assert not stored[~pruned.masks[each.name]].any()
        scale = np.abs(np.where(pruned.masks[each.name], each.weights, 0))
        scale = scale.reshape(len(scale), -1).max(axis=1) / 127
        expected = stored * scale.reshape(-1, *[1] * (stored.ndim - 1))
        assert np.allclose(values, expected, rtol=1e-5, atol=1e-8)
    assert pruned.size.raw_bytes == 20388


def test_channels_that_are_pruned_whole_are_stored_as_zeros():
    dense = layer("FULLY_CONNECTED", [[0.1, 0.1], [5, 6]])
    pruned = prune_once([dense], 0.5, storage="int8")
    assert pruned.stored["it"].tolist() == [[0, 0], [106, 127]]
    assert "rounding" not in pruned.summary()


def test_zeros_of_rounding_are_told():
    dense = layer("FULLY_CONNECTED", [[0.1, 0.2], [0.01, 9]])
    pruned = prune_once([dense], 0.25, storage="int8")
    assert pruned.stored["it"].tolist() == [[64, 127], [0, 127]]
    more = prune_once([layer("FULLY_CONNECTED", [[0.1, 0.01], [0.02, 9]])], 0.25, storage="int8")
    assert more.stored["it"].tolist() == [[127, 0], [0, 127]]
    assert "set 1 of 4 weights to 0 (25.0 %), and rounding to int8 1 more; " in more.summary()


@pytest.mark.parametrize(
    ("kind", "shape", "pattern", "why"),
    [
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), None, "depthwise"),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), "2:4", "depthwise"),
        ("CONV_2D", (4, 3, 3, 2), "2:4", "too few input channels"),
        ("CONV_2D", (4, 3, 3, 8), (1, 4), "no dense layer"),
        ("CONV_2D", (4, 3, 3, 8), [1, 4], "no dense layer"),
        ("CONV_2D", (4, 3, 3, 3), "2:4", None),
        ("CONV_2D", (4, 3, 3, 1), None, None),
        ("FULLY_CONNECTED", (4, 8), (1, 4), None),
    ],
)
def test_what_is_left_whole_says_why(kind, shape, pattern, why):
    weights = np.random.default_rng(0).normal(size=shape)
    pruned = prune_once([layer(kind, weights)], 0.5, pattern=pattern)
    if why is None:
        assert not pruned.left_whole
        assert 0 < pruned.pruned_share <= 0.5
    else:
        assert why in pruned.left_whole["it"]
        assert pruned.masks["it"].all()
        assert np.array_equal(pruned.values["it"], np.float32(weights))
        assert pruned.pruned_share == 0


def test_the_layers_that_are_pruned_are_those_of_tfmot(tf):
    from tensorflow_model_optimization.python.core.sparsity.keras.prune_registry import (
        PruneRegistry,
    )

    model = qk.models.depthwise_cnn()
    theirs = {
        each.name
        for each in model.layers
        if PruneRegistry.supports(each) and PruneRegistry._LAYERS_WEIGHTS_MAP[type(each)]
    }
    pruned = prune_once(layers(qk.convert(model, "float32")), 0.5)
    ours = {each.name for each in pruned.layers} - set(pruned.left_whole)
    assert ours == theirs


def test_bytes_are_those_of_zlib_and_of_an_ideal_coder(found):
    arrays = [each.weights for each in found]
    size = stored_bytes(arrays)
    content = b"".join(array.tobytes() for array in arrays)
    assert (size.raw_bytes, size.deflated_bytes) == (len(content), len(zlib.compress(content)))
    assert size.entropy_bytes == sum(entropy_coded_bytes(array) for array in arrays)
    assert size.entropy_bytes < size.deflated_bytes


@pytest.mark.parametrize("pattern", [None, (4, 1)])
def test_a_network_pruned_in_keras_becomes_the_same_file(tf, trained, pattern):
    model = tf.keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    for name in ("conv", "logits"):
        kernel, bias = model.get_layer(name).get_weights()
        if kernel.ndim == 2 or pattern is None:
            kernel *= qk.magnitude_mask(kernel, 0.7, pattern)
        model.get_layer(name).set_weights([kernel, bias])
    pruned = prune_once(
        layers(qk.convert(trained, "float32")), 0.7, pattern=pattern and pattern[::-1]
    )
    for each in layers(qk.convert(model, "float32")):
        assert np.array_equal(each.weights, pruned.values[each.name])


def test_what_pruning_cannot_do_is_refused(found):
    with pytest.raises(ValueError, match="storage must be one of 'float32', 'int8'; got 'int4'"):
        prune_once(found, 0.5, storage="int4")
    with pytest.raises(ValueError, match=r"must be a number in \[0, 1\), got 50"):
        prune_once(found, 50)


def test_clustered_by_hand():
    dense = layer("FULLY_CONNECTED", [[0.0, 1.0, 2.0], [9.0, 10.0, 3.0]])
    start = cluster_once([dense], 3, init="linear")
    assert start.paths["it"].tolist() == [[0, 5, 10]]
    assert start.values["it"].tolist() == [[0, 0, 0], [10, 10, 5]]
    assert start.counts["it"].tolist() == [3, 1, 2]
    moved = cluster_once([dense], 3, init="linear", steps=1)
    assert moved.paths["it"].tolist() == [[0, 5, 10], [1, 3, 9.5]]
    assert moved.values["it"].tolist() == [[1, 1, 1], [9.5, 9.5, 3]]
    noise = 1 + 0 + 1 + 0.25 + 0.25 + 0
    assert moved.sqnr_db("it") == pytest.approx(10 * np.log10(195 / noise))
    assert moved.table_bytes == 2 + 12  # six positions of two bits and three float32
    assert moved.size.entropy_bytes == entropy_coded_bytes(moved.values["it"])


@pytest.mark.parametrize(("clusters", "bits"), [(2, 1), (3, 2), (4, 2), (5, 3), (16, 4), (64, 6)])
def test_positions_take_the_bits_they_need(tflite, clusters, bits):
    clustered = cluster_once(tflite("float32"), clusters)
    expected = -(-108 * bits // 8) + -(-20280 * bits // 8) + 2 * 4 * clusters
    assert clustered.table_bytes == expected


def test_depthwise_kernels_are_left_and_counted():
    weights = np.random.default_rng(0).normal(size=(1, 3, 3, 8))
    clustered = cluster_once([layer("DEPTHWISE_CONV_2D", weights, axis=3)], 2)
    assert "depthwise" in clustered.left_whole["it"]
    assert np.array_equal(clustered.values["it"], np.float32(weights))
    assert clustered.table_bytes == clustered.size.raw_bytes == 4 * 72


def test_equal_centroids_count_once():
    dense = layer("FULLY_CONNECTED", [[1.0, 1.0], [1.0, 2.0]])
    clustered = cluster_once([dense], 8, init="kmeans++")
    assert np.count_nonzero(clustered.counts["it"]) == 2
    assert clustered.sqnr_db("it") == np.inf


def test_what_clustering_cannot_do_is_refused(tflite):
    found = layers(tflite("float32"))
    with pytest.raises(ValueError, match="init must be one of 'linear', 'random', 'density'"):
        cluster_once(found, 4, init="uniform")
    with pytest.raises(ValueError, match="clusters must be a whole number"):
        cluster_once(found, 0)


def test_zeros_that_were_there_are_not_counted_as_rounded(float_file):
    layer = qk.simulation.layers(float_file)[1]
    half = dataclasses.replace(layer, weights=np.where(layer.weights > 0, layer.weights, 0))
    assert qk.prune_once([half], 0.1).rounded_to_0 == 0
    assert 0 < qk.prune_once([half], 0.1, storage="int8").rounded_to_0 < half.weights.size / 4


def test_a_change_of_another_file_is_refused(float_file, depthwise_tflite):
    change = qk.prune_once(float_file, 0.5)
    with pytest.raises(ValueError, match="the change is of another file"):
        change.applied(depthwise_tflite("float32"))


def test_what_is_no_file_is_refused_with_the_remedy():
    with pytest.raises(TypeError, match=r"expected the bytes of a \.tflite file, got object"):
        qk.prune_once(object(), 0.5)
