"""Colours, marks and parts of a panel, the same in every picture; and what makes one live."""

import functools
import inspect

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.scale import LogScale
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, ScalarFormatter

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


def panel(ax, *, grid=None, hidden=("top", "right"), **settings):
    """Lay out an Axes without some spines, with a pale grid below the data; return it."""
    ax.spines[[*hidden]].set_visible(False)
    if grid:
        ax.grid(axis=grid, alpha=0.3)
        ax.set_axisbelow(True)
    ax.set(**settings)
    return ax


def rows_from_top(ax, names):
    """Label the y axis with names, the first one on top."""
    panel(ax, hidden=("top", "right", "left"), ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)


def name_ticks(axis, labels):
    """Give an axis ticks at some values only, with their labels."""
    axis.set_ticks([*labels], labels=[*labels.values()])
    axis.set_ticks([], minor=True)


def legend_above(ax, columns, **look):
    """Say above an Axes, in so many columns, what its marks are, each once."""
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "frameon": False} | look
    ax.legend(handles.values(), handles, ncols=columns, **look)


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


def by_ratio(axis):
    """Make an axis logarithmic, with a tick at each doubling."""
    axis.axes.set(**{f"{axis.axis_name}scale": LogScale(axis, base=2)})
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def picture(figsize, *, layout="constrained", fixed=lambda result: {}):
    """Make of one composition a still picture and a live one.

    The composition lays a figure out with fixed limits and returns what draws a result in it.
    ``plot_x(result, figure=None)`` draws once; ``figure, update = plot_x.live(**named)`` is for
    explorers, whose figure must not be pyplot's: it would leak. What a layout hangs on besides,
    ``fixed(result)`` gives the still one as keywords; what else `fixed` takes, is drawn too.
    """
    own = inspect.Parameter("figure", inspect.Parameter.KEYWORD_ONLY, default=None)
    signature = inspect.Signature([*inspect.signature(fixed).parameters.values(), own])

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
