"""Picture of published networks: what each scheme does to their latency, published and measured."""

import numpy as np

from qkit.plots.style import REST, mark, new_axes, rows_from_top

_LATENCY = "latency, × float32"
_APART = 0.17  # of a row, between two schemes


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
    rows = table.query("quantity == @_LATENCY and scheme != 'float32'")
    networks, schemes = list(dict.fromkeys(rows.architecture)), list(dict.fromkeys(rows.scheme))
    ax = ax or new_axes(2 * len(networks))
    ax.set_xscale("log", base=2)
    ax.axvline(1, color=REST, lw=1.2, zorder=0)
    for found in rows.itertuples():
        position = schemes.index(found.scheme)
        at = networks.index(found.architecture) + _APART * (position - (len(schemes) - 1) / 2)
        colour, marker = mark(position + 1)  # black is float32's
        style = {"color": colour, "marker": marker, "ms": 7, "ls": "none"}
        if not np.isnan(found.measured):
            ax.plot([found.low, found.high], [at, at], color=colour, lw=1.8)
            ax.plot(found.measured, at, **style, label=f"{found.scheme}, measured")
        if not np.isnan(found.published):
            ax.plot(
                found.published, at, **style, mfc="white", mew=1.6,
                label=f"{found.scheme}, published",
            )  # fmt: skip
    rows_from_top(ax, networks)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("time of an inference, times that of float32 (95 % interval)")
    ax.grid(axis="x", alpha=0.3)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    names = sorted(handles, key=lambda name: (name.endswith("published"), name))
    ax.figure.legend(
        [handles[name] for name in names], names, loc="outside upper center", ncols=2, frameon=False
    )
    return ax
