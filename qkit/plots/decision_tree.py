"""Picture of the official decision tree, with one way through it lit."""

import matplotlib.pyplot as plt
from matplotlib.collections import LineCollection, PolyCollection

from qkit.evaluate.decision_tree import TREE, size_cut
from qkit.evaluate.report import NEEDED
from qkit.plots.style import FLOAT
from qkit.toolchain.schemes import SCHEMES

FIGSIZE = (10.6, 5.4)
# one unit across is about an inch, one unit down is a row
_QUESTION, _SCHEME = (0.0, 2.75), (3.45, 1.75)  # left edge and width of the boxes
_GUIDE, _MEASURED, _RIGHT = 5.35, 8.2, 10.6  # where the columns of words begin and end
_TALL = 0.56
# Each question has one answer that ends at a scheme, in its own row; the last has two.
_ENDS = [
    (name, answer, question.yes if answer else question.no)
    for name, question in TREE.items()
    for answer in (True, False)
    if (question.yes if answer else question.no) not in TREE
]


def compose_decision_tree(figure, comparison=None):
    """Draw the tree, and beside each scheme what the guide says and what was measured.

    Parameters
    ----------
    figure : matplotlib Figure
    comparison : Comparison, optional

    Returns
    -------
    callable
        ``update(decision)`` lights its path and pales what is off it.
    """
    ax = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    ax.set(xlim=(-0.05, _RIGHT if comparison else _MEASURED), ylim=(len(_ENDS) - 0.5, -1))
    ax.axis("off")
    _draw_tree(ax)
    _draw_words(ax, comparison)
    veil = PolyCollection([], fc="white", alpha=0.72, lw=0, zorder=4, animated=True)
    lit = LineCollection([], color=FLOAT, lw=3.5, zorder=5, animated=True)
    frames = PolyCollection([], fc="none", ec=FLOAT, lw=3, zorder=6, animated=True)
    for collection in (veil, lit, frames):
        ax.add_collection(collection, autolim=False)

    def update(decision):
        *_, last = decision.path.items()
        end = _ENDS.index((*last, decision.scheme))
        lit.set_segments([_edge(name, yes) for name, yes in decision.path.items()])
        frames.set_verts(
            [_box(row, _QUESTION) for row, name in enumerate(TREE) if name in decision.path]
            + [_box(end, _SCHEME)]
        )
        beside = _SCHEME[0], _RIGHT - _SCHEME[0] + 1
        veil.set_verts(
            [_box(row, _QUESTION) for row, name in enumerate(TREE) if name not in decision.path]
            + [_box(row, beside, tall=0.9) for row in range(len(_ENDS)) if row != end]
        )

    return update


def plot_decision_tree(decision, comparison=None, *, figure=None):
    """Draw the official decision tree with the way to one scheme lit.

    Parameters
    ----------
    decision : Decision
    comparison : Comparison, optional
        Its measurements stand beside the schemes.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=FIGSIZE, layout="none")
    compose_decision_tree(figure, comparison)(decision)
    return figure


def _draw_tree(ax):
    for name in TREE:
        for answer in (True, False):
            *start, last = _edge(name, answer)
            ax.plot(*zip(*start, last, strict=True), color="0.55", lw=1.2, zorder=1)
            ax.annotate(
                "", last, start[-1], zorder=1,
                arrowprops={"arrowstyle": "-|>", "color": "0.55", "shrinkA": 0, "shrinkB": 0},
            )  # fmt: skip
            (x, y), (_, below) = start[0], last
            down = below > y
            place = (x + 0.08, y + 0.13) if down else (x + 0.12, y - 0.1)
            ax.text(*place, "yes" if answer else "no", va="center", fontsize=9.5, zorder=3)
    texts = [(row, _QUESTION, question.text) for row, question in enumerate(TREE.values())]
    texts += [(row, _SCHEME, scheme) for row, (*_, scheme) in enumerate(_ENDS)]
    for row, (left, width), text in texts:
        fill = "0.94" if left == _QUESTION[0] else "#DCEBF5"
        ax.add_patch(plt.Polygon(_box(row, (left, width)), fc=fill, ec="0.55", lw=1, zorder=2))
        ax.text(left + width / 2, row, text, ha="center", va="center", fontsize=10, zorder=3)


def _draw_words(ax, comparison):
    ax.text(_GUIDE, -0.68, "the guide says", fontsize=10, weight="bold", va="center")
    if comparison:
        reference = comparison.reference
        words = f"against {reference}, {comparison.accuracies[reference].n:,} images"
        ax.text(_MEASURED, -0.83, "measured here", fontsize=10, weight="bold", va="center")
        ax.text(_MEASURED, -0.55, words, fontsize=9, va="center")
    for row, (*_, scheme) in enumerate(_ENDS):
        ax.text(_GUIDE, row, _promise(SCHEMES[scheme]), va="center", fontsize=9)
        if comparison:
            ax.text(_MEASURED, row, _measured(comparison, scheme), va="center", fontsize=9)


def _promise(scheme):
    if scheme.name == "float32":
        return "the model as it is"
    if scheme.published_size_cut is None:
        return f"{NEEDED[scheme.needs]};\nno row in its table"
    return (
        f"{NEEDED[scheme.needs]};\n{scheme.published_size_cut} smaller, {scheme.published_accuracy}"
    )


def _measured(comparison, scheme):
    if scheme not in comparison.models:
        return "not measured"
    if scheme == comparison.reference:
        return f"{100 * comparison.accuracies[scheme].accuracy:.2f} % right"
    found, ratio = comparison.paired[scheme], comparison.latency.ratio[scheme]
    return (
        f"{size_cut(comparison, scheme):.1f} % smaller, {ratio:.2f} × the time,\n"
        f"{found.difference_pp:+.2f} points (p = {found.p_value:.2g})"
    )


def _edge(name, answer):
    """Return the corners of the line from a question to what follows its answer."""
    row = list(TREE).index(name)
    follows = TREE[name].yes if answer else TREE[name].no
    left, width = _QUESTION
    if follows in TREE:
        x = left + width / 2
        return [(x, row + _TALL / 2), (x, list(TREE).index(follows) - _TALL / 2)]
    end = _ENDS.index((name, answer, follows))
    if end == row:
        return [(left + width, row), (_SCHEME[0], row)]
    x = left + width / 2
    return [(x, row + _TALL / 2), (x, end), (_SCHEME[0], end)]


def _box(row, across, tall=_TALL):
    """Return the corners of a box in a row; `across` is its left edge and its width."""
    left, width = across
    top, bottom = row - tall / 2, row + tall / 2
    return [(left, top), (left + width, top), (left + width, bottom), (left, bottom)]
