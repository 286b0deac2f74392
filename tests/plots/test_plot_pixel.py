"""The picture of one integer shows the numbers that it is made of, where they belong."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

import qkit as qk
from qkit.plots import pixel as picture
from qkit.plots.style import FLOAT


@pytest.fixture(scope="module")
def trace(depthwise_tflite, digits):
    return qk.run_integer(depthwise_tflite("full_integer"), digits.x_test[:3])


@pytest.fixture
def told(monkeypatch):
    """Return the texts of each artist that was told to show some, and where they were put."""
    found, write = {}, picture._write

    def noted(artist, said):
        found[artist] = [(*map(float, place), how[0]) for *place, how in said]
        write(artist, said)

    monkeypatch.setattr(picture, "_write", noted)
    return found


def parts(figure, told):
    """Return by Axes the texts that move, in their order, and the places of those within it."""
    words = [next(c for c in ax.collections if isinstance(c, PathCollection)) for ax in figure.axes]
    return [[text for *_, text in told[each]] for each in words], words


def cells(ax):
    (areas,) = (c for c in ax.collections if isinstance(c, PolyCollection))
    return [path.vertices[:4] for path in areas.get_paths()], areas


@pytest.mark.parametrize(
    ("operator", "channel", "above"),
    [(5, 0, ""), (6, 0, ""), (7, 3, "channel 3"), (8, 0, "")],
)
def test_numbers_stand_where_they_are_read(trace, told, operator, channel, above):
    found = qk.pixel(trace, operator, item=1, row=0, column=2, filter=3)
    figure = qk.plot_pixel(found, channel=channel)
    (source, *matrices, way), _ = parts(figure, told)
    height, width, _ = found.source.shape
    assert source[0] == f"{height} × {width}, channel {found.channels[channel]}"
    products = found.products[..., channel]
    captions = [
        (f"zero point {found.source_zero}", "padding: 0" if found.padded else ""),
        (above, ""),
        (above, f"their sum: {products.sum():,}"),
    ]
    numbers = (found.x[..., channel], found.weights[..., channel], products)
    for said, caption, values in zip(matrices, captions, numbers, strict=True):
        assert (said[0], said[1]) == caption
        assert [int(text) for text in said[2:]] == values.ravel().tolist()
    expected = [(label, f"{n:,}") for label, n in found.steps.items()]
    shown = [*zip(way[::2], way[1::2], strict=True)]
    (exact,) = [pair for pair in shown if pair[0].startswith("(not rounded")]
    assert [pair for pair in shown if pair != exact] == expected
    assert 0 <= abs(found.exact) - abs(float(exact[1].replace(",", "")[:-1])) < 1.001e-4


def test_the_receptive_field_is_outlined_where_it_lies_in_the_padding_too(trace, told):
    found = qk.pixel(trace, 8, row=0, column=6)
    assert found.padded
    (frame, *read), _ = cells(qk.plot_pixel(found).axes[0])
    np.testing.assert_allclose(frame, np.array([(0, 0), (1, 0), (1, 1), (0, 1)]))
    wanted = [(x / 14, y / 14) for y in found.rows for x in found.columns]
    np.testing.assert_allclose([corners[0] for corners in read], wanted)


def test_cells_tell_signs_and_sizes_and_stay_light_below_their_numbers(trace):
    found = qk.pixel(trace, 5, row=6, column=6)
    _, areas = cells(qk.plot_pixel(found).axes[2])
    weights, (red, _, blue, _) = found.weights.ravel(), areas.get_facecolor().T
    assert np.array_equal(np.sign(blue - red), np.sign(weights))
    for sign in (-1, 1):
        chosen = weights * sign > 0
        order = np.argsort(np.abs(weights[chosen]))
        assert (np.diff(np.abs(blue - red)[chosen][order]) >= 0).all()
    assert areas.get_facecolor()[:, :3].mean(1).min() > 0.5


def test_kernels_that_write_another_integer_stand_out(trace, told):
    found = qk.pixel(trace, 5, row=6, column=6)
    theirs = {"reference": found.value, "xnnpack": found.value - 1}
    figure = qk.plot_pixel(found, theirs)
    texts, artists = parts(figure, told)
    same, other = texts[-1][-2:]
    assert (same, other) == (f"=  {found.value}", f"≠  {found.value - 1}")
    colours = artists[-1].get_facecolor()[-2:]
    assert colours[0].tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(colours[1], (*picture.to_rgb(FLOAT), 1))
    fixed = {text.get_text() for text in figure.axes[-1].texts}
    assert {"reference", "xnnpack", "the interpreter's kernels write"} <= fixed


def test_two_roundings_that_end_elsewhere_are_told(trace, told):
    places = np.random.default_rng(0).integers((3, 14, 14, 16), size=(3000, 4)).tolist()
    every = (
        qk.pixel(trace, 5, item=item, row=row, column=column, filter=filter)
        for item, row, column, filter in places
    )
    found = next(found for found in every if found.rounded != found.rounded_once)
    texts, _ = parts(qk.plot_pixel(found), told)
    assert f"(not rounded; rounded once {found.rounded_once})" in texts[-1]


@pytest.mark.parametrize("side", [11, 4])
def test_numbers_that_would_be_too_small_are_left_out(trace, told, side):
    found = qk.pixel(trace, 5)
    ax = qk.plot_pixel(found).axes[1]
    show, words = picture._matrix(ax), ax.collections[-1]
    show(np.full((side, side), -12345), 12345, "above", "below")
    assert [text for *_, text in told[words]][:2] == ["above", "below"]
    assert len(told[words]) == 2 + (side == 4) * side**2


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ({"channel": 1}, "plot_pixel: channel must be a whole number from 0 to 0, got 1"),
        ({"theirs": {"a": None}}, r"plot_pixel: theirs\['a'\] must be a whole number"),
        ({"theirs": 3}, "plot_pixel: theirs must be a Mapping, got int"),
    ],
)
def test_what_cannot_be_drawn_is_refused(trace, named, said):
    with pytest.raises((TypeError, ValueError), match=said):
        qk.plot_pixel(qk.pixel(trace, 5), **named)
