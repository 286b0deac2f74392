"""The explorer of the decision tree: questions in, a scheme and its measured row out."""

import itertools
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

import qkit as qk
from qkit.evaluate.decision_tree import TREE, follow
from qkit.evaluate.report import sentence

ROWS = {
    "float32": (range(50), 80, 10),
    "float16": (range(50), 40, 10),
    "dynamic_range": (range(100), 20, 9),
    "full_integer": (range(70), 20, 5, "unlabelled sample"),
    "qat": (range(70), 20, 5, "labelled training data"),
    "control_full_integer": (range(69), 20, 5, "labelled training data"),
}


@pytest.fixture(scope="module")
def compared(hand_made):
    return hand_made(ROWS, not_measured={"int16_activations": "its operators are not there"})


def answer(explorer, answers):
    for name, yes in zip(TREE, answers, strict=True):
        explorer.controls[name].value = yes


@pytest.mark.slow
def test_every_way_is_answered(compared, figures):
    explorer = qk.explore_decision_tree(compared)
    pictures = {}
    for answers in itertools.product([False, True], repeat=len(TREE)):
        answer(explorer, answers)
        decision = follow(dict(zip(TREE, answers, strict=True)))
        assert str(decision) in explorer.readout
        for words in qk.disagreements(decision, compared):
            assert words in explorer.readout
        if decision.scheme in ROWS:
            assert f"Measured: {sentence(compared, decision.scheme)}" in explorer.readout
        met = [name for name, control in explorer.controls.items() if not control.disabled]
        assert met == list(decision.path)
        pictures.setdefault(tuple(decision.path.items()), set()).add(explorer.png())
    assert len(pictures) == 7
    assert all(len(seen) == 1 for seen in pictures.values())
    assert len(set.union(*pictures.values())) == 7
    assert set(plt.get_fignums()) == figures


def test_begins_at_full_integer_and_says_what_changed(compared):
    explorer = qk.explore_decision_tree(compared)
    assert explorer.readout.startswith("The tree names full_integer (full integer): it needs an ")
    explorer.controls["retrain"].value = True
    assert explorer.readout.startswith("Can you retrain?: no → yes. The tree names qat")
    assert explorer.controls["calibration"].disabled
    assert explorer.controls["accuracy"].disabled


def test_measurement_disagrees_or_it_does_not(compared):
    explorer = qk.explore_decision_tree(compared)
    assert explorer.readout.endswith(
        "Measurement disagrees in 1 point. Accuracy: the guide says small loss, measured it is "
        "2.00 points below float32 (p = 1.9e-06)."
    )
    explorer.controls["retrain"].value = True
    assert "Measurement disagrees in 3 points. Accuracy:" in explorer.readout
    assert "Training: its equal-epoch control" in explorer.readout
    explorer.controls["smaller"].value = False
    assert explorer.readout.endswith("Nothing measured here disagrees with the tree.")


def test_scheme_without_a_row_is_told(compared, hand_made):
    for comparison, reason in (
        (compared, "its operators are not there"),
        (hand_made({"float32": ROWS["float32"]}), "not measured: the comparison has no such row"),
    ):
        explorer = qk.explore_decision_tree(comparison)
        explorer.controls["accuracy"].value = True
        assert explorer.readout.endswith(f"int16_activations {reason}.")


def test_scheme_without_accuracy_is_told(compared):
    accuracies = {k: v for k, v in compared.accuracies.items() if k != "qat"}
    reasons = {"qat": "not measured: the copy is not trained"}
    explorer = qk.explore_decision_tree(
        replace(compared, accuracies=accuracies, not_measured=reasons)
    )
    explorer.controls["retrain"].value = True
    assert explorer.readout.endswith("qat not measured: the copy is not trained.")


def test_tree_alone():
    explorer = qk.explore_decision_tree()
    before = explorer.png()
    explorer.controls["optimize"].value = False
    assert explorer.readout == (
        "Optimize at all?: yes → no. The tree names float32 (float32): it needs no data; the "
        "guide's table has no row for it."
    )
    assert explorer.png() != before


def test_bad_input_is_refused():
    with pytest.raises(TypeError, match=r"expected a Comparison, got str\. Pass what qk.compare"):
        qk.explore_decision_tree("float32")
