"""Pictures with a row for each model: values on their intervals, and sizes by their parts."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots import style
from qkit.plots.looks import looks
from qkit.plots.style import REST, documented, mark, new_axes

_OTHERS = {"metadata": REST} | dict.fromkeys(("int32", "int64"), "#56B4E9")
_PUBLISHED = ["architecture", "scheme", "measured", "low", "high", "published", "quantity"]
_SMALL = {"int32": "int32 and int64", "int64": "int32 and int64"}  # biases and shapes


@documented("Comparison", named=["Accuracy", "Score"])
def plot_accuracies(accuracies, *, ax=None):
    """Draw each accuracy as a point on its 95 % interval.

    Parameters
    ----------
    accuracies : Comparison or mapping of str to Accuracy or Score
    """
    accuracies = getattr(accuracies, "accuracies", accuracies)
    if not accuracies:
        raise ValueError(
            "plot_accuracies: there are no accuracies to draw. Pass data or images=… to qk.compare."
        )
    ax = ax or new_axes(len(accuracies))
    first = next(iter(accuracies.values()))
    metric = getattr(first, "metric", None)  # which a Score has
    name, unit, factor = (
        (metric.name, metric.unit, metric.factor) if metric else (first.name, "", 100)
    )
    own = looks(accuracies)
    for row, (scheme, found) in enumerate(accuracies.items()):
        value = found.value if metric else found.accuracy
        _point(ax, row, own[scheme], *np.multiply([value, *found.interval], factor))
    counts = " and ".join(dict.fromkeys(f"{found.n:,}" for found in accuracies.values()))
    unit = "" if unit is None else f", {unit or '%'}"
    label = f"{name} on {counts} test {'item' if metric else 'image'}s{unit}, with 95 % interval"
    return _finish(ax, accuracies, label)


@documented("Comparison", "Latency")
def plot_latencies(latency, *, ax=None):
    """Draw each model's time of one inference with its interval, and Python's overhead beside it.

    Parameters
    ----------
    latency : Comparison or Latency
    """
    latency = getattr(latency, "latency", latency)
    ax = ax or new_axes(len(latency.median_us))
    overhead = {"color": REST, "ms": 13, "mew": 2, "label": "Python's set_tensor and get_tensor"}
    beside = {"textcoords": "offset points", "va": "center", "fontsize": "small"}
    own = looks(latency.median_us)
    for row, (name, median) in enumerate(latency.median_us.items()):
        low, high = latency.interval_us[name]
        _point(ax, row, own[name], median, low, high)
        ax.annotate(f"{latency.ratio[name]:.2f} ×", (high, row), (6, 0), **beside)
        ax.plot(latency.overhead_us[name], row, "|", **overhead)
    slowest = max(latency.median_us.values())
    if style.scale_axis(ax.xaxis, min(latency.median_us.values()), slowest):
        ax.margins(x=0.14)
    else:
        ax.set_xlim(0, 1.25 * ax.dataLim.x1)
    threads = f"{latency.threads} thread{'s'[: latency.threads != 1]}"
    return _finish(ax, latency.median_us, f"invoke(), µs an image, {threads}, {latency.cpu}", 1)


@documented("Comparison", named=["Size"])
def plot_sizes(sizes, *, ax=None):
    """Draw each file as a bar of its constants by dtype and its metadata, and its deflated size.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes) + 1)
    for row, ledger in enumerate(sizes.values()):
        left = 0
        for dtype, count in {**ledger.constants_bytes, "metadata": ledger.metadata_bytes}.items():
            look = {"color": _OTHERS.get(dtype, style.dtype_look(dtype)[0])}
            ax.barh(row, count / 1000, 0.62, left / 1000, label=_SMALL.get(dtype, dtype), **look)
            left += count
        deflated = ledger.deflated_bytes / 1000
        ax.plot(deflated, row, "k|", ms=15, mew=2, label="whole file, deflated")
        ax.text(left / 1000, row, f" {left / 1000:.1f}", va="center")
    ax.margins(x=0.09)
    return _finish(ax, sizes, "size of the file, kB", 3)


@documented("Comparison", named=["Size"])
def plot_bytes_by_stage(sizes, *, ax=None):
    """Draw each file's bytes as they are, deflated, and the floor.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes) + 2)
    found = {
        "file": [size.size_bytes for size in sizes.values()],
        "deflated": [size.deflated_bytes for size in sizes.values()],
        "entropy floor": [size.entropy_coded_bytes for size in sizes.values()],
    }
    kb = {stage: np.divide(size, 1000) for stage, size in found.items()}
    beside = {"va": "center", "size": "small", "transform": ax.get_yaxis_transform()}
    for row, counts in enumerate(zip(*kb.values(), strict=True)):
        ax.plot([min(counts), max(counts)], [row, row], color="0.75", lw=2, zorder=1)
        ax.text(1.02, row, " → ".join(f"{n:.1f}" for n in counts), **beside)
    for position, (stage, counts) in enumerate(kb.items()):
        colour, marker = mark(position)
        ax.plot(counts, range(len(counts)), marker, color=colour, label=stage)
    style.by_ratio(ax.xaxis)
    return _finish(ax, sizes, "size of the file, kB (logarithmic)", len(kb))


@documented("Tradeoff")
def plot_scheme_rows(tradeoff, *, figure=None):
    """Draw two quantities with their intervals in two panels, one row per scheme, the best on top.

    It shows what `plot_tradeoff` does, and stays legible with dozens of schemes.

    Parameters
    ----------
    tradeoff : Tradeoff
    """
    best_first = 1 if tradeoff.x.better == "smaller" else -1
    rows = sorted(tradeoff.points, key=lambda name: best_first * tradeoff.points[name][0][0])
    figure = figure or plt.figure(figsize=(9.2, 1.3 + 0.24 * len(rows)), layout="constrained")
    panels, own = figure.subplots(1, 2, sharey=True), looks(rows)
    for axis, (ax, quantity) in enumerate(zip(panels, (tradeoff.x, tradeoff.y), strict=True)):
        values = np.array([tradeoff.points[name][axis] for name in rows])
        for row, name in enumerate(rows):
            _point(ax, row, own[name], *values[row], hollow=name not in tradeoff.front)
        style.scale_axis(ax.xaxis, values.min(), values.max())
        if values.min() < 0 < values.max():
            ax.axvline(0, color=REST, lw=1.2, zorder=0)
        for row in range(0, len(rows), 2):  # the eye keeps its row across both panels
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=-1)
        uncertain = (values[:, 1] != values[:, 2]).any()
        _finish(ax, rows, quantity.name + (",\nwith 95 % interval" if uncertain else ""))
    figure.suptitle("filled: on the Pareto front", fontsize="medium")
    return figure


@documented("DataFrame")
def plot_architectures(table, *, ax=None):
    """Draw how many times as long as float32 each scheme takes, one row per network.

    Left of 1 is faster than float32. Intervals are drawn where they are wide enough to be seen.

    Parameters
    ----------
    table : pandas.DataFrame, from ``qk.published.beside_architectures``
    """
    if missing := {*_PUBLISHED} - {*table.columns}:
        raise ValueError(
            f"plot_architectures: the table has no columns {', '.join(sorted(missing))}. Pass what "
            "qk.published.beside_architectures returns."
        )
    chosen = table.query("quantity == 'latency, × float32' and scheme != 'float32'")
    figures = chosen[_PUBLISHED[:-1]].to_numpy()
    ax = _beside_published(ax, figures, 1, "time ÷ that of float32, with 95 % interval")
    style.by_ratio(ax.xaxis)
    return ax


@documented()
def plot_int16_effects(effects, *, ax=None):
    """Draw what int8 and int16 activations lose against float32, one row per network.

    Linear up to one point, logarithmic beyond. To the right is worse.

    Parameters
    ----------
    effects : iterable of Int16Effect; those in another unit than points are left out
    """
    figures, effects = [], [*effects] if isinstance(effects, Iterable) else [effects]
    for effect in effects:
        style.require(effect, "Int16Effect", what="plot_int16_effects")
    for effect in (each for each in effects if not each.relative.metric.unit):
        relative = effect.relative
        model = f"\n({relative.published[0]})" if relative.published else ""
        row = f"{relative.name}, {relative.metric.name}{model}"
        for kind, lost in effect.lost.items():
            figures.append((row, kind, *lost, effect.published_lost.get(kind, np.nan)))
    label = "lost against float32, points of each row's metric,\nwith 95 % interval"
    ax = _beside_published(ax, figures, 0, label)
    lowest, highest = ax.dataLim.intervalx
    ax.set_xscale("symlog", linthresh=1, linscale=1.2)
    losses = (-10, -1, -0.5, 0, 0.5, 1, 3, 10, 30, 100)
    style.panel(ax, xticks={loss: f"{loss:g}".replace("-", "−") for loss in losses})
    ax.set_xlim(min(-1, 1.4 * lowest), max(10, 1.4 * highest))
    return ax


def _beside_published(ax, figures, unchanged, label):
    """Draw figures, which are row, series, value, low, high, and, hollow, the published value.

    Either value may be NaN, which is left out.
    """
    if len(figures) == 0:
        raise ValueError(f"there is nothing to draw: no row has {label.partition(',')[0]}.")
    rows, series = (list(dict.fromkeys(figure[i] for figure in figures)) for i in (0, 1))
    ax = ax or new_axes(2 * len(rows))
    ax.axvline(unchanged, color=REST, lw=1.2, zorder=0)
    own = looks(series)
    for row, name, value, low, high, published in figures:
        position = series.index(name)
        at = rows.index(row) + 0.17 * (position - (len(series) - 1) / 2)
        if not np.isnan(value):
            _point(ax, at, own[name], value, low, high, label=f"{name}, measured")
        if not np.isnan(published):
            _point(ax, at, own[name], published, hollow=True, label=f"{name}, published")
    return _finish(ax, rows, label, 2)


def _point(ax, row, look, value, *interval, hollow=False, label=None):
    """Draw a value in a row, on its interval if it has one; `look` is colour and marker."""
    colour, marker = look
    if interval:
        ax.plot(interval, [row, row], color=colour, lw=1.8)
    inside = "white" if hollow else colour
    form = {"marker": marker, "ls": "none", "ms": 7, "mew": 1.4}
    ax.plot(value, row, color=colour, mfc=inside, label=label, **form)


def _finish(ax, names, label, columns=0):
    """Name the rows and the axis, and above it, in so many columns, what the marks are."""
    style.rows_from_top(ax, names, grid="x")
    ax.set_xlabel(label, **style.LITERAL)
    if columns:
        style.legend_above(ax, columns, fontsize="small")
    return ax
