"""Panels that several pictures have: wrong answers, bytes, a layer's weights and its kernel."""

import numpy as np
from matplotlib.colors import to_rgb

from qkit.plots.style import FLOAT, INTEGER, REST

_WEIGHT_EDGES = np.linspace(-1, 1, 82)  # in units of the largest magnitude
_MOST_ROWS, _MOST_COLUMNS = 48, 96  # of a kernel, so that a weight is seen
_FAINTEST = 0.3  # a weight that is kept, however small, is not white


def compose_wrong_answers(ax, reference):
    """Lay out the y axis of an Axes for shares of wrong answers; the x axis is the caller's.

    Returns ``update(position, accuracy, kind)``: points of the same kind, any hashable value, are
    joined, others that were drawn before are crosses.
    """
    shares = lay_out_wrong_answers(ax, reference)
    (trail,) = ax.plot([], [], "x", color="0.6", ms=6, mew=1.5, animated=True)
    (line,) = ax.plot([], [], ".-", color=INTEGER, lw=1, ms=7, alpha=0.6, animated=True)
    (interval,) = ax.plot([], [], "-", color=INTEGER, lw=2.5, animated=True)
    (point,) = ax.plot([], [], "o", color=INTEGER, ms=9, animated=True)
    said = head(ax, "100 % right")
    drawn = {}

    def update(position, accuracy, kind):
        wrong, low, high = shares(accuracy)
        drawn[kind, position] = wrong
        same = sorted((x, y) for (like, x), y in drawn.items() if like == kind)
        others = [(x, y) for (like, x), y in drawn.items() if like != kind]
        line.set_data(*np.transpose(same))
        trail.set_data(*np.reshape(others, (-1, 2)).T)
        interval.set_data([position, position], [low, high])
        point.set_data([position], [wrong])
        words = f"{100 * accuracy.accuracy:.1f} % right"
        if others:
            words += "      × other settings"
        said.set_text(words)

    return update


def lay_out_wrong_answers(ax, reference):
    """Lay out the y axis of an Axes with the Accuracy of the network in float.

    Returns a function from an Accuracy to where its share of wrong answers stands, and the ends
    of its interval.
    """
    floor = 0.5 / reference.n  # none wrong is drawn here

    def shares(accuracy):
        low, high = accuracy.interval
        return [max(1 - right, floor) for right in (accuracy.accuracy, high, low)]

    ax.set(yscale="log", ylim=(floor, 1.3), ylabel=f"wrong answers on {reference.n:,} images")
    ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    wrong, low, high = shares(reference)
    ax.axhspan(low, high, color=REST, alpha=0.25, lw=0)
    ax.axhline(wrong, color="0.3", ls="--", lw=1)
    ax.text(
        0.98, low * 0.93, "float32, with its 95 % interval", size=9, color="0.3", ha="right",
        va="top", transform=ax.get_yaxis_transform(),
    )  # fmt: skip
    return shares


def compose_stored_bytes(ax, ways, largest_bytes, before):
    """Lay out bars of bytes by way of storing, and marks of those before, called by some words.

    Returns ``update(size_bytes, bytes_before)``, both by way: the ratio is written beside.
    """
    longest, rows = largest_bytes / 1024, np.arange(len(ways))
    ax.set(xlim=(0, 1.6 * longest), ylim=(len(ways) - 0.45, -0.55))
    ax.set_xlabel("all weights, KiB")
    ax.set_yticks(rows, ways)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    bars = ax.barh(rows, np.zeros(len(ways)), 0.62, color=INTEGER, animated=True)
    (marks,) = ax.plot([], [], "|", color="black", ms=26, mew=2, animated=True)
    said = [ax.text(0, row, "", va="center", size=10, animated=True) for row in rows]
    (key,) = ax.plot([], [], "|", color="black", ms=12, mew=2, label=before)
    ax.legend(
        handles=[key], loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=10,
        borderaxespad=0.1, handletextpad=0.2,
    )  # fmt: skip

    def update(size_bytes, bytes_before):
        rows_before = [ways.index(way) for way in bytes_before]
        marks.set_data([size / 1024 for size in bytes_before.values()], rows_before)
        for way, bar, text in zip(ways, bars, said, strict=True):
            now, was = size_bytes[way] / 1024, bytes_before.get(way, size_bytes[way]) / 1024
            bar.set_width(now)
            words = f"{now:.1f}" if now >= 1 else f"{now:.2f}"
            if was > 1.005 * now:
                words += f"   {was / now:.3g} × less"
            text.set_text(words)
            text.set_x(max(now, was) + 0.02 * longest)

    return update


def compose_weights(ax, looks, *, floor=0):
    """Lay out histograms of a layer's weights in units of their largest, one a look.

    Returns ``update(*weights)``: where there is a floor, heights are shares, no lower than it;
    else the fullest bin of the first is 1.
    """
    ax.spines[["top", "right"]].set_visible(False)
    heights = np.full(_WEIGHT_EDGES.size - 1, float(floor))
    bars = [
        ax.stairs(heights, _WEIGHT_EDGES, baseline=floor / 10, fill=True, animated=True, **look)
        for look in looks
    ]

    def update(*weights):
        counts = [np.histogram(values, _WEIGHT_EDGES)[0] for values in weights]
        unit = weights[0].size if floor else counts[0].max()
        for bar, heights in zip(bars, counts, strict=True):
            bar.set_data(np.maximum(heights / unit, floor))

    return update


def compose_kernel(ax):
    """Lay out a kernel as pixels, a row an output; returns ``update(layer, mask)``."""
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    ax.set_ylabel("outputs")
    ax.set_xlabel("weights of the inputs (blue: positive, orange: negative, white: 0)")
    image = ax.imshow(
        np.ones((1, 1, 3)), extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest",
        animated=True,
    )  # fmt: skip
    said = head(ax, "a layer")

    def update(layer, mask):
        weights, kept = (np.moveaxis(x, layer.axis, 0) for x in (layer.weights, mask))
        weights, kept = (x.reshape(len(x), -1) for x in (weights, kept))
        outputs, inputs = weights.shape
        shown = np.s_[:_MOST_ROWS, :_MOST_COLUMNS]
        image.set_data(_coloured(weights[shown] / largest(weights), kept[shown]))
        part = ""
        if outputs > _MOST_ROWS or inputs > _MOST_COLUMNS:
            rows, columns = min(outputs, _MOST_ROWS), min(inputs, _MOST_COLUMNS)
            part = f" (shown: {rows} × {columns} of {outputs:,} × {inputs:,})"
        said.set_text(f"{layer.name}{part}: {100 * (1 - mask.mean()):.1f} % set to 0")

    return update


def head(ax, example):
    """Return a text above an Axes, which keeps the room that an example of it needs."""
    said = ax.text(0, 1.02, "", transform=ax.transAxes, size=10, animated=True)
    ax.text(0, 1.02, example, transform=ax.transAxes, size=10, alpha=0)
    said.set_in_layout(False)  # a long name must not make the axes smaller
    return said


def largest(weights):
    """Return the largest magnitude, 1 where all are 0."""
    return float(np.abs(weights).max()) or 1.0


def _coloured(weights, kept):
    """Return the colours of weights in units of the largest: white where one is not kept."""
    strength = (_FAINTEST + (1 - _FAINTEST) * np.sqrt(np.abs(weights))) * kept
    colours = np.where(weights[..., None] < 0, to_rgb(FLOAT), to_rgb(INTEGER))
    return 1 - strength[..., None] * (1 - colours)
