"""Picture of the images on which two models disagree."""

from itertools import zip_longest

import matplotlib.pyplot as plt

from qkit.plots.style import FLOAT, INTEGER


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
    lost, gained = set(paired.lost.tolist()), set(paired.gained.tolist())
    turns = [i for pair in zip_longest(paired.lost.tolist(), paired.gained.tolist()) for i in pair]
    both_wrong = [i for i in paired.disagreements.tolist() if i not in lost | gained]
    order = [i for i in turns if i is not None] + both_wrong
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
        f"{len(order)} of {paired.a.n:,} images answered differently: {names[1]} loses {len(lost)} "
        f"and gains {len(gained)} against {names[0]}",
        fontsize="medium",
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, i in zip(axes.flat, shown, strict=False):
        ax.imshow(x[i], cmap="gray_r", vmin=0, vmax=1)
        colour = FLOAT if i in lost else INTEGER if i in gained else "0.4"
        verdict = "lost" if i in lost else "gained" if i in gained else "both wrong"
        a, b, label = paired.a.predictions[i], paired.b.predictions[i], paired.a.labels[i]
        ax.set_title(f"is {label}: {a} → {b}\n{verdict}", color=colour, fontsize="small")
    return figure
