"""Pictures of figures that were measured here, beside those that were published."""

import numpy as np

from qkit.plots.rows import draw_point, finish_rows
from qkit.plots.style import REST, by_ratio, mark, name_ticks, new_axes

_APART = 0.17  # of a row, between two series
_LOSSES = (-10, -1, -0.5, 0, 0.5, 1, 3, 10, 30, 100)  # that are named on an axis, points


def plot_architectures(table, *, ax=None):
    """Draw how many times as long as float32 each scheme takes, one row per network.

    Parameters
    ----------
    table : pandas.DataFrame
        From ``qk.published.beside_architectures``.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Logarithmic; to the left of 1 is faster than float32. Filled marks are measured, with 95 %
        intervals where these are wide enough to be seen; hollow ones are published.
    """
    chosen = table.query("quantity == 'latency, × float32' and scheme != 'float32'")
    figures = [
        (row.architecture, row.scheme, (row.measured, row.low, row.high), row.published)
        for row in chosen.itertuples()
    ]
    ax = _beside_published(ax, figures, 1, "time ÷ that of float32, with 95 % interval")
    by_ratio(ax.xaxis)
    return ax


def plot_int16_effects(effects, *, ax=None):
    """Draw what int8 and int16 activations lose against float32, one row per network.

    Parameters
    ----------
    effects : iterable of Int16Effect
        Their losses are in points; those with a metric of another unit are left out.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Filled marks are measured here, with 95 % intervals, hollow ones published. Linear up to
        one point, logarithmic beyond. To the right is worse.
    """
    figures = []
    for effect in effects:
        relative = effect.relative
        model = f"\n({relative.published[0]})" if relative.published else ""
        row = f"{relative.name}, {relative.metric.name}{model}"
        for kind in () if relative.metric.unit else ("int8", "int16"):
            published = effect.published_lost.get(kind, np.nan)
            figures.append((row, kind, effect.lost[kind], published))
    label = "lost against float32, points of each row's metric,\nwith 95 % interval"
    ax = _beside_published(ax, figures, 0, label)
    lowest, highest = ax.dataLim.intervalx
    ax.set_xscale("symlog", linthresh=1, linscale=1.2)
    name_ticks(ax.xaxis, {loss: f"{loss:g}".replace("-", "−") for loss in _LOSSES})
    ax.set_xlim(min(-1, 1.4 * lowest), max(10, 1.4 * highest))
    return ax


def _beside_published(ax, figures, unchanged, label):
    """Draw measurements and, hollow, what was published; either may be NaN, which is left out.

    Of each of the figures: its row, its series, (value, low, high) as measured, and as published.
    """
    rows, series = (list(dict.fromkeys(figure[i] for figure in figures)) for i in (0, 1))
    ax = ax or new_axes(2 * len(rows))
    ax.axvline(unchanged, color=REST, lw=1.2, zorder=0)
    for row, name, (value, *interval), published in figures:
        position = series.index(name)
        at = rows.index(row) + _APART * (position - (len(series) - 1) / 2)
        look = mark(position + 1)  # black is float32's
        if not np.isnan(value):
            draw_point(ax, at, value, look, interval, label=f"{name}, measured")
        if not np.isnan(published):
            draw_point(ax, at, published, look, hollow=True, label=f"{name}, published")
    return finish_rows(ax, rows, label, 2)
