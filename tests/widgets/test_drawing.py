"""Strokes become images as MNIST has them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkit.widgets.drawing import BOX, BRUSH, SHEET, SIDE, disturb, like_mnist, rasterise, shrink


def middle_of_mass(image):
    at = np.arange(len(image)) + 0.5
    return np.array([at @ image.sum(axis=1), at @ image.sum(axis=0)]) / image.sum()


def enlarged(image, times, right=0, down=0):
    """Return an image on a larger sheet, each pixel a block, somewhere else."""
    sheet = np.zeros((SIDE * times + 90, SIDE * times + 90), np.float32)
    sheet[down : down + SIDE * times, right : right + SIDE * times] = np.kron(
        image, np.ones((times, times))
    )
    return sheet


def test_a_stroke_is_as_wide_as_the_brush_and_round_at_its_ends():
    ink = rasterise([[(60, 140), (200, 140)]])
    assert ink.shape == (SHEET, SHEET)
    assert abs(int(ink[:, 130].sum()) - BRUSH) <= 1
    assert ink.sum() == pytest.approx(140 * BRUSH + np.pi * BRUSH**2 / 4, rel=0.05)


def test_a_bend_leaves_no_gap():
    ink = rasterise([[(60, 60), (200, 60), (60, 80)]])
    assert ink[60, 200 + BRUSH // 2 - 2]


def test_no_strokes_leave_no_ink():
    assert not rasterise([]).any()
    assert not like_mnist(rasterise([])).any()


def test_shrinking_keeps_the_mean():
    ink = rasterise([[(20, 30), (250, 200)], [(100, 260)]])
    assert shrink(ink).mean() == pytest.approx(ink.mean(), rel=1e-5)
    blocks = np.kron(np.eye(SIDE), np.ones((3, 3))).astype(np.float32)
    np.testing.assert_allclose(shrink(blocks), np.eye(SIDE), atol=1e-6)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_an_image_made_the_way_of_mnist_stays_as_it_is_wherever_it_is_drawn(times):
    first = like_mnist(rasterise([[(100, 40), (180, 40), (120, 240)]]))
    found = like_mnist(enlarged(first, times, right=7 * times, down=11))
    np.testing.assert_allclose(found, first, atol=1e-5)


STROKES = st.lists(
    st.lists(st.tuples(*[st.integers(0, SHEET)] * 2), min_size=1, max_size=5), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(STROKES)
def test_ink_fills_the_box_and_hardly_any_is_lost(strokes):
    ink = rasterise(strokes)
    image = like_mnist(ink)
    if not ink.any():
        assert not image.any()
        return
    assert image.min() >= 0
    assert image.max() <= 1
    rows, columns = np.nonzero(ink)
    longest = 1 + max(np.ptp(rows), np.ptp(columns))
    # pixels of the sheet are not divided between those of the image
    assert image.sum() == pytest.approx(ink.sum() * (BOX / longest) ** 2, rel=0.1)
    seen = [1 + np.ptp(np.flatnonzero(image.any(axis=axis))) for axis in (0, 1)]
    assert max(seen) == BOX


def test_the_mass_comes_to_the_middle_of_pixel_14():
    image = like_mnist(rasterise([[(30, 30), (30, 120)], [(30, 75), (90, 75)]]))
    assert np.abs(middle_of_mass(image) - 14.5).max() <= 0.5


def test_what_disturbs_nothing_returns_the_same_image():
    image = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    assert disturb(image) is image


def test_shift_turn_and_noise():
    image = np.zeros((SIDE, SIDE), np.float32)
    image[4, 10] = 1
    assert disturb(image, right=3, down=2)[6, 13] == 1
    assert disturb(image, turn=90)[10, SIDE - 1 - 4] == pytest.approx(1, abs=1e-6)  # clockwise
    # turned first, then shifted
    assert disturb(image, turn=90, down=5)[15, SIDE - 1 - 4] == pytest.approx(1, abs=1e-6)
    assert not disturb(image, right=28).any()
    grey = np.full((SIDE, SIDE), 0.5, np.float32)
    noisy = disturb(grey, noise=0.1)
    assert (noisy - grey).std() == pytest.approx(0.1, rel=0.1)
    assert np.array_equal(noisy, disturb(grey, noise=0.1))
    assert disturb(grey, noise=5.0).min() == 0
    assert disturb(grey, noise=5.0).max() == 1
