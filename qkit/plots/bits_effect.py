"""Picture of a network at some bits: what is left of the accuracy, and the images that flip."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.flips import compose_flips
from qkit.plots.style import FLOAT, INTEGER, REST, veil
from qkit.plots.wrong_answers import lay_out_wrong_answers

_BITS = (2, 4, 8, 16, 32)


def plot_bits_effect(effect, x, *, figure=None):
    """Draw the bits of each layer, the share of wrong answers, and images that flip.

    Parameters
    ----------
    effect : BitsEffect
    x : ndarray of shape (n, height, width)
        The images that it was measured on.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(10, 4), layout="constrained")
    float_bytes = 32 * effect.weights_bytes / np.mean(list(effect.weight_bits.values()))
    update_bits, update_effect = compose_bits_effect(
        figure, list(effect.weight_bits), float_bytes, effect.paired.a, x
    )
    update_bits(effect.weight_bits, effect.activation_bits)
    update_effect(effect)
    return figure


def compose_bits_effect(figure, layers, float_bytes, reference, x):
    """Lay the picture out, and return the functions that draw in it.

    Parameters
    ----------
    figure : matplotlib Figure
    layers : list of str
        Names, in the order in which they run.
    float_bytes : float
        What the weights take in float32.
    reference : Accuracy
        Of the network in float.
    x : ndarray of shape (n, height, width)
        The images that all is measured on.

    Returns
    -------
    (callable, callable)
        ``update_bits(weight_bits, activation_bits)`` draws the bars; ``update_effect(effect)``
        the rest, which is veiled for None. Sizes that were drawn before stay as a trail.
    """
    # each is redrawn on its own, over what was there before
    left, right = figure.subfigures(1, 2, width_ratios=[2.45, 1.25], facecolor="white")
    bars, rates = left.subplots(1, 2, width_ratios=[1.15, 1.3])
    flips = right.add_subplot()
    rows = ["input", *layers]
    bars.set(ylim=(len(rows) - 0.4, -0.6), xscale="log", xlim=(1.6, 44))
    bars.set_xticks(_BITS, ["2", "4", "8", "16", "float"], minor=False)
    bars.set_xticks([], minor=True)
    bars.set_yticks(range(len(rows)), rows, fontsize=10 if len(rows) < 8 else 8)
    bars.set_xlabel("bits")
    bars.grid(axis="x", alpha=0.3)
    height = 2 if len(rows) > 5 else 6
    (weights,) = bars.plot([], [], "s", color=INTEGER, ms=height + 4, animated=True)
    (activations,) = bars.plot(
        [], [], "o", mfc="white", mec=FLOAT, mew=2, ms=height + 4, animated=True
    )
    handles = [
        plt.Line2D([], [], ls="", marker="s", color=INTEGER, label="weights"),
        plt.Line2D([], [], ls="", marker="o", mfc="white", mec=FLOAT, mew=2, label="activations"),
    ]
    bars.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False,
        handletextpad=0.2,
    )  # fmt: skip

    kib = float_bytes / 1024
    shares = lay_out_wrong_answers(rates, reference)
    rates.set(xscale="log", xlim=(kib / 22, kib * 1.4), xlabel="weights, KiB")
    rates.set_ylim(top=1)
    sizes = [kib * bits / 32 for bits in _BITS]
    rates.set_xticks(sizes, [f"{size:.3g}" for size in sizes])
    rates.set_xticks([], minor=True)
    (trail,) = rates.plot([], [], ".", color=REST, ms=7, animated=True)
    (interval,) = rates.plot([], [], "-", color=INTEGER, lw=2, animated=True)
    (point,) = rates.plot([], [], "o", color=INTEGER, ms=8, animated=True)
    said = rates.text(
        0.98, 0.97, "", transform=rates.transAxes, ha="right", va="top", size=11, animated=True
    )
    bars.spines[["top", "right"]].set_visible(False)
    update_flips = compose_flips(flips, x)
    veils = [veil(ax) for ax in (rates, flips)]
    drawn = []

    def update_bits(weight_bits, activation_bits):
        y = np.arange(len(rows))
        weights.set_data([weight_bits[name] for name in layers], y[1:] - 0.12)
        activations.set_data([activation_bits[name] for name in rows], y + 0.12)

    def update_effect(effect):
        for cover in veils:
            cover.set_visible(effect is None)
        if effect is None:
            return
        wrong, *ends = shares(effect.paired.b)
        here = effect.weights_bytes / 1024, wrong
        trail.set_data(*zip(*drawn, strict=True)) if drawn else None
        point.set_data([here[0]], [here[1]])
        interval.set_data([here[0]] * 2, ends)
        said.set_text(f"{100 * effect.paired.b.accuracy:.1f} % right")
        update_flips(effect.paired, "float32")
        if here not in drawn:
            drawn.append(here)

    return update_bits, update_effect
