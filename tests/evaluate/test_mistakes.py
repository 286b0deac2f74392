"""Five mistakes made for real: what each shows, and that its own repair helps and no other."""

import numpy as np
import pytest

from qkit.evaluate.mistakes import (
    COMPLAINTS,
    DIAGNOSES,
    PATIENTS,
    Recipe,
    examine,
    repaired,
)

pytestmark = pytest.mark.usefixtures("mistakes_on_stored_float")

CURES = {
    "A": "calibrated on pixels that were not divided by 255",
    "B": "the camera's bytes read as int8, not put on the input's grid",
    "C": "no calibration set, and the converter kept silent",
    "D": "trained through the grid, but the ranges never settled",
    "E": "calibrated on images that were divided by 255 twice",
}


@pytest.fixture(scope="module")
def found(trained, digits):
    return {name: examine(trained, digits, recipe) for name, recipe in PATIENTS.items()}


@pytest.fixture(scope="module")
def sound(trained, digits):
    return examine(trained, digits, Recipe())


def test_every_patient_has_words_and_one_cure():
    assert list(PATIENTS) == list(COMPLAINTS) == list(CURES)
    for name, recipe in PATIENTS.items():
        helps = {d for d in DIAGNOSES if repaired(recipe, d).sample_size == recipe.sample_size}
        helps = {d for d in helps if repaired(recipe, d) != recipe}
        assert helps == {CURES[name]}


def test_a_sound_file_answers_as_float_does(sound):
    assert abs(sound.accuracy.accuracy - sound.reference.accuracy) < 0.02
    assert sound.input_dtype == "int8"
    assert sound.float_operators == 0
    assert sound.input_grid == pytest.approx((0, 1))
    assert np.ptp(sound.output_grid) > 0.7 * np.ptp(sound.output_span)


@pytest.mark.parametrize("name", "ABDE")
def test_four_of_them_cost_accuracy(found, sound, name):
    assert found[name].accuracy.interval[1] < sound.accuracy.interval[0]


def test_each_shows_where_the_cause_lies(found):
    assert found["A"].input_grid[1] == pytest.approx(255)
    assert len(np.unique(found["A"].image_on_grid)) <= 2
    assert found["B"].input_grid == pytest.approx((0, 1))
    assert np.abs(found["B"].image_on_grid - found["B"].image).max() > 0.4
    assert found["C"].input_grid is found["C"].output_grid is None
    assert found["C"].float_operators > 0
    assert found["C"].input_dtype == "float32"
    assert found["D"].output_grid == pytest.approx((-6, 6), abs=0.1)
    assert np.ptp(found["D"].image_on_grid) < 1e-3
    assert found["E"].input_grid == pytest.approx((0, 1 / 255), rel=0.01)
    assert found["E"].image_on_grid.max() < 0.01


@pytest.mark.parametrize("name", PATIENTS)
def test_the_right_repair_helps(trained, digits, sound, name):
    after = examine(trained, digits, repaired(PATIENTS[name], CURES[name]))
    assert after.accuracy.accuracy == pytest.approx(sound.accuracy.accuracy, abs=0.03)
    assert after.float_operators == 0


def test_more_images_on_the_wrong_scale_repair_nothing(trained, digits, found):
    after = examine(trained, digits, repaired(PATIENTS["E"], "too few calibration images"))
    assert after.accuracy.accuracy == pytest.approx(found["E"].accuracy.accuracy, abs=0.04)


def test_an_unknown_diagnosis_is_refused():
    with pytest.raises(ValueError, match="must be one of 'calibrated on pixels"):
        repaired(PATIENTS["A"], "bad luck")


def test_symptoms_are_told_in_words_and_in_a_table(found):
    assert "input: grid: 0 to 255" in found["A"].summary()
    assert found["C"].to_frame().loc["input: grid", "found"] == "none, float"
