"""Panels and marks that several pictures have: wrong answers, bytes, weights, a reader's guess."""

import numpy as np
from matplotlib.colors import to_rgb

from qkit import validate
from qkit.plots import style
from qkit.plots.style import FLOAT, INTEGER, REST, documented, live_line, live_text, panel

EDGES = np.linspace(-1, 1, 82)  # of bins, one about zero, in units of the largest magnitude


@documented(named=["ndarray"])
def plot_weight_histogram(weights, *, ax=None):
    """Draw how often weights of each size occur, on a logarithmic axis, and zeros by themselves.

    Zeros are a spike beside the bins; so is each value where there are few, as after clustering.

    Parameters
    ----------
    weights : mapping of str to ndarray, of one layer in several states, all on one scale
    """
    weights = {name: _numbers(v, f"plot_weight_histogram: {name}") for name, v in weights.items()}
    ax = panel(
        ax or style.new_axes(), yscale="log", xlabel="weight", ylabel="how many (logarithmic)"
    )
    edges = EDGES * max(largest(values) for values in weights.values())
    for row, (name, values) in enumerate(weights.items()):
        colour, marker = style.mark(row)
        spikes, counts = np.unique(values, return_counts=True)
        label = f"{style.named(name)}: {np.mean(values == 0):.1%} zeros"
        if np.count_nonzero(spikes) > 64:
            look = {"lw": 1.5} if row else {"fill": True, "alpha": 0.25}
            heights, _ = np.histogram(values[values != 0], edges)
            ax.stairs(heights, edges, color=colour, label=label, **look)
            spikes, counts = spikes[spikes == 0], counts[spikes == 0]
            label = None
        else:
            others = int(np.count_nonzero(spikes))
            label += f", {others} other value{'s' * (others != 1)}"
        ax.vlines(spikes, 0.5, counts, color=colour, lw=1.5)
        ax.plot(spikes, counts, marker, color=colour, ms=6, label=label)
    ax.set_ylim(bottom=0.5)
    style.legend_above(ax, 1 if max(map(len, ax.get_legend_handles_labels()[1])) > 40 else 2)
    return ax


@documented("ndarray")
def plot_mask(kernel, *, ax=None):
    """Draw the weights of a kernel as pixels, a row an output: which are zero, which are left.

    Parameters
    ----------
    kernel : ndarray of shape (..., outputs); of a .tflite file, ``np.moveaxis(kernel, 0, -1)``
    """
    kernel = np.moveaxis(_numbers(kernel, "plot_mask: the kernel"), -1, 0)
    ax = ax or style.new_axes()
    compose_kernel(ax)("kernel", kernel, kernel != 0)
    return ax


@documented("Prediction")
def plot_guess(guess, *, along="x", ax=None):
    """Draw a reader's guess as a dashed line across a picture; nothing where there is none.

    Parameters
    ----------
    guess : Prediction, of a number
    along : {"x", "y"}, the axis that the number is on, in the axis' unit
    """
    validate.choice(along, ("x", "y"), name="plot_guess: along")
    ax = ax or style.new_axes()
    if guess.given and guess.choices:
        raise ValueError(f"plot_guess: {guess.name} is a choice, {guess.guess!r}, and no number.")
    if guess.given:
        line = ax.axvline if along == "x" else ax.axhline
        line(guess.guess, color="#CC79A7", ls="--", lw=2, label="your guess", zorder=3)
        ax.legend(frameon=False, fontsize="small")
    return ax


def _numbers(values, what):
    """Return weights of any dtype as they are, unless there is nothing to draw of them."""
    numeric = np.can_cast(values.dtype, np.float64)
    if not (numeric and values.ndim and values.size and np.isfinite(values).all()):
        raise ValueError(
            f"{what} must hold numbers, none of them NaN or infinite; got {values.dtype} of shape "
            f"{values.shape}."
        )
    return values


def compose_kernel(ax):
    """Lay out a kernel as pixels; return ``update(name, weights, kept)``, both outputs first."""
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], ylabel="outputs")
    ax.set_xlabel("weights (blue +, orange −, white 0)")
    look = {"extent": (0, 1, 0, 1), "aspect": "auto", "interpolation": "nearest"}
    image = ax.imshow(np.ones((1, 1, 3)), animated=True, **look)
    said = head(ax)

    def update(name, weights, kept):
        weights, kept = (each.reshape(len(each), -1) for each in (weights, kept))
        shown = weights[:48, :96]  # so that a weight is seen
        image.set_data(_coloured(shown / largest(weights), kept[:48, :96]))
        rows, columns = shown.shape
        part = f" (shown: {rows} × {columns} of {len(weights):,} × {weights.shape[1]:,})"
        part = part if shown.size < weights.size else ""
        said.set_text(f"{name}{part}: {100 * (1 - kept.mean()):.1f} % set to 0")

    return update


def largest(weights):
    """Return the largest magnitude, 1 where all are 0."""
    return max(float(weights.max()), -float(weights.min())) or 1.0  # int8 has no 128 for abs


def _coloured(weights, kept):
    """Return the colours of weights in units of the largest: white where one is not kept."""
    strength = (0.3 + 0.7 * np.sqrt(np.abs(weights))) * kept  # however small, it is not white
    colours = np.where(weights[..., None] < 0, to_rgb(FLOAT), to_rgb(INTEGER))
    return 1 - strength[..., None] * (1 - colours)


def compose_wrong_answers(ax, reference):
    """Lay out an Axes for shares of wrong answers; return ``update(accuracy, position, *kind)``.

    Points of the same kind are joined, others that were drawn before are crosses.
    """
    floor = 0.5 / reference.n  # none wrong is drawn here

    def shares(accuracy):
        low, high = accuracy.interval
        return [max(1 - right, floor) for right in (accuracy.accuracy, high, low)]

    panel(ax, grid="both", yscale="log", ylim=(floor, 1.3))
    ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    ax.set_ylabel(f"wrong answers on {reference.n:,} images")
    wrong, low, high = shares(reference)
    ax.axhspan(low, high, color=REST, alpha=0.25, lw=0)
    ax.axhline(wrong, color="0.3", ls="--", lw=1)
    look = {"size": 9, "color": "0.3", "ha": "right", "transform": ax.get_yaxis_transform()}
    ax.text(0.98, low * 0.93, "float32, with its 95 % interval", va="top", **look)
    trail = live_line(ax, "x", color="0.6", ms=6, mew=1.5)
    line = live_line(ax, ".-", color=INTEGER, lw=1, ms=7, alpha=0.6)
    interval = live_line(ax, "-", color=INTEGER, lw=2.5)
    point = live_line(ax, "o", color=INTEGER, ms=9)
    said = head(ax)
    drawn = {}

    def update(accuracy, position, *kind):
        wrong, *ends = shares(accuracy)
        drawn[kind, position] = wrong
        same = sorted((x, y) for (like, x), y in drawn.items() if like == kind)
        others = [(x, y) for (like, x), y in drawn.items() if like != kind]
        line.set_data(*np.transpose(same))
        trail.set_data(*np.reshape(others, (-1, 2)).T)
        interval.set_data([position, position], ends)
        point.set_data([position], [wrong])
        besides = "      × other settings" if others else ""
        said.set_text(f"{100 * accuracy.accuracy:.1f} % right{besides}")

    return update


def compose_stored_bytes(ax, ways, largest_bytes, before):
    """Lay out bars of bytes by way of storing; return ``update(size_bytes, bytes_before)``."""
    longest = largest_bytes / 1000
    style.rows_from_top(ax, ways, grid="x", xlim=(0, 1.6 * longest), xlabel="all weights, kB")
    bars = ax.barh(range(len(ways)), 0, 0.62, color=INTEGER, animated=True)
    marks = live_line(ax, "|", color="black", ms=26, mew=2, label=before)
    here = {"va": "center", "transform": ax.transData}
    said = [live_text(ax, 0, row, **here) for row in range(len(ways))]
    style.legend_above(
        ax, 1, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, markerscale=0.5
    )

    def update(size_bytes, bytes_before):
        rows_before = [ways.index(way) for way in bytes_before]
        marks.set_data([size / 1000 for size in bytes_before.values()], rows_before)
        for way, bar, text in zip(ways, bars, said, strict=True):
            now, was = size_bytes[way] / 1000, bytes_before.get(way, size_bytes[way]) / 1000
            bar.set_width(now)
            less = f"   {was / now:.3g} × less" if was > 1.005 * now else ""
            text.set_text(f"{now:.{1 if now >= 1 else 2}f}{less}")
            text.set_x(max(now, was) + 0.02 * longest)

    return update


def head(ax):
    """Return a text above an Axes, which keeps the room that it needs."""
    said = live_text(ax, 0, 1.02, va="baseline")
    ax.text(0, 1.02, "a layer", transform=ax.transAxes, size=10, alpha=0)
    said.set_in_layout(False)  # a long name must not make the axes smaller
    return said
