"""Live picture of a network's layers: their errors, one's values on its grid, what bits cost."""

import numpy as np
from matplotlib.figure import Figure

from qkit.plots import panels, style
from qkit.plots.layers import compose_errors
from qkit.plots.style import FLOAT, INTEGER, REST, live_bars, live_text

BEYOND = 22  # levels on either side of the grid that are drawn; what is further is in the last
_RAREST = 1e-5  # shares below it are not drawn


def live_layers(table, owners, in_int8, said):
    """Return a live figure of a table of errors, said below it, and two functions that draw in it.

    ``update_layer(number, grid, counts, chosen)`` draws an operator's values on its grid, and by
    layer what was chosen; ``update_effect(effect)`` the wrong answers, those in int8 beside them.
    """
    size = 11, max(5.4, 1.7 + 0.2 * len(table))
    figure = Figure(figsize=size, dpi=100, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.55, 1], facecolor="white")
    update_rows = _compose_rows(left.add_subplot(), table, owners, said)
    levels, rates = right.subplots(2, 1)
    update_levels = _compose_levels(levels)
    draw_wrong = _compose_wrong(rates, in_int8)

    def update_layer(number, grid, counts, chosen):
        update_rows(number, chosen)
        update_levels(grid, counts)

    return figure, update_layer, style.veiling(draw_wrong, rates)


def _compose_rows(ax, table, owners, said):
    compose_errors(ax, table, said, kinds_at=1.2)
    across = {"transform": ax.get_yaxis_transform(), "facecolors": FLOAT, "alpha": 0.2}
    band = style.live_areas(ax, **across)
    beside = {"transform": ax.get_yaxis_transform(), "va": "center", "size": 9, "color": FLOAT}
    now = {number: live_text(ax, 1.01, row, **beside) for row, number in enumerate(table.index)}
    ax.text(1.01, 0, "float32", alpha=0, **beside)  # keeps the room

    def update(number, chosen):
        low = table.index.get_loc(number) - 0.5
        band.set_verts([[(0, low), (1, low), (1, low + 1), (0, low + 1)]])
        for each, text in now.items():
            text.set_text(chosen[owners[each]])
            text.set_visible(chosen[owners[each]] != "int8")

    return update


def _compose_levels(ax):
    shares = {1e-4: "0.01 %", 1e-2: "1 %", 1: "100 %"}
    ends = {-128: "−128", -64: "−64", 0: "0", 64: "64", 127: "127"}
    edges = np.arange(-128 - BEYOND, 129 + BEYOND) - 0.5
    style.panel(ax, xlim=edges[[0, -1]], ylim=(_RAREST, 20), yscale="log", xticks=ends)
    style.panel(ax, yticks=shares, xlabel="level in int8", ylabel="share of float values")
    bars = live_bars(ax, edges, floor=_RAREST, color=INTEGER)
    over = live_bars(ax, edges, floor=_RAREST, color=FLOAT)
    ax.vlines([-128.5, 127.5], _RAREST, 20, REST, ls="--", lw=1)
    said = panels.head(ax), live_text(ax, 0.9, 0.97, ha="right", color=FLOAT)
    beyond = (edges[:-1] < -129) | (edges[:-1] > 127)

    def update(grid, counts):
        shares = np.maximum(counts / max(counts.sum(), 1), _RAREST)
        bars.set_data(np.where(beyond, _RAREST, shares))
        over.set_data(np.where(beyond, shares, _RAREST))
        words = "on no grid", ""
        if grid:
            ends = f"{grid.low[0]:.5g} … {grid.high[0]:.5g}"
            used, share = np.count_nonzero(counts[~beyond]), counts[beyond].sum() / counts.sum()
            words = (
                f"grid {ends}; {used} of 256 levels used",
                f"{100 * share:.2g} % beyond the grid",
            )
        for text, word in zip(said, words, strict=True):
            text.set_text(word)

    return update


def _compose_wrong(ax, in_int8):
    largest = sum(layer.weights.nbytes for layer in in_int8.change.layers) / 1000
    ticks = {largest / n: f"{largest / n:.3g}" for n in (4, 2, 1)}
    style.panel(ax, xscale="log", xlim=(largest / 4.6, largest * 1.15), xticks=ticks)
    ax.set_xlabel("weights, kB")
    draw = panels.compose_wrong_answers(ax, in_int8.paired.a)
    place, now = largest / 4, in_int8.paired.b
    wrong, *ends = (max(1 - v, ax.get_ylim()[0]) for v in (now.accuracy, *now.interval))
    ax.vlines(place, *ends, REST, lw=5, alpha=0.5)
    ax.plot(place, wrong, "s", ms=13, mec=REST, mfc="none")
    ax.annotate("all int8", (place, wrong), (9, 6), textcoords="offset points", size=9)

    def update(effect):
        change = effect.change
        bits = *change.weight_bits.values(), *change.activation_bits.values()
        draw(effect.paired.b, change.size_bytes / 1000, *bits)

    return update
