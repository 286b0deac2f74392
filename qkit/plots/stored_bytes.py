"""Bars of what weights take in several ways of storing: a panel that several pictures have."""

import numpy as np

from qkit.plots.style import INTEGER


def compose_stored_bytes(ax, ways, largest_bytes, before):
    """Lay an Axes out, and return a function that draws bars of bytes in it.

    Parameters
    ----------
    ax : matplotlib Axes
    ways : list of str
        Of storing, from top to bottom.
    largest_bytes : float
        The longest bar that there can be.
    before : str
        What the marks are, in words.

    Returns
    -------
    callable
        Takes the bytes by way of storing, and those before by way: marks, and the ratio to them.
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
        marks.set_data([bytes_before[way] / 1024 for way in bytes_before],
                       [ways.index(way) for way in bytes_before])  # fmt: skip
        for way, bar, text in zip(ways, bars, said, strict=True):
            now, was = size_bytes[way] / 1024, bytes_before.get(way, size_bytes[way]) / 1024
            bar.set_width(now)
            words = f"{now:.1f}" if now >= 1 else f"{now:.2f}"
            if was > 1.005 * now:
                words += f"   {was / now:.3g} × less"
            text.set_text(words)
            text.set_x(max(now, was) + 0.02 * longest)

    return update
