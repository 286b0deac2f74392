"""Colours and marks that colour-blind readers can tell apart, the same in every picture."""

import functools
import inspect

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from qkit.notebook import COLOURS

_MARKERS = "osD^vP*X<>hd"
INTEGER, FLOAT, REST = "#0072B2", "#D55E00", "#9A9A9A"


def mark(position):
    """Return colour and marker of a row by its position; markers differ where colours repeat."""
    return COLOURS[position % len(COLOURS)], _MARKERS[position % len(_MARKERS)]


def new_axes(rows=None):
    """Return the Axes of a new figure, tall enough for as many rows."""
    height = 3.4 if rows is None else 1.1 + 0.36 * rows
    return plt.figure(figsize=(7.2, height), layout="constrained").add_subplot()


def rows_from_top(ax, names):
    """Label the y axis with names, the first one on top."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


def scale_axis(axis, low, high):
    """Make an axis logarithmic from ten times on; return whether it is."""
    logarithmic = bool(low > 0 and high > 10 * low)
    if (axis.get_scale() == "log") != logarithmic:
        kind = "log" if logarithmic else "linear"
        axis.axes.set(**{f"{axis.axis_name}scale": kind})
    if logarithmic:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_major_formatter(ScalarFormatter(useOffset=False))
    return logarithmic


def veil(ax):
    """Return a veil over an Axes, to be shown while what it shows is out of date."""
    look = {"color": "white", "alpha": 0.65, "lw": 0, "zorder": 10, "visible": False}
    return ax.add_patch(plt.Rectangle((0, 0), 1, 1, transform=ax.transAxes, animated=True, **look))


def picture(figsize, *, layout="constrained", fixed=lambda result: {}):
    """Make of one composition a still picture and a live one.

    The composition takes a figure, lays it out with fixed limits, and returns a function that
    draws a result in it; its docstring is the picture's. ``plot_x(result, *, figure=None)`` draws
    once and returns the Figure. ``figure, update = plot_x.live(**named)`` is for explorers, whose
    figure must not be pyplot's: it would leak. What a layout hangs on besides, ``fixed(result)``
    gives the still picture, as keywords of the composition; what else `fixed` takes, is drawn too.
    """
    kinds = inspect.Parameter
    more = list(inspect.signature(fixed).parameters.values())[1:]
    signature = inspect.Signature(
        [
            kinds("result", kinds.POSITIONAL_OR_KEYWORD),
            *more,
            kinds("figure", kinds.KEYWORD_ONLY, default=None),
        ]
    )

    def decorate(compose):
        @functools.wraps(compose)
        def plot(result, *others, figure=None, **named):
            figure = figure or plt.figure(figsize=figsize, layout=layout)
            compose(figure, **fixed(result, *others, **named))(result, *others, **named)
            return figure

        def live(**named):
            figure = Figure(figsize=figsize, dpi=100, layout=layout)
            return figure, compose(figure, **named)

        plot.live, plot.__signature__ = live, signature
        return plot

    return decorate
