"""Picture of a file that something is wrong with: its accuracy, its input, its logits' grid."""

import numpy as np

from qkit.plots.style import FLOAT, INTEGER, picture, rows_from_top, veil

_ROWS = {"in float": ("black", "o"), "as found": (FLOAT, "X"), "repaired": (INTEGER, "D")}


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
    for ax in (right, logits):
        rows_from_top(ax, _ROWS if ax is right else [""] * len(_ROWS))
        ax.grid(axis="x", alpha=0.3)
    right.set(xlim=(0, 1.03), xlabel="right answers, with 95 % interval")
    right.set_xticks(np.linspace(0, 1, 5), ["0", "25 %", "50 %", "75 %", "100 %"])
    logits.set_xscale("symlog", linthresh=1)
    logits.set(xlim=(-1e5, 1e5), xlabel="logits: span in float, and the grids")
    logits.set_xticks([-1e4, -100, -1, 1, 100, 1e4], ["−10⁴", "−100", "−1", "1", "100", "10⁴"])
    images = []
    for ax, title in ((before, "a test image"), (sees, "what the file saw")):
        ax.set_title(title, fontsize="medium")
        ax.axis("off")
        images.append(ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True))
    artists = [
        (
            right.plot([], [], "-", color=colour, lw=2.5, animated=True)[0],
            right.plot([], [], marker, color=colour, ms=8, animated=True)[0],
            logits.plot([], [], "-", color=colour, lw=7, animated=True)[0],
            logits.text(0, row, "", ha="center", va="center", size=10, animated=True),
        )
        for row, (colour, marker) in enumerate(_ROWS.values())
    ]
    veils = [veil(ax) for ax in (right, sees, logits)]

    def update(found, after=None):
        for cover in veils:
            cover.set_visible(found is None)
        if found is None:  # what is shown is out of date
            return
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

    return update
