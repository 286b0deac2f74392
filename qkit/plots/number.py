"""Picture of one value in several number formats: bits, neighbours and what is lost."""

from functools import cache

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import Affine2D

from qkit.plots.style import INTEGER, REST, live_areas, live_line, panel, picture, rows_from_top
from qkit.quantize.formats import FLOATS, INTEGERS, two_digits

_KINDS = {  # colours of bits: of a 1, and of a 0
    "sign": ("#D55E00", "#F6D5BF"),
    "exponent": ("#CC79A7", "#F3DEEA"),
    "fraction": ("#0072B2", "#C7DDEC"),
    "integer": ("#007A59", "#C5E4DA"),
}
_BITS = {name: 1 + sum(parts) for name, parts in FLOATS.items()} | INTEGERS
_ROWS = np.arange(len(_BITS))
_STEPS = 1.75  # half of the width of the number line


@picture("Numbers", figsize=(10.4, 4.5))
def plot_numbers(figure):
    """Draw the bits of each format, its numbers around the value, and the relative error."""
    bits, line, lost = figure.subplots(1, 3, width_ratios=[2.6, 1.6, 0.9], sharey=True)
    for ax in (bits, line, lost):
        rows_from_top(ax, _BITS)
    update_bits, update_line = _bits(bits), _line(line)
    none, everything = 3e-11, 20.0  # where errors of nothing and of everything stand
    ends = {none: "0", 1e-8: "10⁻⁸", 1e-4: "10⁻⁴", 1: "1", everything: "∞"}
    panel(lost, grid="x", xscale="log", xlim=(1e-11, 50), xlabel="error ÷ value", xticks=ends)
    lost.set_title("what is lost", fontsize="medium")
    errors = live_line(lost, "o", color=INTEGER, ms=8)

    def update(numbers):
        update_bits(numbers.rows)
        update_line(numbers.rows)
        shares = [row.relative_error for row in numbers.rows]
        errors.set_data(np.clip(shares, none, everything), _ROWS)

    return update


def _bits(ax):
    """Lay out the bits of each format, one cell each, and how they are read below."""
    panel(ax, hidden=["bottom"], xlim=(-0.2, max(_BITS.values()) + 0.2), xticks=[])
    ax.legend(
        handles=[Patch(color=colours[0], label=kind) for kind, colours in _KINDS.items()],
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(_KINDS), frameon=False,
        handlelength=1, columnspacing=1.2, handletextpad=0.4,
        title="bits; below, how they are read",
    )  # fmt: skip
    row, left = np.array([(n, i) for n, bits in enumerate(_BITS.values()) for i in range(bits)]).T
    corners = np.array([(0, 0.16), (0, -0.32), (0.92, -0.32), (0.92, 0.16)])
    cells = live_areas(ax, np.column_stack([left, row])[:, None] + corners, lw=0)
    zeros = live_line(ax, " ", marker="$0$", color="0.2", ms=6.5, mew=0.2)
    ones = live_line(ax, " ", marker="$1$", color="white", ms=6.5, mew=0.2)
    formulas = words(ax, 0 * _ROWS, _ROWS + 0.36)

    def update(rows):
        bits = [(kind, bit) for number in rows for kind, part in number.parts for bit in part]
        cells.set_facecolor([_KINDS[kind][bit == "0"] for kind, bit in bits])
        for points, digit in (zeros, "0"), (ones, "1"):
            here = np.array([bit == digit for _, bit in bits])
            points.set_data(left[here] + 0.5, row[here] - 0.08)
        formulas.set_paths([outline(number.formula) for number in rows])

    return update


def _line(ax):
    """Lay out the numbers of each format around the value, in its steps."""
    ax.set(xlim=(-_STEPS, _STEPS), xlabel="distance from it, in the format's steps")
    ax.set_xticks([-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
    ax.set_title("numbers of each format near the value", fontsize="medium")
    ax.axvspan(-0.5, 0.5, color=REST, alpha=0.2, lw=0)
    ax.vlines(0 * _ROWS, _ROWS - 0.15, _ROWS + 0.2, color="0.3", ls="--", lw=1.2)
    ax.hlines(_ROWS, -_STEPS, _STEPS, color="0.75", lw=1)
    neighbours = live_line(ax, "|", color="0.3", ms=11, mew=1.5)
    stored = live_line(ax, "o", color=INTEGER, ms=8)
    kept = words(ax, _ROWS, _ROWS)

    def update(rows):
        numbers = np.array([(row.stored, row.below, row.above) for row in rows]).T
        value, spacing = np.array([(row.value, row.spacing) for row in rows]).T
        here, *sides = (numbers - value) / spacing
        near = np.abs(here) <= _STEPS
        neighbours.set_data(np.ravel(sides), np.tile(_ROWS, 2))
        stored.set_data(np.where(near, here, np.nan), _ROWS)
        said = map(_said, rows, near, here)
        kept.set_paths([outline(text.replace("-", "−"), centred=True) for text in said])
        middle = np.where(near, np.clip(here, -0.75, 0.75), 0)
        kept.set_offsets(np.column_stack([middle, _ROWS - 0.33]))

    return update


def _said(number, near, steps):
    if near:
        return f"{number.stored:.9g}"
    if np.isinf(number.stored):
        return f"{'→' if number.value > 0 else '←'} overflow to ∞"
    arrow = "←" if steps < 0 else "→"
    return f"{arrow} clipped to {number.stored:.6g}, {two_digits(abs(steps))} steps off"


def words(ax, x, y, *, size=9):
    """Return an animated artist for a word at each place: ``set_paths`` takes their outlines."""
    points = Affine2D().scale(size / 72) + ax.figure.dpi_scale_trans
    places = {"offsets": np.column_stack([x, y]), "offset_transform": ax.transData}
    look = {"color": "black", "lw": 0, "clip_on": False, "animated": True}
    artist = PathCollection([], transform=points, **look, **places)
    return ax.add_collection(artist, autolim=False)


def outline(text, *, centred=False):
    """Return a text as one path, in units of its size, which begins or is centred at the origin.

    Words change in every frame: so each letter is laid out once, where a `Text` is each time.
    """
    paths, advances = zip(*map(_letter, text), strict=True)
    ends = np.cumsum(advances)
    starts = ends - advances - (ends[-1] / 2 if centred else 0)
    # its middle, from the foot of the low letters to the top of the high ones, lies 0.26 above
    vertices = [path.vertices + np.array([x, -0.26]) for path, x in zip(paths, starts, strict=True)]
    return Path(np.concatenate(vertices), np.concatenate([path.codes for path in paths]))


@cache
def _letter(letter):
    """Return a letter's outline, and how far the next one is from it."""
    path = TextPath((0, 0), letter, size=1) if letter.strip() else Path(np.empty((0, 2)), [])
    measure, one = text_to_path.get_text_width_height_descent, FontProperties(size=1)
    return path, measure(f"|{letter}|", one, False)[0] - measure("||", one, False)[0]
