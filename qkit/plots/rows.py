"""Pictures with a row for each model: values on their 95 % intervals, and sizes by their parts."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FixedLocator, NullFormatter

from qkit.plots.style import FLOAT, INTEGER, REST, mark, new_axes, rows_from_top, scale_axis

_DTYPES = {"float32": FLOAT, "float16": "#E69F00", "int8": INTEGER, "metadata": REST}
_SMALL = {"int32": "int32 and int64", "int64": "int32 and int64"}  # biases and shapes
_STAGES = {
    "file": "size_bytes",
    "deflated": "deflated_bytes",
    "zstd": "zstd_bytes",
    "entropy floor": "entropy_coded_bytes",
}
_APART = 0.17  # of a row, between two schemes
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
    ax = ax or new_axes(len(accuracies))
    first = next(iter(accuracies.values()))
    metric = getattr(first, "metric", None)  # which a Score has
    name, unit, item = (metric.name, metric.unit, "item") if metric else ("accuracy", "", "image")
    for row, found in enumerate(accuracies.values()):
        value = found.value if metric else found.accuracy
        value, *interval = np.multiply([value, *found.interval], 1 if unit else 100)
        _point(ax, row, value, mark(row), interval)
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
        _point(ax, row, median, mark(row), latency.interval_us[name])
        ax.annotate(
            f"{latency.ratio[name]:.2f} ×", (latency.interval_us[name][1], row), (6, 0),
            textcoords="offset points", va="center", fontsize="small",
        )  # fmt: skip
        overhead = {
            "color": REST,
            "ms": 13,
            "mew": 2,
            "label": "Python's set_tensor and get_tensor",
        }
        ax.plot(latency.overhead_us[name], row, "|", **overhead)
    fastest, slowest = (end(latency.median_us.values()) for end in (min, max))
    if scale_axis(ax.xaxis, fastest, slowest):
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
            ax.barh(
                row, count / 1024, 0.62, left / 1024, color=_DTYPES.get(dtype, "#56B4E9"),
                label=_SMALL.get(dtype, dtype),
            )  # fmt: skip
            left += count
        deflated = ledger.deflated_bytes / 1024
        ax.plot(deflated, row, "k|", ms=15, mew=2, label="whole file, deflated")
        ax.text(left / 1024, row, f" {left / 1024:.1f}", va="center")
    ax.margins(x=0.09)
    return _finish(ax, sizes, "size of the file, KiB", 3)


def plot_bytes_by_stage(sizes, *, ax=None):
    """Draw each file's bytes as they are, deflated, by zstd where there is one, and the floor.

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
    kib = {stage: np.divide(n, 1024) for stage, n in found.items() if None not in n}
    for row, counts in enumerate(zip(*kib.values(), strict=True)):
        ax.plot([min(counts), max(counts)], [row, row], color="0.75", lw=2, zorder=1)
        ax.text(
            1.02, row, " → ".join(f"{n:.1f}" for n in counts), va="center", size="small",
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    for position, (stage, counts) in enumerate(kib.items()):
        colour, marker = mark(position)
        ax.plot(counts, range(len(counts)), marker, color=colour, label=stage)
    _by_ratio(ax)
    return _finish(ax, sizes, "size of the file, KiB (logarithmic)", len(kib))


def plot_scheme_rows(tradeoff, *, figure=None):
    """Draw two quantities with their intervals in two panels, one row per scheme.

    It shows what `plot_tradeoff` does, and stays legible with dozens of schemes: each is named
    where it stands, from the best first quantity down.

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
        for row, (name, (value, *interval)) in enumerate(zip(rows, values, strict=True)):
            on_front = name in tradeoff.front
            look = INTEGER if on_front else "0.35", "o"
            _point(ax, row, value, look, interval, hollow=not on_front)
        scale_axis(ax.xaxis, values.min(), values.max())
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
    rows = table.query("quantity == 'latency, × float32' and scheme != 'float32'")
    networks, schemes = list(rows.architecture.unique()), list(rows.scheme.unique())
    ax = ax or new_axes(2 * len(networks))
    ax.axvline(1, color=REST, lw=1.2, zorder=0)
    for found in rows.itertuples():
        position = schemes.index(found.scheme)
        at = networks.index(found.architecture) + _APART * (position - (len(schemes) - 1) / 2)
        measured = found.measured, found.low, found.high
        _beside_published(ax, at, found.scheme, mark(position + 1), measured, found.published)
    _by_ratio(ax)
    return _finish(ax, networks, "time of an inference, times that of float32 (95 % interval)", 2)


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
        if effect.scores.task.unit:
            raise ValueError(
                f"plot_int16_effects: {effect.relative.name!r} is measured in "
                f"{effect.scores.task.unit}, which has no place on an axis of points. Leave it out."
            )
    ax = ax or new_axes(2 * len(effects))
    ax.axvline(0, color=REST, lw=1.2, zorder=0)
    for row, effect in enumerate(effects):
        for name, look, up in (("int8", (FLOAT, "o"), -0.14), ("int16", (INTEGER, "s"), 0.14)):
            published = effect.published_lost.get(name, np.nan)
            _beside_published(ax, row + up, name, look, effect.lost[name], published)
    lowest, highest = ax.dataLim.intervalx
    ax.set_xscale("symlog", linthresh=1, linscale=1.2)
    ax.set_xlim(min(-1, 1.4 * lowest), max(10, 1.4 * highest))
    ax.xaxis.set_major_locator(FixedLocator(_LOSSES))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    label = "lost against float32, points of each row's metric,\nwith 95 % interval"
    return _finish(ax, [_named(effect) for effect in effects], label, 2)


def _named(effect):
    model = f"\n({effect.relative.published[0]})" if effect.relative.published else ""
    return f"{effect.relative.name}, {effect.scores.task.metric}{model}"


def _point(ax, row, value, look, interval=None, *, hollow=False, label=None):
    """Draw a value in a row, on its interval if it has one; `look` is colour and marker."""
    colour, marker = look
    if interval is not None:
        ax.plot(interval, [row, row], color=colour, lw=1.8)
    inside = "white" if hollow else colour
    ax.plot(value, row, marker, color=colour, mfc=inside, ms=7, mew=1.4, label=label)


def _beside_published(ax, row, name, look, measured, published):
    """Draw a measurement (value, low, high) and, hollow, a published figure; either may be NaN."""
    value, *interval = measured
    if not np.isnan(value):
        _point(ax, row, value, look, interval, label=f"{name}, measured")
    if not np.isnan(published):
        _point(ax, row, published, look, hollow=True, label=f"{name}, published")


def _by_ratio(ax):
    """Make an x axis logarithmic, with a tick at each doubling."""
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def _finish(ax, names, label, columns=0):
    """Name the rows and the axis, and above it, in so many columns, what the marks are."""
    rows_from_top(ax, list(names))
    ax.grid(axis="x", alpha=0.3)
    ax.set_axisbelow(True)
    ax.set_xlabel(label)
    if columns:
        handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
        ax.legend(
            handles.values(), handles.keys(), ncols=columns, frameon=False, fontsize="small",
            loc="lower center", bbox_to_anchor=(0.5, 1),
        )  # fmt: skip
    return ax
