"""Picture of the images on which two models disagree."""

from collections.abc import Mapping
from functools import lru_cache
from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np

from qkit import validate
from qkit.plots.style import FLOAT, INTEGER, LITERAL, named, require
from qkit.samples import count


def plot_flips(paired, x, *, names=("a", "b"), limit=16):
    """Draw the images to which two models give different classes, with both answers.

    Parameters
    ----------
    paired : Paired
    x : ndarray of shape (n, height, width[, channels]), that both were measured on
        Another scale than 0 to 1 is stretched to it, from its least value to its largest.
    names : (str, str), of the two models
    limit : int, of images: lost and gained ones in turn, then those that both have wrong

    Returns
    -------
    matplotlib Figure
    """
    require(paired, "Paired", what="plot_flips")
    limit = validate.whole(limit, name="plot_flips: limit")
    each = [*x.values()] if isinstance(x, Mapping) else [x]
    each = [np.atleast_1d(validate.array(one, what="plot_flips: x")) for one in each]
    if {*map(len, each)} != {paired.a.n}:
        got = " and ".join(f"{len(one):,}" for one in each) or "none"
        raise ValueError(
            f"plot_flips: the models were measured on {paired.a.n:,} images, got {got}. Pass the "
            "same images in the same order."
        )
    x = x if len(each) > 1 else each[0]
    flipped = len(paired.disagreements)
    shown = max(1, min(limit, flipped))
    columns = min(8, shown)
    size = max(6.5, 1.2 * columns), 1.5 * -(-shown // columns) + 0.6
    figure = plt.figure(figsize=size, layout="constrained")
    figure.suptitle(
        f"{flipped} of {paired.a.n:,} images answered differently: {named(names[1])} loses "
        f"{len(paired.lost)} and gains {len(paired.gained)} against {named(names[0])}",
        fontsize="medium",
        **LITERAL,
    )
    compose_flips(figure.add_subplot(), x, shown, columns)(paired)
    return figure


def in_turn(paired):
    """Return the indices of the flipped images: lost and gained in turn, then both wrong."""
    turns = [i for pair in zip_longest(paired.lost, paired.gained) for i in pair if i is not None]
    return turns + [i for i in paired.disagreements if i not in {*turns}]


def compose_flips(ax, x, most=6, columns=3):
    """Lay out places for images that flip, each below both answers; return what fills them."""
    if np.ndim(x) not in (3, 4):  # what is no image is not shown, but what was answered
        x = np.zeros((count(x), 28, 28))
    if x.shape[3:] and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3, 4):
        x = np.moveaxis(x, 1, -1)  # as PyTorch has them
    low, high = min(np.min(x), 0.0), max(np.max(x), 1.0)
    height, width = x.shape[1:3]
    side = max(height, width)  # both answers need as much room above a strip
    tall, wide = round(1.62 * side), round(1.3 * side)
    rows = -(-most // columns)
    blank = np.full((rows * tall, columns * wide, 3), 255, np.uint8)
    sheet = ax.imshow(blank, interpolation="nearest")
    ax.set_ylim(rows * tall, -0.45 * side)
    ax.axis("off")
    row, column = np.divmod(np.arange(most), columns)
    tops, lefts = (row + 1) * tall - height, column * wide + (wide - width) // 2
    look = {"ha": "center", "va": "bottom", "fontsize": 9, "linespacing": 1.05}
    above = look | {"fontsize": 10, **LITERAL}
    title = ax.text(columns * wide / 2, -0.1 * side, "", **above)
    places = zip(lefts + width / 2, tops - 0.03 * side, strict=True)
    texts = [ax.text(*place, "", **look) for place in places]

    @lru_cache(maxsize=1)  # the same once more is drawn already
    def update(paired, against=None):
        pixels = blank.copy()
        plt.setp(texts, text="")
        for i, top, left, text in zip(in_turn(paired), tops, lefts, texts, strict=False):
            pixels[top : top + height, left : left + width] = _rgb((x[i] - low) / (high - low))
            said, colour = _verdict(paired, i)
            text.set(text=said, color=colour)
        sheet.set_data(pixels)
        if against:
            figures = f"{len(paired.lost)} lost, {len(paired.gained)} gained"
            title.set_text(f"against {against}: {figures}")

    return update


def _verdict(paired, i):
    """Return what the two models say to image `i`, in two lines, and the verdict's colour."""
    a, b, label = paired.a.predictions[i], paired.b.predictions[i], paired.a.labels[i]
    kinds = {a: ("lost", FLOAT), b: ("gained", INTEGER)}
    word, colour = kinds.get(label, ("both wrong", "0.4"))
    return f"is {label}: {a} → {b}\n{word}", colour


def _rgb(pixels):
    """Return an image in colour as it is, one in grey as dark strokes on white; 0 to 255."""
    pixels = 255 * pixels
    if pixels.shape[2:] == (3,):
        return pixels
    return 255 - pixels.reshape(*pixels.shape[:2], -1).mean(axis=2, keepdims=True)
