"""Picture of many schemes by two quantities, each in a row of its own."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import INTEGER, REST, rows_from_top

_LOGARITHMIC_FROM = 10  # times the smallest value; as in `plot_schemes`


def plot_scheme_rows(tradeoff, *, figure=None):
    """Draw two quantities with their intervals in two panels, one row per scheme.

    It shows what `plot_schemes` does, and stays legible with dozens of schemes: each is named where
    it stands, from the best first quantity down.

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
    rows = sorted(tradeoff.points, key=lambda name: _order(tradeoff, name))
    figure = figure or plt.figure(figsize=(9.2, 1.3 + 0.24 * len(rows)), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, quantity, axis in zip(panels, (tradeoff.x, tradeoff.y), (0, 1), strict=True):
        values = np.array([tradeoff.points[name][axis] for name in rows])
        for row, (name, (value, low, high)) in enumerate(zip(rows, values, strict=True)):
            on_front = name in tradeoff.front
            colour = INTEGER if on_front else "0.35"
            ax.plot([low, high], [row, row], color=colour, lw=1.6)
            ax.plot(value, row, "o", color=colour, ms=6, mfc=colour if on_front else "white")
        rows_from_top(ax, rows)
        uncertain = (values[:, 1] != values[:, 2]).any()
        ax.set_xlabel(quantity.name + (",\nwith 95 % interval" if uncertain else ""))
        if values.min() > 0 and values.max() > _LOGARITHMIC_FROM * values.min():
            ax.set_xscale("log", base=2)
            ax.xaxis.set_major_formatter("{x:g}")
        if values.min() < 0 < values.max():
            ax.axvline(0, color=REST, lw=1.2, zorder=0)
        ax.grid(axis="x", alpha=0.3)
        for row in range(0, len(rows), 2):  # the eye keeps its row across both panels
            ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=-1)
    figure.suptitle("filled: on the Pareto front", fontsize="medium")
    return figure


def _order(tradeoff, name):
    value = tradeoff.points[name][0][0]
    return value if tradeoff.x.better == "smaller" else -value
