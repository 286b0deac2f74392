"""Explorer of calibration: which images choose the ranges, how many, how, and what that costs."""

from functools import lru_cache

import ipywidgets as ipw
import numpy as np

from qkit import validate
from qkit.evaluate.calibration_effect import (
    IMAGES,
    OBSERVERS,
    activation_histograms,
    calibration_effect,
    calibration_sample,
)
from qkit.plots.calibration import plot_calibration_effect
from qkit.widgets.changes import subject
from qkit.widgets.explorer import Explorer, choice

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
    """
    looked_at = subject(model, data, test_images, what="explore_calibration")
    file, x, reference = looked_at.file, looked_at.x, looked_at.reference
    seen = activation_histograms(file, x)
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
    test_ranges = {name: (min(h.low, 0.0), max(h.high, 0.0)) for name, h in seen.items()}
    figure, update = plot_calibration_effect.live(test_ranges=test_ranges, reference=reference)

    @lru_cache(maxsize=64)
    def sampled(images, label, size):
        """Run the network once for a sample; observers and bits look at its histograms."""
        sample = calibration_sample(data, images=images, one_class=label, size=size)
        return activation_histograms(file, sample)

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
            file, data, images=values["images"], one_class=label, sample_size=size,
            observer=values["observer"], bits=values["activation_bits"], test_images=test_images,
            reference=reference, sampled=sampled(values["images"], label, size), seen=seen,
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
