"""Picture of a file that something is wrong with: its accuracy, its input, its logits' grid."""

import numpy as np

from qkit.plots import live
from qkit.plots.style import FLOAT, INTEGER, name_ticks, panel, picture, rows_from_top

_ROWS = {"in float": ("black", "o"), "as found": (FLOAT, "X"), "repaired": (INTEGER, "D")}
_LOGITS = {-1e4: "−10⁴", -100: "−100", -1: "−1", 1: "1", 100: "100", 1e4: "10⁴"}


@picture(figsize=(10, 3.2), fixed=lambda result, after=None: {"shape": result.image.shape})
def plot_mistake(figure, shape):
    """Draw an examination, and the one after a repair.

    Parameters
    ----------
    result : Examination
    after : Examination, optional
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    right, before, sees, logits = figure.subplots(1, 4, width_ratios=[1.5, 0.8, 0.8, 1.5])
    rows_from_top(right, _ROWS)
    panel(right, grid="x", xlim=(0, 1.03), xlabel="right answers, with 95 % interval")
    name_ticks(right.xaxis, {n / 100: f"{n} %" for n in range(0, 101, 25)})
    rows_from_top(logits, [""] * len(_ROWS))
    logits.set_xscale("symlog", linthresh=1)
    panel(logits, grid="x", xlim=(-1e5, 1e5), xlabel="logits: span in float, and the grids")
    name_ticks(logits.xaxis, _LOGITS)
    images = []
    for ax, title in ((before, "a test image"), (sees, "what the file saw")):
        ax.set_title(title, fontsize="medium")
        ax.axis("off")
        images.append(ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True))
    artists = [
        (
            live.line(right, "-", color=colour, lw=2.5),
            live.line(right, marker, color=colour, ms=8),
            live.line(logits, "-", color=colour, lw=7),
            live.words(logits, 0, row, ha="center", va="center", transform=logits.transData),
        )
        for row, (colour, marker) in enumerate(_ROWS.values())
    ]

    def update(found, after=None):
        shown = [(found.reference, found.output_span), (found.accuracy, found.output_grid)]
        shown.append((after.accuracy, after.output_grid) if after else (None, None))
        for row, (accuracy, span) in enumerate(shown):
            interval, point, grid, none = artists[row]
            interval.set_data(*(accuracy.interval, [row, row]) if accuracy else ([], []))
            point.set_data(*([accuracy.accuracy], [row]) if accuracy else ([], []))
            grid.set_data(*(span, [row, row]) if span else ([], []))
            none.set_text("no grid: in float" if accuracy and not span else "")
        for image, pixels in zip(images, (found.image, found.image_on_grid), strict=True):
            image.set_data(pixels)

    return live.veiling(update, right, sees, logits)
