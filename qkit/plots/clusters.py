"""Picture of one-shot clustering: centroids among a layer's weights, bytes, the accuracy."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from qkit.plots.stored_bytes import compose_stored_bytes
from qkit.plots.style import FLOAT, INTEGER, REST, veil
from qkit.plots.wrong_answers import compose_wrong_answers

MOST_CLUSTERS, MOST_STEPS = 64, 20
_EDGES = np.linspace(-1, 1, 82)  # in units of the largest magnitude
_RAREST = 1e-5  # shares below it are not drawn


def plot_clusters_effect(effect, *, layer=None, figure=None):
    """Draw what one-shot clustering does: centroids, values in each, bytes, and wrong answers.

    Parameters
    ----------
    effect : ClustersEffect
    layer : str, optional
        The one whose weights are shown; that with the most weights by default.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(10, 5.4), layout="constrained")
    clustered = effect.clustered
    largest = max(clustered.layers, key=lambda found: found.weights.size)
    update_weights, update_effect = compose_clusters_effect(
        figure, effect.size_before, effect.paired.a
    )
    update_weights(clustered, layer or largest.name)
    update_effect(effect)
    return figure


def compose_clusters_effect(figure, size_before, reference):
    """Lay the picture out, and return the functions that draw in it.

    Parameters
    ----------
    figure : matplotlib Figure
    size_before : StoredBytes
        Of all weights as they were.
    reference : Accuracy
        Of the network with these.

    Returns
    -------
    (callable, callable)
        ``update_weights(clustered, layer)`` draws a layer of ClusteredWeights and the bytes of
        all; ``update_effect(effect)`` the wrong answers, which are veiled for None. What was drawn
        there before stays as a trail.
    """
    (values, bars), (paths, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_values = _compose_values(values)
    update_paths = _compose_paths(paths)
    update_bars = compose_stored_bytes(
        bars, ["raw", "deflated", "index + table", "entropy floor"], size_before.raw_bytes,
        "without clustering",
    )  # fmt: skip
    rates.set(xscale="log", xlim=(1.8, 72), xlabel="clusters in each layer")
    rates.set_xticks([2, 4, 8, 16, 32, 64], ["2", "4", "8", "16", "32", "64"])
    rates.set_xticks([], minor=True)
    draw = compose_wrong_answers(rates, reference)
    cover = veil(rates)

    def update_weights(clustered, layer):
        update_values(clustered, layer)
        update_paths(clustered, layer)
        now = clustered.size.by_way | {"index + table": clustered.table_bytes}
        update_bars(now, size_before.by_way)

    def update_effect(effect):
        cover.set_visible(effect is None)
        if effect is not None:
            clustered = effect.clustered
            draw(clustered.clusters, effect.paired.b, (clustered.init, clustered.steps))

    return update_weights, update_effect


def _compose_values(ax):
    ax.set(xlim=(-1.06, 1.06), ylim=(_RAREST, 20), yscale="log", ylabel="share of the weights")
    ax.set_yticks([1e-4, 1e-2, 1], ["0.01 %", "1 %", "100 %"])
    ax.set_yticks([], minor=True)
    ax.tick_params(labelbottom=False)
    ax.spines[["top", "right"]].set_visible(False)
    shown = ax.stairs(
        np.full(_EDGES.size - 1, _RAREST), _EDGES, baseline=_RAREST / 10, fill=True, color=REST,
        alpha=0.6, animated=True,
    )  # fmt: skip
    stems = LineCollection([], colors=INTEGER, linewidths=1.5, animated=True)
    ax.add_collection(stems, autolim=False)
    (heads,) = ax.plot([], [], "o", color=INTEGER, ms=5, animated=True)
    (unused,) = ax.plot([], [], "x", color=FLOAT, ms=7, mew=2, animated=True)
    said = ax.text(0, 1.02, "", transform=ax.transAxes, size=10, animated=True)
    ax.text(0, 1.02, "a layer", transform=ax.transAxes, size=10, alpha=0)  # keeps its place
    said.set_in_layout(False)  # a long name must not make the axes smaller
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=REST, alpha=0.6, label="histogram"),
        plt.Line2D([], [], marker="o", color=INTEGER, ms=5, label="at a centroid"),
        plt.Line2D([], [], ls="", marker="x", mew=2, color=FLOAT, ms=7, label="no weight"),
    ]
    ax.legend(
        handles=handles, loc="upper right", ncols=3, fontsize=9, frameon=False, borderaxespad=0,
        columnspacing=1.5,
    )  # fmt: skip

    def update(clustered, name):
        weights, largest = _weights(clustered, name)
        counts, _ = np.histogram(weights / largest, _EDGES)
        shown.set_data(np.maximum(counts / weights.size, _RAREST))
        if name in clustered.left_whole:
            x = share = np.zeros(0)
            words = f"{name} is left as it is"
        else:
            x = clustered.paths[name][-1] / largest
            share = clustered.counts[name] / weights.size
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
        path = clustered.paths.get(name, np.zeros((1, 0))) / _weights(clustered, name)[1]
        steps = np.arange(len(path))
        traces.set_segments([np.column_stack([x, steps]) for x in path.T])
        starts.set_data(path[0], np.zeros(path.shape[1]))
        ends.set_data(path[-1], np.full(path.shape[1], steps[-1]))

    return update


def _weights(clustered, name):
    """Return a layer's weights and their largest magnitude."""
    weights = next(layer.weights for layer in clustered.layers if layer.name == name)
    return weights, float(np.abs(weights).max()) or 1.0
