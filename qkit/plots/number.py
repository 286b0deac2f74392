"""Picture of one value in several number formats: bits, neighbours and what is lost."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch

from qkit.plots.style import INTEGER, REST
from qkit.quantize.formats import FLOATS, INTEGERS, two_digits

FIGSIZE = (10.4, 4.5)
# Colours of bits by kind: of a 1, and of a 0
_KINDS = {
    "sign": ("#D55E00", "#F6D5BF"),
    "exponent": ("#CC79A7", "#F3DEEA"),
    "fraction": ("#0072B2", "#C7DDEC"),
    "integer": ("#007A59", "#C5E4DA"),
}
_MOST_BITS = 32
_STEPS = 1.75  # half of the width of the number line
_RELATIVE = (1e-11, 50.0)  # ends of the axis of errors: there stand none, and all
_NONE, _ALL = 3e-11, 20.0


def plot_numbers(numbers, *, figure=None):
    """Draw the bits of each format, its numbers around the value, and the relative error.

    Parameters
    ----------
    numbers : Numbers
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=FIGSIZE, layout="constrained")
    compose_numbers(figure)(numbers)
    return figure


def compose_numbers(figure):
    """Lay the picture out, and return a function that draws `Numbers` in it.

    Parameters
    ----------
    figure : matplotlib Figure

    Returns
    -------
    callable
        ``update(numbers)``
    """
    names = [*FLOATS, *INTEGERS]
    y = np.arange(len(names))
    bits, line, errors = figure.subplots(1, 3, width_ratios=[2.6, 1.6, 0.9], sharey=True)
    for ax in (bits, line, errors):
        ax.set_ylim(len(names) - 0.45, -0.65)
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
    bits.set_yticks(y, names)
    bits.set(xlim=(-0.2, _MOST_BITS + 0.2), xticks=[])
    bits.spines["bottom"].set_visible(False)
    bits.legend(
        handles=[Patch(color=colours[0], label=kind) for kind, colours in _KINDS.items()],
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(_KINDS), frameon=False,
        handlelength=1, columnspacing=1.2, handletextpad=0.4,
        title="bits; below, how they are read",
    )  # fmt: skip
    line.set(xlim=(-_STEPS, _STEPS), xticks=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5])
    line.set_title("numbers of each format near the value", fontsize="medium")
    line.set_xlabel("distance from it, in the format's steps")
    line.axvspan(-0.5, 0.5, color=REST, alpha=0.2, lw=0)
    line.vlines(np.zeros(y.size), y - 0.15, y + 0.2, color="0.3", ls="--", lw=1.2)
    line.hlines(y, -_STEPS, _STEPS, color="0.75", lw=1)
    errors.set(xscale="log", xlim=_RELATIVE)
    ticks = {_NONE: "0", 1e-8: "10⁻⁸", 1e-4: "10⁻⁴", 1: "1", _ALL: "∞"}
    errors.set_xticks(list(ticks), ticks.values())
    errors.set_xticks([], minor=True)
    errors.set_xlabel("error ÷ value")
    errors.set_title("what is lost", fontsize="medium")
    errors.grid(axis="x", alpha=0.3)

    lengths = [*(1 + sum(parts) for parts in FLOATS.values()), *INTEGERS.values()]
    boxes = [_box(left, row) for row, length in enumerate(lengths) for left in range(length)]
    cells = bits.add_collection(PolyCollection(boxes, lw=0, animated=True), autolim=False)
    digits = [
        bits.plot([], [], marker=marker, ls="", ms=6.5, mew=0.2, color=colour, animated=True)[0]
        for marker, colour in (("$0$", "0.2"), ("$1$", "white"))
    ]
    (neighbours,) = line.plot([], [], "|", color="0.3", ms=11, mew=1.5, animated=True)
    (stored,) = line.plot([], [], "o", color=INTEGER, ms=8, animated=True)
    (lost,) = errors.plot([], [], "o", color=INTEGER, ms=8, animated=True)
    formulas, kept = (
        [ax.text(0, row + dy, "", va="center", size=9, ha=ha, animated=True) for row in y]
        for ax, dy, ha in ((bits, 0.36, "left"), (line, -0.33, "center"))
    )

    def update(numbers):
        colours, drawn = [], ([], [])
        for row, number in enumerate(numbers.rows):
            left = 0
            for kind, digits_of_part in number.parts:
                for digit in digits_of_part:
                    colours.append(_KINDS[kind][digit == "0"])
                    drawn[int(digit)].append((left + 0.5, row - 0.08))
                    left += 1
            formulas[row].set_text(number.formula)
        cells.set_facecolor(colours)
        for points, places in zip(digits, drawn, strict=True):
            points.set_data(*zip(*places, strict=True) if places else ([], []))

        here = np.array([_steps(number, number.stored) for number in numbers.rows])
        sides = np.array([[_steps(n, n.below), _steps(n, n.above)] for n in numbers.rows])
        neighbours.set_data(sides.ravel(), np.repeat(y, 2))
        stored.set_data(np.where(np.abs(here) <= _STEPS, here, np.nan), y)
        share = np.array([number.relative_error for number in numbers.rows])
        lost.set_data(np.clip(share, _NONE, _ALL), y)
        for row, number in enumerate(numbers.rows):
            near = abs(here[row]) <= _STEPS
            text = f"{number.stored:.9g}" if near else _out_of_sight(number, here[row])
            kept[row].set_text(text.replace("-", "−"))
            kept[row].set_x(np.clip(here[row], -0.75, 0.75) if near else 0)

    return update


def _steps(number, other):
    """Return how far another number of the format is from the value, in steps."""
    return (other - number.value) / number.spacing


def _out_of_sight(number, steps):
    if np.isinf(number.stored):
        return f"{'→' if number.value > 0 else '←'} overflow to ∞"
    arrow = "←" if steps < 0 else "→"
    return f"{arrow} clipped to {number.stored:.6g}, {two_digits(abs(steps))} steps off"


def _box(left, row):
    top, bottom, right = row - 0.32, row + 0.16, left + 0.92
    return [(left, bottom), (left, top), (right, top), (right, bottom)]
