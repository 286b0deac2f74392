"""The official tree leads to the schemes it leads to; bad answers are refused."""

import itertools

import pytest

import qkit as qk
from qkit.evaluate.decision_tree import TREE, follow

WAYS = {
    "float32": {"optimize": False},
    "float16": {"optimize": True, "smaller": False},
    "dynamic_range": {"optimize": True, "smaller": True, "effort": False},
    "qat": {"optimize": True, "smaller": True, "effort": True, "retrain": True},
    "int16_activations": {
        "optimize": True, "smaller": True, "effort": True, "retrain": False, "calibration": True,
        "accuracy": True,
    },
    "full_integer": {
        "optimize": True, "smaller": True, "effort": True, "retrain": False, "calibration": True,
        "accuracy": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("scheme", WAYS)
def test_each_way_ends_where_the_guide_says(scheme):
    decision = follow(WAYS[scheme])
    assert decision.scheme == scheme
    assert dict(decision.path) == WAYS[scheme]
    assert decision.to_frame()["answer"].to_dict() == WAYS[scheme]
    assert decision.summary().startswith(f"The tree names {scheme} ({qk.SCHEMES[scheme].title})")


def test_without_a_calibration_set_it_is_dynamic_range_again():
    answers = {**WAYS["full_integer"], "calibration": False}
    decision = follow(answers)
    assert decision.scheme == "dynamic_range"
    assert "accuracy" not in decision.path


def test_all_64_answers_end_at_a_scheme():
    ends = [
        follow(dict(zip(TREE, answers, strict=True))).scheme
        for answers in itertools.product([False, True], repeat=len(TREE))
    ]
    assert {scheme: ends.count(scheme) for scheme in WAYS} == {
        "float32": 32, "float16": 16, "dynamic_range": 8 + 2, "qat": 4,
        "int16_activations": 1, "full_integer": 1,
    }  # fmt: skip


def test_guide_is_quoted():
    assert str(follow(WAYS["qat"])).endswith(
        ": it needs labelled training data; the guide says up to 75 % smaller, smallest loss, for "
        "CPU, GPU (Android), EdgeTPU, Hexagon DSP."
    )
    assert "the guide's table has no row for it" in str(follow(WAYS["int16_activations"]))


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ({}, ValueError, "no answer to 'optimize': Optimize at all"),
        ({"optimize": True}, ValueError, "no answer to 'smaller'"),
        ({"budget": True}, ValueError, "a question must be one of 'optimize', 'smaller'"),
        ({"optimize": "no"}, TypeError, "answer to 'optimize' must be True or False, got 'no'"),
    ],
)
def test_bad_answers_are_told(answers, error, message):
    with pytest.raises(error, match=message):
        follow(answers)
