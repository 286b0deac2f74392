"""The picture of flipped images shows each with both answers, and how many there are."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

import qkit as qk
from qkit.evaluate.accuracy import accuracy_of


def words(ax):
    """Return what is said of each image."""
    return [text.get_text() for text in ax.texts if text.get_text()]


@pytest.fixture
def flips():
    """Return two models that differ on five of eight images, and the images."""
    labels = np.zeros(8, np.int64)
    a = accuracy_of(np.array([0, 0, 1, 1, 0, 0, 0, 0]), labels)
    b = accuracy_of(np.array([2, 0, 0, 2, 3, 4, 0, 0]), labels)
    return qk.paired(a, b), np.random.default_rng(0).random((8, 28, 28)).astype(np.float32)


def test_flips_show_the_images_and_both_answers(flips):
    paired, x = flips
    figure = qk.plot_flips(paired, x, names=("float32", "qat"))
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    assert words(ax) == [
        "is 0: 0 → 2\nlost",
        "is 0: 1 → 0\ngained",
        "is 0: 0 → 3\nlost",
        "is 0: 0 → 4\nlost",
        "is 0: 1 → 2\nboth wrong",
    ]
    sheet = ax.images[0].get_array()[..., 0]
    tiles = sheet[-28:].reshape(28, 5, -1).swapaxes(0, 1)[:, :, 4:32]
    np.testing.assert_array_equal(tiles, (255 - 255 * x[[0, 2, 4, 5, 3]]).astype(np.uint8))
    assert figure.get_suptitle() == (
        "5 of 8 images answered differently: qat loses 3 and gains 1 against float32"
    )


def test_flips_stop_at_the_limit_and_stand_where_there_are_none(flips):
    paired, x = flips
    assert len(words(qk.plot_flips(paired, x, limit=2).axes[0])) == 2
    same = qk.plot_flips(qk.paired(paired.a, paired.a), x)
    assert not words(same.axes[0])
    assert same.get_suptitle().startswith("0 of 8 images")


def test_flips_need_the_images_that_were_measured(flips):
    paired, x = flips
    with pytest.raises(ValueError, match=r"measured on 8 images, got 7.*the same images"):
        qk.plot_flips(paired, x[:7])


@pytest.mark.parametrize(("low", "high"), [(0, 255), (-1, 1), (-3, 9)])
def test_images_on_another_scale_are_not_cut_off(flips, low, high):
    paired, x = flips
    x[0, 0, :2] = 0, 1
    expected, other = (
        np.asarray(qk.plot_flips(paired, each).axes[0].images[0].get_array(), int)
        for each in (x, low + (high - low) * x)
    )
    assert np.abs(other - expected).max() <= 1
    assert np.ptp(expected) == 255


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (1, 40), (3, 20, 30)])
def test_both_answers_stand_above_images_of_any_shape(flips, shape):
    paired, _ = flips
    figure = qk.plot_flips(paired, np.zeros((8, *shape)))
    (ax,), renderer = figure.axes, figure.canvas.get_renderer()
    figure.canvas.draw()
    boxes = [text.get_window_extent(renderer) for text in ax.texts if text.get_text()]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    to_pixels = ax.transData.transform
    rows = ax.images[0].get_array().shape[0]
    top = to_pixels((0, rows - (shape[-2])))[1]
    assert all(box.y0 >= top - 1 for box in boxes)
    assert to_pixels((0, 0))[1] > boxes[0].y1 - 5


def test_items_of_several_inputs_are_counted_and_long_names_cut(flips):
    paired, x = flips
    figure = qk.plot_flips(paired, {"a": x, "b": x[:, 0]}, names=("a" * 200, "b"))
    assert len(words(figure.axes[0])) == 5
    assert len(figure.get_suptitle()) < 120
