"""A layer's weights: how they are spread, and its kernel as pixels; still and in explorers."""

import numpy as np
from matplotlib.colors import to_rgb

from qkit.plots.panels import head
from qkit.plots.style import FLOAT, INTEGER, legend_above, mark, new_axes, panel

_BINS = 81  # an odd number, so that one of them is about zero
_EDGES = np.linspace(-1, 1, _BINS + 1)  # in units of the largest magnitude
_FEW = 64  # distinct values that are drawn one by one, besides 0
_MOST_ROWS, _MOST_COLUMNS = 48, 96  # of a kernel, so that a weight is seen
_FAINTEST = 0.3  # a weight that is kept, however small, is not white


def plot_weight_histogram(weights, *, ax=None):
    """Draw how often weights of each size occur, on a logarithmic axis, and zeros by themselves.

    Parameters
    ----------
    weights : mapping of str to ndarray
        The same layer in several states, such as "before" and "after"; on one scale, so integers
        as they are stored do not go with real values.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Zeros are left out of the bins and drawn as a spike; so is each value where there are no
        more than 64 others, as after clustering.
    """
    ax = panel(ax or new_axes(), yscale="log", xlabel="weight", ylabel="how many (logarithmic)")
    edges = _EDGES * max(largest(values) for values in weights.values())
    for row, (name, values) in enumerate(weights.items()):
        colour, marker = mark(row)
        spikes, counts = np.unique(values, return_counts=True)
        label = f"{name}: {np.mean(values == 0):.1%} zeros"
        if np.count_nonzero(spikes) > _FEW:
            look = {"lw": 1.5} if row else {"fill": True, "alpha": 0.25}
            heights, _ = np.histogram(values[values != 0], edges)
            ax.stairs(heights, edges, color=colour, label=label, **look)
            spikes, counts = spikes[spikes == 0], counts[spikes == 0]
            label = None
        else:
            label += f", {np.count_nonzero(spikes)} other values"
        ax.vlines(spikes, 0.5, counts, color=colour, lw=1.5)
        ax.plot(spikes, counts, marker, color=colour, ms=6, label=label)
    ax.set_ylim(bottom=0.5)
    legend_above(ax, 2)
    return ax


def plot_mask(kernel, *, ax=None):
    """Draw the weights of a kernel as pixels, so that one sees which are zero and which are left.

    Parameters
    ----------
    kernel : ndarray of shape (..., outputs)
        As Keras has it; for the layout of a .tflite file pass ``np.moveaxis(kernel, 0, -1)``.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        A row per output, as many rows and columns as there is room for.
    """
    ax = ax or new_axes()
    kernel = np.moveaxis(kernel, -1, 0)
    compose_kernel(ax)("kernel", kernel, kernel != 0)
    return ax


def compose_weights(ax, looks, *, floor=0):
    """Lay out histograms of a layer's weights in units of their largest, one a look.

    Returns ``update(*weights)``: where there is a floor, heights are shares, no lower than it;
    else the fullest bin of the first is 1.
    """
    panel(ax)
    empty = np.full(_BINS, float(floor))
    bars = [
        ax.stairs(empty, _EDGES, baseline=floor / 10, fill=True, animated=True, **look)
        for look in looks
    ]

    def update(*weights):
        counts = [np.histogram(values, _EDGES)[0] for values in weights]
        unit = weights[0].size if floor else counts[0].max()
        for bar, heights in zip(bars, counts, strict=True):
            bar.set_data(np.maximum(heights / unit, floor))

    return update


def compose_kernel(ax):
    """Lay out a kernel as pixels, a row an output.

    Returns ``update(name, weights, kept)``, of both the outputs first.
    """
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[], ylabel="outputs")
    ax.set_xlabel("weights (blue +, orange −, white 0)")
    image = ax.imshow(
        np.ones((1, 1, 3)), extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest",
        animated=True,
    )  # fmt: skip
    said = head(ax, "a layer")

    def update(name, weights, kept):
        weights, kept = (each.reshape(len(each), -1) for each in (weights, kept))
        shown = np.s_[:_MOST_ROWS, :_MOST_COLUMNS]
        image.set_data(_coloured(weights[shown] / largest(weights), kept[shown]))
        rows, columns = weights[shown].shape
        part = f" (shown: {rows} × {columns} of {len(weights):,} × {weights.shape[1]:,})"
        part = "" if weights[shown].size == weights.size else part
        said.set_text(f"{name}{part}: {100 * (1 - kept.mean()):.1f} % set to 0")

    return update


def largest(weights):
    """Return the largest magnitude, 1 where all are 0."""
    return float(np.abs(weights).max()) or 1.0


def _coloured(weights, kept):
    """Return the colours of weights in units of the largest: white where one is not kept."""
    strength = (_FAINTEST + (1 - _FAINTEST) * np.sqrt(np.abs(weights))) * kept
    colours = np.where(weights[..., None] < 0, to_rgb(FLOAT), to_rgb(INTEGER))
    return 1 - strength[..., None] * (1 - colours)
