"""Explorer of calibration: which images choose the ranges, how many, how, and what that costs."""

from collections import Counter
from functools import lru_cache
from types import SimpleNamespace

from qkit.evaluate import calibration_effect as effect
from qkit.plots.calibration import plot_calibration_effect
from qkit.widgets.controls import choice
from qkit.widgets.effects import dataset, part, subject
from qkit.widgets.explorer import Explorer


def explore_calibration(model, data, *, test_images=1000):
    """Explore which images choose the ranges of the activations, and what they do to a network.

    Parameters
    ----------
    model, data : as for `explore_bits`; training images are drawn by a fixed seed
    test_images : int, how many of its first test images clipping and accuracy are measured on

    Returns
    -------
    Explorer
    """
    what, data = "explore_calibration", dataset(data)
    file, x, y, reference = subject(model, data, test_images, what=what)
    train = part(data, "x_train", what=what, tflite=file.tflite)
    labels = part(data, "y_train", what=what)
    if getattr(train, "dtype", "") != "float32" or labels.shape != train.shape[:1]:
        raise ValueError(
            f"{what} tries samples on other scales, and of one class: it is for models of one "
            "input, of real numbers, and a class number for each item, such as y.argmax(axis=1) of "
            f"one-hot ones; got data.y_train of shape {labels.shape}. qk.explore_bits takes others."
        )
    data = SimpleNamespace(x_train=train, y_train=labels, x_test=x, y_test=y)
    seen = effect.activation_histograms(file, x)
    of_class = Counter(sorted(labels.tolist()))
    sizes = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    sizes = [(f"{n:,}", n) for n in sizes if n <= len(train)]
    controls = {
        "bits": choice((4, 6, 8, 10, 12, 16), value=8, description="activation bits"),
        "observer": choice(effect.OBSERVERS, description="range"),
        "images": choice(effect.IMAGES),
        "one_class": choice(of_class, description="class"),
        "sample_size": choice(sizes, value=min(100, sizes[-1][1]), description="sample size"),
    }
    test_ranges = {name: (min(h.low, 0.0), max(h.high, 0.0)) for name, h in seen.items()}
    figure, update = plot_calibration_effect.live(test_ranges=test_ranges, reference=reference)

    @lru_cache(maxsize=64)
    def sampled(**sample):
        """Run the network once for a sample; observers and bits look at its histograms."""
        return effect.activation_histograms(file, effect.calibration_sample(data, **sample))

    def answer(images, one_class, sample_size, observer, bits):
        one_class = one_class if images == "one class" else None
        size = min(sample_size, of_class.get(one_class, sample_size))
        words = effect.IMAGES[images].format(one_class)
        if size == 1:
            words = words.replace("images", "image", 1)
        fewer = " (all there are)" if size < sample_size else ""
        said = (
            f"Ranges from {size:,} {words}{fewer}, by {observer}; activations in {bits} bits, "
            "weights in 8."
        )
        return said, (images, one_class, size, observer, bits)

    def compute(asked):
        images, one_class, size, observer, bits = asked
        return effect.calibration_effect(
            file, data, images=images, one_class=one_class, sample_size=size, observer=observer,
            bits=bits, test_images=test_images, reference=reference, seen=seen,
            sampled=sampled(images=images, one_class=one_class, size=size),
        )  # fmt: skip

    alt = "Chosen ranges against what the test images span; wrong answers by sample size."
    return Explorer(controls, figure, answer, alt=alt, compute=compute, draw=update)
