"""Picture of a file that something is wrong with: its accuracy, its input, its logits' grid."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import FLOAT, INTEGER, veil

_ROWS = ("in float", "as found", "repaired")
_COLOURS = ("black", FLOAT, INTEGER)
_MARKERS = "oXD"
_WIDEST = 1e5


def plot_mistake(found, after=None, *, figure=None):
    """Draw an examination, and the one after a repair.

    Parameters
    ----------
    found : Examination
    after : Examination, optional
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(10, 3.2), layout="constrained")
    compose_mistake(figure, found.image.shape[:2])((found, after))
    return figure


def compose_mistake(figure, shape):
    """Lay the picture out, and return a function that draws examinations in it.

    Parameters
    ----------
    figure : matplotlib Figure
    shape : (int, int)
        Height and width of an image.

    Returns
    -------
    callable
        Takes a pair: the examination as found, and the one after a repair or None. For None in
        place of the pair, what is shown is out of date, and veiled.
    """
    right, before, sees, logits = figure.subplots(1, 4, width_ratios=[1.5, 0.8, 0.8, 1.5])
    for ax in (right, logits):
        ax.set(ylim=(2.5, -0.5), yticks=range(3))
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x", alpha=0.3)
    right.set_yticklabels(_ROWS)
    logits.set_yticklabels([])
    right.set(xlim=(0, 1.03), xlabel="right answers, with 95 % interval")
    right.set_xticks(np.linspace(0, 1, 5), ["0", "25 %", "50 %", "75 %", "100 %"])
    logits.set_xscale("symlog", linthresh=1)
    logits.set(xlim=(-_WIDEST, _WIDEST), xlabel="logits: span in float, and the grids")
    logits.set_xticks([-1e4, -100, -1, 1, 100, 1e4], ["−10⁴", "−100", "−1", "1", "100", "10⁴"])
    images = []
    for ax, title in ((before, "a test image"), (sees, "what the file saw")):
        ax.set_title(title, fontsize="medium")
        ax.axis("off")
        images.append(ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True))
    marks = zip(_COLOURS, _MARKERS, strict=True)
    points = [right.plot([], [], m, color=c, ms=8, animated=True)[0] for c, m in marks]
    intervals = [right.plot([], [], "-", color=c, lw=2.5, animated=True)[0] for c in _COLOURS]
    spans = [logits.plot([], [], "-", color=c, lw=7, animated=True)[0] for c in _COLOURS]
    none = [
        logits.text(0, row, "", ha="center", va="center", size=10, animated=True)
        for row in range(3)
    ]
    veils = [veil(ax) for ax in (right, sees, logits)]

    def update(pair):
        for cover in veils:
            cover.set_visible(pair is None)
        if pair is None:
            return
        found, after = pair
        shown = [
            (found.reference, found.output_span),
            (found.accuracy, found.output_grid),
            (after.accuracy, after.output_grid) if after else (None, None),
        ]
        for row, (accuracy, span) in enumerate(shown):
            points[row].set_data(*([accuracy.accuracy], [row]) if accuracy else ([], []))
            intervals[row].set_data(*(accuracy.interval, [row, row]) if accuracy else ([], []))
            spans[row].set_data(*(span, [row, row]) if span else ([], []))
            none[row].set_text("no grid: in float" if accuracy and not span else "")
        images[0].set_data(found.image)
        images[1].set_data(found.image_on_grid)

    return update
