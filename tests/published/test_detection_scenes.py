"""Scenes: seeded, images with their own classes, and boxes that hold the ink and no more."""

import dataclasses

import numpy as np
import pytest

from qkit.data import Dataset
from qkit.published import detection
from qkit.published.detection import CANVAS, NOTHING, data, scenes


@pytest.fixture(scope="module")
def drawn(digits):
    return scenes(digits.x_test, digits.y_test, 200, np.random.default_rng(3))


def rows_of(digits):
    return digits[digits[..., 0] != NOTHING]


def test_same_seed_same_scenes(digits, drawn):
    again = scenes(digits.x_test, digits.y_test, 200, np.random.default_rng(3))
    other = scenes(digits.x_test, digits.y_test, 200, np.random.default_rng(4))
    for first, second, third in zip(drawn, again, other, strict=True):
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, third)


def test_one_to_five_digits_in_boxes_inside_the_canvas(drawn):
    _, digits = drawn
    here = digits[..., 0] != NOTHING
    assert set(here.sum(axis=1)) == {1, 2, 3, 4, 5}
    assert (np.diff(here.astype(int), axis=1) <= 0).all()  # rows without a digit come last
    box = rows_of(digits)[:, 1:]
    assert (box >= 0).all()
    assert (box <= CANVAS).all()
    assert (box[:, 2:] > box[:, :2]).all()


def test_boxes_hold_all_ink_and_touch_it(drawn):
    for canvas, digits in zip(*drawn, strict=True):
        outside = canvas.copy()
        for top, left, bottom, right in rows_of(digits)[:, 1:].astype(int):
            outside[top:bottom, left:right] = 0
            ink = canvas[top:bottom, left:right]
            assert ink.max() > 0.2
            edges = ink[0], ink[-1], ink[:, 0], ink[:, -1]
            assert all(edge.max() > 0.2 for edge in edges)
        assert not outside.any()


def test_boxes_hardly_overlap(drawn):
    _, digits = drawn
    for rows in digits:
        boxes = rows_of(rows)[:, 1:]
        for i, box in enumerate(boxes):
            for other in boxes[:i]:
                sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
                areas = [np.prod(b[2:] - b[:2]) for b in (box, other)]
                assert np.prod(sides.clip(0)) <= 0.1 * min(areas)


def test_every_image_has_its_turn_before_any_comes_again():
    """Images of a single block each, whose brightness tells which it is."""
    x = np.zeros((40, 28, 28), np.float32)
    x[:, 4:24, 8:20] = np.linspace(0.3, 1, 40, dtype=np.float32)[:, None, None]
    canvases, digits = scenes(x, np.arange(40), 60, np.random.default_rng(0))
    found = rows_of(digits)[:, 0].astype(int)
    assert len(found) > 80
    assert len(set(found[:40])) >= 35  # one that finds no place has had its turn as well
    for canvas, rows in zip(canvases, digits, strict=True):
        for number, top, left, bottom, right in rows_of(rows).astype(int):
            middle = canvas[(top + bottom) // 2, (left + right) // 2]
            assert middle == pytest.approx(x[number].max(), abs=1e-6)


def test_training_and_test_scenes_are_of_their_own_images(monkeypatch):
    """Training images are bright, test images dim; no pixel of the one kind is in the other."""
    monkeypatch.setattr(detection, "_TRAIN_SCENES", 400)
    block = np.zeros((20, 28, 28), np.float32)
    block[:, 6:22, 10:18] = 1
    y = np.arange(20) % 10
    made = data(Dataset(block, y, block / 2, y, "blocks", "made here"))
    assert set(np.unique(made.x_train.max(axis=(1, 2)).round(5))) == {1}
    assert set(np.unique(made.x_test.max(axis=(1, 2)).round(5))) == {0.5}


def test_data_are_the_same_each_time(digits, monkeypatch):
    monkeypatch.setattr(detection, "_TRAIN_SCENES", 400)
    first, again = data(digits), data(digits)
    for field in dataclasses.fields(first):
        np.testing.assert_array_equal(*(getattr(d, field.name) for d in (first, again)))
