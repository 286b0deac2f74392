"""The break-it lab: files that something is wrong with, to be examined and repaired."""

from functools import lru_cache, partial

import ipywidgets as ipw

from qkit.evaluate.mistakes import COMPLAINTS, DIAGNOSES, PATIENTS, examine, repaired
from qkit.evaluate.significance import paired
from qkit.networks import network
from qkit.plots.mistakes import plot_mistake
from qkit.widgets.explorer import Explorer


def explore_mistakes(model, data, *, images=1000):
    """Find out what is wrong with five int8 files of your own model, and repair them.

    Each was made by a mistake that users of the tools report again and again. The repair is
    applied for real, also where it does not help.

    Parameters
    ----------
    model : tf.keras.Model
        A trained Keras 2 classifier of images on 0 to 1.
    data : Dataset
    images : int
        Test images to measure on.

    Returns
    -------
    Explorer
    """
    network(model, what="explore_mistakes")
    look = lru_cache(partial(examine, model, data, images=images))
    controls = {
        "patient": ipw.ToggleButtons(
            options=list(PATIENTS), description="patient", style={"button_width": "auto"}
        ),
        "diagnosis": ipw.RadioButtons(
            options=list(DIAGNOSES), description="diagnosis", layout={"width": "max-content"}
        ),
        "repair": ipw.ToggleButton(False, description="repair", icon="wrench"),
    }
    # each patient comes in as found
    controls["patient"].observe(
        lambda change: controls["repair"].set_trait("value", False), "value"
    )
    figure, update = plot_mistake.live(shape=data.x_test.shape[1:3])

    def compute(patient, diagnosis, repair):
        recipe = PATIENTS[patient]
        after = repaired(recipe, diagnosis) if repair else None
        return look(recipe), after and look(after), after == recipe

    def settle(result):
        if result is None:
            return update(None)
        found, after, unchanged = result
        update(found, after)
        return f"As found: {found.summary()} {_outcome(found, after, unchanged)}".strip()

    return Explorer(
        controls,
        figure,
        lambda patient, **others: f"Patient {patient}: “{COMPLAINTS[patient]}”",
        alt="Right answers in float, as found and repaired; a test image on the input's grid; the "
        "grid of the logits.",
        compute=compute,
        settle=settle,
    )


def _outcome(found, after, unchanged):
    """Say what the repair did."""
    if after is None:
        return ""
    if unchanged:
        return "Repaired: nothing, that was right already. Look for another cause."
    right = f"{100 * after.accuracy.accuracy:.1f} % right"
    if after.float_operators < found.float_operators:
        left = after.float_operators or "no"
        return f"Repaired: {left} operators are left in float, input {after.input_dtype}; {right}."
    changed = paired(found.accuracy, after.accuracy)
    cured = changed.p_value < 0.05 and changed.difference_pp > 0
    return (
        f"Repaired: {100 * found.accuracy.accuracy:.1f} % → {right}, {changed.summary()}. "
        f"That was {'' if cured else 'not '}it."
    )
