"""The picture of the tree: one way lit, what the guide says and what was measured beside it."""

import itertools

import numpy as np

from qkit.evaluate.decision_tree import TREE, follow
from qkit.plots.decision_tree import plot_decision_tree

DECISIONS = [
    follow(dict(zip(TREE, answers, strict=True)))
    for answers in itertools.product([False, True], repeat=len(TREE))
]


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts if text.get_text()]


def test_tree_alone():
    found = words(plot_decision_tree(DECISIONS[0]))
    for question in TREE.values():
        assert question.text in found
    for scheme in ("float32", "float16", "qat", "int16_activations", "full_integer"):
        assert found.count(scheme) == 1
    assert found.count("dynamic_range") == 2
    assert found.count("yes") == found.count("no") == 6
    assert "needs an unlabelled sample;\nup to 75 % smaller, small loss" in found
    assert not any(text.startswith("measured here") for text in found)


def test_measured_beside_the_guide(hand_made):
    compared = hand_made(
        {
            "float32": (range(50), 80, 10),
            "dynamic_range": (range(51), 20, 8),
            "qat": (range(70), 20, 5),
            "float16": (range(50), 100, 10),
        }
    )
    found = words(plot_decision_tree.live(comparison=compared)[0])
    assert found.count("75.0 % smaller, 0.80 × the time,\n-0.10 points (p = 1)") == 2
    assert "95.00 % right" in found
    assert "25.0 % larger, 1.00 × the time,\n+0.00 points (p = 1)" in found
    assert found.count("not measured") == 2
    assert "measured here, against\nfloat32, 1,000 images" in found


def test_lit_way_goes_through_the_questions_met_to_the_scheme():
    figure, update = plot_decision_tree.live()
    ax = figure.axes[0]
    veil, lit, frames = ax.collections
    boxes = {
        text.get_text(): text.get_position()
        for text in ax.texts
        if text.get_text() != "dynamic_range"
    }
    for decision in DECISIONS:
        update(decision)
        assert len(lit.get_segments()) == len(decision.path)
        outlines = frames.get_paths()
        assert len(outlines) == len(decision.path) + 1
        named = [TREE[name].text for name in decision.path]
        named += [decision.scheme] if decision.scheme in boxes else []
        for outline, name in zip(outlines, named, strict=False):
            assert outline.contains_point(boxes[name])
        ends = np.array([segment[-1] for segment in lit.get_segments()])
        assert outlines[-1].contains_point(ends[-1] + [0.01, 0])
        veiled = veil.get_paths()
        assert len(veiled) == len(TREE) - len(decision.path) + 6
        for name in named:
            assert not any(outline.contains_point(boxes[name]) for outline in veiled)
