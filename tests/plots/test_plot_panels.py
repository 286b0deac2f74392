"""Panels that several pictures share: what is drawn is what they are given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from qkit.evaluate.accuracy import accuracy_of
from qkit.plots.panels import compose_stored_bytes, compose_wrong_answers


@pytest.fixture
def ax():
    return Figure().add_subplot()


def right(count, n=1000):
    labels = np.zeros(n, int)
    return accuracy_of(np.where(np.arange(n) < count, 0, 1), labels)


def test_points_of_a_kind_are_joined_and_others_are_crosses(ax):
    update = compose_wrong_answers(ax, right(980))
    trail, line, interval, point = ax.lines[-4:]
    update(right(900), 3, "a")
    update(right(500), 1, "a")
    assert line.get_xydata().tolist() == [[1, 0.5], [3, pytest.approx(0.1)]]
    assert len(trail.get_xdata()) == 0
    update(right(700), 2, "b")
    assert trail.get_xydata().tolist() == [[3, pytest.approx(0.1)], [1, 0.5]]
    assert line.get_xydata().tolist() == point.get_xydata().tolist() == [[2, pytest.approx(0.3)]]
    low, high = right(700).interval
    assert interval.get_xydata().ravel().tolist() == pytest.approx([2, 1 - high, 2, 1 - low])
    assert "70.0 % right" in [text.get_text().split("  ")[0] for text in ax.texts]


def test_none_wrong_is_drawn_at_the_floor(ax):
    compose_wrong_answers(ax, right(1000))(right(1000), 5)
    assert ax.lines[-1].get_ydata() == [0.0005]
    assert ax.get_ylim()[0] == 0.0005


def test_bars_are_kb_and_say_how_many_times_less(ax):
    update = compose_stored_bytes(ax, ["raw", "deflated"], 4000, "before")
    update({"raw": 4000, "deflated": 500}, {"deflated": 2000})
    assert [bar.get_width() for bar in ax.patches] == [4, 0.5]
    assert ax.lines[0].get_xydata().tolist() == [[2, 1]]  # a mark in the row of "deflated"
    assert [text.get_text() for text in ax.texts] == ["4.0", "0.50   4 × less"]
