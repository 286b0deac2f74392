"""Colours, marks and parts of a panel, the same in every picture; and what makes one live."""

import functools
import inspect

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
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


def panel(ax, *, grid=None, hidden=("top", "right"), xticks=None, yticks=None, **settings):
    """Lay out an Axes with fewer spines, and ticks only where they are given; return it."""
    ax.spines[[*hidden]].set_visible(False)
    if grid:
        ax.grid(axis=grid, alpha=0.3)
        ax.set_axisbelow(True)
    ax.set(**settings)
    for axis, ticks in (ax.xaxis, xticks), (ax.yaxis, yticks):
        if ticks is not None:
            labels = ticks.values() if isinstance(ticks, dict) else None
            axis.set_ticks([*ticks], labels=labels)
            axis.set_ticks([], minor=True)
    return ax


def rows_from_top(ax, names, **settings):
    """Lay out a panel whose y axis has names, the first one on top."""
    settings |= {"ylim": (len(names) - 0.5, -0.5), "yticks": dict(enumerate(names))}
    panel(ax, hidden=("top", "right", "left"), **settings)
    ax.tick_params(axis="y", length=0)


def legend_above(ax, columns, **look):
    """Say above an Axes, in so many columns, what its marks are, each once."""
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "frameon": False} | look
    ax.legend(handles.values(), handles, ncols=columns, **look)


def scale_axis(axis, low, high):
    """Make an axis logarithmic from ten times on; return whether it is."""
    logarithmic = bool(low > 0 and high > 10 * low)
    axis.axes.set(**{f"{axis.axis_name}scale": "log" if logarithmic else "linear"})
    axis.set_major_formatter("{x:g}" if logarithmic else ScalarFormatter(useOffset=False))
    if logarithmic:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
    return logarithmic


def by_ratio(axis):
    """Make an axis logarithmic, with a tick at each doubling."""
    axis.axes.set(**{f"{axis.axis_name}scale": LogScale(axis, base=2)})
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def live_line(ax, form, **look):
    """Return an animated line, without points yet."""
    return ax.plot([], [], form, animated=True, **look)[0]


def live_segments(ax, **look):
    """Return animated lines side by side, without places yet."""
    return ax.add_collection(LineCollection([], animated=True, **look), autolim=False)


def live_areas(ax, corners=(), **look):
    """Return animated areas side by side, by their corners."""
    areas = PolyCollection(corners, animated=True, **look)
    return ax.add_collection(areas, autolim=False)


def live_text(ax, x, y, *, size=10, **look):
    """Return an animated text, empty yet, at a place in units of the Axes."""
    look = {"transform": ax.transAxes, "va": "top", "animated": True} | look
    return ax.text(x, y, "", size=size, **look)


def live_bars(ax, edges, *, floor=0.0, **look):
    """Return animated bars between edges, all at their floor yet."""
    heights = np.full(len(edges) - 1, floor)
    return ax.stairs(heights, edges, baseline=floor / 10, fill=True, animated=True, **look)


def veiling(draw, *axes):
    """Return `draw` with a veil over some Axes, shown for None: what they show is out of date."""
    look = {"color": "white", "alpha": 0.65, "lw": 0, "zorder": 10, "visible": False}
    veils = [
        ax.add_patch(plt.Rectangle((0, 0), 1, 1, transform=ax.transAxes, animated=True, **look))
        for ax in axes
    ]

    def update(result, *others, **named):
        for veil in veils:
            veil.set_visible(result is None)
        if result is not None:
            draw(result, *others, **named)

    return update


def documented(plot):
    """Add to a picture's docstring its last parameter, what it draws on, and that it returns it."""
    *_, place = inspect.signature(plot).parameters
    kind = {"ax": "matplotlib Axes", "figure": "matplotlib Figure"}[place]
    described = f"{place} : {kind}, optional\n\nReturns\n-------\n{kind}\n"
    plot.__doc__ = f"{inspect.getdoc(plot)}\n{described}"
    return plot


def picture(figsize, *, layout="constrained", fixed=lambda result: {}):
    """Make of what lays out a figure, and returns what draws a result in it, two pictures.

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
        return documented(plot)

    return decorate
