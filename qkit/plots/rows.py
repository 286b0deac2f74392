"""Pictures with a row for each model: values on their intervals, and sizes by their parts."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots import style
from qkit.plots.style import INTEGER, REST, mark, new_axes

_DTYPES = {"float32": style.FLOAT, "float16": "#E69F00", "int8": INTEGER, "metadata": REST}
_SMALL = {"int32": "int32 and int64", "int64": "int32 and int64"}  # biases and shapes
_STAGES = {
    "file": "size_bytes",
    "deflated": "deflated_bytes",
    "entropy floor": "entropy_coded_bytes",
}
_APART = 0.17  # of a row, between two series
_LOSSES = (-10, -1, -0.5, 0, 0.5, 1, 3, 10, 30, 100)  # that are named on an axis, points


def plot_accuracies(accuracies, *, ax=None):
    """Draw each accuracy as a point on its 95 % interval.

    Parameters
    ----------
    accuracies : Comparison or mapping of str to Accuracy or Score
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    accuracies = getattr(accuracies, "accuracies", accuracies)
    if not accuracies:
        raise ValueError(
            "plot_accuracies: there are no accuracies to draw. Pass data or images=… to qk.compare."
        )
    ax = ax or new_axes(len(accuracies))
    first = next(iter(accuracies.values()))
    metric = getattr(first, "metric", None)  # which a Score has
    name, unit, item = (metric.name, metric.unit, "item") if metric else ("accuracy", "", "image")
    for row, found in enumerate(accuracies.values()):
        value = found.value if metric else found.accuracy
        _point(ax, row, mark(row), *np.multiply([value, *found.interval], 1 if unit else 100))
    label = f"{name} on {first.n:,} test {item}s, {unit or '%'}, with 95 % interval"
    return _finish(ax, accuracies, label)


def plot_latencies(latency, *, ax=None):
    """Draw each model's time of one inference with its interval, and Python's overhead beside it.

    Parameters
    ----------
    latency : Comparison or Latency
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Logarithmic where the slowest takes over ten times as long as the fastest.
    """
    latency = getattr(latency, "latency", latency)
    ax = ax or new_axes(len(latency.median_us))
    for row, (name, median) in enumerate(latency.median_us.items()):
        low, high = latency.interval_us[name]
        _point(ax, row, mark(row), median, low, high)
        look = {"textcoords": "offset points", "va": "center", "fontsize": "small"}
        ax.annotate(f"{latency.ratio[name]:.2f} ×", (high, row), (6, 0), **look)
        label = "Python's set_tensor and get_tensor"
        ax.plot(latency.overhead_us[name], row, "|", color=REST, ms=13, mew=2, label=label)
    slowest = max(latency.median_us.values())
    if style.scale_axis(ax.xaxis, min(latency.median_us.values()), slowest):
        ax.margins(x=0.14)
    else:
        ax.set_xlim(0, 1.25 * slowest)
    threads = f"{latency.threads} thread{'s'[: latency.threads != 1]}"
    return _finish(ax, latency.median_us, f"invoke(), µs an image, {threads}, {latency.cpu}", 1)


def plot_sizes(sizes, *, ax=None):
    """Draw each file as a bar of its constants by dtype and its metadata, and its deflated size.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes) + 1)
    for row, ledger in enumerate(sizes.values()):
        left = 0
        for dtype, count in {**ledger.constants_bytes, "metadata": ledger.metadata_bytes}.items():
            look = {"color": _DTYPES.get(dtype, "#56B4E9"), "label": _SMALL.get(dtype, dtype)}
            ax.barh(row, count / 1024, 0.62, left / 1024, **look)
            left += count
        deflated = ledger.deflated_bytes / 1024
        ax.plot(deflated, row, "k|", ms=15, mew=2, label="whole file, deflated")
        ax.text(left / 1024, row, f" {left / 1024:.1f}", va="center")
    ax.margins(x=0.09)
    return _finish(ax, sizes, "size of the file, KiB", 3)


def plot_bytes_by_stage(sizes, *, ax=None):
    """Draw each file's bytes as they are, deflated, and the floor.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        On a logarithmic axis: equal distances are equal ratios.
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes) + 2)
    found = {
        stage: [getattr(ledger, field) for ledger in sizes.values()]
        for stage, field in _STAGES.items()
    }
    kib = {stage: np.divide(size, 1024) for stage, size in found.items() if None not in size}
    for row, counts in enumerate(zip(*kib.values(), strict=True)):
        ax.plot([min(counts), max(counts)], [row, row], color="0.75", lw=2, zorder=1)
        look = {"va": "center", "size": "small", "transform": ax.get_yaxis_transform()}
        ax.text(1.02, row, " → ".join(f"{n:.1f}" for n in counts), **look)
    for position, (stage, counts) in enumerate(kib.items()):
        colour, marker = mark(position)
        ax.plot(counts, range(len(counts)), marker, color=colour, label=stage)
    style.by_ratio(ax.xaxis)
    return _finish(ax, sizes, "size of the file, KiB (logarithmic)", len(kib))


def plot_scheme_rows(tradeoff, *, figure=None):
    """Draw two quantities with their intervals in two panels, one row per scheme, the best on top.

    It shows what `plot_tradeoff` does, and stays legible with dozens of schemes.

    Parameters
    ----------
    tradeoff : Tradeoff
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
        Schemes on the Pareto front are filled. Logarithmic where the largest value is over ten
        times the smallest; a line marks zero where a quantity has both signs.
    """
    best_first = 1 if tradeoff.x.better == "smaller" else -1
    rows = sorted(tradeoff.points, key=lambda name: best_first * tradeoff.points[name][0][0])
    figure = figure or plt.figure(figsize=(9.2, 1.3 + 0.24 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axis, (ax, quantity) in enumerate(zip(panels, (tradeoff.x, tradeoff.y), strict=True)):
        values = np.array([tradeoff.points[name][axis] for name in rows])
        for row, name in enumerate(rows):
            on_front = name in tradeoff.front
            look = INTEGER if on_front else "0.35", "o"
            _point(ax, row, look, *values[row], hollow=not on_front)
        style.scale_axis(ax.xaxis, values.min(), values.max())
        if values.min() < 0 < values.max():
            ax.axvline(0, color=REST, lw=1.2, zorder=0)
        for row in range(0, len(rows), 2):  # the eye keeps its row across both panels
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=-1)
        uncertain = (values[:, 1] != values[:, 2]).any()
        _finish(ax, rows, quantity.name + (",\nwith 95 % interval" if uncertain else ""))
    figure.suptitle("filled: on the Pareto front", fontsize="medium")
    return figure


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
    figures = chosen[["architecture", "scheme", "measured", "low", "high", "published"]].to_numpy()
    ax = _beside_published(ax, figures, 1, "time ÷ that of float32, with 95 % interval")
    style.by_ratio(ax.xaxis)
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
    for effect in (each for each in effects if not each.relative.metric.unit):
        relative = effect.relative
        model = f"\n({relative.published[0]})" if relative.published else ""
        for kind in ("int8", "int16"):
            published = effect.published_lost.get(kind, np.nan)
            row = f"{relative.name}, {relative.metric.name}{model}"
            figures.append((row, kind, *effect.lost[kind], published))
    label = "lost against float32, points of each row's metric,\nwith 95 % interval"
    ax = _beside_published(ax, figures, 0, label)
    lowest, highest = ax.dataLim.intervalx
    ax.set_xscale("symlog", linthresh=1, linscale=1.2)
    style.panel(ax, xticks={loss: f"{loss:g}".replace("-", "−") for loss in _LOSSES})
    ax.set_xlim(min(-1, 1.4 * lowest), max(10, 1.4 * highest))
    return ax


def _beside_published(ax, figures, unchanged, label):
    """Draw measurements and, hollow, what was published; either may be NaN, which is left out.

    Of each of the figures: its row, its series, value, low and high as measured, and as published.
    """
    rows, series = (list(dict.fromkeys(figure[i] for figure in figures)) for i in (0, 1))
    ax = ax or new_axes(2 * len(rows))
    ax.axvline(unchanged, color=REST, lw=1.2, zorder=0)
    for row, name, value, low, high, published in figures:
        position = series.index(name)
        at = rows.index(row) + _APART * (position - (len(series) - 1) / 2)
        look = mark(position + 1)  # black is float32's
        if not np.isnan(value):
            _point(ax, at, look, value, low, high, label=f"{name}, measured")
        if not np.isnan(published):
            _point(ax, at, look, published, hollow=True, label=f"{name}, published")
    return _finish(ax, rows, label, 2)


def _point(ax, row, look, value, *interval, hollow=False, label=None):
    """Draw a value in a row, on its interval if it has one; `look` is colour and marker."""
    colour, marker = look
    if interval:
        ax.plot(interval, [row, row], color=colour, lw=1.8)
    inside = "white" if hollow else colour
    ax.plot(value, row, marker, color=colour, mfc=inside, ms=7, mew=1.4, label=label)


def _finish(ax, names, label, columns=0):
    """Name the rows and the axis, and above it, in so many columns, what the marks are."""
    style.rows_from_top(ax, names, grid="x", xlabel=label)
    if columns:
        style.legend_above(ax, columns, fontsize="small")
    return ax
