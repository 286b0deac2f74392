"""Explorer of one digit: drawn by hand or taken from the test images, answered side by side."""

import ipywidgets as ipw

from qkit import validate
from qkit.evaluate.digit import open_classifiers
from qkit.plots.digit import plot_digit_answers
from qkit.widgets.controls import choice, yes_no
from qkit.widgets.drawing import SIDE, disturb, drawing_canvas, like_mnist, rasterise, shrink
from qkit.widgets.explorer import Explorer

_FIRST = {"float32", "full_integer", "int16_activations"}
_TEST, _DRAWN = "test image", "drawing"
_NO_CANVAS = (
    "To draw with the mouse, install anywidget: <code>pip install anywidget</code>; then restart "
    "Jupyter and this notebook's kernel."
)


def explore_digit(models, x):
    """Explore what models answer to a digit that you draw, or to a test image.

    Parameters
    ----------
    models : mapping of str to bytes, such as ``comparison.models``; three are shown first, or all
    x : ndarray of shape (n, 28, 28), float, in [0, 1], test images of bright strokes on dark ground

    Returns
    -------
    Explorer
        With a sheet to draw on where the package anywidget is installed.
    """
    x = validate.images(x, (SIDE, SIDE), what="explore_digit: x")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"explore_digit: x must hold values from 0 to 1, got {x.min():g} to {x.max():g}. "
            "Divide unscaled pixels by 255."
        )
    ask = open_classifiers(models)
    names = list(models)
    first = [name for name in names if name in _FIRST or not set(names) >= _FIRST]
    look = {"rows": min(len(names), 6), "description": "model"}
    canvas = drawing_canvas()
    controls = {
        "models": ipw.SelectMultiple(options=names, value=first, **look),
        "source": choice([_TEST, _DRAWN]),
        "image": ipw.IntSlider(0, 0, len(x) - 1, description=_TEST),
        "drawing": canvas,
        "centred": yes_no(True, description="centred as in MNIST"),
        "right": ipw.IntSlider(0, -10, 10, description="shift right, pixels"),
        "down": ipw.IntSlider(0, -10, 10, description="shift down, pixels"),
        "turn": ipw.IntSlider(0, -180, 180, description="turn, degrees"),
        "noise": ipw.FloatSlider(0, min=0, max=0.6, step=0.02, description="noise, SD"),
    }
    classes = ask(x[0]).probabilities[names[0]].size
    figure, update = plot_digit_answers.live(names=names, classes=classes, shape=(SIDE, SIDE))

    def answer(models, image, source=_TEST, drawing=None, centred=False, **disturbed):
        seen = x[image]
        if source == _DRAWN:
            seen = (like_mnist if centred else shrink)(rasterise(drawing.strokes))
        seen = disturb(seen, **disturbed)
        found = ask(seen, names=models) if models else None
        update(found, seen)
        if found is None:
            return "No model is chosen: choose one or more."
        blankness = "" if seen.any() else "The image is blank, and no class stands for that. "
        return f"{blankness}{found.summary()}"

    alt = "The image; bars of each model's probability for each class; differences between them."
    if canvas is None:
        left = {k: v for k, v in controls.items() if k not in ("source", "drawing", "centred")}
        explorer = Explorer(left, figure, answer, alt=alt)
        explorer.children += (ipw.HTML(_NO_CANVAS),)
        return explorer
    # what is touched last is what is shown
    leads = {"image": lambda new: {"source": _TEST}, "drawing": lambda new: {"source": _DRAWN}}
    explorer = Explorer(controls, figure, answer, alt=alt, leads=leads)
    columns, *shown = explorer.children
    columns.children = [control for control in columns.children if control is not canvas]
    # the sheet is as tall as all others together
    explorer.children = [ipw.HBox([canvas, columns], layout={"grid_gap": "1.5em"}), *shown]
    return explorer
