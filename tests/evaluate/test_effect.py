"""What a change does to a network: accuracies by the file that is run, sizes by hand."""

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.simulation import layers


@pytest.fixture
def of(float_file, digits):
    def measure(change, images=100):
        return qk.effect(float_file, change, digits.x_test[:images], digits.y_test[:images])

    return measure


@pytest.fixture(scope="module")
def ranges(float_file, digits):
    return qk.simulation.calibrated_ranges(float_file, digits.x_train[:60])


@pytest.fixture
def at(of, float_file, ranges):
    def measure(weight_bits, activation_bits):
        bits = {"weight_bits": weight_bits, "activation_bits": activation_bits}
        return of(qk.simulation.bits(float_file, ranges, **bits))

    return measure


def test_nothing_pruned_is_the_reference(of, float_file):
    effect = of(qk.prune_once(float_file, 0.0))
    assert np.array_equal(effect.paired.a.predictions, effect.paired.b.predictions)
    assert effect.change.size.by_way == effect.change.size_before.by_way


def test_pruned_weights_make_a_line(of, float_file):
    effect = of(qk.prune_once(float_file, 0.98, storage="int8"))
    assert effect.paired.b.accuracy < effect.paired.a.accuracy
    assert effect.change.pruned_share == pytest.approx(0.98, abs=1e-3)
    assert "without fine-tuning, set 19,980 of 20,388 weights to 0" in effect.summary()
    assert "against all weights in float32" in effect.summary()


def test_many_clusters_keep_the_answers_and_two_do_not(of, float_file):
    many, two = (of(qk.cluster_once(float_file, n, init="linear")) for n in (64, 2))
    assert len(many.paired.disagreements) <= 3
    assert len(two.paired.disagreements) > 3
    after = layers(two.change.applied(float_file))
    assert [np.unique(each.weights).size for each in after] == [2, 2]


def test_clustered_weights_make_a_line(of, float_file):
    effect = of(qk.cluster_once(float_file, 16, steps=1))
    assert effect.summary().startswith(
        "One-shot clustering to 16 values a layer, kmeans++ and 1 step of k-means, without"
    )
    assert effect.change.size_before.raw_bytes == 81552


def test_all_in_float_is_the_reference(at):
    effect = at({}, {})
    assert effect.change.size_bytes == 4 * (12 * 9 + 10 * 2028)
    assert np.array_equal(effect.paired.a.predictions, effect.paired.b.predictions)
    assert effect.change.activation_bits["input"] == 32


def test_bits_are_counted_layer_by_layer(at):
    change = at({"conv": 16, "logits": 2}, {"logits": 8}).change
    assert change.size_bytes == 2 * 12 * 9 + 10 * 2028 / 4
    assert dict(change.activation_bits) == {"input": 32, "conv": 32, "logits": 8}
    assert change.weight_bits == {"conv": 16, "logits": 2}


def test_eight_bits_keep_the_answers_and_two_bits_do_not(at):
    assert len(at(8, 8).paired.disagreements) <= 3
    assert len(at(2, 2).paired.disagreements) > 3


def test_bits_make_a_line(at):
    effect = at({"logits": 4}, {})
    assert effect.summary().startswith("The weights take 10.6 kB, 7.7 times less than in float32")
    assert "against float32" in effect.summary()


def test_a_reference_that_is_known_is_not_measured_again(float_file, digits):
    x, y = digits.x_test[:100], digits.y_test[:100]
    known = qk.accuracy(float_file, x, y)
    change = qk.prune_once(float_file, 0.5)
    assert qk.effect(float_file, change, x, y, reference=known).paired.a is known
