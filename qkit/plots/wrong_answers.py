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
    floor = 0.5 / reference.n  # none wrong is drawn here
    ax.set(yscale="log", ylim=(floor, 1.3), ylabel=f"wrong answers on {reference.n:,} images")
    ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.1 %", "1 %", "10 %", "100 %"])
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    wrong, low, high = _wrong(reference)
    ax.axhspan(max(low, floor), high, color=REST, alpha=0.25, lw=0)
    ax.axhline(max(wrong, floor), color="0.3", ls="--", lw=1)
    ax.text(
        0.98, max(low, floor) * 0.93, "float32, with its 95 % interval", size=9, color="0.3",
        ha="right", va="top", transform=ax.get_yaxis_transform(),
    )  # fmt: skip
    (trail,) = ax.plot([], [], "x", color="0.6", ms=6, mew=1.5, animated=True)
    (line,) = ax.plot([], [], ".-", color=INTEGER, lw=1, ms=7, alpha=0.6, animated=True)
    (interval,) = ax.plot([], [], "-", color=INTEGER, lw=2.5, animated=True)
    (point,) = ax.plot([], [], "o", color=INTEGER, ms=9, animated=True)
    said = ax.text(0, 1.02, "", transform=ax.transAxes, size=10, animated=True)
    ax.text(0, 1.02, "100 % right", transform=ax.transAxes, size=10, alpha=0)  # keeps its place
    drawn = {}

    def update(position, accuracy, kind):
        wrong, low, high = (max(value, floor) for value in _wrong(accuracy))
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


def _wrong(accuracy):
    """Return the share of wrong answers and the ends of its interval."""
    low, high = accuracy.interval
    return 1 - accuracy.accuracy, 1 - high, 1 - low
