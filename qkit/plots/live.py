"""Parts of a live picture: what is drawn anew in each frame, and a veil over the outdated."""

import matplotlib.pyplot as plt
from matplotlib.collections import LineCollection


def line(ax, form, **look):
    """Return an animated line, without points yet."""
    return ax.plot([], [], form, animated=True, **look)[0]


def segments(ax, **look):
    """Return animated lines side by side, without places yet."""
    return ax.add_collection(LineCollection([], animated=True, **look), autolim=False)


def words(ax, x, y, *, size=10, **look):
    """Return an animated text, empty yet, at a place in units of the Axes."""
    look = {"transform": ax.transAxes, "va": "top", "animated": True} | look
    return ax.text(x, y, "", size=size, **look)


def veiling(draw, *axes):
    """Return `draw` with a veil over some Axes, shown for None: what they show is out of date."""
    look = {"color": "white", "alpha": 0.65, "lw": 0, "zorder": 10, "visible": False}
    veils = [
        ax.add_patch(plt.Rectangle((0, 0), 1, 1, transform=ax.transAxes, animated=True, **look))
        for ax in axes
    ]

    def update(result, *others):
        for veil in veils:
            veil.set_visible(result is None)
        if result is not None:
            draw(result, *others)

    return update
