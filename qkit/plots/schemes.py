"""Picture of schemes by any two quantities, with the front, and of the images that flip."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.markers import MarkerStyle
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter
from matplotlib.transforms import IdentityTransform

from qkit.plots.flips import compose_flips
from qkit.plots.style import mark

FIGSIZE, FIGSIZE_IMAGES = (9.2, 4.6), (10.6, 5.4)
_ARROW = {
    ("smaller", "larger"): "↖",
    ("larger", "larger"): "↗",
    ("smaller", "smaller"): "↙",
    ("larger", "smaller"): "↘",
}
_MARGIN = 0.09  # of an axis, beyond the outermost interval
_APART = 0.014  # of an axis, between schemes of the same x
_NAME_PT = (9.5, 9, 8.5, 8, 7.5, 7, 6.5, 6, 5.5, 5)  # of names in the legend: the first that fits


def compose_schemes(figure, schemes, *, x=None):
    """Draw what stays of the picture: the frame, the legend, the places of the images.

    The axes themselves move with the quantities: they are animated as a whole.

    Parameters
    ----------
    figure : matplotlib Figure
    schemes : sequence of str
        All that may be shown; their order gives colours and markers.
    x : ndarray of shape (n, height, width[, channels]), optional
        The test images, values 0 to 1. With them there is a panel for those that flip.

    Returns
    -------
    callable
        ``update(tradeoff, picked=None, against=None, paired=None)``
    """
    # a panel each: what changes in one leaves the others as they are drawn
    left = 0.59 if x is not None else 0.71
    grid = figure.add_gridspec(2, 2, width_ratios=(left, 1 - left), height_ratios=(0.4, 0.6))
    places = [grid[:, 0], grid[:, 1]] if x is None else [grid[:, 0], grid[0, 1], grid[1, 1]]
    points, names, *flips = (figure.add_subfigure(place, facecolor="white") for place in places)
    show_points = _compose_points(points.add_axes((0.145, 0.13, 0.84, 0.78)), schemes)
    legend = names.add_axes((0.03, 0.13, 0.96, 0.78) if x is None else (0.03, 0.0, 0.96, 0.9))
    show_names = _compose_names(legend, schemes, columns=2 if flips else 1)
    show_flips = compose_flips(flips[0].add_axes((0, 0.03, 1, 0.95)), x) if flips else None

    def update(tradeoff, picked=None, against=None, paired=None):
        show_points(tradeoff, picked, against)
        show_names(tradeoff.points)
        if show_flips:
            show_flips(paired, against)

    return update


def plot_schemes(tradeoff, *, picked=None, against=None, figure=None):
    """Draw schemes by two quantities, with intervals, and the Pareto front.

    Parameters
    ----------
    tradeoff : Tradeoff
    picked, against : str, optional
        Schemes to point out.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
        Logarithmic where the largest value is over ten times the smallest.
    """
    figure = figure or plt.figure(figsize=FIGSIZE, layout="none")
    compose_schemes(figure, tradeoff.schemes)(tradeoff, picked, against)
    return figure


def _compose_points(ax, schemes):
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_axisbelow(True)
    ax.grid(alpha=0.3)
    # what follows the axes changes seldom; only what points a scheme out is animated
    (front,) = ax.plot([], [], color="0.82", lw=5, zorder=1)
    bars = ax.add_collection(LineCollection([], lw=1.6, zorder=2), autolim=False)
    dots = PathCollection([], zorder=3, lw=1.6, offset_transform=ax.transData)
    dots.set_transform(IdentityTransform())  # markers are in points
    ax.add_collection(dots, autolim=False)
    pointers = [_pointer(ax, *look) for look in (("o", 19, "bold"), ("s", 18, "normal"))]
    title = ax.set_title("", fontsize=10, loc="left")
    row_of = {name: row for row, name in enumerate(schemes)}
    drawn, places = None, {}

    def draw(tradeoff):
        names = list(tradeoff.points)
        values = np.array([tradeoff.points[name] for name in names])  # scheme, axis, which
        scale = _set_scale(ax.xaxis, values[:, 0], tradeoff.x)
        _set_scale(ax.yaxis, values[:, 1], tradeoff.y)
        xs, ys = _side_by_side(values[:, 0, 0], *scale), values[:, 1, 0]
        moved = (xs - values[:, 0, 0])[:, None]
        upright = np.stack([np.repeat(xs[:, None], 2, axis=1), values[:, 1, 1:]], axis=-1)
        flat = np.stack([values[:, 0, 1:] + moved, np.repeat(ys[:, None], 2, axis=1)], axis=-1)
        bars.set_segments([*upright, *flat])
        colours = [mark(row_of[name])[0] for name in names]
        bars.set_color(colours * 2)
        dots.set_paths([_path(mark(row_of[name])[1]) for name in names])
        dots.set_sizes([72], ax.figure.dpi)
        dots.set_offsets(np.column_stack([xs, ys]))
        dots.set_edgecolor(colours)
        on_front = [name in tradeoff.front for name in names]
        dots.set_facecolor([c if on else "white" for c, on in zip(colours, on_front, strict=True)])
        places.clear()
        places.update(zip(names, zip(xs, ys, strict=True), strict=True))
        front.set_data(*_staircase(tradeoff, places, ax))
        arrow = _ARROW[tradeoff.x.better, tradeoff.y.better]
        title.set_text(f"filled: on the Pareto front. Better: {arrow}")

    def update(tradeoff, picked, against):
        nonlocal drawn
        if tradeoff is not drawn:
            draw(tradeoff)
            drawn = tradeoff
        for pointer, name, up in zip(pointers, (picked, against), (1, -1), strict=True):
            hidden = name not in places or (up < 0 and against == picked)
            _point_out(pointer, None if hidden else name, places.get(name), up, ax)

    return update


def _pointer(ax, shape, size, weight):
    """Return a frame around a scheme's marker and a place for its name."""
    (ring,) = ax.plot([], [], shape, ms=size, mfc="none", mec="0.2", mew=1.4, animated=True)
    label = ax.annotate(
        "", (0, 0), (0, 0), textcoords="offset points", va="center", fontsize=10, weight=weight,
        zorder=4, bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
        animated=True,
    )  # fmt: skip
    return ring, label


def _point_out(pointer, name, place, up, ax):
    """Frame a scheme's marker and name it, away from the edges; no name, no frame."""
    ring, label = pointer
    for artist in pointer:
        artist.set_visible(name is not None)
    if name is None:
        return
    ring.set_data(*[[value] for value in place])
    x, y = ax.transAxes.inverted().transform(ax.transData.transform(place))
    up = -1 if y > 0.86 else 1 if y < 0.14 else up
    label.set_text(name)
    label.xy = place
    label.set_position((0, 20 * up))
    label.set_horizontalalignment("left" if x < 0.2 else "right" if x > 0.8 else "center")


def _path(marker):
    style = MarkerStyle(marker)
    return style.get_path().transformed(style.get_transform())


def _set_scale(axis, values, quantity):
    """Fit an axis to values and intervals; return its limits and whether it is logarithmic."""
    low, high = values.min(), values.max()
    logarithmic = bool(low > 0 and high > 10 * low)
    ax, horizontal = axis.axes, axis.axis_name == "x"
    set_scale = ax.set_xscale if horizontal else ax.set_yscale
    if (axis.get_scale() == "log") != logarithmic:
        set_scale("log" if logarithmic else "linear")
    if logarithmic:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter("{x:g}")
    else:
        axis.set_major_formatter(ScalarFormatter(useOffset=False))
    ends = np.log10([low, high]) if logarithmic else np.array([low, high])
    pad = _MARGIN * (ends[1] - ends[0]) or 0.05 * abs(ends[0]) or 1
    ends = ends + np.array([-pad, pad])
    ends = 10**ends if logarithmic else ends
    (ax.set_xlim if horizontal else ax.set_ylim)(*ends)
    uncertain = (values[:, 1] != values[:, 2]).any()
    axis.set_label_text(quantity.name + (", with 95 % interval" if uncertain else ""))
    return ends, logarithmic


def _side_by_side(xs, ends, logarithmic):
    """Move schemes of the same x a little apart, never as far as the next other scheme."""
    xs, ends = (np.log10(v) if logarithmic else np.asarray(v) for v in (xs, ends))
    distinct, moved = np.unique(xs), xs.copy()
    for value in distinct:
        (twins,) = np.nonzero(xs == value)
        to_others = np.abs(distinct[distinct != value] - value)
        room = min([_APART * (ends[1] - ends[0]), *to_others / len(twins)])
        moved[twins] += room * (np.arange(len(twins)) - (len(twins) - 1) / 2)
    return 10**moved if logarithmic else moved


def _staircase(tradeoff, places, ax):
    """Return the corners of the line that bounds what is reached, from edge to edge."""
    worst = [
        limits[1] if quantity.better == "smaller" else limits[0]
        for quantity, limits in zip(
            (tradeoff.x, tradeoff.y), (ax.get_xlim(), ax.get_ylim()), strict=True
        )
    ]
    corners, y = [], worst[1]
    for name in tradeoff.front:
        corners += [(places[name][0], y), places[name]]
        y = places[name][1]
    return zip(*corners, (worst[0], y), strict=True)


def _compose_names(ax, schemes, columns):
    """Draw the legend; names that are not shown turn pale."""
    rows = -(-len(schemes) // columns)
    ax.set(xlim=(0, columns), ylim=(max(rows, 7) - 0.5, -0.5))
    ax.axis("off")
    entries = {}
    for i, name in enumerate(schemes):
        column, row = divmod(i, rows)
        colour, marker = mark(i)
        (dot,) = ax.plot(column + 0.04 * columns, row, marker, color=colour, ms=8)
        text = ax.text(column + 0.08 * columns, row, name, va="center")
        entries[name] = dot, text
    _fit([text for _, text in entries.values()], (1 / columns - 0.09) * ax.bbox.width)

    def update(shown):
        for name, entry in entries.items():
            alpha = 1 if name in shown else 0.25
            for artist in entry:
                if artist.get_alpha() != alpha:
                    artist.set_alpha(alpha)

    return update


def _fit(texts, room):
    """Make texts as small as the longest must be; measured, as small letters are widened."""
    for size_pt in _NAME_PT:
        for text in texts:
            text.set_fontsize(size_pt)
        if max(text.get_window_extent().width for text in texts) <= room:
            return
