"""The break-it lab: every patient, every diagnosis, before the repair and after."""

import matplotlib.pyplot as plt
import pytest

import qkit as qk
from qkit.evaluate import mistakes

pytestmark = pytest.mark.usefixtures("mistakes_on_stored_float")


@pytest.fixture(scope="module")
def lab(trained, digits):
    return qk.explore_mistakes(trained, digits, images=200)


def at(lab, **values):
    for name, value in values.items():
        lab.controls[name].value = value
    lab.wait()
    return lab.readout


@pytest.mark.slow
def test_every_patient_under_every_diagnosis(lab):
    before = plt.get_fignums()
    for patient in [*mistakes.PATIENTS][::-1]:
        found = at(lab, patient=patient)
        assert not lab.controls["repair"].value
        assert mistakes.COMPLAINTS[patient] in found
        assert "Repaired" not in found
        recipe = mistakes.PATIENTS[patient]
        seen = lab.png()
        # what is not changed costs no time; the decoys convert anew, and are tried on one
        for diagnosis in list(mistakes.DIAGNOSES)[: None if patient == "A" else 5]:
            text = at(lab, repair=True, diagnosis=diagnosis)
            changed = mistakes.repaired(recipe, diagnosis) != recipe
            assert ("that was right already" in text) != changed
            assert "Repaired" in text
        assert lab.png() != seen
    assert plt.get_fignums() == before


def test_the_cure_is_recognised_and_a_decoy_is_not(lab):
    text = at(lab, patient="A", repair=True, diagnosis=next(iter(mistakes.DIAGNOSES)))
    assert text.endswith("That was it.")
    assert at(lab, diagnosis="too few calibration images").endswith("That was not it.")


def test_the_silent_converter_is_told_by_its_operators(lab):
    silent = "no calibration set, and the converter kept silent"
    assert "no operators are left in float, input int8" in at(
        lab, patient="C", repair=True, diagnosis=silent
    )


def test_the_still_picture(trained, digits, figures):
    found = mistakes.examine(trained, digits, mistakes.PATIENTS["E"], images=50)
    after = mistakes.examine(trained, digits, mistakes.Recipe(), images=50)
    right = qk.plot_mistake(found, after).axes[0]
    drawn = [line.get_xdata() for line in right.lines[1:6:2]]  # after their intervals
    expected = [found.reference, found.accuracy, after.accuracy]
    assert drawn == [[accuracy.accuracy] for accuracy in expected]


def test_what_was_not_repaired_has_no_empty_row(trained, digits, figures):
    found = mistakes.examine(trained, digits, mistakes.Recipe(), images=50)
    still = qk.plot_mistake(found).axes[0]
    assert [tick.get_text() for tick in still.get_yticklabels()] == ["in float", "as found"]
    figure, update = qk.plot_mistake.live(shape=found.image.shape)
    said = figure.axes[3].texts[-1]
    update(found)
    assert said.get_text() == "not repaired yet"
    update(found, found)
    assert said.get_text() == ""


def test_a_file_is_no_model(toy_tflite, digits):
    with pytest.raises(TypeError):
        qk.explore_mistakes(toy_tflite, digits)
