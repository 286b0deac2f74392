"""The break-it lab: files that something is wrong with, to be examined and repaired."""

from functools import lru_cache, partial

import ipywidgets as ipw

from qkit.evaluate.mistakes import COMPLAINTS, DIAGNOSES, PATIENTS, examine, repaired
from qkit.evaluate.significance import paired
from qkit.networks import network
from qkit.plots.mistakes import plot_mistake, require_image
from qkit.widgets.controls import yes_no
from qkit.widgets.effects import part
from qkit.widgets.explorer import Explorer


def explore_mistakes(model, data, *, images=1000):
    """Find out what is wrong with five int8 files of your own model, and repair them.

    The repair is applied for real, also where it does not help.

    Parameters
    ----------
    model : tf.keras.Model, a trained Keras 2 classifier of images on 0 to 1
    data : Dataset
    images : int, test images to measure on

    Returns
    -------
    Explorer
    """
    network(model, what="explore_mistakes")
    look = lru_cache(partial(examine, model, data, images=images))
    controls = {
        "patient": ipw.ToggleButtons(options=list(PATIENTS), style={"button_width": "auto"}),
        "diagnosis": ipw.RadioButtons(options=list(DIAGNOSES), layout={"width": "max-content"}),
        "repair": yes_no(False),
    }
    shape = part(data, "x_test", what="explore_mistakes").shape[1:]
    shape = require_image(shape, what="explore_mistakes")
    figure, update = plot_mistake.live(shape=shape)

    def answer(patient, diagnosis, repair):
        recipe = PATIENTS[patient]
        asked = recipe, repaired(recipe, diagnosis) if repair else None
        return f"Patient {patient}: “{COMPLAINTS[patient]}”", asked

    return Explorer(
        controls, figure, answer,
        alt="Right answers in float, as found and repaired; a test image on the input's grid; the "
        "grid of the logits.",
        compute=lambda recipes: [recipe and look(recipe) for recipe in recipes],
        draw=lambda looks: update(*(looks or [None])), say=lambda looks: _said(*looks),
        leads={"patient": lambda patient: {"repair": False}},  # each comes in as found
    )  # fmt: skip


def _said(found, after):
    """Say the symptoms, and what the repair did."""
    said = f"As found: {found.summary()}"
    if after is None:
        return said
    if after is found:
        return f"{said} Repaired: nothing, that was right already. Look for another cause."
    right = f"{100 * after.accuracy.accuracy:.1f} % right"
    if after.float_operators < found.float_operators:
        left = f"{after.float_operators or 'no'} operators are left in float"
        return f"{said} Repaired: {left}, input {after.input_dtype}; {right}."
    changed = paired(found.accuracy, after.accuracy)
    return (
        f"{said} Repaired: {100 * found.accuracy.accuracy:.1f} % → {right}, {changed.summary()}. "
        f"That was {'' if changed.better else 'not '}it."
    )
