"""Picture of schemes by any two quantities, with the front that none beats, and what flips."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
from matplotlib.collections import LineCollection

from qkit.evaluate.tradeoff import Tradeoff, tradeoff
from qkit.plots.flips import compose_flips
from qkit.plots.looks import looks
from qkit.plots.style import LITERAL, live_line, named, panel, picture, scale_axis

_BETTER = {  # by which y is better, and which x
    "larger": {"smaller": "↖", "larger": "↗"},
    "smaller": {"smaller": "↙", "larger": "↘"},
}


def _fixed(result, *, picked=None, against=None):
    found = _tradeoff(result)
    crowded = 2 < len(_crowd(found).points) < len(found.points)
    return {"schemes": found.schemes, "crowded": crowded, "listed": tuple(found.points)}


@picture("Tradeoff", "Comparison", figsize=(10.6, 5), layout="none", fixed=_fixed)
def plot_tradeoff(figure, schemes, crowded=False, x=None, listed=None):
    """Draw schemes by two quantities, with intervals, and mark the Pareto front.

    A scheme is on the front where no other is as good in both and better in one. As most of them
    differ by less than their intervals, the front says which to look at first, not which is best.
    A panel of their own spreads out three or more schemes within 15 % of the smallest x.

    Parameters
    ----------
    result : Tradeoff or Comparison, of which it is accuracy against the size of the file
    picked, against : str, optional, schemes to point out
    """
    # a part each: what changes in one leaves the others as they are drawn
    left, places = 0.71 if x is None else 0.59, [(0.145, 0.84)]
    if crowded:
        left, places = 0.76, [(0.1, 0.39), (0.6, 0.39)]
    grid = figure.add_gridspec(2, 2, width_ratios=(left, 1 - left), height_ratios=(0.4, 0.6))
    parts = [grid[:, 0], grid[:, 1]] if x is None else [grid[:, 0], grid[0, 1], grid[1, 1]]
    points, names, *flips = (figure.add_subfigure(at, facecolor="white") for at in parts)
    axes = [points.add_axes((at, 0.13, width, 0.78)) for at, width in places]
    titles = "filled: on the Pareto front. Better: {}", "the smallest, spread out"
    panels = [_points_panel(ax, schemes, title) for ax, title in zip(axes, titles, strict=False)]
    legend = names.add_axes((0.03, 0.13, 0.96, 0.78) if x is None else (0.03, 0.0, 0.96, 0.9))
    show_names = _names_panel(legend, schemes, listed or schemes, columns=2 if flips else 1)
    show_flips = compose_flips(flips[0].add_axes((0, 0.03, 1, 0.95)), x) if flips else None

    def update(result, picked=None, against=None, paired=None):
        found = _tradeoff(result)
        if found is not result:
            n = next(iter(result.accuracies.values())).n
            said = f"{n:,} test images\nof {result.data_name}"
            legend.set_title(said, fontsize=10, loc="left", **LITERAL)
        for show, part in zip(panels, (found, _crowd(found)), strict=False):
            show(part, picked, against)
        show_names(found.points)
        if show_flips:
            show_flips(paired, against)

    return update


def _tradeoff(result):
    return result if isinstance(result, Tradeoff) else tradeoff(result)


def _crowd(found):
    """Return the part of a trade-off that is near its smallest x, where points run together."""
    smallest = min(x for (x, *_), _ in found.points.values())
    points = {k: at for k, at in found.points.items() if at[0][0] <= 1.15 * smallest}
    return replace(found, points=points, front=tuple(k for k in found.front if k in points))


def _points_panel(ax, schemes, title):
    """Lay out an Axes for points, intervals and the front; return what draws a trade-off in it."""
    panel(ax, grid="both")
    # what follows the axes changes seldom; only what points a scheme out is animated
    (front,) = ax.plot([], [], color="0.82", lw=5, zorder=1, drawstyle="steps-post")
    bars = ax.add_collection(LineCollection([], lw=1.6, zorder=2), autolim=False)
    dots = {}
    for name, (colour, marker) in looks(schemes).items():
        look = {"color": colour, "marker": marker, "ls": "none", "ms": 8.5, "mew": 1.6, "zorder": 3}
        (dots[name],) = ax.plot([], [], label=name, **look)
    pointers = [_pointer(ax, *look) for look in (("o", 19, "bold", 1), ("s", 18, "normal", -1))]

    @lru_cache(maxsize=1)  # the same once more is drawn already
    def draw(found):
        """Return by scheme where it is drawn: x, y, and the ends of y's interval."""
        across, along = np.swapaxes([*found.points.values()], 0, 1)  # scheme, (value, low, high)
        _fit_axis(ax.xaxis, across, found.x)
        _fit_axis(ax.yaxis, along, found.y)
        xs, ys = _side_by_side(across[:, 0], ax.xaxis), along[:, 0]
        moved = across + (xs - across[:, 0])[:, None]
        upright = [[(x, low), (x, high)] for x, (_, low, high) in zip(xs, along, strict=True)]
        flat = [[(low, y), (high, y)] for y, (_, low, high) in zip(ys, moved, strict=True)]
        bars.set_segments(upright + flat)
        bars.set_color([dots[name].get_color() for name in found.points] * 2)
        places = dict(zip(found.points, np.column_stack([xs, along]), strict=True))
        for name, dot in dots.items():
            dot.set_data(*np.reshape(places.get(name, ()), (-1, 4)).T[:2])
            dot.set_markerfacecolor(dot.get_color() if name in found.front else "white")
        # from edge to edge, it bounds what is reached
        xs, ys = np.reshape([places[name][:2] for name in found.front], (-1, 2)).T
        x_edge = ax.get_xlim()[found.x.better == "smaller"]
        y_edge = ax.get_ylim()[found.y.better == "smaller"]
        front.set_data([*xs[:1], *xs, x_edge], [y_edge, *ys, *ys[-1:]])
        better = _BETTER[found.y.better][found.x.better]
        ax.set_title(title.format(better), fontsize=10, loc="left")
        return places

    def update(found, picked, against):
        places = draw(found)
        names = picked, None if against == picked else against
        for point_out, name in zip(pointers, names, strict=True):
            point_out(name, places.get(name))

    return update


def _pointer(ax, shape, size, weight, up):
    """Return what frames the marker at a place, and names it above or below its interval."""
    ring = live_line(ax, shape, ms=size, mfc="none", mec="0.2", mew=1.4)
    look = {"va": "center", "fontsize": 10, "weight": weight, "zorder": 4, "animated": True}
    look |= LITERAL
    look["bbox"] = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8}
    label = ax.annotate("", (0, 0), (0, 0), textcoords="offset points", **look)

    def point_out(name, place):
        ring.set_visible(place is not None)
        label.set_visible(place is not None)
        if place is None:
            return
        ring.set_data(*np.transpose([place[:2]]))
        label.xy = place[0], place[3 if up > 0 else 2]  # beyond it the axis has a margin
        across, _ = ax.transAxes.inverted().transform(ax.transData.transform(label.xy))
        aligned = ("left", "center", "right")[np.digitize(across, (0.3, 0.7))]
        label.set(text=named(name), position=(0, 15 * up), ha=aligned)

    return point_out


def _fit_axis(axis, values, quantity):
    """Fit an axis to values and intervals, with a margin."""
    scale_axis(axis, values.min(), values.max())
    scale = axis.get_transform()
    ends = scale.transform(np.array([values.min(), values.max()]))
    pad = 0.09 * np.ptp(ends) or 0.05 * abs(ends[0]) or 1
    axis.axes.set(**{f"{axis.axis_name}lim": scale.inverted().transform(np.add(ends, (-pad, pad)))})
    uncertain = (values[:, 1] != values[:, 2]).any()
    words = quantity.name + ", with 95 % interval" * bool(uncertain)
    axis.set_label_text(words, **LITERAL)


def _side_by_side(xs, axis):
    """Move schemes of the same x apart, within a marker's width, and not up to the next scheme."""
    scale = axis.get_transform()
    xs, ends = scale.transform(xs), scale.transform(axis.get_view_interval())
    distinct, moved = np.unique(xs), xs.copy()
    for value in distinct:
        (twins,) = np.nonzero(xs == value)
        to_others = np.abs(distinct[distinct != value] - value)
        room = min([0.02 * np.ptp(ends), *to_others]) / len(twins)
        moved[twins] += room * (np.arange(len(twins)) - (len(twins) - 1) / 2)
    return scale.inverted().transform(moved)


def _names_panel(ax, schemes, listed, columns):
    """Draw the legend; return what turns the names that are not shown pale."""
    rows = -(-len(listed) // columns)
    ax.set(xlim=(0, columns), ylim=(max(rows, 7) - 0.5, -0.5))
    ax.axis("off")
    dots, texts, own = [], [], looks(schemes)
    for i, name in enumerate(listed):
        column, row = divmod(i, rows)
        colour, marker = own[name]
        dots += ax.plot(column + 0.04 * columns, row, marker=marker, color=colour, ms=8)
        texts.append(ax.text(column + 0.08 * columns, row, named(name), va="center", **LITERAL))
    widest = max(text.get_window_extent().width / text.get_fontsize() for text in texts)
    room = 0.9 * (1 / columns - 0.09) * ax.bbox.width  # small letters are widened
    for text in texts:
        text.set_fontsize(np.clip(room / widest, 5, 9.5))

    def update(shown):
        for artist, name in zip(dots + texts, [*listed] * 2, strict=True):
            alpha = 1 if name in shown else 0.25
            if artist.get_alpha() != alpha:  # else all would be drawn anew
                artist.set_alpha(alpha)

    return update
