"""Picture of a file that something is wrong with: its accuracy, its input, its logits' grid."""

import numpy as np

from qkit.plots.style import FLOAT, INTEGER, live_line, live_text, picture, rows_from_top, veiling

_ROWS = {"in float": ("black", "o"), "as found": (FLOAT, "X"), "repaired": (INTEGER, "D")}


def require_image(shape, *, what):
    """Return the shape of an item that can be drawn as an image; refuse any other."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return shape
    raise ValueError(
        f"{what} shows images, of height and width, or with 1, 3 or 4 channels; got items of "
        f"shape {shape}. qk.mistakes.examine(model, data, recipe) says in words what it finds."
    )


def _fixed(result, after=None):
    shape = require_image(result.image.shape, what="plot_mistake")
    return {"shape": shape, "rows": tuple(_ROWS)[: 3 if after else 2]}


@picture("Examination", figsize=(10, 3.2), fixed=_fixed)
def plot_mistake(figure, shape, rows=tuple(_ROWS)):
    """Draw an examination, and the one after a repair.

    Parameters
    ----------
    result : Examination
    after : Examination, optional
    """
    right, before, sees, logits = figure.subplots(1, 4, width_ratios=[1.5, 0.8, 0.8, 1.5])
    shares = {n / 100: f"{n} %" for n in range(0, 101, 25)}
    rows_from_top(right, rows, grid="x", xlim=(0, 1.03), xticks=shares)
    right.set_xlabel("right answers, with 95 % interval")
    logits.set_xscale("symlog", linthresh=1)
    values = {-1e4: "−10⁴", -100: "−100", -1: "−1", 1: "1", 100: "100", 1e4: "10⁴"}
    rows_from_top(logits, [""] * len(rows), grid="x", xlim=(-1e5, 1e5), xticks=values)
    logits.set_xlabel("logits: span in float, and the grids")
    images = []
    for ax, title in ((before, "a test image"), (sees, "what the file saw")):
        ax.set_title(title, fontsize="medium")
        ax.axis("off")
        images.append(ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True))
    artists = [
        (
            live_line(right, "-", color=colour, lw=2.5),
            live_line(right, marker, color=colour, ms=8),
            live_line(logits, "-", color=colour, lw=7),
            live_text(logits, 0, row, ha="center", va="center", transform=logits.transData),
        )
        for row, (colour, marker) in enumerate(map(_ROWS.get, rows))
    ]

    def update(found, after=None):
        shown = [(found.reference, found.output_span), (found.accuracy, found.output_grid)]
        shown.append((after.accuracy, after.output_grid) if after else (None, None))
        for row, (interval, point, grid, none) in enumerate(artists):
            accuracy, span = shown[row]
            interval.set_data(*(accuracy.interval, [row, row]) if accuracy else ([], []))
            point.set_data(*([accuracy.accuracy], [row]) if accuracy else ([], []))
            grid.set_data(*(span, [row, row]) if span else ([], []))
            none.set_text("" if span else "no grid: in float" if accuracy else "not repaired yet")
        for image, pixels in zip(images, (found.image, found.image_on_grid), strict=True):
            image.set_data(pixels)

    return veiling(update, right, sees, logits)
