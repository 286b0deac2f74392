"""Picture of one image and what several classifiers answer to it."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import PolyCollection

from qkit.plots.style import mark

_WIDTH = 0.84  # of a class's group of bars
_LEAST_TIP = 0.01  # smaller bars bear no marker: it would be all there is to see
_LEAST = 1e-4  # differences below it are drawn near the line of no difference


def plot_digit_answers(answers, image, *, figure=None):
    """Draw an image, the probabilities that models give to each class, and how they differ.

    Parameters
    ----------
    answers : DigitAnswers
    image : ndarray of shape (height, width), in [0, 1]
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(10, 4.2), layout="constrained")
    names = list(answers.probabilities)
    classes = answers.probabilities[names[0]].size
    compose_digit_answers(figure, names, classes, np.shape(image))(answers, image)
    return figure


def compose_digit_answers(figure, names, classes, shape):
    """Lay the picture out, and return a function that draws answers in it.

    Parameters
    ----------
    figure : matplotlib Figure
    names : list of str
        Of all models that may be shown.
    classes : int
    shape : (int, int)
        Of an image.

    Returns
    -------
    callable
        ``update(answers, image)``; without answers, only the image is drawn.
    """
    panels = figure.subplot_mosaic(
        [["image", "bars"], ["words", "differences"]],
        width_ratios=[1, 2.4],
        height_ratios=[1.5, 1],
    )
    bars, differences, words = (panels[name] for name in ("bars", "differences", "words"))
    pixels = panels["image"].imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, animated=True)
    height, width = shape
    # a margin, else the image covers half of the frame
    panels["image"].set(xticks=[], yticks=[], xlim=(-1, width), ylim=(height, -1))
    panels["image"].set_title("what the models see", fontsize="medium")
    for ax in (bars, differences):
        ax.set(xlim=(-0.5, classes - 0.5), xticks=range(classes))
        ax.tick_params(axis="x", length=0)
        ax.spines[["top", "right"]].set_visible(False)
        for edge in np.arange(classes - 1) + 0.5:
            ax.axvline(edge, color="0.9", lw=1)
    bars.set(ylim=(0, 1.06), ylabel="probability")
    differences.set_yscale("symlog", linthresh=_LEAST, linscale=0.5)
    differences.set(ylim=(-1.6, 1.6), xlabel="class")
    differences.set_yticks(
        [-1, -0.01, -_LEAST, 0, _LEAST, 0.01, 1], ["−1", "−0.01", "", "0", "", "0.01", "1"]
    )
    differences.set_yticks([], minor=True)
    differences.axhline(0, color="0.3", lw=1)
    differences.grid(axis="y", color="0.9")
    differences.set_axisbelow(True)
    differences.set_ylabel("difference")
    words.set(xlim=(0, 1), ylim=(max(len(names), 5) - 0.4, -1.2))
    words.axis("off")

    rows = {}
    for row, name in enumerate(names):
        colour, marker = mark(row)
        words.plot(0.04, row, marker, color=colour, ms=7)
        words.text(0.1, row, name, va="center", size=10)
        rows[name] = (
            bars.add_collection(PolyCollection([], fc=colour, lw=0, animated=True), autolim=False),
            bars.plot([], [], marker, color=colour, ms=6, mec="white", animated=True)[0],
            differences.plot([], [], marker, color=colour, ms=6, animated=True)[0],
            words.text(1, row, "", va="center", ha="right", size=10, animated=True),
        )
    words.text(1, -0.85, "answer, probability", va="center", ha="right", size=9, color="0.3")
    said = differences.text(
        0.005, 0.97, "", transform=differences.transAxes, va="top", size=9, color="0.3",
        animated=True,
    )  # fmt: skip

    def update(answers, image):
        pixels.set_data(image)
        shown = [] if answers is None else list(answers.probabilities)
        for name, artists in rows.items():
            for artist in artists:
                artist.set_visible(name in shown)
        if answers is None:
            said.set_text("")
            return
        said.set_text(f"probability minus that of {answers.reference}")
        width = _WIDTH / len(shown)
        for slot, name in enumerate(shown):
            columns, tips, points, result = rows[name]
            left = np.arange(classes) - _WIDTH / 2 + slot * width
            probabilities, answer = answers.probabilities[name], answers.answers[name]
            columns.set_verts(
                [_box(x, x + 0.92 * width, p) for x, p in zip(left, probabilities, strict=True)]
            )
            told_apart = probabilities >= _LEAST_TIP
            tips.set_data((left + 0.46 * width)[told_apart], probabilities[told_apart])
            off = answers.differences.get(name)
            points.set_data(*([], []) if off is None else (left + width / 2, off))
            result.set_text(f"{answer}, {100 * probabilities[answer]:.2f} %")

    return update


def _box(left, right, top):
    return [(left, 0), (left, top), (right, top), (right, 0)]
