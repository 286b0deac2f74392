"""Picture of the official decision tree, with one way through it lit."""

from matplotlib.markers import CARETDOWN, CARETRIGHT

from qkit.evaluate.decision_tree import TREE
from qkit.evaluate.report import NEEDED
from qkit.evaluate.significance import p_said
from qkit.plots.style import FLOAT, LITERAL, live_areas, live_segments, picture
from qkit.toolchain.schemes import SCHEMES

# One unit across is about an inch, one unit down is a row.
_QUESTION, _SCHEME = (0.0, 2.75), (3.45, 1.75)  # left edge and width of the boxes
_GUIDE, _MEASURED, _RIGHT = 5.35, 8.2, 10.6  # where the columns of words begin and end
_TALL = 0.56
_ROWS = {name: row for row, name in enumerate(TREE)}
_FOLLOWS = {
    (name, yes): q.yes if yes else q.no for name, q in TREE.items() for yes in (True, False)
}
# Each question has one answer that ends at a scheme, in its own row; the last has two.
_ENDS = [answer for answer, follows in _FOLLOWS.items() if follows not in TREE]


@picture(figsize=(10.6, 5.4), layout="none")
def plot_decision_tree(figure, comparison=None):
    """Draw the tree with a Decision's way lit; beside it the guide's words and measurements."""
    ax = figure.add_axes((0.01, 0.01, 0.98, 0.98))
    ax.set(xlim=(-0.05, _RIGHT if comparison else _MEASURED), ylim=(len(_ENDS) - 0.5, -1))
    ax.axis("off")
    for name, yes in _FOLLOWS:
        (x, y), *_, (right, below) = corners = _edge(name, yes)
        head = CARETRIGHT if right > x else CARETDOWN
        ax.plot(*zip(*corners, strict=True), color="0.55", lw=1.2, marker=head, markevery=[-1])
        place = (x + 0.08, y + 0.13) if below > y else (x + 0.12, y - 0.1)
        ax.text(*place, "yes" if yes else "no", va="center", fontsize=9.5)
    schemes = [_FOLLOWS[end] for end in _ENDS]
    boxes = [(row, _QUESTION, "0.94", question.text) for row, question in enumerate(TREE.values())]
    boxes += [(row, _SCHEME, "#DCEBF5", scheme) for row, scheme in enumerate(schemes)]
    for row, (left, width), colour, text in boxes:
        ax.barh(row, width, _TALL, left, fc=colour, ec="0.55", lw=1)
        ax.text(left + width / 2, row, text, ha="center", va="center", fontsize=10, **LITERAL)
    _write(ax, _GUIDE, "the guide says", map(_promise, schemes))
    if comparison:
        n = comparison.accuracies[comparison.reference].n
        head = f"measured here, against\n{comparison.reference}, {n:,} images"
        _write(ax, _MEASURED, head, (_measured(comparison, scheme) for scheme in schemes))
    veil = live_areas(ax, fc="white", alpha=0.72, lw=0, zorder=4)
    lit = live_segments(ax, color=FLOAT, lw=3.5, zorder=5)
    frames = live_areas(ax, fc="none", ec=FLOAT, lw=3, zorder=6)

    def update(decision):
        path = list(decision.path.items())
        end = _ENDS.index(path[-1])
        lit.set_segments([_edge(*answer) for answer in path])
        questions = {name: _box(row, *_QUESTION) for name, row in _ROWS.items()}
        others = [_box(row, _SCHEME[0], _RIGHT, 0.9) for row in range(len(_ENDS)) if row != end]
        frames.set_verts([*(questions.pop(name) for name in decision.path), _box(end, *_SCHEME)])
        veil.set_verts([*questions.values(), *others])

    return update


def _write(ax, x, head, words):
    """Write a column of words, one for each end of the tree."""
    ax.text(x, -0.68, head, fontsize=10, weight="bold", va="center", **LITERAL)
    for row, text in enumerate(words):
        ax.text(x, row, text, va="center", fontsize=9, **LITERAL)


def _promise(name):
    scheme = SCHEMES[name]
    if name == "float32":
        return "the model as it is"
    cut = scheme.published_size_cut
    words = f"{cut} smaller, {scheme.published_accuracy}" if cut else "no row in its table"
    return f"{NEEDED[scheme.needs]};\n{words}"


def _measured(comparison, scheme):
    if scheme not in comparison.accuracies:
        return "not measured"
    if scheme == comparison.reference:
        return f"{100 * comparison.accuracies[scheme].accuracy:.2f} % right"
    found, ratio = comparison.paired[scheme], comparison.latency.ratio[scheme]
    cut = comparison.size_cut(scheme)
    return (
        f"{abs(cut):.1f} % {'larger' if cut < 0 else 'smaller'}, {ratio:.2f} × the time,\n"
        f"{found.difference_pp:+.2f} points ({p_said(found.p_value)})"
    )


def _edge(name, yes):
    """Return the corners of the line from a question to what follows its answer."""
    left, width = _QUESTION
    row, middle, follows = _ROWS[name], left + width / 2, _FOLLOWS[name, yes]
    if follows in TREE:
        return [(middle, row + _TALL / 2), (middle, _ROWS[follows] - _TALL / 2)]
    end = _ENDS.index((name, yes))
    if end == row:
        return [(left + width, row), (_SCHEME[0], row)]
    return [(middle, row + _TALL / 2), (middle, end), (_SCHEME[0], end)]


def _box(row, left, width, tall=_TALL):
    """Return the corners of a box in a row."""
    top, bottom, right = row - tall / 2, row + tall / 2, left + width
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
