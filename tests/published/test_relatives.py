"""Relatives of the published table, and what is done with one of them, or of one's own."""

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import outputs
from qkit.published.classification import CLASSIFICATION
from qkit.published.relatives import Relative

OWN = Relative("my own", None, qk.models.walkthrough_cnn, CLASSIFICATION, epochs=1)


@pytest.fixture(scope="module")
def effect(digits):
    return qk.int16_effect(OWN, digits, seed=3, cache=False)


def test_every_published_network_has_one_relative():
    table = qk.published.int16_activations()
    taken = [r.published for r in qk.RELATIVES.values() if r.published]
    assert set(taken) <= set(table.index)
    assert sorted(model for model, _ in taken) == sorted(set(table.index.get_level_values(0)))
    for relative in qk.RELATIVES.values():
        if relative.published and relative.published[0] != "MobileBert":  # which answers questions
            assert relative.task.metric == relative.published[1]


@pytest.mark.parametrize("name", qk.RELATIVES)
def test_networks_and_their_data_fit_together(name, digits):
    relative = qk.RELATIVES[name]
    made, model = relative.task.data(digits), relative.build(seed=1)
    assert model.input_shape[1:] == made.x_train.shape[1:] == made.x_test.shape[1:]
    given = model.predict(made.x_test[:2], verbose=0)
    tallies = relative.task.tallies(given, made.y_test[:2])
    assert np.isfinite(relative.task.score(tallies, np.ones(2)))


def test_files_are_what_their_names_say(effect):
    assert list(effect.models) == ["float32", "int8", "int16"]
    for name, tflite in effect.models.items():
        kinds = set(qk.inspect(tflite).to_frame().query("size_bytes == 0").dtype)
        assert name in kinds


def test_scores_are_those_of_the_files_on_the_test_items(effect, digits):
    for name, tflite in effect.models.items():
        right = outputs(tflite, digits.x_test).argmax(axis=1) == digits.y_test
        assert effect.scores.score[name] == pytest.approx(right.mean())


def test_seed_decides(effect, digits):
    again = qk.int16_effect(OWN, digits, seed=3, cache=False)
    other = qk.int16_effect(OWN, digits, seed=4, cache=False)
    assert again.models["int8"] == effect.models["int8"]
    assert other.models["int8"] != effect.models["int8"]


def test_words_name_the_network_and_its_scores(effect):
    assert effect.summary().startswith("my own, top-1: float32 ")
    assert list(effect.to_frame().index) == ["float32", "int8", "int16"]


def test_unknown_relative_is_refused():
    with pytest.raises(ValueError, match="unknown relative 'bert'; there are strip CNN, "):
        qk.int16_effect("bert", None)
