"""A recommendation: the tree's order, verdicts by intervals, and what comes next."""

from types import SimpleNamespace

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.judge import judge, require_shown
from qkit.evaluate.recommend import Demand, recommend

TARGETS = ("cpu", "gpu", "edgetpu", "microcontroller", "ethos-u")


def test_the_first_that_meets_the_demand_ends_it(float_file, digits):
    found = recommend(float_file, digits, max_drop_pp=2, budget_bytes=30_000)
    assert found.scheme == "dynamic_range"
    assert found.table["verdict"].tolist() == ["missed", "met"]
    assert (
        found.table.loc["float16", "why"]
        == f"the file takes {len(qk.convert(float_file, 'float16')):,} bytes"
    )
    assert found.tflite == qk.convert(float_file, "dynamic_range")
    assert found.next == ()
    assert "dynamic_range, the first of 2 tried" in found.summary()
    nothing_lost = found.table["drop_pp"] == 0
    assert nothing_lost.any()
    assert not np.signbit(found.table["drop_pp"][nothing_lost]).any()  # else it is told as -0.00


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_named_has_nothing_fatal_for_its_target(target, float_file, digits):
    found = recommend(float_file, digits, target=target, max_drop_pp=3)
    assert found.scheme
    severities = {finding.severity for finding in qk.lint(found.tflite, target).findings}
    assert "fatal" not in severities


def test_a_demand_that_nothing_meets_says_what_was_tried_and_what_comes_next(float_file, digits):
    pair = digits.x_test, digits.y_test
    found = recommend(float_file, pair, target="microcontroller", max_drop_pp=2, budget_bytes=5_000)
    assert (found.scheme, found.tflite) == ("", None)
    assert set(found.table["verdict"]) == {"missed", "not tried"}
    last = found.table.iloc[-1]
    assert (last["verdict"], last["needs"]) == ("not tried", "labelled training data")
    assert "labelled training data" in found.next[0]
    assert "none of 2 tried is shown to meet it" in found.summary()


def test_memory_has_a_budget_of_its_own(float_file, digits):
    found = recommend(float_file, digits, target="microcontroller", max_drop_pp=2,
                      budget_ram_bytes=100)  # fmt: skip
    assert not found.scheme
    assert found.table["why"].iloc[0].startswith("activations take")


def test_an_interval_on_both_sides_of_the_limit_is_open_and_asks_for_items(float_file, digits):
    pair = digits.x_test[:180], digits.y_test[:180]
    limit = qk.paired(*[qk.accuracy(float_file, *pair)] * 2).interval_pp[1] + 0.01
    coarse = {"target": "ethos-u", "max_drop_pp": limit, "labels": False}
    found = recommend(float_file, pair, **coarse)
    opened = found.table[found.table["verdict"] == "open"]
    for name in opened.index:
        assert found.table.loc[name, "why"].startswith("it may lose up to")
        assert found.table.loc[name, "drop_low_pp"] <= limit < found.table.loc[name, "drop_high_pp"]
        assert any(f"{name}: about" in said for said in found.next) or found.scheme


def test_a_loss_that_is_no_number_is_within_no_limit():
    row = {"size_bytes": 9, "ram_bytes": 9, "drop_low_pp": np.nan, "drop_high_pp": np.nan}
    verdict = Demand("cpu", 2, None, None).verdict(row, SimpleNamespace(findings=[]))
    assert verdict == ("open", "what it loses cannot be told")


def test_memory_that_cannot_be_told_is_within_no_budget():
    row = {"size_bytes": 9, "ram_bytes": np.nan, "drop_low_pp": 0, "drop_high_pp": 0}
    verdict = Demand("cpu", 2, None, 9).verdict(row, SimpleNamespace(findings=[]))
    assert verdict == ("missed", "activations take an untold number of bytes")


def test_a_figure_of_the_float_model_that_is_no_number_is_refused():
    outputs = np.float32([[1, 0], [0, 1]])

    def asked(value):
        metric = qk.Metric("mine", "", True, np.subtract, lambda tallies, weights: value)
        held = judge(outputs, outputs, metric, what="test")
        require_shown(SimpleNamespace(held=held, plain=outputs), 2, what="recommend")

    with pytest.raises(ValueError, match=r"mine of the float model is NaN.* that gives a number"):
        asked(np.nan)
    asked(0.5)


@pytest.mark.slow
def test_labels_are_trained_on_where_nothing_else_does(trained, few_digits):
    """No file of the network itself is small enough; training is tried last, and named as such."""
    found = recommend(trained, few_digits, target="ethos-u", max_drop_pp=3, budget_bytes=9)
    assert found.table.index[-1] == "qat+full_integer_int8_io"
    assert found.table.iloc[-1]["verdict"] == "missed"
    assert found.table.iloc[-1]["size_bytes"] > 9
    none = recommend(
        trained, few_digits, target="ethos-u", max_drop_pp=3, budget_bytes=9, labels=False
    )
    assert none.table.iloc[-1]["verdict"] == "not tried"


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"target": "phone"}, "one of 'cpu'"),
        ({"max_drop_pp": -1}, r"number in \[0, 100\]"),
        ({"budget_bytes": 0.5}, "budget_bytes must be a whole number"),
        ({"labels": None}, "labels must be a bool"),
    ],
)
def test_a_demand_is_checked_first(wrong, match, float_file, digits):
    with pytest.raises((TypeError, ValueError), match=match):
        recommend(float_file, digits, **{"max_drop_pp": 2, **wrong})
