"""Scores by a metric: intervals that cover, differences paired on the same items."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import bootstrap

import qkit as qk
from qkit.evaluate.accuracy import Score, judged
from qkit.evaluate.judge import judge
from qkit.evaluate.tasks import METRICS, Metric, ratio


def right_and_one(outputs, labels):
    right = outputs.argmax(axis=1) == labels
    return np.stack([right, np.ones_like(right)], axis=1).astype(np.int64)


TOP_1 = Metric("top-1", "", True, right_and_one, ratio)


@pytest.fixture(scope="module")
def scored(tflite, digits):
    return {
        name: qk.accuracy(tflite(name), digits.x_test, digits.y_test, metric=TOP_1)
        for name in ("float32", "float16", "full_integer")
    }


def test_classes_scored_by_a_metric_agree_with_their_accuracy(scored, tflite, digits):
    for name in ("float32", "full_integer"):
        found = qk.accuracy(tflite(name), digits.x_test, digits.y_test)
        assert (scored[name].value, scored[name].n) == (found.accuracy, 500)
        assert scored[name].interval == pytest.approx(found.interval, abs=0.006)


def test_a_keras_model_scores_as_its_float_file(scored, trained, digits):
    keras = qk.accuracy(trained, digits.x_test, digits.y_test, metric=TOP_1)
    assert keras.value == scored["float32"].value
    assert keras.interval == scored["float32"].interval


def test_differences_are_paired(scored, tflite, digits):
    same = qk.paired(scored["float32"], scored["float16"])
    assert same.interval == (0, 0)  # the same answers: no doubt at all
    accuracies = [
        qk.accuracy(tflite(n), digits.x_test, digits.y_test) for n in ("float32", "full_integer")
    ]
    expected = qk.paired(*accuracies)
    found = qk.paired(scored["float32"], scored["full_integer"])
    assert 100 * found.difference == pytest.approx(expected.difference_pp)
    assert 100 * np.array(found.interval) == pytest.approx(expected.interval_pp, abs=0.5)


def test_intervals_are_those_of_scipys_bootstrap(scored):
    a, b = scored["float32"], scored["full_integer"]

    def interval(statistic):
        drawn = bootstrap(
            (np.arange(a.n),),
            lambda items: statistic(np.bincount(items, minlength=a.n)),
            vectorized=False,
            batch=1,
            n_resamples=2000,
            method="percentile",
            rng=0,
        )
        return tuple(drawn.confidence_interval)

    assert a.interval == pytest.approx(interval(lambda w: ratio(a.tallies, w)), abs=1e-12)
    difference = interval(lambda w: ratio(b.tallies, w) - ratio(a.tallies, w))
    assert qk.paired(a, b).interval == pytest.approx(difference, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "outputs", "y", "low", "high"),
    [
        ("SQNR", [1, 2, 3.1], [1, 2, 3], 29.54, np.inf),  # exact in three draws of ten
        ("SQNR", [1, 2, 3], [1, 2, 3], np.inf, np.inf),
        ("SQNR", [1, 2], [0, 0], -np.inf, -np.inf),  # all is noise
        ("R²", [1.1, 1.1, 1.1, 1.1, 2.1], [1, 1, 1, 1, 2], 0.9375, 0.9583),  # of one value: none
    ],
)
def test_intervals_of_scores_that_may_be_infinite(name, outputs, y, low, high):
    outputs, y = (np.float32(each)[:, None] for each in (outputs, y))
    found = judged(outputs, y, METRICS[name])
    assert found.interval == pytest.approx((low, high), abs=0.01)
    same = qk.paired(found, found)
    assert (same.difference, same.interval) == (0, (0, 0))


def test_of_one_item_no_score_is_sure_and_none_is_worse():
    y = np.float32([[1.0, 2.0]])
    a, b = (judged(y + off, y, METRICS["RMSE"]) for off in (0, 0.5))
    found = qk.paired(a, b)
    assert found.difference == 0.5
    assert np.isnan([*b.interval, *found.interval]).all()
    assert not found.worse


def test_frame_and_words(scored):
    found = scored["float32"]
    row = found.to_frame().iloc[0]
    assert (row["top-1"], row["n"]) == (found.value, 500)
    assert (row["low"], row["high"]) == found.interval
    assert str(found).startswith(f"top-1 {found.value:.2%} (95 % interval ".replace("%", " %", 1))
    change = qk.paired(found, scored["full_integer"])
    assert change.to_frame().iloc[0]["difference"] == change.difference
    assert str(change).startswith(f"{100 * change.difference:+.2f} points (95 % interval ")
    assert str(change).endswith(" points, n = 500)")


def test_words_for_decibels(scored):
    in_db = dataclasses.replace(scored["float32"], metric=Metric("SNR", "dB", True, None, ratio))
    assert str(in_db).startswith(f"SNR {in_db.value:.2f} dB (95 % interval ")


def test_weight_two_is_the_item_twice():
    tallies = np.array([[1, 3], [2, 4], [0, 5]])
    assert ratio(tallies, np.array([2, 0, 1])) == ratio(tallies[[0, 0, 2]], np.ones(3))


def test_targets_must_be_as_many(tflite, digits):
    with pytest.raises(ValueError, match=r"one entry for each of 500 inputs, got \(3,\)"):
        qk.accuracy(tflite("float32"), digits.x_test, digits.y_test[:3], metric=TOP_1)


RNG = np.random.default_rng(0)
PIXELS = RNG.normal(size=(9, 6, 5, 3)).astype(np.float32)  # scores of three classes
MASK = 1 / (1 + np.exp(-PIXELS[..., :1]))
ROWS = PIXELS[:, 0, 0]


@pytest.mark.parametrize(
    ("name", "outputs", "answers"),
    [
        ("mean IoU", PIXELS, PIXELS.argmax(axis=3)),
        ("pixel accuracy", PIXELS, PIXELS.argmax(axis=3)),
        ("mean IoU", MASK, MASK > 0.5),
        ("pixel accuracy", MASK, MASK > 0.5),
        ("F1 of labels", ROWS, ROWS > 0),
    ],
)
def test_without_labels_answers_are_held_against_those_in_float(name, outputs, answers):
    held = judge(outputs, None, name, what="test")
    assert held.reference.value == 1
    other = outputs[::-1].copy()
    assert held.of(other).value == judged(other, answers, METRICS[name]).value < 1


@pytest.mark.parametrize("name", [None, "mean IoU", "pixel accuracy"])
def test_one_hot_masks_are_classes_of_pixels(name):
    numbers = RNG.integers(0, 3, PIXELS.shape[:3])
    found = [judged(PIXELS, y, METRICS.get(name)) for y in (numbers, np.eye(3)[numbers])]
    assert {each.metric.name for each in found} == {name or "mean IoU"}
    assert found[0].value == found[1].value
    column = judged(ROWS, np.eye(3)[numbers[:, 0, 0]], METRICS.get(name))
    assert column.n == 9


@pytest.mark.parametrize(
    ("name", "outputs", "y", "told", "way_out"),
    [
        ("RMSE", ROWS, np.ones(9), r"\(9,\).* shape \(9, 3\). Pass numbers", np.ones((9, 3))),
        ("R²", ROWS, np.arange(9), r"\(9,\).* shape \(9, 3\). Pass numbers", ROWS),
        ("MAE", MASK, MASK.transpose(0, 2, 1, 3), "own shape", MASK[..., 0]),
        ("SQNR", PIXELS, PIXELS.transpose(0, 3, 1, 2), "own shape", PIXELS),
        ("mean IoU", PIXELS, PIXELS.argmax(3) + 1, "holds the label 3.* 0 to 2", PIXELS.argmax(3)),
        ("pixel accuracy", PIXELS, np.ones((9, 5, 6)), "from 0 to 2", np.ones((9, 6, 5))),
        ("mean IoU", MASK, 255 * (MASK > 0.5), "from 0 to 1", MASK > 0.5),
        ("F1 of labels", ROWS, np.arange(9) % 2, "0 or 1 for each output", ROWS > 1),
        ("F1 of labels", ROWS, 2 * (ROWS > 1), "0 or 1 for each output", ROWS > 1),
        ("RMSE", ROWS, None, "y is missing", ROWS),
        ("R²", ROWS, np.ones((9, 3)), "y does not vary .n = 9.", ROWS),
        ("R²", ROWS, ROWS * [1, 1, 0] + 0.1, "in one of the outputs or in all", ROWS),
    ],
)
def test_targets_that_a_named_metric_cannot_take_are_refused(name, outputs, y, told, way_out):
    with pytest.raises(ValueError, match=told):
        judged(outputs, y, METRICS[name])
    assert judged(outputs, way_out, METRICS[name]).n == 9


def test_targets_of_which_r2_tells_nothing_have_another_metric():
    y = np.ones((1, 3))  # of a single item there is no spread
    with pytest.raises(ValueError, match=r"does not vary .n = 1.* or metric='RMSE'"):
        judged(ROWS[:1], y, METRICS["R²"])
    assert judged(ROWS[:1], y, METRICS["RMSE"]).n == 1


def test_what_a_metric_wants_is_one_of_few_words():
    with pytest.raises(ValueError, match=r"wants must be one of '', 'classes', .* got 'pixels'"):
        Metric("mine", "", True, None, ratio, "pixels")


def test_an_accuracy_and_a_score_cannot_be_paired(scored):
    (score, *_), right = scored.values(), qk.accuracy_of([1], [1])
    for a, b in ((score, right), (right, score)):
        with pytest.raises(TypeError, match=f"got {type(a).__name__} and {type(b).__name__}"):
            qk.paired(a, b)


def test_scores_of_other_items_or_metrics_cannot_be_paired(scored):
    found = scored["float32"]
    fewer = Score(TOP_1, found.tallies[:9], 9, 1.0, (1.0, 1.0))
    with pytest.raises(ValueError, match="top-1 of 500 items and top-1 of 9 cannot be paired"):
        qk.paired(found, fewer)
