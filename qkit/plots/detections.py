"""Picture of a scene with the digits that are there, and those that detectors found."""

import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

from qkit.plots.style import INTEGER
from qkit.published.detection import NOTHING

_THERE = {"ls": "--", "lw": 1, "ec": "0.3"}
_FOUND = {"lw": 1.8, "ec": INTEGER}
_PAPER = {"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.5}  # behind words


def plot_detections(scene, digits, found, *, least_score=0.3, figure=None):
    """Draw a scene once for each detector, with the true boxes and the boxes that it found.

    Parameters
    ----------
    scene : ndarray of shape (height, width), in [0, 1]
    digits : ndarray of shape (most, 5)
        What is there, a row of a detection task's `y_test`: class, top, left, bottom, right.
    found : dict of str to Detections
        By the detector's name; of this scene alone, see `qkit.published.detection.decode`.
    least_score : float
        Fainter detections are not drawn.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(3.2 * len(found), 3.8), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for ax, (name, detections) in zip(panels, found.items(), strict=True):
        ax.imshow(scene, cmap="gray_r", vmin=0, vmax=2, interpolation="nearest")  # ink in grey
        ax.set(xticks=[], yticks=[], title=name)
        for category, *box in digits:
            if category != NOTHING:
                ax.add_patch(_frame(box, **_THERE))
        for box, words in _by_box(detections, least_score).items():
            ax.add_patch(_frame(box, **_FOUND))
            # beyond an edge of the canvas it would not be seen
            corner = max(box[1], 0) - 0.4, max(box[0], 3) - 1.2
            ax.text(*corner, words, size=8, color=INTEGER, weight="bold", bbox=_PAPER)
    figure.legend(
        [_frame((0, 0, 1, 1), **style) for style in (_THERE, _FOUND)],
        ["what is there", "what was found: class and score"],
        loc="outside lower center", ncols=2, frameon=False,
    )  # fmt: skip
    return figure


def _by_box(detections, least_score):
    """Return what is said of each box: a cell may be sure of two classes."""
    found = {}
    for category, box, score in zip(
        detections.category, detections.box, detections.score, strict=True
    ):
        if score >= least_score:
            found.setdefault(tuple(box), []).append(f"{category}: {100 * score:.0f} %")
    return {box: ", ".join(words) for box, words in found.items()}


def _frame(box, **style):
    """Return the rectangle around the pixels of a box; those are drawn around their centres."""
    top, left, bottom, right = box
    return Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False, **style)
