"""Picture of latencies with their intervals."""

from qkit.plots.style import REST, mark, new_axes, rows_from_top


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
        colour, marker = mark(row)
        ax.plot(latency.interval_us[name], [row, row], color=colour, lw=2)
        ax.plot(median, row, marker, color=colour, ms=7)
        ax.annotate(
            f"{latency.ratio[name]:.2f} ×", (median, row), (9, 0),
            textcoords="offset points", va="center", fontsize="small",
        )  # fmt: skip
        label = None if row else "Python's set_tensor and get_tensor"
        ax.plot(latency.overhead_us[name], row, "|", color=REST, ms=13, mew=2, label=label)
    rows_from_top(ax, list(latency.median_us))
    if max(latency.median_us.values()) > 10 * min(latency.median_us.values()):
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.margins(x=0.14)
    else:
        ax.set_xlim(0, 1.2 * max(latency.median_us.values()))
    ax.grid(axis="x", alpha=0.3)
    plural = "" if latency.threads == 1 else "s"
    ax.set_xlabel(f"invoke(), µs an image, {latency.threads} thread{plural}, {latency.cpu}")
    ax.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))
    return ax
