"""Picture of one value in several number formats: bits, neighbours and what is lost."""

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from qkit.plots import live
from qkit.plots.outline import outline, words
from qkit.plots.style import INTEGER, REST, name_ticks, panel, picture, rows_from_top
from qkit.quantize.formats import FLOATS, INTEGERS, two_digits

# Colours of bits by kind: of a 1, and of a 0
_KINDS = {
    "sign": ("#D55E00", "#F6D5BF"),
    "exponent": ("#CC79A7", "#F3DEEA"),
    "fraction": ("#0072B2", "#C7DDEC"),
    "integer": ("#007A59", "#C5E4DA"),
}
_BITS = {name: 1 + sum(parts) for name, parts in FLOATS.items()} | INTEGERS
_STEPS = 1.75  # half of the width of the number line
_RELATIVE = (1e-11, 50.0)  # ends of the axis of errors: there stand none, and all
_NONE, _ALL = 3e-11, 20.0


@picture(figsize=(10.4, 4.5))
def plot_numbers(figure):
    """Draw the bits of each format, its numbers around the value, and the relative error."""
    axes = figure.subplots(1, 3, width_ratios=[2.6, 1.6, 0.9], sharey=True)
    for ax in axes:
        rows_from_top(ax, _BITS)
    updates = [panel(ax) for panel, ax in zip((_bits, _line, _lost), axes, strict=True)]

    def update(numbers):
        for update_panel in updates:
            update_panel(numbers.rows)

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
    boxes = np.column_stack([left, row])[:, None] + corners
    cells = ax.add_collection(PolyCollection(boxes, lw=0, animated=True), autolim=False)
    digits = [
        live.line(ax, " ", marker=f"${digit}$", ms=6.5, mew=0.2, color=colour)
        for digit, colour in enumerate(("0.2", "white"))
    ]
    formulas = words(ax, np.zeros(len(_BITS)), np.arange(len(_BITS)) + 0.36)

    def update(rows):
        bits = [(kind, bit) for number in rows for kind, part in number.parts for bit in part]
        cells.set_facecolor([_KINDS[kind][bit == "0"] for kind, bit in bits])
        for digit, points in enumerate(digits):
            here = np.array([int(bit) == digit for _, bit in bits])
            points.set_data(left[here] + 0.5, row[here] - 0.08)
        formulas.set_paths([outline(number.formula) for number in rows])

    return update


def _line(ax):
    """Lay out the numbers of each format around the value, in its steps."""
    y = np.arange(len(_BITS))
    ax.set(xlim=(-_STEPS, _STEPS), xticks=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
    ax.set_title("numbers of each format near the value", fontsize="medium")
    ax.set_xlabel("distance from it, in the format's steps")
    ax.axvspan(-0.5, 0.5, color=REST, alpha=0.2, lw=0)
    ax.vlines(np.zeros(y.size), y - 0.15, y + 0.2, color="0.3", ls="--", lw=1.2)
    ax.hlines(y, -_STEPS, _STEPS, color="0.75", lw=1)
    neighbours = live.line(ax, "|", color="0.3", ms=11, mew=1.5)
    stored = live.line(ax, "o", color=INTEGER, ms=8)
    kept = words(ax, y, y)

    def update(rows):
        here, *sides = np.array(
            [[(n - row.value) / row.spacing for n in (row.stored, row.below, row.above)]
             for row in rows]
        ).T  # fmt: skip
        near = np.abs(here) <= _STEPS
        neighbours.set_data(np.ravel(sides), np.tile(y, 2))
        stored.set_data(np.where(near, here, np.nan), y)
        said = [
            f"{row.stored:.9g}" if seen else _out_of_sight(row, steps)
            for row, seen, steps in zip(rows, near, here, strict=True)
        ]
        kept.set_paths([outline(text.replace("-", "−"), centred=True) for text in said])
        middle = np.where(near, np.clip(here, -0.75, 0.75), 0)
        kept.set_offsets(np.column_stack([middle, y - 0.33]))

    return update


def _lost(ax):
    """Lay out the relative error of each format, from none to all."""
    panel(ax, grid="x", xscale="log", xlim=_RELATIVE, xlabel="error ÷ value")
    name_ticks(ax.xaxis, {_NONE: "0", 1e-8: "10⁻⁸", 1e-4: "10⁻⁴", 1: "1", _ALL: "∞"})
    ax.set_title("what is lost", fontsize="medium")
    lost = live.line(ax, "o", color=INTEGER, ms=8)

    def update(rows):
        share = [number.relative_error for number in rows]
        lost.set_data(np.clip(share, _NONE, _ALL), range(len(rows)))

    return update


def _out_of_sight(number, steps):
    if np.isinf(number.stored):
        return f"{'→' if number.value > 0 else '←'} overflow to ∞"
    arrow = "←" if steps < 0 else "→"
    return f"{arrow} clipped to {number.stored:.6g}, {two_digits(abs(steps))} steps off"
