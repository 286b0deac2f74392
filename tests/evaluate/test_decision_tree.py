"""The official tree leads to the schemes it leads to, and measurement may say against it."""

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


# Each keeps what the guide promises: nothing to say against it.
KEPT = {
    "float32": (range(50), 80, 10),
    "float16": (range(50), 40, 10),
    "dynamic_range": (range(100), 20, 9),
    "full_integer": (range(55), 20, 5),
    "int16_activations": (range(45), 20, 6),
    "qat": (range(45), 20, 5),
}


@pytest.fixture
def told(hand_made):
    """Return a function from a scheme and changed rows to the disagreements, by first word."""

    def of(scheme, without=(), **rows):
        rows = {name: row for name, row in {**KEPT, **rows}.items() if name not in without}
        found = qk.disagreements(follow(WAYS[scheme]), hand_made(rows))
        return {sentence.partition(":")[0]: sentence for sentence in found}

    return of


def test_promises_kept_are_not_disagreed_with(told):
    assert told("full_integer") == {}
    assert told("int16_activations") == {}
    assert told("float16", dynamic_range=(range(100), 20, 9)) == {}


def test_loss_is_told_beside_the_promise(told):
    found = told("full_integer", full_integer=(range(70), 20, 5))
    assert found == {
        "Accuracy": "Accuracy: the guide says small loss, measured it is 2.00 points below "
        "float32 (p = 1.9e-06)."
    }
    assert "Accuracy" not in told("full_integer", full_integer=(range(62), 20, 5))  # a small loss
    assert "Accuracy" in told("float16", float16=(range(60), 40, 10))  # not an insignificant one
    assert "guide says" not in told("int16_activations", int16_activations=(range(90), 20, 6))[
        "Accuracy"
    ]  # fmt: skip


def test_loss_within_the_noise_is_no_disagreement(told):
    assert "Accuracy" not in told("full_integer", full_integer=(range(54), 20, 5))


def test_qat_is_held_against_its_control(told):
    found = told("qat", control_full_integer=(range(47), 20, 5))
    assert found["Training"] == (
        "Training: its equal-epoch control, quantized without QAT, is at 95.30 %; qat is +0.20 "
        "points from it (p = 0.5): no gain from QAT that 1,000 images could show."
    )
    assert "Training" not in told("qat", control_full_integer=(range(70), 20, 5))
    assert told("qat")["Training"].startswith("Training: no equal-epoch control was measured")


def test_qat_is_held_against_full_integer(told):
    assert "Effort" not in told("qat")
    found = told("qat", full_integer=(range(46), 20, 5))
    assert found["Effort"].endswith(
        "against full_integer, which needs no labels, it is +0.10 points (p = 1)."
    )
    assert "Effort" not in told("qat", without=["full_integer"])


def test_int16_is_held_against_full_integer(told):
    found = told(
        "int16_activations", full_integer=(range(46), 20, 5), int16_activations=(range(45), 20, 205)
    )
    assert found["Higher accuracy"] == (
        "Higher accuracy: against full_integer it is +0.10 points (p = 1), not measurably more "
        "accurate, and takes 41 times the time."
    )
    assert found["Speed"] == (
        "Speed: on this CPU it takes 20 times (18.45 to 22.55) the time of float32."
    )
    assert "Higher accuracy" not in told("int16_activations", without=["full_integer"])


def test_up_to_75_percent_is_kept_by_less(told):
    assert "Size" not in told("full_integer", full_integer=(range(55), 24, 5))
    assert "Size" not in told("float16", float16=(range(50), 43, 10))


def test_size_is_held_against_what_was_asked(told):
    assert told("full_integer", full_integer=(range(55), 41, 5))["Size"] == (
        "Size: you asked for a cut by more than half, measured it is 48.8 %."
    )


def test_speed_within_its_interval_of_the_reference_is_no_disagreement(told):
    assert "Speed" not in told("full_integer", full_integer=(range(55), 20, 11))
    assert "Speed" in told("full_integer", full_integer=(range(55), 20, 12))


def test_what_asks_for_less_and_does_as_well_is_named(told):
    found = told("full_integer", dynamic_range=(range(55), 18, 7.5))
    assert found["Less would do"] == (
        "Less would do: dynamic_range, which needs no data, is 10.0 % smaller still, +0.00 points "
        "(p = 1), and takes 1.50 times the time."
    )
    # as small, more accurate but asking for more, or measurably less accurate
    assert "Less would do" not in told("full_integer")
    assert "Less would do" not in told("full_integer", qat=(range(45), 10, 5))
    assert "Less would do" not in told("full_integer", dynamic_range=(range(90), 10, 5))


def test_not_to_optimize_is_held_against_what_costs_nothing(told):
    assert told("float32", dynamic_range=(range(51), 20, 9))["Less would do"].startswith(
        "Less would do: dynamic_range, which needs no data, is 75.0 % smaller still, -0.10 points"
    )


def test_without_a_row_there_is_nothing_to_say(told):
    assert told("full_integer", without=["full_integer"]) == {}
