"""A .tflite file drawn as a network: operators as boxes, what passes between them as lines."""

from collections import defaultdict
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path
from scipy.optimize import linprog
from scipy.sparse import block_array, coo_array, eye_array

from qkit.plots import style
from qkit.plots.style import documented
from qkit.tflite.file import layer_name

# By whether there are few: inches of a box, to the side and down, and down from box to box.
_SIZES = {True: (2.1, 0.46, 0.76), False: (2.95, 0.2, 0.42)}
_FEW, _MANY = 60, 1000  # boxes up to which each has three lines of text, and one
_BESIDE = 0.35  # inches that a line takes where it passes by boxes
_POINTS = 7  # of the texts
_SWEEPS = 12


@documented("TfliteFile")
def plot_graph(file, *, ax=None):
    """Draw a network from top to bottom, each operator with its output and its MACs.

    A line is a tensor on its way, and has its dtype's colour; constants are not drawn. The graph is
    the main one: what loops and branches call is not. From 61 operators on boxes are a line high.

    Parameters
    ----------
    file : TfliteFile of up to 1,000 operators in the main graph
    """
    texts, edges = _boxes(file)
    if len(texts) > _MANY:
        raise ValueError(
            f"plot_graph: the file has {len(texts):,} operators, inputs and outputs, and {_MANY:,} "
            "can be told apart at most. Read file.operator_table, or look at it in Model Explorer: "
            "file.to_model_explorer(folder)."
        )
    few = len(texts) <= _FEW
    width, height, down = _SIZES[few]
    places, bends = _laid_out(len(texts), edges, width, down)
    ax, points = _room(ax, places, np.array([width, height]))
    for place, (is_end, *lines) in zip(places, texts, strict=True):
        look = {"fc": "0.93" if is_end else "white", "ec": "0.35", "lw": 0.8, "zorder": 2}
        shape = f"round,pad=0,rounding_size={height / 2 if is_end else 0.05}"
        corner = place - np.array([width / 2 - 0.08, height / 2])
        ax.add_patch(FancyBboxPatch(corner, width - 0.16, height, boxstyle=shape, **look))
        lines = lines if few else ["  ".join(lines)]
        said = "\n".join(style.fitting(line, width - 0.28, points=_POINTS) for line in lines)
        look = {"size": points, "ha": "center", "va": "center", "zorder": 3, "linespacing": 1.15}
        ax.text(*place, said, **look, **style.LITERAL)
    half = np.array([0, height / 2])
    for (start, end, tensor), passed in zip(edges, bends, strict=True):
        straight = (point for place in passed for point in (place + half, place - half))
        line = [places[start] - half, *straight, places[end] + half]
        colour, dashes = style.dtype_look(tensor.dtype)
        look = {"color": colour, "ls": dashes, "lw": 1.6}
        ax.add_patch(PathPatch(_curve(line), fill=False, zorder=1, **look))
        ax.plot([], [], label=tensor.dtype, **look)
    if edges:
        title = "dtype of what passes; MACs: multiply–accumulates"
        style.legend_above(ax, 4, fontsize="small", title=title, title_fontsize="small")
    return ax


def _boxes(file):
    """Return the lines of text of each box, behind whether it is an end; and its edges.

    An edge is the number of the box from which it comes, of that to which it goes, and a tensor.
    """
    operators, edges = file.memory_plan.operators, []
    texts = [(True, layer_name(tensor.name), tensor.form) for tensor in file.inputs]
    made = {tensor: number for number, tensor in enumerate(file.inputs)}
    for number, op in enumerate(operators, len(texts)):
        edges += [(made[t], number, t) for t in dict.fromkeys(op.inputs) if t in made]
        made |= dict.fromkeys(op.outputs, number)
        macs = op.multiply_accumulates
        more = [f"{macs:,} MACs"] if macs else []
        texts.append((False, op.name, *[t.form for t in op.outputs[:1]], *more))
    for tensor in file.outputs:
        edges += [(made[tensor], len(texts), tensor)] if tensor in made else []
        texts.append((True, layer_name(tensor.name), tensor.form))
    return texts, edges


def _laid_out(count, edges, width, down):
    """Return the places of boxes, and of each edge the places where it passes by others.

    E. R. Gansner et al., "A technique for drawing directed graphs", 1993.
    """
    layer = [0] * count
    for start, end, _ in edges:  # by their ends, in order: the longest path
        layer[end] = max(layer[end], layer[start] + 1)
    for start in {start for start, *_ in edges} - {end for _, end, _ in edges}:
        layer[start] = min(layer[end] for other, end, _ in edges if other == start) - 1
    chains, joined = [], []
    for start, end, _ in edges:  # a place on each layer that an edge passes
        passed = range(len(layer), len(layer) + layer[end] - layer[start] - 1)
        layer += range(layer[start] + 1, layer[end])
        chains.append([*passed])
        joined += zip([start, *passed], [*passed, end], strict=True)
    rows = _ordered(layer, joined)
    widths = np.where(np.arange(len(layer)) < count, width, _BESIDE)
    points = np.column_stack([_side_by_side(rows, joined, widths), -down * np.array(layer)])
    return points[:count], [points[chain] for chain in chains]


def _ordered(layer, joined):
    """Return the nodes of each layer, each by the mean position of its neighbours above or below.

    That leaves few edges that cross; a sweep goes down, the next one up.
    """
    rows, near = defaultdict(list), (defaultdict(list), defaultdict(list))
    for upper, lower in joined:
        near[0][lower].append(upper)
        near[1][upper].append(lower)
    for node, depth in enumerate(layer):
        rows[depth].append(node)
    at = {node: i - len(row) / 2 for row in rows.values() for i, node in enumerate(row)}
    for sweep in range(_SWEEPS):
        beside = near[sweep % 2]
        for depth in sorted(rows, reverse=sweep % 2 == 1):
            mean = {n: np.mean([at[o] for o in beside[n] or [n]]) for n in rows[depth]}
            rows[depth].sort(key=mean.get)
            at |= {node: i - len(rows[depth]) / 2 for i, node in enumerate(rows[depth])}
    return rows.values()


def _side_by_side(rows, joined, widths):
    """Return where nodes lie to the side: the edges as short as boxes beside one another let."""
    if not len(widths):
        return widths
    beside = np.array([pair for row in rows for pair in pairwise(row)], int)
    along, apart = (_differences(pairs, len(widths)) for pairs in (joined, beside))
    count, slack = along.shape[0], -eye_array(along.shape[0])  # of an edge: how far it is askew
    limits = block_array([[along, slack], [-along, slack], [apart, None]])
    least = widths[beside.reshape(-1, 2)].mean(axis=1)
    ends = (widths[np.reshape(joined, (-1, 2)).astype(int)] == _BESIDE).sum(axis=1)
    # what passes by boxes is straight, if something is
    cost = np.concatenate([np.zeros(len(widths)), np.array([1, 2, 8])[ends]])
    return linprog(cost, limits, np.concatenate([np.zeros(2 * count), -least])).x[: len(widths)]


def _differences(pairs, count):
    """Return the matrix that takes from the first of each pair of `count` numbers the second."""
    places = np.repeat(np.arange(len(pairs)), 2), np.ravel(pairs).astype(int)
    signs = np.tile([1.0, -1.0], len(pairs))
    return coo_array((signs, places), shape=(len(pairs), count))


def _room(ax, places, box):
    """Return Axes with an inch for a unit, where they may be as large, and the size of texts."""
    low = places.min(axis=0, initial=0) - box / 2 - 0.03
    high = places.max(axis=0, initial=0) + box / 2 + 0.03
    size = high - low
    if ax is None:
        figure = plt.figure(figsize=np.maximum(size + 0.4, [3.5, 1]), layout="constrained")
        ax = figure.add_subplot()
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.axis("off")
    inches = np.array(ax.get_position().size) * ax.figure.get_size_inches()
    return ax, _POINTS * min(1, 1.2 * (inches / size).min())


def _curve(points):
    """Return a path through points that leaves and reaches each of them downwards."""
    corners, codes = [points[0]], [Path.MOVETO]
    for (x, y), (to_x, to_y) in pairwise(points):
        corners += [(x, (y + to_y) / 2), (to_x, (y + to_y) / 2), (to_x, to_y)]
        codes += [Path.CURVE4] * 3
    return Path(corners, codes)
