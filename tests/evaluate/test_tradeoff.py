"""Two quantities of each scheme, and the front of those that no other beats."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkit as qk
from qkit.evaluate import tradeoff
from qkit.evaluate.tradeoff import QUANTITIES, Quantity

ROWS = {
    "float32": (range(20), 80, 10),
    "float16": (range(20), 40, 10),
    "dynamic_range": (range(5, 30), 20, 8),
    "full_integer": (range(40), 21, 5),
    "worse": (range(60), 41, 11),
}


def pareto_front(points, better=("smaller", "larger")):
    """Return the front of points without intervals."""
    axes = (Quantity("", way, None) for way in better)
    bare = {name: [(value,) for value in point] for name, point in points.items()}
    return tradeoff.pareto_front(bare, *axes)


@pytest.fixture(scope="module")
def compared(hand_made):
    return hand_made(ROWS, not_measured={"control_float32": "no control model"})


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("file size, kB", (84.904,) * 3, "84.9 kB"),
        ("file size, kB", (14000.2,) * 3, "14,000 kB"),
        ("latency, µs", (12345.6, 12300.1, 12400.2), "12,346 (12,300 to 12,400) µs"),
    ],
)
def test_large_figures_are_said_in_full(name, values, said):
    assert QUANTITIES[name].said(*values) == said


def test_front_of_each_direction():
    points = {"a": (1, 1), "b": (2, 2), "c": (3, 3), "d": (2, 1)}
    assert pareto_front(points) == ["a", "b", "c"]
    assert pareto_front(points, better=("larger", "smaller")) == ["c", "d"]
    assert pareto_front(points, better=("smaller", "smaller")) == ["a"]
    assert pareto_front(points, better=("larger", "larger")) == ["c"]


def test_front_holds_what_nothing_smaller_beats_and_both_of_two_twins():
    points = {"small": (1, 0.90), "worse": (2, 0.89), "as good": (2, 0.90), "best": (3, 0.95)}
    assert pareto_front(points) == ["small", "best"]
    assert pareto_front({**points, "twin": (3, 0.95)}) == ["small", "best", "twin"]
    assert pareto_front({}) == []


@given(
    st.dictionaries(st.integers(), st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12),
    st.tuples(*[st.sampled_from(["smaller", "larger"])] * 2),
)
def test_front_is_what_no_other_point_beats(points, better):
    signs = [1 if way == "smaller" else -1 for way in better]
    costs = {name: (signs[0] * x, signs[1] * y) for name, (x, y) in points.items()}
    expected = {
        name
        for name, (x, y) in costs.items()
        if not any(u <= x and v <= y and (u < x or v < y) for u, v in costs.values())
    }
    front = pareto_front(points, better)
    assert set(front) == expected
    assert [costs[name] for name in front] == sorted(costs[name] for name in front)


@pytest.mark.parametrize(("x", "y"), itertools.product(QUANTITIES, repeat=2))
def test_values_are_those_of_the_comparison(compared, x, y):
    found, frame = qk.tradeoff(compared, x, y), compared.to_frame()
    assert tuple(found.points) == found.schemes == tuple(ROWS)
    columns = {
        "accuracy, %": [100 * frame[f"accuracy{end}"] for end in ("", "_low", "_high")],
        "drop against float32, points": [
            -frame[f"difference{end}_pp"] for end in ("", "_high", "_low")
        ],
        "file size, kB": [frame["size_bytes"] / 1000] * 3,
        "deflated size, kB": [frame["deflated_bytes"] / 1000] * 3,
        "latency, µs": [frame[f"latency{end}_us"] for end in ("", "_low", "_high")],
    }
    for name, point in found.points.items():
        for axis, values in zip((x, y), point, strict=True):
            expected = [column[name] for column in columns[axis]]
            if axis.startswith("drop") and name == "float32":
                expected = [0, 0, 0]  # it does not differ from itself
            assert list(values) == pytest.approx(expected)
    front = pareto_front(
        {name: (px[0], py[0]) for name, (px, py) in found.points.items()},
        (QUANTITIES[x].better, QUANTITIES[y].better),
    )
    assert list(found.front) == front


def test_larger_is_better_for_accuracy_alone():
    assert [name for name, q in QUANTITIES.items() if q.better == "larger"] == ["accuracy, %"]


def test_front_is_that_of_the_schemes_chosen(compared):
    assert qk.tradeoff(compared).front == ("dynamic_range", "float16")
    found = qk.tradeoff(compared, schemes=["float32", "worse"])
    assert found.front == ("worse", "float32")
    assert found.schemes == tuple(ROWS)
    assert qk.tradeoff(compared).beaten_by("full_integer") == ("dynamic_range",)
    assert qk.tradeoff(compared).beaten_by("float16") == ()


def test_line(compared):
    found = qk.tradeoff(compared, "latency, µs")
    assert set(found.front) == {"float32", "float16", "dynamic_range", "full_integer"}
    assert str(found).startswith(
        "no other of 5 schemes beats these in latency and accuracy at once: "
        "full_integer (5 (4.5 to 5.5) µs; 96.00 ("
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": "size"}, "tradeoff: x must be one of 'accuracy, %', 'drop against"),
        ({"y": "speed"}, "tradeoff: y must be one of 'accuracy, %'"),
        ({"schemes": ["int4"]}, "a scheme must be one of 'float32', 'float16'"),
        ({"schemes": ["control_float32"]}, "got 'control_float32'"),
        ({"schemes": []}, "no scheme is left: schemes is empty"),
    ],
)
def test_what_is_not_there_is_told(compared, arguments, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        qk.tradeoff(compared, **arguments)
