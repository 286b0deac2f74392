"""Picture of one integer that a convolution writes: what it reads, and the way down to it."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.path import Path

from qkit import validate
from qkit.plots.number import outline, words
from qkit.plots.style import FLOAT, INTEGER, LITERAL, live_areas, named, panel, picture

_POINTS, _SMALLEST = 10, 4.5  # of words; smaller numbers are left out
_INCHES = 1.5  # of a matrix, about
_SIGNS = np.array([to_rgb(FLOAT), to_rgb(INTEGER)])  # of numbers below and above 0
_STEPS = 9


def _fixed(result, theirs=None, channel=0):
    last, theirs = result.x.shape[2] - 1, {} if theirs is None else theirs
    validate.whole(channel, name="plot_pixel: channel", least=0, most=last)
    for name, value in validate.instance(theirs, Mapping, name="plot_pixel: theirs").items():
        validate.whole(value, name=f"plot_pixel: theirs[{name!r}]", least=-(2**15), most=2**15)
    return {"kernels": [*theirs]}


@picture("Pixel", figsize=(10.6, 3.7), fixed=_fixed)
def plot_pixel(figure, kernels):
    """Draw where an integer comes from, its products, and the way from their sum to the integer.

    Parameters
    ----------
    result : Pixel
    theirs : dict of str to int, optional, what kernels write there, by their names
    channel : int, which of the channels that the filter looks at is drawn, from 0
    """
    *places, way = figure.subplots(1, 5, width_ratios=[1.4, 1.15, 1.15, 1.15, 2.5])
    titles = "input", "input − zero point", "× weights", "= products"
    for ax, title in zip(places, titles, strict=True):
        panel(ax, xlim=(-0.06, 1.06), ylim=(1.25, -0.3), aspect="equal").axis("off")
        ax.text(0.5, -0.21, title, size=_POINTS, ha="center", va="center", in_layout=False)
    show_source, *matrices = _source(places[0]), *map(_matrix, places[1:])
    show_way = _way(way, kernels)

    def update(pixel, theirs=None, channel=0):
        show_source(pixel, channel)
        which = f"channel {pixel.channels[channel]}" if len(pixel.channels) > 1 else ""
        total = pixel.products[:, :, channel].sum()
        parts = (
            (pixel.x, f"zero point {pixel.source_zero}", "padding: 0" * pixel.padded),
            (pixel.weights, which, ""),
            (pixel.products, which, f"their sum: {total:,}"),
        )
        for show, (numbers, above, below) in zip(matrices, parts, strict=True):
            show(numbers[:, :, channel], np.abs(numbers).max(), above, below)
        show_way(pixel, theirs or {})

    return update


def _source(ax):
    """Lay out the input, with the receptive field outlined."""
    image = ax.imshow(
        np.zeros((1, 1)), cmap="gray_r", extent=(0, 1, 1, 0), interpolation="nearest", animated=True
    )
    ax.set(xlim=(-0.06, 1.06), ylim=(1.25, -0.3))
    field = live_areas(ax, fc="none", lw=1, clip_on=False)
    said = words(ax, [], [], size=1)

    def update(pixel, channel):
        values = pixel.source[:, :, channel]
        (height, width), step = values.shape, 1 / max(values.shape)
        low, high = int(values.min()), int(values.max())
        image.set(data=values, extent=(0, width * step, height * step, 0))
        image.set_clim(low, max(high, low + 1))
        frame = _cells([0], [0]) * (width, height)
        read = _cells(pixel.rows, pixel.columns)
        field.set(verts=step * np.concatenate([frame, read]))
        field.set_edgecolor(["0.7"] + [FLOAT] * len(read))
        shape = f"{height} × {width}, channel {pixel.channels[channel]}"
        ends = f"white {low}, black {high}" if low < high else f"all {low}"
        _write(said, [(0.5, -0.09, (shape, _POINTS, 0.5)), (0.5, 1.1, (ends, _POINTS, 0.5))])

    return update


def _matrix(ax):
    """Lay out a small matrix of numbers, coloured by their signs and sizes."""
    cells, said = live_areas(ax, ec="0.85", lw=0.8), words(ax, [], [], size=1)

    def update(values, largest, above, below):
        corners = _cells(*map(np.arange, values.shape)) / max(values.shape)
        values = values.ravel()
        strength = 0.6 * np.abs(values[:, None]) / max(largest, 1)  # light: words are black on it
        cells.set(verts=corners, facecolor=1 - strength * (1 - _SIGNS[(values > 0).astype(int)]))
        texts = [*map(str, values)]
        letters = 0.66 * max(map(len, texts)) + 0.5
        size = min(72 * _INCHES * np.ptp(corners[0, :, 0]) / letters, 12)
        middles = corners.mean(1)
        written = [(x, y, (text, size, 0.5)) for (x, y), text in zip(middles, texts, strict=True)]
        captions = [(0.5, -0.09, (above, _POINTS, 0.5)), (0.5, 1.1, (below, _POINTS, 0.5))]
        _write(said, captions + (written if size >= _SMALLEST else []))

    return update


def _way(ax, kernels):
    """Lay out the steps from the sum of the products to what is written, and what kernels write."""
    panel(ax, xlim=(0, 1.02), ylim=(_STEPS + len(kernels) + 0.8, -0.6)).axis("off")
    look = {"size": _POINTS, "va": "center", "in_layout": False, **LITERAL}
    rows = _STEPS + 1.2 + np.arange(len(kernels))
    for name, row in zip(kernels, rows, strict=True):
        ax.text(0.12, row, named(name), **look)
    if kernels:
        ax.text(0.05, _STEPS + 0.2, "the interpreter's kernels write", color="0.3", **look)
    said = words(ax, [], [], size=1)

    def update(pixel, theirs):
        steps = [(label, f"{number:,}") for label, number in pixel.steps.items()]
        once = f"; rounded once {pixel.rounded_once}" * (pixel.rounded_once != pixel.rounded)
        exact = int(10**4 * pixel.exact) / 10**4  # cut off: 10.49999 is not to read 10.5000
        steps.insert(-3, (f"(not rounded{once})", f"{exact:,.4f}…"))
        texts, colours = [], []
        for row, (label, number) in enumerate(steps):
            texts += [(0.05, row, (label, _POINTS, 0)), (1, row, (number, _POINTS, 1))]
            colours += ["0.4" if "(" in label else "black"] * 2
        for row, value in zip(rows, theirs.values(), strict=True):
            same = value == pixel.value
            texts.append((1, row, (f"{'=' if same else '≠'}  {value}", _POINTS, 1)))
            colours.append("black" if same else FLOAT)
        said.set_facecolor(colours)
        _write(said, texts)

    return update


def _write(artist, said):
    """Show texts: each with its place, its size in points, and how much of it is left of that."""
    artist.set(paths=[_path(*how) for *_, how in said], offsets=[place for *place, _ in said])


@lru_cache(maxsize=4096)
def _path(text, size, left):
    path = outline(text.replace("-", "−") or " ")
    start = left * path.vertices[:, 0].max(initial=0)
    return Path((path.vertices - (start, 0)) * size, path.codes)


def _cells(rows, columns):
    """Return the corners of a pixel at each of the rows and columns."""
    places = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 1, 2)
    return places + np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
