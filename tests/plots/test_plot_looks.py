"""One colour and one marker for a scheme, in every picture and whatever else it shows."""

import itertools

import pytest

import qkit as qk
from qkit.plots.looks import look, looks
from qkit.plots.style import mark
from qkit.toolchain.schemes import find_scheme

ROWS = {
    "float32": (range(30), 80, 10),
    "pruned": (range(31), 79, 10),
    "dynamic_range": (range(32), 24, 9),
    "full_integer": (range(40), 25, 8),
    "pruned+full_integer": (range(45), 26, 8),
    "qat": (range(35), 27, 8),
    "int4_gptq": (range(60), 12, 11),
    "my own file": (range(50), 30, 12),
}
ORDERS = {
    "all": [*ROWS],
    "backwards": [*ROWS][::-1],
    "few": ["qat", "float32", "full_integer"],
    "without the first": [*ROWS][1:],
}
SCHEMES = [name for name in ROWS if name != "my own file"]


def combinations():
    """Yield the names of what can be combined: what a model goes through, and how it is then."""
    for pair in itertools.product(qk.SCHEMES, repeat=2):
        name = "+".join(pair)
        try:
            find_scheme(name)
        except ValueError:
            continue
        yield name


def drawn(ax):
    """Return by name the colour and the marker of what has a marker in an Axes, row by row."""
    ticks = [label.get_text() for label in ax.get_yticklabels()]
    marks = [line for line in ax.lines if line.get_marker() not in ("None", "|")]
    return {ticks[round(float(m.get_ydata()[0]))]: (m.get_color(), m.get_marker()) for m in marks}


def of_tradeoff(comparison, names):
    ax = qk.plot_tradeoff(qk.tradeoff(comparison, schemes=names)).axes[0]
    dots = [line for line in ax.lines if line.get_label() in names and len(line.get_xdata())]
    return {dot.get_label(): (dot.get_color(), dot.get_marker()) for dot in dots}


def of_explorer(comparison, names):
    explorer = qk.explore_schemes(comparison)
    explorer.controls["schemes"].value = names
    ax = explorer._live._figure.axes[0]
    dots = [line for line in ax.lines if line.get_label() in names and len(line.get_xdata())]
    return {dot.get_label(): (dot.get_color(), dot.get_marker()) for dot in dots}


def of_legend(comparison, names):
    legend = qk.plot_tradeoff(qk.tradeoff(comparison, schemes=names)).axes[-1]
    pairs = zip(legend.texts, legend.lines, strict=True)
    return {text.get_text(): (dot.get_color(), dot.get_marker()) for text, dot in pairs}


def of_rows(comparison, names):
    found = qk.plot_scheme_rows(qk.tradeoff(comparison, schemes=names))
    return drawn(found.axes[0])


def of_accuracies(comparison, names):
    return drawn(qk.plot_accuracies({k: comparison.accuracies[k] for k in names}))


def of_latencies(comparison, names):
    return drawn(qk.plot_latencies(comparison))


def of_digit(comparison, names):
    figure, _ = qk.plot_digit_answers.live(names=names, classes=10, shape=(4, 4))
    (words,) = (ax for ax in figure.axes if not ax.axison)
    texts = [text.get_text() for text in words.texts if text.get_text() in names]
    return dict(zip(texts, [(m.get_color(), m.get_marker()) for m in words.lines], strict=True))


@pytest.mark.parametrize("names", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize(
    "picture",
    [of_tradeoff, of_legend, of_explorer, of_rows, of_accuracies, of_latencies, of_digit],
)
def test_a_scheme_looks_alike_in_every_picture_and_order(hand_made, picture, names):
    comparison = hand_made({name: ROWS[name] for name in dict.fromkeys([*names, *ROWS])})
    found = picture(comparison, names)
    assert set(names) <= set(found)
    for name in set(names).intersection(SCHEMES):
        assert found[name] == look(name), name
    assert len({*found.values()}) == len(found)


def test_no_two_schemes_look_alike():
    # but for combinations of 4 bits and fewer, whose shapes begin anew
    rare = {name for name in combinations() if find_scheme(name).weights in ("int4", "int2")}
    as_it_is = {name for name in combinations() if name.endswith(("+float32", "qat+full_integer"))}
    names = {*qk.SCHEMES, *combinations()} - rare - as_it_is
    assert len({look(name) for name in names}) == len(names) > 50
    assert all(look(name) for name in rare)
    assert all(look(name) == look(name.partition("+")[0]) for name in as_it_is)


def test_what_differs_in_colour_differs_in_its_marker_too():
    common = "float32", "float16", "dynamic_range", "full_integer", "int16_activations", "qat"
    for part in zip(*map(look, (*common, "int4")), strict=True):
        assert len({*part}) == 7


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("pruned+full_integer", "full_integer"),
        ("clustered+dynamic_range", "dynamic_range"),
        ("pruned", "float32"),
        ("pqat", "qat"),
        ("pcqat+full_integer_int8_io", "qat"),
        ("pruned+int4_mse", "int4"),
    ],
)
def test_a_variant_has_the_colour_of_its_base(name, base):
    assert look(name)[0] == look(base)[0]
    assert look(name)[1] != look(base)[1]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("int8", "full_integer"),
        ("int16", "int16_activations"),
        ("pruned, int8", "pruned+full_integer"),
    ],
)
def test_short_words_mean_the_scheme(words, name):
    assert look(words) == look(name)


def test_what_is_no_scheme_takes_what_schemes_leave():
    assert look("before") is None
    assert looks(["before", "after"]) == {"before": mark(0), "after": mark(1)}
    found = looks(["after", "float32", "qat", "before"])
    assert found["qat"] == look("qat")
    assert len({colour for colour, _ in found.values()}) == 4
    many = looks([*"abcdefgh", *qk.SCHEMES])
    assert len({*many.values()}) == len(many)
    assert len(looks([f"row {n}" for n in range(200)])) == 200
