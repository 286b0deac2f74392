"""Pictures of what a change does to a network: pruned or clustered weights, or fewer bits."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from qkit.interpreter.one_shot import ClusteredWeights, PrunedWeights
from qkit.interpreter.simulation import Bits
from qkit.plots.flips import compose_flips
from qkit.plots.panels import (
    compose_kernel,
    compose_stored_bytes,
    compose_weights,
    compose_wrong_answers,
    head,
    largest,
    lay_out_wrong_answers,
)
from qkit.plots.style import FLOAT, INTEGER, REST, veil

MOST_CLUSTERS, MOST_STEPS = 64, 20
_BITS = (2, 4, 8, 16, 32)
_RAREST = 1e-5  # shares below it are not drawn


def plot_effect(effect, *, layer=None, figure=None):
    """Draw what a change leaves of a network's weights, their bytes, and its wrong answers.

    Of pruned weights a kernel and its histogram, of clustered ones the centroids and how they
    moved, of fewer bits the bits of each layer and the images that flip.

    Parameters
    ----------
    effect : Effect
    layer : str, optional
        The one whose weights are shown; that with the most weights by default.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    change = effect.change
    compose, size = _PICTURES[type(change)]
    figure = figure or plt.figure(figsize=size, layout="constrained")
    update_change, update_effect = compose(figure, change, effect.paired.a, effect.x)
    most = max(change.layers, key=lambda found: found.weights.size)
    update_change(change, layer or most.name)
    update_effect(effect)
    return figure


def live_effect(change, reference, x):
    """Return a live figure for changes like one, and the functions that draw in it.

    ``update_change(change, layer)`` draws what is known at once; ``update_effect(effect)`` the
    wrong answers, which are veiled for None. What was drawn there before stays as a trail.
    """
    compose, size = _PICTURES[type(change)]
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    return figure, *compose(figure, change, reference, x)


def _compose_pruned(figure, change, reference, x):
    (kernel, bars), (values, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_kernel = compose_kernel(kernel)
    update_values = _compose_kept(values)
    ways, raw_bytes = list(change.size.by_way), sum(f.weights.nbytes for f in change.layers)
    update_bars = compose_stored_bytes(bars, ways, raw_bytes, "without pruning, stored likewise")
    rates.set(xlim=(0, 100), xlabel="weights set to 0, % of the layers that are pruned")
    draw = compose_wrong_answers(rates, reference)

    def update_change(pruned, layer):
        found = next(each for each in pruned.layers if each.name == layer)
        update_kernel(found, pruned.masks[layer])
        update_values(found.weights, pruned.masks[layer], pruned.threshold(layer))
        update_bars(pruned.size.by_way, pruned.size_before.by_way)

    def draw_effect(effect):
        pruned = effect.change
        draw(100 * pruned.pruned_share, effect.paired.b, (pruned.pattern, pruned.storage))

    return update_change, _veiling(draw_effect, rates)


def _compose_clustered(figure, change, reference, x):
    (values, bars), (paths, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_values = _compose_centroids(values)
    update_paths = _compose_paths(paths)
    update_bars = compose_stored_bytes(
        bars, ["raw", "deflated", "index + table", "entropy floor"], change.size_before.raw_bytes,
        "without clustering",
    )  # fmt: skip
    rates.set(xscale="log", xlim=(1.8, 72), xlabel="clusters in each layer")
    rates.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    rates.set_xticks([], minor=True)
    draw = compose_wrong_answers(rates, reference)

    def update_change(clustered, layer):
        update_values(clustered, layer)
        update_paths(clustered, layer)
        now = clustered.size.by_way | {"index + table": clustered.table_bytes}
        update_bars(now, clustered.size_before.by_way)

    def draw_effect(effect):
        clustered = effect.change
        draw(clustered.clusters, effect.paired.b, (clustered.init, clustered.steps))

    return update_change, _veiling(draw_effect, rates)


def _compose_bits(figure, change, reference, x):
    # each is redrawn on its own, over what was there before
    left, right = figure.subfigures(1, 2, width_ratios=[2.45, 1.25], facecolor="white")
    bars, rates = left.subplots(1, 2, width_ratios=[1.15, 1.3])
    flips = right.add_subplot()
    update_bars = _compose_bars(bars, list(change.activation_bits))
    update_rates = _compose_sizes(rates, change.float_bytes / 1024, reference)
    update_flips = compose_flips(flips, x)

    def draw_effect(effect):
        update_rates(effect.change.size_bytes / 1024, effect.paired.b)
        update_flips(effect.paired, "float32")

    return update_bars, _veiling(draw_effect, rates, flips)


_PICTURES = {
    PrunedWeights: (_compose_pruned, (10, 5.4)),
    ClusteredWeights: (_compose_clustered, (10, 5.4)),
    Bits: (_compose_bits, (10, 4)),
}


def _veiling(draw, *axes):
    """Return a function that draws an effect, or veils the Axes for None."""
    veils = [veil(ax) for ax in axes]

    def update(effect):
        for cover in veils:
            cover.set_visible(effect is None)
        if effect is not None:
            draw(effect)

    return update


def _compose_kept(ax):
    ax.set(xlim=(-1.02, 1.02), ylim=(0, 1.24), yticks=[0, 0.5, 1])
    ax.set(ylabel="weights (fullest bin: 1)", xlabel="weight, in units of the layer's largest")
    gone_looks, kept_looks = {"color": REST, "alpha": 0.6}, {"color": INTEGER}
    update_bars = compose_weights(ax, [gone_looks, kept_looks])
    lines = [ax.plot([], [], "--", color=FLOAT, lw=1.5, animated=True)[0] for _ in range(2)]
    said = ax.text(0.01, 0.98, "", transform=ax.transAxes, va="top", size=10, animated=True)
    handles = [
        plt.Rectangle((0, 0), 1, 1, label="kept", **kept_looks),
        plt.Rectangle((0, 0), 1, 1, label="set to 0", **gone_looks),
    ]
    ax.legend(
        handles=handles, loc="upper right", ncols=2, frameon=False, fontsize=10, borderaxespad=0,
        handlelength=1.2, columnspacing=1.2,
    )  # fmt: skip

    def update(weights, mask, threshold):
        unit = largest(weights)
        update_bars(weights / unit, weights[mask] / unit)
        for line, sign in zip(lines, (-1, 1), strict=True):
            at = [] if threshold is None else [sign * threshold / unit] * 2
            line.set_data(at, [0, 1.02][: len(at)])
        words = f"largest {unit:.3g}"
        if threshold is not None:
            words = f"threshold {threshold:.3g}, {words}"
        said.set_text(words)

    return update


def _compose_centroids(ax):
    ax.set(xlim=(-1.06, 1.06), ylim=(_RAREST, 20), yscale="log", ylabel="share of the weights")
    ax.set_yticks([1e-4, 1e-2, 1], ["0.01 %", "1 %", "100 %"])
    ax.set_yticks([], minor=True)
    ax.tick_params(labelbottom=False)
    looks = {"color": REST, "alpha": 0.6}
    update_bars = compose_weights(ax, [looks], floor=_RAREST)
    stems = LineCollection([], colors=INTEGER, linewidths=1.5, animated=True)
    ax.add_collection(stems, autolim=False)
    (heads,) = ax.plot([], [], "o", color=INTEGER, ms=5, animated=True)
    (unused,) = ax.plot([], [], "x", color=FLOAT, ms=7, mew=2, animated=True)
    said = head(ax, "a layer")
    handles = [
        plt.Rectangle((0, 0), 1, 1, label="histogram", **looks),
        plt.Line2D([], [], marker="o", color=INTEGER, ms=5, label="at a centroid"),
        plt.Line2D([], [], ls="", marker="x", mew=2, color=FLOAT, ms=7, label="no weight"),
    ]
    ax.legend(
        handles=handles, loc="upper right", ncols=3, fontsize=9, frameon=False, borderaxespad=0,
        columnspacing=1.5,
    )  # fmt: skip

    def update(clustered, name):
        weights = clustered.before(name)
        unit = largest(weights)
        update_bars(weights / unit)
        x = share = np.zeros(0)
        words = f"{name} is left as it is"
        if name not in clustered.left_whole:
            x, share = clustered.paths[name][-1] / unit, clustered.counts[name] / weights.size
            words = (
                f"{name}: {clustered.in_use(name)} of {clustered.clusters} values in use, SQNR "
                f"{clustered.sqnr_db(name):.1f} dB"
            )
        used = share > 0
        heads.set_data(x[used], share[used])
        stems.set_segments(
            [[(a, _RAREST), (a, b)] for a, b in zip(x[used], share[used], strict=True)]
        )
        unused.set_data(x[~used], np.full(np.count_nonzero(~used), 2 * _RAREST))
        said.set_text(words)

    return update


def _compose_paths(ax):
    ax.set(xlim=(-1.06, 1.06), ylim=(MOST_STEPS + 0.8, -0.8), yticks=range(0, MOST_STEPS + 1, 5))
    ax.set(ylabel="steps of k-means", xlabel="weight, in units of the layer's largest")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", alpha=0.3)
    traces = LineCollection([], colors=INTEGER, linewidths=1, alpha=0.8, animated=True)
    ax.add_collection(traces, autolim=False)
    (starts,) = ax.plot([], [], "|", color="0.3", ms=8, mew=1.2, animated=True)
    (ends,) = ax.plot([], [], "o", color=INTEGER, ms=4, animated=True)

    def update(clustered, name):
        path = clustered.paths.get(name, np.zeros((1, 0))) / largest(clustered.before(name))
        steps = np.arange(len(path))
        traces.set_segments([np.column_stack([x, steps]) for x in path.T])
        starts.set_data(path[0], np.zeros(path.shape[1]))
        ends.set_data(path[-1], np.full(path.shape[1], steps[-1]))

    return update


def _compose_bars(ax, rows):
    ax.set(ylim=(len(rows) - 0.4, -0.6), xscale="log", xlim=(1.6, 44), xlabel="bits")
    ax.set_xticks(_BITS, ["2", "4", "8", "16", "float"], minor=False)
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(rows)), rows, fontsize=10 if len(rows) < 8 else 8)
    ax.grid(axis="x", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    size = 6 if len(rows) > 5 else 10
    looks = {
        "weights": {"marker": "s", "color": INTEGER},
        "activations": {"marker": "o", "mfc": "white", "mec": FLOAT, "mew": 2},
    }
    weights, activations = (
        ax.plot([], [], ls="", ms=size, animated=True, **look)[0] for look in looks.values()
    )
    handles = [plt.Line2D([], [], ls="", label=name, **look) for name, look in looks.items()]
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False,
        handletextpad=0.2,
    )  # fmt: skip

    def update(change, layer):
        y = np.arange(len(rows))
        weights.set_data(list(change.weight_bits.values()), y[1:] - 0.12)
        activations.set_data(list(change.activation_bits.values()), y + 0.12)

    return update


def _compose_sizes(ax, float_kib, reference):
    shares = lay_out_wrong_answers(ax, reference)
    ax.set(xscale="log", xlim=(float_kib / 22, float_kib * 1.4), xlabel="weights, KiB")
    ax.set_ylim(top=1)
    sizes = [float_kib * bits / 32 for bits in _BITS]
    ax.set_xticks(sizes, [f"{size:.3g}" for size in sizes])
    ax.set_xticks([], minor=True)
    (trail,) = ax.plot([], [], ".", color=REST, ms=7, animated=True)
    (interval,) = ax.plot([], [], "-", color=INTEGER, lw=2, animated=True)
    (point,) = ax.plot([], [], "o", color=INTEGER, ms=8, animated=True)
    said = ax.text(
        0.98, 0.97, "", transform=ax.transAxes, ha="right", va="top", size=11, animated=True
    )
    drawn = []

    def update(kib, accuracy):
        wrong, *ends = shares(accuracy)
        if drawn:
            trail.set_data(*np.transpose(drawn))
        point.set_data([kib], [wrong])
        interval.set_data([kib] * 2, ends)
        said.set_text(f"{100 * accuracy.accuracy:.1f} % right")
        if (kib, wrong) not in drawn:
            drawn.append((kib, wrong))

    return update
