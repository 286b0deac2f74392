"""Explorer of one digit: drawn by hand or taken from the test images, answered side by side."""

import ipywidgets as ipw
import numpy as np

from qkit import validate
from qkit.evaluate.digit import open_classifiers
from qkit.plots.digit import plot_digit_answers
from qkit.widgets.canvas import drawing_canvas
from qkit.widgets.drawing import SIDE, disturb, like_mnist, rasterise, shrink
from qkit.widgets.explorer import Explorer, choice

_FIRST = ("float32", "full_integer", "int16_activations")
_TEST, _DRAWN = "test image", "drawing"
_NO_CANVAS = (
    "To draw with the mouse, install anywidget: <code>pip install anywidget</code>; then restart "
    "Jupyter and this notebook's kernel."
)


def explore_digit(models, x):
    """Explore what models answer to a digit that you draw, or to a test image.

    Parameters
    ----------
    models : mapping of str to bytes
        .tflite files by name, for example ``comparison.models``. float32, full_integer and
        int16_activations are shown first where they are all there; otherwise all.
    x : ndarray of shape (n, 28, 28), float, in [0, 1]
        Test images to choose from: bright strokes, dark ground, as MNIST has them.

    Returns
    -------
    Explorer
        To draw, the package anywidget must be installed; without it there are the test images.
    """
    x = validate.images(x, (SIDE, SIDE), what="explore_digit: x")
    if x.min() < 0 or x.max() > 1:
        raise ValueError(
            f"explore_digit: x must hold values from 0 to 1, got {x.min():g} to {x.max():g}. "
            "Divide unscaled pixels by 255."
        )
    ask = open_classifiers(models)
    first = _FIRST if set(_FIRST) <= set(models) else tuple(models)
    controls = {
        "models": ipw.SelectMultiple(
            options=list(models), value=first, rows=min(len(models), 6), description="model"
        ),
        **_sources(len(x)),
        "right": ipw.IntSlider(0, -10, 10, description="shift right, pixels"),
        "down": ipw.IntSlider(0, -10, 10, description="shift down, pixels"),
        "turn": ipw.IntSlider(0, -180, 180, description="turn, degrees"),
        "noise": ipw.FloatSlider(0, min=0, max=0.6, step=0.02, description="noise, SD"),
    }
    (_, scores), *_ = ask(np.zeros((SIDE, SIDE), np.float32)).probabilities.items()
    figure, update = plot_digit_answers.live(
        names=list(models), classes=scores.size, shape=(SIDE, SIDE)
    )

    def answer(models, image, right, down, turn, noise, source=_TEST, drawing=None, centred=False):
        seen = x[image]
        if source == _DRAWN:
            ink = rasterise(drawing.strokes)
            seen = like_mnist(ink) if centred else shrink(ink)
        seen = disturb(seen, right=right, down=down, turn=turn, noise=noise)
        if not models:
            update(None, seen)
            return "No model is chosen: choose one or more."
        found = ask(seen, names=models)
        update(found, seen)
        blankness = "" if seen.any() else "The image is blank, and no class stands for that. "
        return f"{blankness}{found.summary()}"

    explorer = Explorer(
        controls,
        figure,
        answer,
        alt="The image; bars of each model's probability for each class; differences between them.",
        extras=() if "drawing" in controls else (ipw.HTML(_NO_CANVAS),),
    )
    if "drawing" in controls:  # the sheet is as tall as all others together
        others = [control for name, control in controls.items() if name != "drawing"]
        explorer.children[0].children = [controls["drawing"], ipw.VBox(others)]
    return explorer


def _sources(count):
    """Return the controls that choose an image; what is touched last is what is shown."""
    image = ipw.IntSlider(0, 0, count - 1, description=_TEST)
    try:
        canvas = drawing_canvas(_DRAWN)
    except ImportError:
        return {"image": image}
    source = choice([_TEST, _DRAWN], "source")
    # before the explorer's own observers, so that it answers to the new source
    image.observe(lambda change: setattr(source, "value", _TEST), names="value")
    canvas.observe(lambda change: setattr(source, "value", _DRAWN), names="value")
    box = ipw.Checkbox(True, description="drawing scaled and centred as in MNIST")
    return {"source": source, "image": image, "drawing": canvas, "centred": box}
