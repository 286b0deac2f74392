"""Picture of what int8 activations lose and int16 ones give back, published and measured."""

import numpy as np

from qkit.plots.style import FLOAT, INTEGER, REST, new_axes, rows_from_top

_KINDS = {"int8": (FLOAT, "o", -0.14), "int16": (INTEGER, "s", 0.14)}  # colour, marker, height
_LINEAR_UP_TO = 1  # points; logarithmic beyond


def plot_int16_effects(effects, *, ax=None):
    """Draw what int8 and int16 activations lose against float32, one row per network.

    Parameters
    ----------
    effects : iterable of Int16Effect
        With metrics in [0, 1]; their losses are in points, with 95 % intervals.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Filled marks are measured here, hollow ones published. Linear up to one point, logarithmic
        beyond. To the right is worse.

    Raises
    ------
    ValueError
        If a metric has a unit of its own.
    """
    effects = list(effects)
    for effect in effects:
        if effect.relative.metric.unit:
            raise ValueError(
                f"plot_int16_effects: {effect.relative.name!r} is measured in "
                f"{effect.relative.metric.unit}, which has no place on an axis of points. "
                "Leave it out."
            )
    ax = ax or new_axes(2 * len(effects))
    ax.axvline(0, color=REST, lw=1.2, zorder=0)
    for row, effect in enumerate(effects):
        for name, (colour, marker, height) in _KINDS.items():
            style = {"color": colour, "marker": marker, "ms": 7, "ls": "none"}
            value, low, high = effect.lost[name]
            ax.plot([low, high], [row + height] * 2, color=colour, lw=1.8)
            ax.plot(value, row + height, **style, label=f"{name}, measured here")
            if name in effect.published_lost:
                at = effect.published_lost[name]
                ax.plot(at, row + height, **style, mfc="white", mew=1.6, label=f"{name}, published")
    rows_from_top(ax, [_row_name(effect) for effect in effects])
    ax.set_xscale("symlog", linthresh=_LINEAR_UP_TO, linscale=1.2)
    lowest, highest = np.array(ax.dataLim.intervalx)
    ax.set_xlim(min(-1, 1.4 * lowest), max(10, 1.4 * highest))
    ticks = np.array([-10, -1, -0.5, 0, 0.5, 1, 3, 10, 30, 100])
    inside = ticks[(ticks >= ax.get_xlim()[0]) & (ticks <= ax.get_xlim()[1])]
    ax.set_xticks(inside, [f"{tick:g}" for tick in inside])
    ax.minorticks_off()
    ax.set_xlabel("lost against float32, points of each row's metric,\nwith 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.figure.legend(
        handles.values(), handles.keys(), loc="outside upper center", ncols=2, frameon=False
    )
    return ax


def _row_name(effect):
    model = f"\n({effect.relative.published[0]})" if effect.relative.published else ""
    return f"{effect.relative.name}, {effect.relative.metric.name}{model}"
