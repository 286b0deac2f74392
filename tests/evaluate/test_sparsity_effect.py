"""One-shot pruning of a network: weights by hand, bytes by other means, accuracy by the file."""

import zlib

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.prune_once import prune_once
from qkit.interpreter.simulation import Layer, layers
from qkit.quantize.coding import entropy_coded_bytes, stored_bytes


@pytest.fixture(scope="module")
def found(tflite):
    return layers(tflite("float32"))


def layer(kind, weights, axis=0):
    return Layer("it", kind, np.float32(weights), "it/weights", "it/out", axis)


def test_by_hand():
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


@pytest.mark.parametrize(
    ("kind", "shape", "pattern", "why"),
    [
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), None, "depthwise"),
        ("DEPTHWISE_CONV_2D", (1, 3, 3, 8), "2:4", "depthwise"),
        ("CONV_2D", (4, 3, 3, 2), "2:4", "too few input channels"),
        ("CONV_2D", (4, 3, 3, 8), (1, 4), "no dense layer"),
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
        assert pruned.to_frame().loc["it", "left_whole"] == ""
    else:
        assert why in pruned.left_whole["it"]
        assert why in pruned.to_frame().loc["it", "left_whole"]
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


def test_nothing_pruned_is_the_reference(tflite, digits):
    effect = qk.sparsity_effect(
        tflite("float32"), digits.x_test[:50], digits.y_test[:50], sparsity=0.0
    )
    assert np.array_equal(effect.paired.a.predictions, effect.paired.b.predictions)
    assert effect.pruned.size.deflated_bytes == effect.whole.size.deflated_bytes


@pytest.mark.parametrize("pattern", [None, (4, 1)])
def test_a_network_pruned_in_keras_becomes_the_same_file(tf, trained, pattern, digits):
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


def test_table_and_line(tflite, digits):
    effect = qk.sparsity_effect(
        tflite("float32"), digits.x_test[:50], digits.y_test[:50], sparsity=0.98, storage="int8"
    )
    assert effect.paired.b.accuracy < effect.paired.a.accuracy
    row = effect.to_frame().loc[0]
    assert row["accuracy"] == effect.paired.b.accuracy
    assert row["pruned_share"] == pytest.approx(0.98, abs=1e-3)
    assert row["deflated_bytes"] == effect.pruned.size.deflated_bytes
    assert "without fine-tuning, set 19,980 of 20,388 weights to 0" in effect.summary()


def test_what_is_out_of_range_is_refused(found):
    with pytest.raises(ValueError, match="storage must be 'float32' or 'int8', got 'int4'"):
        prune_once(found, 0.5, storage="int4")
    with pytest.raises(ValueError, match="from 0 to below 1, got 50"):
        prune_once(found, 50)
