"""Picture of the images on which two models disagree."""

from itertools import zip_longest

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import FLOAT, INTEGER

_TILES = (2, 3)


def plot_flips(paired, x, *, names=("a", "b"), limit=16):
    """Draw the images to which two models give different classes, with both answers.

    Parameters
    ----------
    paired : Paired
    x : ndarray of shape (n, height, width)
        The images that both were measured on.
    names : (str, str)
        Of the two models.
    limit : int
        At most so many images: lost and gained ones in turn, then those that both have wrong.

    Returns
    -------
    matplotlib Figure
    """
    if len(x) != paired.a.n:
        raise ValueError(
            f"plot_flips: the models were measured on {paired.a.n:,} images, got {len(x):,}. Pass "
            "the same images in the same order."
        )
    order = in_turn(paired)
    shown = order[:limit]
    columns = min(8, max(1, len(shown)))
    rows = max(1, -(-len(shown) // columns))
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(1.15 * columns, 1.5 * rows + 0.6),
        squeeze=False,
        layout="constrained",
    )
    figure.suptitle(
        f"{len(order)} of {paired.a.n:,} images answered differently: {names[1]} loses "
        f"{len(paired.lost)} and gains {len(paired.gained)} against {names[0]}",
        fontsize="medium",
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, i in zip(axes.flat, shown, strict=False):
        ax.imshow(x[i], cmap="gray_r", vmin=0, vmax=1)
        words, colour = verdict(paired, i)
        ax.set_title(words, color=colour, fontsize="small")
    return figure


def in_turn(paired):
    """Return the indices of the flipped images: lost and gained in turn, then both wrong."""
    lost, gained = paired.lost.tolist(), paired.gained.tolist()
    turns = [i for pair in zip_longest(lost, gained) for i in pair if i is not None]
    flipped = set(turns)
    return turns + [i for i in paired.disagreements.tolist() if i not in flipped]


def verdict(paired, i):
    """Return what the two models say to image `i`, in two lines, and the verdict's colour."""
    a, b, label = paired.a.predictions[i], paired.b.predictions[i], paired.a.labels[i]
    word, colour = "both wrong", "0.4"
    if a == label:
        word, colour = "lost", FLOAT
    elif b == label:
        word, colour = "gained", INTEGER
    return f"is {label}: {a} → {b}\n{word}", colour


def compose_flips(ax, x):
    """Draw places for images that flip, each below both answers to it.

    Parameters
    ----------
    ax : matplotlib Axes
    x : ndarray of shape (n, height, width[, channels])
        The images that both models were measured on, values 0 to 1.

    Returns
    -------
    callable
        ``update(paired, against)``: shows the first of them, and how many there are. Without a
        pair nothing is shown.
    """
    rows, columns = _TILES
    height, width = x.shape[1:3]
    tall, wide = round(1.62 * height), round(1.3 * width)
    image = ax.imshow(np.zeros((rows * tall, columns * wide, 3), np.uint8), interpolation="nearest")
    ax.set_ylim(rows * tall, -0.45 * height)  # room for the title
    ax.axis("off")
    middle = columns * wide / 2, -0.1 * height
    title = ax.text(*middle, "", ha="center", va="bottom", fontsize=10)
    corners = [
        (row * tall + tall - height, column * wide + (wide - width) // 2)
        for row in range(rows)
        for column in range(columns)
    ]
    texts = [
        ax.text(
            left + width / 2, top - 0.03 * height, "", ha="center", va="bottom", fontsize=9,
            linespacing=1.05,
        )
        for top, left in corners
    ]  # fmt: skip

    shown_now = None

    def update(paired, against):
        nonlocal shown_now
        if (paired, against) == shown_now:
            return
        shown_now = paired, against
        sheet = np.full((rows * tall, columns * wide, 3), 255, np.uint8)
        shown = [] if paired is None else in_turn(paired)[: len(corners)]
        for text in texts[len(shown) :]:
            text.set_text("")
        for i, (top, left), text in zip(shown, corners, texts, strict=False):
            sheet[top : top + height, left : left + width] = _rgb(x[i])
            answers, colour = verdict(paired, i)
            text.set(text=answers, color=colour)
        image.set_data(sheet)
        words = ""
        if paired is not None:
            words = f"against {against}: {len(paired.lost)} lost, {len(paired.gained)} gained"
        title.set_text(words)

    return update


def _rgb(pixels):
    """Return an image in colour as it is, one in grey as dark strokes on white; 0 to 255."""
    pixels = 255 * np.clip(pixels, 0, 1)
    in_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    return pixels if in_colour else 255 - pixels.reshape(*pixels.shape[:2], 1)
