"""The explorer of a number: typed, dragged, and refused where it is none."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk


@pytest.fixture
def explorer():
    return qk.explore_number()


def test_every_control_answers_with_what_the_arithmetic_gives(explorer):
    controls, pictures = explorer.controls, {explorer.png()}
    assert explorer.readout == qk.nearest_numbers(0.123456789).summary()
    settings = [
        ("value", -3.25, (-3.25, -1, 1, False)),
        ("value", 1e300, (1e300, -1, 1, False)),
        ("value", 5e-324, (5e-324, -1, 1, False)),
        ("drag", 0.3, (0.3, -1, 1, False)),
        ("low", -7.5, (0.3, -7.5, 1, False)),
        ("high", 120.0, (0.3, -7.5, 120, False)),
        ("symmetric", True, (0.3, -7.5, 120, True)),
    ]
    for name, value, (number, low, high, symmetric) in settings:
        controls[name].value = value
        expected = qk.nearest_numbers(number, low, high, symmetric=symmetric)
        assert explorer.readout.endswith(expected.summary()), name
        picture = explorer.png()
        assert picture not in pictures, name
        pictures.add(picture)


def test_typing_and_dragging_take_each_other_along(explorer):
    controls = explorer.controls
    controls["value"].value = -0.75
    assert controls["drag"].value == -0.75
    assert explorer.readout.startswith("value: 0.123457 → -0.75.")
    controls["drag"].value = 1.25
    assert controls["value"].value == 1.25
    controls["value"].value = 50.0  # the slider goes as far as it can, and what was typed stays
    assert controls["drag"].value == controls["drag"].max == 1.5
    assert controls["value"].value == 50
    assert explorer.readout.endswith(qk.nearest_numbers(50).summary())


def test_a_quick_drag_ends_where_the_hand_does(explorer):
    before = plt.get_fignums()
    for value in np.linspace(-1.5, 1.5, 40):
        explorer.controls["drag"].value = value
    assert explorer.readout.endswith(qk.nearest_numbers(1.5).summary())
    assert plt.get_fignums() == before


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["value", "low", "high"])
def test_what_is_not_finite_is_refused_and_the_last_number_stays(explorer, name, bad):
    control, picture = explorer.controls[name], explorer.png()
    good = control.value
    control.value = bad
    assert control.value == good
    assert explorer.readout.startswith(
        f"{control.description}: {bad} is refused, as it must be a finite number; {good:g} stays."
    )
    assert explorer.png() == picture
    control.value = 0.5 if name != "low" else -0.5
    assert "refused" not in explorer.readout


def test_a_browser_that_rounds_to_the_sliders_steps_changes_nothing(explorer):
    controls, readout = explorer.controls, explorer.readout
    controls["drag"].set_state({"value": 0.123})
    assert controls["value"].value == 0.123456789
    assert explorer.readout == readout
    controls["drag"].set_state({"value": 0.1245})  # a step further
    assert controls["value"].value == 0.1245
    controls["drag"].set_state({"value": 0.2999999999999998})
    assert controls["value"].value == controls["drag"].value == 0.3


def test_a_range_in_the_wrong_order_or_too_wide_leaves_the_last_one(explorer):
    last = qk.nearest_numbers(0.123456789).summary()
    explorer.controls["low"].value = 1.0
    assert explorer.readout == (
        "range, low: -1 → 1. The range must be finite, its low end below its high end, got 1.0 to "
        f"1.0. The last range stays. {last}"
    )
    explorer.controls["high"].value = 2.0  # now it is one
    assert explorer.readout.endswith(qk.nearest_numbers(0.123456789, 1, 2).summary())
    explorer.controls["high"].value = 1e39
    assert "too wide" in explorer.readout
    assert explorer.readout.endswith(qk.nearest_numbers(0.123456789, 1, 2).summary())


def test_what_it_starts_with_must_be_a_number_and_a_range():
    with pytest.raises(ValueError, match="got nan"):
        qk.explore_number(math.nan)
    with pytest.raises(ValueError, match="low end below its high end"):
        qk.explore_number(0.5, low=3, high=1)
    explorer = qk.explore_number(40.0, low=-2, high=2)
    assert explorer.controls["drag"].value == 40
