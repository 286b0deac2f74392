"""Pictures with a row for each model: values on their 95 % intervals, and sizes by their parts."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import (
    FLOAT,
    INTEGER,
    REST,
    by_ratio,
    legend_above,
    mark,
    new_axes,
    panel,
    rows_from_top,
    scale_axis,
)

_DTYPES = {"float32": FLOAT, "float16": "#E69F00", "int8": INTEGER, "metadata": REST}
_SMALL = {"int32": "int32 and int64", "int64": "int32 and int64"}  # biases and shapes
_STAGES = {
    "file": "size_bytes",
    "deflated": "deflated_bytes",
    "zstd": "zstd_bytes",
    "entropy floor": "entropy_coded_bytes",
}


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
        value, *interval = np.multiply([value, *found.interval], 1 if unit else 100)
        draw_point(ax, row, value, mark(row), interval)
    label = f"{name} on {first.n:,} test {item}s, {unit or '%'}, with 95 % interval"
    return finish_rows(ax, accuracies, label)


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
        draw_point(ax, row, median, mark(row), latency.interval_us[name])
        ax.annotate(
            f"{latency.ratio[name]:.2f} ×", (latency.interval_us[name][1], row), (6, 0),
            textcoords="offset points", va="center", fontsize="small",
        )  # fmt: skip
        label = "Python's set_tensor and get_tensor"
        ax.plot(latency.overhead_us[name], row, "|", color=REST, ms=13, mew=2, label=label)
    fastest, slowest = (end(latency.median_us.values()) for end in (min, max))
    if scale_axis(ax.xaxis, fastest, slowest):
        ax.margins(x=0.14)
    else:
        ax.set_xlim(0, 1.25 * slowest)
    threads = f"{latency.threads} thread{'s'[: latency.threads != 1]}"
    return finish_rows(ax, latency.median_us, f"invoke(), µs an image, {threads}, {latency.cpu}", 1)


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
    return finish_rows(ax, sizes, "size of the file, KiB", 3)


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
    kib = {stage: np.divide(size, 1024) for stage, size in found.items() if None not in size}
    for row, counts in enumerate(zip(*kib.values(), strict=True)):
        ax.plot([min(counts), max(counts)], [row, row], color="0.75", lw=2, zorder=1)
        ax.text(
            1.02, row, " → ".join(f"{n:.1f}" for n in counts), va="center", size="small",
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    for position, (stage, counts) in enumerate(kib.items()):
        colour, marker = mark(position)
        ax.plot(counts, range(len(counts)), marker, color=colour, label=stage)
    by_ratio(ax.xaxis)
    return finish_rows(ax, sizes, "size of the file, KiB (logarithmic)", len(kib))


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
        for row, (value, *interval) in enumerate(values):
            on_front = rows[row] in tradeoff.front
            look = INTEGER if on_front else "0.35", "o"
            draw_point(ax, row, value, look, interval, hollow=not on_front)
        scale_axis(ax.xaxis, values.min(), values.max())
        if values.min() < 0 < values.max():
            ax.axvline(0, color=REST, lw=1.2, zorder=0)
        for row in range(0, len(rows), 2):  # the eye keeps its row across both panels
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=-1)
        uncertain = (values[:, 1] != values[:, 2]).any()
        finish_rows(ax, rows, quantity.name + (",\nwith 95 % interval" if uncertain else ""))
    figure.suptitle("filled: on the Pareto front", fontsize="medium")
    return figure


def draw_point(ax, row, value, look, interval=None, *, hollow=False, label=None):
    """Draw a value in a row, on its interval if it has one; `look` is colour and marker."""
    colour, marker = look
    if interval is not None:
        ax.plot(interval, [row, row], color=colour, lw=1.8)
    inside = "white" if hollow else colour
    ax.plot(value, row, marker, color=colour, mfc=inside, ms=7, mew=1.4, label=label)


def finish_rows(ax, names, label, columns=0):
    """Name the rows and the axis, and above it, in so many columns, what the marks are."""
    rows_from_top(ax, list(names))
    panel(ax, grid="x", xlabel=label)
    if columns:
        legend_above(ax, columns, fontsize="small")
    return ax
