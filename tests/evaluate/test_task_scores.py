"""Scores on a task: intervals that cover, differences paired on the same items."""

import dataclasses

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.task import ratio
from qkit.evaluate.task_scores import task_scores
from qkit.published.classification import CLASSIFICATION


@pytest.fixture(scope="module")
def scored(tflite, digits):
    models = {name: tflite(name) for name in ("float32", "float16", "full_integer")}
    return task_scores(models, CLASSIFICATION, digits.x_test, digits.y_test)


def test_classification_agrees_with_accuracy_and_its_interval(scored, tflite, digits):
    for name in ("float32", "full_integer"):
        found = qk.accuracy(tflite(name), digits.x_test, digits.y_test)
        assert scored.score[name] == found.accuracy
        assert scored.interval[name] == pytest.approx(found.interval, abs=0.006)


def test_differences_are_paired_and_to_the_first(scored, tflite, digits):
    assert list(scored.difference) == ["float16", "full_integer"]
    assert scored.difference_interval["float16"] == (0, 0)  # the same answers: no doubt at all
    accuracies = [
        qk.accuracy(tflite(n), digits.x_test, digits.y_test) for n in ("float32", "full_integer")
    ]
    paired = qk.paired(*accuracies)
    assert 100 * scored.difference["full_integer"] == pytest.approx(paired.difference_pp)
    ends = 100 * np.array(scored.difference_interval["full_integer"])
    assert ends == pytest.approx(paired.interval_pp, abs=0.5)


def test_frame_and_words(scored):
    frame = scored.to_frame()
    assert list(frame.index) == ["float32", "float16", "full_integer"]
    assert np.isnan(frame.loc["float32", "difference"])
    assert frame.loc["float16", "top-1"] == scored.score["float32"]
    assert "top-1: float32 " in scored.summary()
    assert "n = 500" in scored.summary()


def test_words_for_decibels(scored):
    in_db = dataclasses.replace(
        scored, task=dataclasses.replace(CLASSIFICATION, metric="SNR", unit="dB")
    )
    assert f"float32 {scored.score['float32']:.2f} dB" in in_db.summary()


def test_weight_two_is_the_item_twice():
    tallies = np.array([[1, 3], [2, 4], [0, 5]])
    assert ratio(tallies, np.array([2, 0, 1])) == ratio(tallies[[0, 0, 2]], np.ones(3))


def test_interval_covers_at_about_its_level(tf):
    """Of 60 samples of 200 coin throws, the intervals miss the truth in about one of twenty."""
    from qkit.evaluate.task_scores import _interval

    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(60):
        tallies = np.stack([rng.random(200) < 0.8, np.ones(200)], axis=1)
        low, high = _interval(lambda w, t=tallies: ratio(t, w), 200)
        missed += not low <= 0.8 <= high
    assert missed <= 8


@pytest.mark.parametrize(
    ("models", "error", "said"),
    [({}, TypeError, "got an empty one"), ([b""], TypeError, "got list")],
)
def test_no_models(models, error, said, digits):
    with pytest.raises(error, match=said):
        task_scores(models, CLASSIFICATION, digits.x_test, digits.y_test)


def test_targets_must_be_as_many(tflite, digits):
    with pytest.raises(ValueError, match="500 inputs and 3 targets"):
        task_scores({"a": tflite("float32")}, CLASSIFICATION, digits.x_test, digits.y_test[:3])
