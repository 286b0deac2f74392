"""Picture of one-shot pruning: which weights of a layer are left, their bytes, the accuracy."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_rgb

from qkit.plots.stored_bytes import compose_stored_bytes
from qkit.plots.style import FLOAT, INTEGER, REST, veil
from qkit.plots.wrong_answers import compose_wrong_answers

_EDGES = np.linspace(-1, 1, 82)  # in units of the largest magnitude
_MOST_ROWS, _MOST_COLUMNS = 48, 96  # of a kernel, so that a weight is seen
_FAINTEST = 0.3  # a weight that is kept, however small, is not white


def plot_sparsity_effect(effect, *, layer=None, figure=None):
    """Draw what one-shot pruning leaves: a kernel, its histogram, bytes, and wrong answers.

    Parameters
    ----------
    effect : SparsityEffect
    layer : str, optional
        The one whose weights are shown; that with the most weights by default.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(10, 5.4), layout="constrained")
    largest = max(effect.pruned.layers, key=lambda found: found.weights.size)
    raw_bytes = 4 * sum(found.weights.size for found in effect.pruned.layers)
    update_weights, update_effect = compose_sparsity_effect(figure, raw_bytes, effect.paired.a)
    update_weights(effect.pruned, effect.whole, layer or largest.name)
    update_effect(effect)
    return figure


def compose_sparsity_effect(figure, raw_bytes, reference):
    """Lay the picture out, and return the functions that draw in it.

    Parameters
    ----------
    figure : matplotlib Figure
    raw_bytes : int
        What all weights take in float32.
    reference : Accuracy
        Of the network in float, with all weights.

    Returns
    -------
    (callable, callable)
        ``update_weights(pruned, whole, layer)`` draws a layer of PrunedWeights and the bytes of
        all, beside those without pruning; ``update_effect(effect)`` the wrong answers, which are
        veiled for None. What was drawn there before stays as a trail.
    """
    (kernel, bars), (values, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_kernel = _compose_kernel(kernel)
    update_values = _compose_values(values)
    update_bars = compose_stored_bytes(
        bars, ["raw", "deflated", "entropy floor"], raw_bytes, "without pruning, stored likewise"
    )
    rates.set(xlim=(0, 100), xlabel="weights set to 0, % of the layers that are pruned")
    draw = compose_wrong_answers(rates, reference)
    cover = veil(rates)

    def update_weights(pruned, whole, layer):
        found = next(each for each in pruned.layers if each.name == layer)
        update_kernel(found, pruned.masks[layer])
        update_values(found.weights, pruned.masks[layer], pruned.threshold(layer))
        update_bars(pruned.size.by_way, whole.size.by_way)

    def update_effect(effect):
        cover.set_visible(effect is None)
        if effect is not None:
            kind = (effect.pruned.pattern, effect.pruned.storage)
            draw(100 * effect.pruned.pruned_share, effect.paired.b, kind)

    return update_weights, update_effect


def _compose_kernel(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    ax.set_ylabel("outputs")
    ax.set_xlabel("weights of the inputs (blue: positive, orange: negative, white: 0)")
    image = ax.imshow(
        np.ones((1, 1, 3)), extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest",
        animated=True,
    )  # fmt: skip
    said = ax.text(0, 1.02, "", transform=ax.transAxes, size=10, animated=True)
    ax.text(0, 1.02, "a layer", transform=ax.transAxes, size=10, alpha=0)  # keeps its place
    said.set_in_layout(False)  # a long name must not make the axes smaller

    def update(layer, mask):
        weights, kept = (np.moveaxis(x, layer.axis, 0) for x in (layer.weights, mask))
        weights, kept = (x.reshape(len(x), -1) for x in (weights, kept))
        outputs, inputs = weights.shape
        shown = np.s_[:_MOST_ROWS, :_MOST_COLUMNS]
        largest = np.abs(weights).max() or 1
        image.set_data(_coloured(weights[shown] / largest, kept[shown]))
        part = ""
        if outputs > _MOST_ROWS or inputs > _MOST_COLUMNS:
            rows, columns = min(outputs, _MOST_ROWS), min(inputs, _MOST_COLUMNS)
            part = f" (shown: {rows} × {columns} of {outputs:,} × {inputs:,})"
        said.set_text(f"{layer.name}{part}: {100 * (1 - mask.mean()):.1f} % set to 0")

    return update


def _compose_values(ax):
    ax.set(xlim=(-1.02, 1.02), ylim=(0, 1.24), yticks=[0, 0.5, 1])
    ax.set(ylabel="weights (fullest bin: 1)", xlabel="weight, in units of the layer's largest")
    ax.spines[["top", "right"]].set_visible(False)
    none = np.zeros(_EDGES.size - 1)
    gone = ax.stairs(none, _EDGES, fill=True, color=REST, alpha=0.6, animated=True)
    left = ax.stairs(none, _EDGES, fill=True, color=INTEGER, animated=True)
    lines = [ax.plot([], [], "--", color=FLOAT, lw=1.5, animated=True)[0] for _ in range(2)]
    said = ax.text(0.01, 0.98, "", transform=ax.transAxes, va="top", size=10, animated=True)
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=INTEGER, label="kept"),
        plt.Rectangle((0, 0), 1, 1, color=REST, alpha=0.6, label="set to 0"),
    ]
    ax.legend(
        handles=handles, loc="upper right", ncols=2, frameon=False, fontsize=10, borderaxespad=0,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip

    def update(weights, mask, threshold):
        largest = float(np.abs(weights).max()) or 1.0
        every, _ = np.histogram(weights / largest, _EDGES)
        kept, _ = np.histogram(weights[mask] / largest, _EDGES)
        gone.set_data(every / every.max())
        left.set_data(kept / every.max())
        for line, sign in zip(lines, (-1, 1), strict=True):
            at = [] if threshold is None else [sign * threshold / largest] * 2
            line.set_data(at, [0, 1.02][: len(at)])
        words = f"largest {largest:.3g}"
        if threshold is not None:
            words = f"threshold {threshold:.3g}, {words}"
        said.set_text(words)

    return update


def _coloured(weights, kept):
    """Return the colours of weights in units of the largest: white where one is not kept."""
    strength = (_FAINTEST + (1 - _FAINTEST) * np.sqrt(np.abs(weights))) * kept
    colours = np.where(weights[..., None] < 0, to_rgb(FLOAT), to_rgb(INTEGER))
    return 1 - strength[..., None] * (1 - colours)
