"""The share of wrong answers beside that of float32: a panel that several pictures have."""

import numpy as np

from qkit.plots.style import INTEGER, REST


def compose_wrong_answers(ax, reference):
    """Lay out the y axis of an Axes with the reference, and return a function that draws in it.

    Parameters
    ----------
    ax : matplotlib Axes
        Its x axis is the caller's.
    reference : Accuracy
        Of the network in float.

    Returns
    -------
    callable
        Takes where a measurement stands on the x axis, its Accuracy, and a hashable value: points
        of the same value are joined, others that were drawn before are crosses.
    """
    shares = lay_out_wrong_answers(ax, reference)
    (trail,) = ax.plot([], [], "x", color="0.6", ms=6, mew=1.5, animated=True)
    (line,) = ax.plot([], [], ".-", color=INTEGER, lw=1, ms=7, alpha=0.6, animated=True)
    (interval,) = ax.plot([], [], "-", color=INTEGER, lw=2.5, animated=True)
    (point,) = ax.plot([], [], "o", color=INTEGER, ms=9, animated=True)
    said = ax.text(0, 1.02, "", transform=ax.transAxes, size=10, animated=True)
    ax.text(0, 1.02, "100 % right", transform=ax.transAxes, size=10, alpha=0)  # keeps its place
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
    """Lay out the y axis of an Axes with the reference.

    Parameters
    ----------
    ax : matplotlib Axes
    reference : Accuracy
        Of the network in float.

    Returns
    -------
    callable
        From an Accuracy to where its share of wrong answers stands on the axis, and the ends of its
        interval.
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
