"""Panels that several pictures have: wrong answers by a setting, and bytes by way of storing."""

import numpy as np

from qkit.plots import live
from qkit.plots.style import INTEGER, REST, legend_above, panel, rows_from_top


def compose_wrong_answers(ax, reference):
    """Lay out the y axis of an Axes for shares of wrong answers; the x axis is the caller's.

    Returns ``update(position, accuracy, kind)``: points of the same kind, any hashable value, are
    joined, others that were drawn before are crosses.
    """
    floor = 0.5 / reference.n  # none wrong is drawn here

    def shares(accuracy):
        low, high = accuracy.interval
        return [max(1 - right, floor) for right in (accuracy.accuracy, high, low)]

    panel(ax, grid="both", yscale="log", ylim=(floor, 1.3))
    ax.set_ylabel(f"wrong answers on {reference.n:,} images")
    ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    wrong, low, high = shares(reference)
    ax.axhspan(low, high, color=REST, alpha=0.25, lw=0)
    ax.axhline(wrong, color="0.3", ls="--", lw=1)
    ax.text(
        0.98, low * 0.93, "float32, with its 95 % interval", size=9, color="0.3", ha="right",
        va="top", transform=ax.get_yaxis_transform(),
    )  # fmt: skip
    trail = live.line(ax, "x", color="0.6", ms=6, mew=1.5)
    line = live.line(ax, ".-", color=INTEGER, lw=1, ms=7, alpha=0.6)
    interval = live.line(ax, "-", color=INTEGER, lw=2.5)
    point = live.line(ax, "o", color=INTEGER, ms=9)
    said = head(ax, "100 % right")
    drawn = {}

    def update(position, accuracy, kind):
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
    """Lay out bars of bytes by way of storing, and marks of those before, called by some words.

    Returns ``update(size_bytes, bytes_before)``, both by way: the ratio is written beside.
    """
    longest, rows = largest_bytes / 1024, np.arange(len(ways))
    rows_from_top(ax, ways)
    panel(ax, grid="x", xlim=(0, 1.6 * longest), xlabel="all weights, KiB")
    bars = ax.barh(rows, np.zeros(len(ways)), 0.62, color=INTEGER, animated=True)
    marks = live.line(ax, "|", color="black", ms=26, mew=2, label=before)
    said = [live.words(ax, 0, row, va="center", transform=ax.transData) for row in rows]
    legend_above(ax, 1, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, markerscale=0.5)

    def update(size_bytes, bytes_before):
        rows_before = [ways.index(way) for way in bytes_before]
        marks.set_data([size / 1024 for size in bytes_before.values()], rows_before)
        for way, bar, text in zip(ways, bars, said, strict=True):
            now, was = size_bytes[way] / 1024, bytes_before.get(way, size_bytes[way]) / 1024
            bar.set_width(now)
            less = f"   {was / now:.3g} × less" if was > 1.005 * now else ""
            text.set_text(f"{now:.{1 if now >= 1 else 2}f}{less}")
            text.set_x(max(now, was) + 0.02 * longest)

    return update


def head(ax, example):
    """Return a text above an Axes, which keeps the room that an example of it needs."""
    said = live.words(ax, 0, 1.02, va="baseline")
    ax.text(0, 1.02, example, transform=ax.transAxes, size=10, alpha=0)
    said.set_in_layout(False)  # a long name must not make the axes smaller
    return said
