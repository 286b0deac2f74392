"""Pictures of what a change does to a network: pruned or clustered weights, or fewer bits."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from qkit import validate
from qkit.interpreter.one_shot import ClusteredWeights, PrunedWeights
from qkit.interpreter.simulation import Bits
from qkit.plots import panels, style
from qkit.plots.flips import compose_flips
from qkit.plots.style import FLOAT, INTEGER, REST, live_bars, live_line, live_segments, panel

MOST_CLUSTERS, MOST_STEPS = 64, 20
_BITS = {2: "2", 4: "4", 8: "8", 16: "16", 32: "float"}
_UNIT = "weight, in units of the layer's largest"
_RAREST = 1e-5  # shares below it are not drawn


@style.documented("Effect")
def plot_effect(effect, *, layer=None, figure=None):
    """Draw what a change leaves of a network's weights, their bytes, and its wrong answers.

    Of pruned weights a kernel and its histogram, of clustered ones the centroids and how they
    moved, of fewer bits the bits of each layer and the images that flip.

    Parameters
    ----------
    effect : Effect
    layer : str, optional, whose weights are shown; that with the most by default
    """
    change = effect.change
    sizes = {found.name: found.weights.size for found in change.layers}
    layer = max(sizes, key=sizes.get) if layer is None else layer
    validate.choice(layer, sizes, name="plot_effect: layer")
    figure = figure or plt.figure(figsize=_PICTURES[type(change)][1], layout="constrained")
    _, update_change, update_effect = live_effect(change, effect.paired.a, effect.x, figure)
    update_change(change, layer)
    update_effect(effect)
    return figure


def live_effect(change, reference, x, figure=None):
    """Return a live figure for changes like one, and two functions that draw in it.

    ``update_change(change, layer)`` draws what is known at once, ``update_effect(effect)`` the
    wrong answers.
    """
    compose, size, place = _PICTURES[type(change)]
    figure = figure or Figure(figsize=size, dpi=100, layout="constrained")
    update_change, rates, *flips = compose(figure, change)
    draw_wrong = panels.compose_wrong_answers(rates, reference)
    draw_flips = [compose_flips(ax, x) for ax in flips]

    def draw(effect):
        draw_wrong(effect.paired.b, *place(effect.change))
        for draw_images in draw_flips:
            draw_images(effect.paired, "float32")

    return figure, update_change, style.veiling(draw, rates, *flips)


def _compose_pruned(figure, change):
    (kernel, bars), (values, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_kernel, update_values = panels.compose_kernel(kernel), _compose_kept(values)
    ways, raw_bytes = list(change.size.by_way), sum(f.weights.nbytes for f in change.layers)
    before = "without pruning, stored likewise"
    update_bars = panels.compose_stored_bytes(bars, ways, raw_bytes, before)
    rates.set(xlim=(0, 100), xlabel="weights set to 0, % of the layers that are pruned")

    def update(pruned, name):
        layer = next(each for each in pruned.layers if each.name == name)
        weights, kept = (np.moveaxis(v, layer.axis, 0) for v in (layer.weights, pruned.masks[name]))
        update_kernel(name, weights, kept)
        update_values(weights, kept, pruned.threshold(name))
        update_bars(pruned.size.by_way, pruned.size_before.by_way)

    return update, rates


def _compose_clustered(figure, change):
    (values, bars), (paths, rates) = figure.subplots(2, 2, width_ratios=[1.35, 1])
    update_values, update_paths = _compose_centroids(values), _compose_paths(paths)
    ways = ["raw", "deflated", "index + table", "entropy floor"]
    raw_bytes = change.size_before.raw_bytes
    update_bars = panels.compose_stored_bytes(bars, ways, raw_bytes, "without clustering")
    counts = {n: f"{n}" for n in (2, 4, 8, 16, 32, 64)}
    panel(rates, xscale="log", xlim=(1.8, 72), xlabel="clusters in each layer", xticks=counts)

    def update(clustered, name):
        update_values(clustered, name)
        update_paths(clustered, name)
        now = clustered.size.by_way | {"index + table": clustered.table_bytes}
        update_bars(now, clustered.size_before.by_way)

    return update, rates


def _compose_bits(figure, change):
    # each is redrawn on its own, over what was there before
    left, right = figure.subfigures(1, 2, width_ratios=[2.45, 1.25], facecolor="white")
    rows, rates = left.subplots(1, 2, width_ratios=[1.15, 1.3])
    kb = sum(f.weights.nbytes for f in change.layers) / 1000
    sizes = {kb * bits / 32: f"{kb * bits / 32:.3g}" for bits in _BITS}
    ends = kb / 22, kb * 1.4
    panel(rates, xscale="log", xlim=ends, xlabel="weights, kB", xticks=sizes)
    names = change.activation_bits
    axis = {"xscale": "log", "xlim": (1.6, 44), "xticks": _BITS, "xlabel": "bits"}
    style.rows_from_top(rows, [style.named(name, 26) for name in names], grid="x", **axis)
    rows.tick_params(axis="y", labelsize=10 if max(2 * len(names), *map(len, names)) < 16 else 8)
    size = 6 if len(names) > 5 else 10
    weights = live_line(rows, "s", color=INTEGER, ms=size, label="weights")
    look = {"mfc": "white", "mec": FLOAT, "mew": 2}
    activations = live_line(rows, "o", ms=size, label="activations", **look)
    style.legend_above(rows, 2)

    def update(bits, layer):
        y = np.arange(len(names))
        weights.set_data(list(bits.weight_bits.values()), y[1:] - 0.12)
        activations.set_data(list(bits.activation_bits.values()), y + 0.12)

    return update, rates, right.add_subplot()


# What lays a picture out, its size, and of a change its x among wrong answers and what kind it is.
_PICTURES = {
    PrunedWeights: (
        _compose_pruned, (10, 5.4), lambda c: (100 * c.pruned_share, c.pattern, c.storage)
    ),
    ClusteredWeights: (_compose_clustered, (10, 5.4), lambda c: (c.clusters, c.init, c.steps)),
    Bits: (
        _compose_bits, (10, 4),
        lambda c: (c.size_bytes / 1000, *c.weight_bits.values(), *c.activation_bits.values()),
    ),
}  # fmt: skip


def _compose_kept(ax):
    panel(ax, xlim=(-1.02, 1.02), ylim=(0, 1.24), yticks=[0, 0.5, 1], xlabel=_UNIT)
    ax.set_ylabel("weights (fullest bin: 1)")
    whole = live_bars(ax, panels.EDGES, color=REST, alpha=0.6, label="set to 0")
    left = live_bars(ax, panels.EDGES, color=INTEGER, label="kept")
    lines = [live_line(ax, "--", color=FLOAT, lw=1.5) for _ in range(2)]
    said = style.live_text(ax, 0.01, 0.98)
    ax.legend(loc="upper right", ncols=2, frameon=False, borderaxespad=0, handlelength=1.2)

    def update(weights, kept, threshold):
        unit = panels.largest(weights)
        fullest = np.histogram(weights / unit, panels.EDGES)[0].max()
        for bars, shown in (whole, weights), (left, weights[kept]):
            bars.set_data(np.histogram(shown / unit, panels.EDGES)[0] / fullest)
        cut = "" if threshold is None else f"threshold {threshold:.3g}, "
        said.set_text(f"{cut}largest {unit * weights.any():.3g}")
        for line, sign in zip(lines, (-1, 1), strict=True):
            line.set_visible(threshold is not None)
            line.set_data([sign * (threshold or 0) / unit] * 2, [0, 1.02])

    return update


def _compose_centroids(ax):
    shares = {1e-4: "0.01 %", 1e-2: "1 %", 1: "100 %"}
    panel(ax, xlim=(-1.06, 1.06), ylim=(_RAREST, 20), yscale="log", yticks=shares)
    ax.set_ylabel("share of the weights")
    ax.tick_params(labelbottom=False)
    bars = live_bars(ax, panels.EDGES, floor=_RAREST, color=REST, alpha=0.6, label="histogram")
    stems = live_segments(ax, colors=INTEGER, linewidths=1.5)
    heads = live_line(ax, "o", color=INTEGER, ms=5, label="at a centroid")
    unused = live_line(ax, "x", color=FLOAT, ms=7, mew=2, label="no weight")
    said = panels.head(ax)
    ax.legend(loc="upper right", ncols=3, fontsize=9, frameon=False, borderaxespad=0)

    def update(clustered, name):
        weights = clustered.before(name)
        unit = panels.largest(weights)
        counts, _ = np.histogram(weights / unit, panels.EDGES)
        bars.set_data(np.maximum(counts / weights.size, _RAREST))
        x = share = np.zeros(0)
        said.set_text(f"{name} is left as it is")
        if name not in clustered.left_whole:
            x, share = clustered.paths[name][-1] / unit, clustered.counts[name] / weights.size
            of = f"{np.count_nonzero(share)} of {clustered.clusters} values in use"
            said.set_text(f"{name}: {of}, SQNR {clustered.sqnr_db(name):.1f} dB")
        used = share > 0
        heads.set_data(x[used], share[used])
        stems.set_segments([[(a, _RAREST), (a, b)] for a, b in heads.get_xydata()])
        unused.set_data(x[~used], np.full_like(x[~used], 2 * _RAREST))

    return update


def _compose_paths(ax):
    panel(ax, grid="y", xlim=(-1.06, 1.06), xlabel=_UNIT, ylabel="steps of k-means")
    ax.set(ylim=(MOST_STEPS + 0.8, -0.8), yticks=range(0, MOST_STEPS + 1, 5))
    traces = live_segments(ax, colors=INTEGER, linewidths=1, alpha=0.8)
    starts = live_line(ax, "|", color="0.3", ms=8, mew=1.2)
    ends = live_line(ax, "o", color=INTEGER, ms=4)

    def update(clustered, name):
        path = clustered.paths.get(name, np.zeros((1, 0))) / panels.largest(clustered.before(name))
        steps = np.arange(len(path))
        traces.set_segments([np.column_stack([x, steps]) for x in path.T])
        starts.set_data(path[0], 0 * path[0])
        ends.set_data(path[-1], np.full_like(path[-1], steps[-1]))

    return update
