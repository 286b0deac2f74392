"""Colours, marks and parts of a panel, the same in every picture; and what makes one live."""

import functools
import inspect
import re
from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.scale import LogScale
from matplotlib.textpath import text_to_path
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, ScalarFormatter

from qkit.notebook import COLOURS

_MARKERS = "osD^vP*X<>hd"
INTEGER, FLOAT, REST = "#0072B2", "#D55E00", "#9A9A9A"
_DTYPES = {
    "float32": (FLOAT, "-"), "float16": ("#E69F00", "-"), "bfloat16": ("#E69F00", "--"),
    "int8": (INTEGER, "-"), "uint8": (INTEGER, "--"), "int16": ("#009E73", "-"),
    "int4": ("#CC79A7", "-"), "int32": (REST, "-"), "int64": (REST, "--"),
}  # fmt: skip
LITERAL = {"parse_math": False}  # of texts with names that others gave: `$` begins no formula


# The functions of qkit that return what pictures draw, where their names are not the classes'.
_MADE_BY = {
    "Prediction": "predict",
    "Comparison": "compare", "Score": "accuracy", "Examination": "mistakes.examine",
    "TfliteFile": "inspect", "Numbers": "nearest_numbers",
    "DataFrame": "published.beside_architectures",
    "Int16Effect": "published.int16_effect", "ndarray": "simulation.layers",
}  # fmt: skip
_SNAKE = re.compile("(?<=[a-z])(?=[A-Z])")


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
            labels = {"labels": ticks.values(), **LITERAL} if isinstance(ticks, dict) else {}
            axis.set_ticks([*ticks], **labels)
            axis.set_ticks([], minor=True)
    return ax


def rows_from_top(ax, names, **settings):
    """Lay out a panel whose y axis has names, the first one on top."""
    rows = dict(enumerate(map(named, names)))
    settings |= {"ylim": (len(names) - 0.5, -0.5), "yticks": rows}
    panel(ax, hidden=("top", "right", "left"), **settings)
    ax.tick_params(axis="y", length=0)


def dtype_look(dtype):
    """Return the colour and the dashes that stand for a dtype, black ones where it is rare."""
    return _DTYPES.get(dtype, ("#000000", ":"))


def short(name, most):
    """Return a name of so many letters at most, with "…" at its end for the others."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def fitting(text, inches, *, points):
    """Return as much of a text as has room, with "…" for the rest; nothing if three do not fit."""

    def width(text):
        return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72

    font = FontProperties(size=points)
    text = short(text, max(int(30 * inches), 1))  # none of so many letters fits
    while len(text) > 4 and width(text) > inches:
        text = short(text, len(text) - 1)
    return text if width(text) <= inches else ""


def named(name, most=48):
    """Return a name as a label: with "…" where it would take the picture's place.

    Matplotlib keeps out of its legends what begins with an underscore, but for a space before it.
    """
    name = f"{name}"
    name = name if len(name) <= most else f"{name[: 5 * most // 12]}…{name[-9 * most // 16 :]}"
    return f" {name}" if name.startswith("_") else name


def legend_above(ax, columns, **look):
    """Say above an Axes, in so many columns, what its marks are, each once."""
    handles = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    look = {"loc": "lower center", "bbox_to_anchor": (0.5, 1), "frameon": False} | look
    literal(ax.legend(handles.values(), handles, ncols=columns, **look))


def literal(legend):
    """Show the words of a legend as they are."""
    plt.setp([*legend.get_texts(), legend.get_title()], **LITERAL)


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
    """Make the axis of what is drawn logarithmic, with a tick at each doubling, two or more."""
    axis.axes.set(**{f"{axis.axis_name}scale": LogScale(axis, base=2)})
    low, high = np.log2(getattr(axis.axes, f"get_{axis.axis_name}lim")())
    if high - low < 2:
        axis.axes.set(**{f"{axis.axis_name}lim": 2 ** np.array([np.floor(low), np.ceil(high)])})
    axis.set_major_formatter("{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def live_line(ax, *form, **look):
    """Return an animated line, without points yet."""
    return ax.plot([], [], *form, animated=True, **look)[0]


def live_segments(ax, **look):
    """Return animated lines side by side, without places yet."""
    return ax.add_collection(LineCollection([], animated=True, **look), autolim=False)


def live_areas(ax, corners=(), **look):
    """Return animated areas side by side, by their corners."""
    areas = PolyCollection(corners, animated=True, **look)
    return ax.add_collection(areas, autolim=False)


def live_text(ax, x, y, *, size=10, **look):
    """Return an animated text, empty yet, at a place in units of the Axes."""
    look = {"transform": ax.transAxes, "va": "top", "animated": True, **LITERAL} | look
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


def require(given, *kinds, named=(), what):
    """Refuse what is of none of these classes, nor a dict of one of those in `named`.

    They go by their names: else each picture would import all that makes what it draws.
    """
    several = bool(named) and isinstance(given, Mapping)
    parts = [*given.values()] if several else [given]
    classes = ({kind.__name__ for kind in type(part).__mro__} for part in parts)
    if parts and {*(named if several else kinds)}.intersection(*classes):
        return
    makers = [_MADE_BY.get(kind, _SNAKE.sub("_", kind).lower()) for kind in (*kinds, *named)]
    remedy = f"Pass what qk.{' or qk.'.join(dict.fromkeys(makers))} returns"
    if not parts:
        raise ValueError(f"{what}: there are no {what[5:]} to draw: the dict is empty. {remedy}.")
    got = "a dict of " * several + ", ".join(sorted({type(part).__name__ for part in parts}))
    wanted = [*kinds, *(f"dict of {kind} by name" for kind in named)]
    raise TypeError(f"{what}: expected a {' or a '.join(wanted)}, got {got}. {remedy}.")


def documented(*kinds, named=()):
    """Add to a picture's docstring its last parameter, what it draws on, and that it returns it.

    Of what else it is asked to draw, `require` says that it does not.
    """

    def decorate(plot):
        @functools.wraps(plot)
        def checked(*given, **by_name):
            first, *_ = inspect.signature(plot).bind(*given, **by_name).arguments.values()
            if kinds or named:
                require(first, *kinds, named=named, what=plot.__name__)
            return plot(*given, **by_name)

        *_, place = inspect.signature(plot).parameters
        kind = {"ax": "matplotlib Axes", "figure": "matplotlib Figure"}[place]
        described = f"{place} : {kind}, optional\n\nReturns\n-------\n{kind}\n"
        checked.__doc__ = f"{inspect.getdoc(plot)}\n{described}"
        return checked

    return decorate


def picture(*kinds, figsize, layout="constrained", fixed=lambda result: {}):
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
            laid_out = fixed(result, *others, **named)  # which may refuse: before a figure is open
            figure = figure or plt.figure(figsize=figsize, layout=layout)
            compose(figure, **laid_out)(result, *others, **named)
            return figure

        def live(**named):
            figure = Figure(figsize=figsize, dpi=100, layout=layout)
            return figure, compose(figure, **named)

        plot.live, plot.__signature__ = live, signature
        return documented(*kinds)(plot)

    return decorate
