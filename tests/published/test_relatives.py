"""Relatives of the published table, and what is done with one of them, or of one's own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.tasks import ratio
from qkit.interpreter.run import outputs
from qkit.published import RELATIVES, Relative, detection, int16_effect
from qkit.published.relatives import TOP_1, right_classes

OWN = Relative("my own", None, qk.models.walkthrough_cnn, TOP_1, epochs=1)


@pytest.fixture
def few_scenes(monkeypatch):
    """Let the detector's lesson be short: to make its scenes takes seconds."""
    monkeypatch.setattr(detection, "_TRAIN_SCENES", 160)


@pytest.fixture(scope="module")
def effect(digits):
    return int16_effect(OWN, digits, seed=3, cache=False)


def test_every_published_network_has_one_relative():
    table = qk.published.int16_activations()
    taken = [r.published for r in RELATIVES.values() if r.published]
    assert set(taken) <= set(table.index)
    assert sorted(model for model, _ in taken) == sorted(set(table.index.get_level_values(0)))
    for relative in RELATIVES.values():
        if relative.published and relative.published[0] != "MobileBert":  # which answers questions
            assert relative.metric.name == relative.published[1]


@pytest.mark.parametrize("name", RELATIVES)
def test_networks_and_their_data_fit_together(name, digits, few_scenes):
    relative = RELATIVES[name]
    made = relative.data(digits) if relative.data else digits
    model = relative.build(seed=1)
    assert model.input_shape[1:] == made.x_train.shape[1:] == made.x_test.shape[1:]
    assert f"{len(made.x_train):,} training" in str(made)
    given = model(made.x_test[:2]).numpy()
    tallies = relative.metric.tallies(given, made.y_test[:2])
    assert np.isfinite(relative.metric.score(tallies, np.ones(2)))


@pytest.mark.parametrize("name", RELATIVES)
def test_seed_decides_every_weight(name):
    def kernels(seed):
        weights = RELATIVES[name].build(seed=seed).trainable_weights
        return [w.numpy() for w in weights if len(w.shape) > 1]

    for first, other, again in zip(kernels(3), kernels(4), kernels(3), strict=True):
        assert not np.array_equal(first, other)
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", sorted(set(RELATIVES) - {"unrolled LSTM"}))  # converts for long
def test_equal_models_convert_to_equal_bytes(name):
    build = RELATIVES[name].build
    assert qk.convert(build(), "float32") == qk.convert(build(), "float32")


@pytest.mark.parametrize("name", ["detector", "denoiser"])
@pytest.mark.parametrize("scheme", ["full_integer", "int16_activations"])
def test_untrained_ones_convert_and_give_what_keras_gives(name, scheme, digits, few_scenes):
    x = RELATIVES[name].data(digits).x_train[:20]
    model = RELATIVES[name].build()
    found = outputs(qk.convert(model, scheme, x), x)
    true = model(x).numpy()
    coarse = 0.1 if scheme == "full_integer" else 0.02  # of the largest; the weights are int8
    assert np.abs(found - true).max() < coarse * np.abs(true).max()


def test_right_classes_by_hand():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert right_classes(outputs, np.array([1, 1])).tolist() == [[1, 1], [0, 1]]


def test_files_are_what_their_names_say(effect):
    assert list(effect.models) == ["float32", "int8", "int16"]
    for name, tflite in effect.models.items():
        kinds = set(qk.inspect(tflite).to_frame().query("size_bytes == 0").dtype)
        assert name in kinds


def test_scores_are_those_of_the_files_on_the_test_items(effect, digits):
    for name, tflite in effect.models.items():
        right = outputs(tflite, digits.x_test).argmax(axis=1) == digits.y_test
        assert effect.scores[name].value == pytest.approx(right.mean())


def test_losses_are_those_of_the_paired_accuracies(effect, digits):
    found = {k: qk.accuracy(f, digits.x_test, digits.y_test) for k, f in effect.models.items()}
    for name, (value, low, high) in effect.lost.items():
        assert value == pytest.approx(-qk.paired(found["float32"], found[name]).difference_pp)
        assert low <= value <= high


@pytest.mark.slow
def test_seed_decides(effect, digits):
    other = int16_effect(OWN, digits, seed=4, cache=False)
    assert other.models["int8"] != effect.models["int8"]


def test_words_name_the_network_and_its_scores(effect):
    assert effect.summary().startswith("my own, top-1 ")
    assert "; int8 " in effect.summary()


@pytest.mark.slow
def test_detector_finds_digits_and_int8_costs_its_boxes_their_exactness(on_mnist):
    value = on_mnist("detector")
    assert value["float32"] > 0.88
    assert value["int8"] > 0.87
    assert value["int16"] == pytest.approx(value["float32"], abs=0.005)


@pytest.mark.slow
def test_denoiser_cleans_and_int8_loses_the_quiet_ones(on_mnist):
    value = on_mnist("denoiser")
    assert value["float32"] > 13.5  # of 5 dB
    assert value["int8"] < value["float32"] - 1
    assert value["int16"] == pytest.approx(value["float32"], abs=0.1)


@pytest.mark.slow
def test_networks_trained_beside_one_another_are_those_trained_in_turn(digits):
    own = replace(OWN, metric=qk.Metric("top-1", "", True, right_classes, partial(ratio)))
    plain = qk.published.int16_effects([own], digits, seeds=(0, 1), cache=False)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        given = {"seeds": (0, 1), "cache": False, "executor": pool}
        beside = qk.published.int16_effects([own], digits, **given)
    for one, other in zip(plain, beside, strict=True):
        assert one.summary() == other.summary()
        assert one.models == other.models
    # also where a metric is not equal to the copy that comes back from another process
    seeds = [effect.scores["int8"] for effect in beside]
    assert qk.paired(*seeds).a.metric is own.metric
