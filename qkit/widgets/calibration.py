"""Explorer of calibration: which images choose the ranges, how many, how, and what that costs."""

import ipywidgets as ipw
import numpy as np
from matplotlib.figure import Figure

from qkit import validate
from qkit.evaluate.calibration_effect import (
    IMAGES,
    OBSERVERS,
    activation_histograms,
    calibration_effect,
)
from qkit.plots.calibration import compose_calibration_effect
from qkit.widgets.explorer import Explorer, choice
from qkit.widgets.subject import subject

_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_BITS = (4, 6, 8, 10, 12, 16)


def explore_calibration(model, data, *, test_images=1000):
    """Explore which images choose the ranges of the activations, and what they do to a network.

    Parameters
    ----------
    model : tf.keras.Model or bytes
        A trained Keras 2 classifier, or its float .tflite file.
    data : Dataset
        Its training images are drawn from, by a fixed seed; its first test images are what clipping
        and accuracy are measured on.
    test_images : int
        How many of them.

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
        If the model or the data are not fit for it.
    """
    tflite, x, _, reference = subject(model, data, test_images, what="explore_calibration")
    seen = activation_histograms(tflite, x)
    train = validate.images(data.x_train, x.shape[1:], what="explore_calibration: data.x_train")
    classes, counts = np.unique(data.y_train, return_counts=True)
    of_class = dict(zip(classes.tolist(), counts.tolist(), strict=True))
    sizes = [(f"{n:,}", n) for n in _SIZES if n <= len(train)]
    controls = {
        "images": choice(IMAGES, "images"),
        "class": choice([(str(label), label) for label in of_class], "class"),
        "sample size": ipw.SelectionSlider(
            options=sizes, value=min(100, sizes[-1][1]), description="sample size"
        ),
        "observer": choice(OBSERVERS, "observer"),
        "activation bits": ipw.SelectionSlider(
            options=[(str(bits), bits) for bits in _BITS], value=8, description="activation bits"
        ),
    }
    figure = Figure(figsize=(10, 4.2), dpi=100, layout="constrained")
    test_ranges = {name: (min(h.low, 0.0), max(h.high, 0.0)) for name, h in seen.items()}
    update = compose_calibration_effect(figure, test_ranges, reference)

    def asked(images, sample_size, **values):
        """Return how many images there are to take, and of which class, if of one."""
        label = values["class"] if images == "one class" else None
        return min(sample_size, of_class.get(label, sample_size)), label

    def answer(**values):
        values = _by_argument(values)
        size, label = asked(**values)
        words = IMAGES[values["images"]] if label is None else f"training images of class {label}"
        words = words.replace("images", "image", 1) if size == 1 else words
        fewer = " (all there are)" if size < values["sample_size"] else ""
        return (
            f"Ranges from {size:,} {words}{fewer}, by {values['observer']}; activations in "
            f"{values['activation_bits']} bits, weights in 8."
        )

    def compute(**values):
        values = _by_argument(values)
        size, label = asked(**values)
        return calibration_effect(
            tflite, data, images=values["images"], one_class=label, sample_size=size,
            observer=values["observer"], bits=values["activation_bits"], test_images=test_images,
            reference=reference, seen=seen,
        )  # fmt: skip

    def settle(effect):
        update(effect)
        return None if effect is None else effect.summary()

    return Explorer(
        controls,
        figure,
        answer,
        alt="Chosen ranges against what the test images span; wrong answers by sample size.",
        compute=compute,
        settle=settle,
    )


def _by_argument(values):
    return {name.replace(" ", "_"): value for name, value in values.items()}
