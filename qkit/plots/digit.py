"""Picture of one image and what several classifiers answer to it."""

import numpy as np

from qkit import validate
from qkit.plots.looks import looks
from qkit.plots.style import LITERAL, live_areas, live_line, live_text, named, panel, picture

_WIDTH = 0.84  # of a class's group of bars


def _fixed(result, image):
    (_, scores), *_ = result.probabilities.items()
    shape = validate.values(image, what="plot_digit_answers: the image").shape
    if len(shape) != 2:
        raise ValueError(
            f"plot_digit_answers: the image must have the shape (height, width), got {shape}."
        )
    return {"names": [*result.probabilities], "classes": scores.size, "shape": shape}


@picture("DigitAnswers", figsize=(10, 4.2), fixed=_fixed)
def plot_digit_answers(figure, names, classes, shape):
    """Draw an image, the probabilities that models give to each class, and how they differ.

    Parameters
    ----------
    result : DigitAnswers
    image : ndarray of shape (height, width), in [0, 1]
    """
    seen, bars, words, differences = figure.subplot_mosaic(
        [["image", "bars"], ["words", "differences"]], width_ratios=[1, 2.4], height_ratios=[1.5, 1]
    ).values()
    pixels = seen.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True)
    height, width = shape
    # a margin, else the image covers half of the frame
    seen.set(xticks=[], yticks=[], xlim=(-1, width), ylim=(height, -1))
    seen.set_title("what the models see", fontsize="medium")
    said = _lay_out(bars, differences, classes)
    words.set(xlim=(0, 1), ylim=(max(len(names), 5) - 0.4, -1.2))
    words.axis("off")
    words.text(1, -0.85, "answer, probability", va="center", ha="right", size=9, color="0.3")
    rows = {}
    for row, (name, (colour, marker)) in enumerate(looks(names).items()):
        look = {"marker": marker, "ls": "none", "color": colour}
        words.plot(0.04, row, ms=7, **look)
        words.text(0.1, row, named(name), va="center", size=10, in_layout=False, **LITERAL)
        rows[name] = (
            live_areas(bars, fc=colour, lw=0),
            live_line(bars, mec="white", ms=6, **look),
            live_line(differences, ms=6, **look),
            live_text(words, 1, row, va="center", ha="right", transform=words.transData),
        )

    def update(answers, image):
        pixels.set_data(image)
        shown = answers.probabilities if answers else {}
        said.set_text(f"probability minus that of {answers.reference}" if shown else "")
        for name, artists in rows.items():
            for artist in artists:
                artist.set_visible(name in shown)
        for slot, (name, probabilities) in enumerate(shown.items()):
            columns, tips, points, result = rows[name]
            width = _WIDTH / len(shown)
            left = np.arange(classes) - _WIDTH / 2 + slot * width
            ends = zip(left, left + 0.92 * width, probabilities, strict=True)
            columns.set_verts([[(a, 0), (a, top), (b, top), (b, 0)] for a, b, top in ends])
            tall = probabilities >= 0.01  # else a marker would be all there is to see
            tips.set_data((left + 0.46 * width)[tall], probabilities[tall])
            off = answers.differences.get(name, np.full(classes, np.nan))  # none of the reference
            points.set_data(left + width / 2, off)
            answer = answers.answers[name]
            result.set_text(f"{answer}, {100 * probabilities[answer]:.2f} %")

    return update


def _lay_out(bars, differences, classes):
    """Fix both axes over the classes; return the place for words about the differences."""
    step = -(-classes // 20)  # more numbers than that would run together
    for ax in (bars, differences):
        panel(ax, xlim=(-0.5, classes - 0.5), xticks=range(0, classes, step))
        ax.tick_params(axis="x", length=0)
        for edge in range(step, classes, step):
            ax.axvline(edge - 0.5, color="0.9", lw=1)
    bars.set(ylim=(0, 1.06), ylabel="probability")
    differences.set_yscale("symlog", linthresh=1e-4, linscale=0.5)
    ticks = {-1: "−1", -0.01: "−0.01", -1e-4: "", 0: "0", 1e-4: "", 0.01: "0.01", 1: "1"}
    panel(differences, grid="y", ylim=(-1.6, 1.6), yticks=ticks)
    differences.set(xlabel="class", ylabel="difference")
    differences.axhline(0, color="0.3", lw=1)
    return live_text(differences, 0.005, 0.97, size=9, color="0.3", in_layout=False)
