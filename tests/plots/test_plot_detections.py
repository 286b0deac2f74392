"""The picture of a scene shows the true boxes and the found ones where they are."""

import numpy as np
import pytest

import qkit as qk
from qkit.published.detection import Detections

SCENE = np.linspace(0, 1, 56 * 56).reshape(56, 56)
DIGITS = np.array([[3, 10, 20, 24, 30], [-1, 0, 0, 0, 0]], float)
FOUND = Detections(
    scene=np.zeros(3, int),
    category=np.array([3, 8, 5]),
    box=np.array([[11, 19, 25, 31], [11, 19, 25, 31], [-2, -3, 9, 8]], float),
    score=np.array([0.9, 0.4, 0.31]),
)


def frames(ax):
    """Return top, left, bottom, right of the rectangles, dashed ones apart."""
    found = {"--": [], "solid": []}
    for patch in ax.patches:
        (left, top), width, height = patch.get_xy(), patch.get_width(), patch.get_height()
        box = [top + 0.5, left + 0.5, top + height + 0.5, left + width + 0.5]
        found[patch.get_linestyle()].append(box)
    return found


def test_boxes_are_where_they_are_and_say_what_they_hold():
    figure = qk.plot_detections(SCENE, DIGITS, {"float32": FOUND, "int8": FOUND})
    assert [ax.get_title() for ax in figure.axes] == ["float32", "int8"]
    for ax in figure.axes:
        np.testing.assert_array_equal(ax.images[0].get_array(), SCENE)
        drawn = frames(ax)
        assert drawn["--"] == [DIGITS[0, 1:].tolist()]
        assert drawn["solid"] == [[11, 19, 25, 31], [-2, -3, 9, 8]]
        assert [text.get_text() for text in ax.texts] == ["3: 90 %, 8: 40 %", "5: 31 %"]


def test_words_stay_on_the_canvas():
    (ax,) = qk.plot_detections(SCENE, DIGITS, {"float32": FOUND}).axes
    ax.figure.canvas.draw()
    inside = ax.get_window_extent()
    for text in ax.texts:
        extent = text.get_window_extent()
        assert extent.x0 >= inside.x0 - 1
        assert extent.y1 <= inside.y1 + 1


@pytest.mark.parametrize(("least", "boxes"), [(0.31, 2), (0.32, 1), (0.95, 0)])
def test_faint_ones_are_left_out(least, boxes):
    (ax,) = qk.plot_detections(SCENE, DIGITS, {"float32": FOUND}, least_score=least).axes
    assert len(frames(ax)["solid"]) == boxes
