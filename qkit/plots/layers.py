"""Pictures of what single layers do: their errors, what fewer bits cost, which bits they got."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from qkit.plots import style
from qkit.plots.style import FLOAT, INTEGER, LITERAL, REST, documented, named

_MOST = 70  # rows; of more, those that make no error are left out
_ERRORS = {  # columns of a table, and how they look
    "sqnr_db": ("its output, all errors up to it", ("o", INTEGER, "white", 7)),
    "output_sqnr_db": ("the network's output, its error alone", ("D", FLOAT, "white", 6)),
    "alone_sqnr_db": ("its output, its error alone", ("s", "#009E73", "#009E73", 4)),
}
_MODES = ("alone", ("o", INTEGER, INTEGER, 5)), ("all but it", ("s", FLOAT, "white", 5))


@documented("LayerErrors")
def plot_layer_errors(result, *, ax=None):
    """Draw in a row for each operator how far its error is below the signal; the worst is marked.

    Errors of all operators before it included, its own alone, and what that one alone does to the
    network's output. Of more than 70 operators, those that make no error of their own are left out.

    Parameters
    ----------
    result : LayerErrors
    """
    table, said = result.table, f"SQNR, dB, on {result.n:,} items; to the right is better"
    passing = table["alone_sqnr_db"] == np.inf
    if len(table) > _MOST and not passing[result.worst]:
        table = table[~passing]
        said += f"\nleft out: {passing.sum()} operators that make no error of their own"
    if result.unmatched:
        said += f"\nnot matched with float: {len(result.unmatched)} operators"
    size = 9.4, 1.7 + 0.2 * len(table)
    ax = ax or plt.figure(figsize=size, layout="constrained").add_subplot()
    compose_errors(ax, table, said)
    row, worst = table.index.get_loc(result.worst), table.loc[result.worst]
    ax.axhspan(row - 0.5, row + 0.5, color=FLOAT, alpha=0.18, lw=0, zorder=0)
    title = f"Hurts most: {named(worst['name'])}, output {worst['output_sqnr_db']:.1f} dB"
    if result.worst in result.paired:
        title += f"\n{result.paired[result.worst].summary()}"
    ax.set_title(title, loc="left", fontsize="small", color=FLOAT, pad=24, **LITERAL)
    return ax


def compose_errors(ax, table, said, *, kinds_at=1.01):
    """Draw the errors of a table's operators in rows, infinite ones at the edge."""
    values = table[[*_ERRORS]].to_numpy()
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0, 0)
    room = 0.08 * max(high - low, 1)
    ticks = MaxNLocator(7).tick_values(low, high)
    ticks = {t: f"{t:g}".replace("-", "−") for t in ticks if low - room < t < high + 0.2 * room}
    ends = {high + room: np.inf, low - room: -np.inf}
    ticks |= {at: f"{end}".replace("inf", "∞") for at, end in ends.items() if end in values}
    style.rows_from_top(ax, table["name"], grid="x", xticks=ticks, xlabel=said)
    ax.tick_params(axis="y", labelsize="small")
    for (label, look), column in zip(_ERRORS.values(), values.T, strict=True):
        _points(ax, look, np.clip(column, low - room, high + room), range(len(table)), label)
    for row, kind in enumerate(table["operator"]):
        beside = {"size": "x-small", "color": "0.4", "va": "center", **LITERAL}
        ax.text(kinds_at, row, kind, transform=ax.get_yaxis_transform(), **beside)
    style.legend_above(ax, 3, fontsize="x-small", handletextpad=0.1, columnspacing=1)


def _points(ax, look, x, y, label):
    marker, colour, inside, size = look
    ax.plot(x, y, marker, color=colour, mfc=inside, ms=size, label=label)


@documented("Sensitivity")
def plot_sensitivity(result, *, figure=None):
    """Draw in a row for each layer what fewer bits cost: the layer alone, and all layers but it.

    A column for each part and bits. Points with their 95 % interval; where what is judged is not
    told in points, the SQNR of the output. The dotted line is where all layers have these bits.

    Parameters
    ----------
    result : Sensitivity
    """
    table, points = result.table, "difference_pp" in result.table
    value = "difference_pp" if points else "output_sqnr_db"
    parts, bits = (table[column].unique() for column in ("part", "bits"))
    names = max((list(dict.fromkeys(part)) for _, part in table.groupby("part")["layer"]), key=len)
    columns = len(parts) * len(bits)
    size = 2 + 2.1 * columns, 1.7 + 0.28 * len(names)
    figure = figure or plt.figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, columns, sharey=True, squeeze=False)[0]
    for place, (ax, (part, b)) in enumerate(zip(panels, product(parts, bits), strict=True)):
        if place >= len(bits):
            ax.sharex(panels[place % len(bits)])  # the same bits, the same axis
        chosen = table[(table["part"] == part) & (table["bits"] == b)]
        for beside, (mode, look) in zip((-0.17, 0.17), _MODES, strict=True):
            each = chosen[chosen["mode"] == mode]
            rows = [names.index(name) + beside for name in each["layer"]]
            if points:
                ax.hlines(rows, each["difference_low_pp"], each["difference_high_pp"], look[1])
                ax.axvline(0, color=REST, lw=1.2, zorder=0)
            _points(ax, look, each[value], rows, mode)
        ax.axvline(chosen[value].iloc[0], color="0.3", ls=":", zorder=0, label="all layers")
        style.rows_from_top(ax, names, grid="x")
        ax.set_title(f"{part}, {b} bits", fontsize="medium")
    what = "points of difference from float, with 95 % interval" if points else "output SQNR, dB"
    figure.supxlabel(f"{what}; n = {result.n:,}; to the left is worse", fontsize="medium")
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


@documented("MixedPrecision")
def plot_mixed_precision(result, *, ax=None):
    """Draw each file that was tried by its bytes and what it loses, in order, and which was taken.

    Parameters
    ----------
    result : MixedPrecision
    """
    ax = ax or style.new_axes(8)
    kb, front = result.table["size_bytes"] / 1000, result.front
    lost, low, high = result.table.iloc[:, 2:5].to_numpy().T
    ax.set_ylabel(f"{f'lost, {result.unit}'.rstrip(', ')}, with 95 % interval", **LITERAL)
    style.panel(ax, grid="both", xlabel="size of the file, kB")
    step = {"drawstyle": "steps-post", "color": "0.82", "lw": 5, "zorder": 0}
    ax.plot(front["size_bytes"] / 1000, front.iloc[:, 2], label="none beats in both", **step)
    ax.vlines(kb, low, high, INTEGER, lw=1.6)
    _points(ax, ("o", INTEGER, INTEGER, 6), kb, lost, "files tried, in this order")
    for number, at in enumerate(zip(kb, lost, strict=True), 1):
        ax.annotate(f"{number}", at, (8, 7), textcoords="offset points", size="small")
    met = "taken" if result.met else "taken: the nearest, not within"
    look = {"mfc": "none", "mec": FLOAT, "mew": 2, "ms": 14, "label": met}
    ax.plot(kb[result.chosen], lost[result.chosen], "o", **look)
    column, limit = result.limit
    if column == "size_bytes":
        ax.axvline(limit / 1000, color=FLOAT, ls="--", label=result.asked)
    else:
        ax.axhline(limit, color=FLOAT, ls="--", label=f"{result.asked}, by the whole interval")
    style.legend_above(ax, 2, fontsize="small")
    return ax
