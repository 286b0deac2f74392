"""What the calibration sample does to a network: ranges, clipping, and the accuracy left."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from qkit import validate
from qkit.evaluate.effect import effect
from qkit.evaluate.significance import Paired
from qkit.interpreter.simulation import Ranges, histograms
from qkit.interpreter.simulation import bits as on_grids
from qkit.quantize import calibration
from qkit.result import Result
from qkit.tflite.edit import opened
from qkit.tflite.file import apart

# What a calibration sample may hold: its name, and what is said of it.
IMAGES = {
    "random": "random training images",
    "one class": "training images of class {}",
    "noise": "images of uniform noise on 0 to 1",
    "0…255": "training images, left on 0…255",
    "−1…1": "training images, scaled to −1…1",
}
# From the bits of the activations to the function that chooses a range.
OBSERVERS = {
    "min–max": lambda bits: calibration.min_max,
    "percentile 99.99": lambda bits: calibration.percentile,
    "percentile 99": lambda bits: partial(calibration.percentile, percent=99),
    "MSE": lambda bits: partial(calibration.mse, bits=bits, symmetric=bits == _SYMMETRIC_BITS),
    "entropy": lambda bits: partial(calibration.entropy, bits=bits),
    # each image is a step; quantization-aware training starts so, and takes a batch a step
    "moving average": lambda bits: calibration.moving_average,
}
_CLIPPED = 1e-3  # a larger share is worth a word
_SYMMETRIC_BITS = 16  # has as many levels below 0 as above, whether they are needed or not


@dataclass(frozen=True, eq=False, repr=False)
class CalibrationEffect(Result):
    """A network on the grids that a calibration sample chose, held against itself in float.

    The table has a row for each activation: the ends `low` and `high` of its grid; what the test
    images really span in the float network and 0, `test_low` and `test_high`; `clipped_share`, of
    their values more than half a step beyond the grid, true to a bin of 1/2048 of their range;
    `levels_used`, how many of the 2**bits levels lie where they have values.
    """

    sample: str  # which images chose the ranges, in words
    sample_size: int
    observer: str  # how a range was chosen from them
    bits: int  # of the activations
    table: object
    paired: Paired  # in float against on these grids, the weights in 8 bits per channel

    def summary(self):
        """Say what the ranges do to the test images, and what is left of the accuracy."""
        found, difference = self.paired.b, self.paired.difference_pp
        right, low, high = found.percent
        against = f"{abs(difference):.1f} points {'above' if difference > 0 else 'below'} float32"
        return (
            f"{self._ranges_in_words()} Accuracy {right:.1f} % (95 % interval {low:.1f} to "
            f"{high:.1f}, n = {found.n:,}), {against if difference else 'the same as float32'}, "
            f"p = {self.paired.p_value:.2g}: {self.paired.verdict}."
        )

    def _ranges_in_words(self):
        cut = self.table.loc[self.table["clipped_share"].idxmax()]
        coarse = self.table.loc[self.table["levels_used"].idxmin()]
        levels, used, said = 2**self.bits, int(coarse["levels_used"]), []
        if cut["clipped_share"] > _CLIPPED:
            share = 100 * cut["clipped_share"]
            said.append(f"Too narrow: {share:.2g} % of the test values of {cut.name} are clipped.")
        if used < 0.6 * levels and self.bits < _SYMMETRIC_BITS:
            times = (coarse["high"] - coarse["low"]) / (coarse["test_high"] - coarse["test_low"])
            wide = f": its range is {times:.3g} times what they span" if times > 1 else ""
            said.append(
                f"Too coarse: {coarse.name} has {used:,} of {levels:,} levels for its test "
                f"values{wide}."
            )
        return " ".join(said) or (
            f"The ranges fit: of no activation are more than {100 * _CLIPPED:g} % of the test "
            f"values clipped, and {used:,} or more of {levels:,} levels are in use."
        )


def calibration_effect(
    tflite, data, *, images="random", one_class=0, sample_size=100, observer="min–max", bits=8,
    test_images=1000, reference=None, sampled=None, seen=None,
):  # fmt: skip
    """Measure what a network loses on the grids that a calibration sample chooses.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    data : Dataset, whose training images are drawn from, and first test images measured on
    images : {"random", "one class", "noise", "0…255", "−1…1"}
        Which images choose the ranges; the last two are random ones on a wrong scale.
    one_class : int, the class of "one class"
    sample_size : int; larger samples contain the smaller ones
    observer : {"min–max", "percentile 99.99", "percentile 99", "MSE", "entropy", "moving average"}
        How a range is chosen from the sample, see `qk.calibration`; the converter takes the first.
    bits : int, of the activations, 2 to 16
    test_images : int
    reference : Accuracy of the float file on the test images, where it is known
    sampled, seen : dict from `activation_histograms` on the sample, the test images; likewise

    Returns
    -------
    CalibrationEffect, simulated by `qk.simulation.bits`

    Examples
    --------
    >>> import qkit as qk
    >>> tflite, digits = qk.convert(qk.models.walkthrough_cnn(), "float32"), qk.load_data("digits")
    >>> effect = calibration_effect(tflite, digits, images="0…255", sample_size=5, test_images=20)
    >>> int(effect.table.loc["input", "levels_used"])
    2
    """
    import pandas as pd

    validate.choice(observer, OBSERVERS, name="calibration_effect: observer")
    parts = ("x_train", "y_train", "x_test", "y_test")
    validate.parts(data, parts, name="calibration_effect: data")
    validate.whole(bits, name="calibration_effect: bits", least=2, most=16)
    validate.whole(test_images, name="calibration_effect: test_images")
    file = opened(tflite)
    if sampled is None:
        sample = calibration_sample(data, images=images, one_class=one_class, size=sample_size)
        sampled = activation_histograms(file, sample)
    x, y = data.x_test[:test_images], data.y_test[:test_images]
    seen = seen or activation_histograms(file, x)
    ranges = Ranges(file, sampled.values(), OBSERVERS[observer](bits))
    change = on_grids(file, ranges, activation_bits=bits)
    grids = change.grids(file)
    own = (grids[file.names[name].index][-1] for name in file.own_grids)
    rows = {name: _use(seen[name], grid) for name, grid in zip(seen, own, strict=True)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("activation")
    measured = effect(file, change, x, y, reference=reference).paired
    sample = IMAGES[images].format(one_class)
    return CalibrationEffect(sample, sample_size, observer, bits, table, measured)


def calibration_sample(data, *, images="random", one_class=0, size=100):
    """Return `size` images of a Dataset that choose ranges, well or badly: see `IMAGES`."""
    validate.choice(images, IMAGES, name="calibration_effect: images")
    size = validate.whole(size, name="calibration_effect: sample_size")
    rng = np.random.default_rng(0)
    if images == "noise":
        return rng.random((size, *data.x_train.shape[1:]), np.float32)
    order = rng.permutation(len(data.x_train))
    if images == "one class":
        order = order[data.y_train[order] == one_class]
    if size > len(order):
        of = f" of class {one_class}" if images == "one class" else ""
        raise ValueError(
            f"calibration_effect: sample_size must be from 1 to {len(order):,}, the number of "
            f"training images{of}, got {size!r}."
        )
    x = np.asarray(data.x_train[order[:size]], np.float32)
    return {"0…255": 255 * x, "−1…1": 2 * x - 1}.get(images, x)


def activation_histograms(tflite, x):
    """Return how the activations with a grid of their own spread, by "input" and layers' names."""
    file = opened(tflite)
    owners = {layer.activation_name: layer.name for layer in file.layers}
    found = {}
    for tensor, histogram in histograms(file, x).items():
        name = owners.get(tensor) or tensor.partition(";")[0].split("/")[-2:][0]
        names = name if found else "input", tensor
        found[apart(names, found, file.names[tensor].index)] = histogram
    return found


def _use(seen, grid):
    """Return a row of the table, from the histogram of the test values and their grid."""
    low, high, step = (float(value[0]) for value in (grid.low, grid.high, grid.scale))
    test_low, test_high = min(seen.low, 0.0), max(seen.high, 0.0)
    beyond = (seen.means < low - step / 2) | (seen.means > high + step / 2)
    used = np.rint(min(high, test_high) / step) - np.rint(max(low, test_low) / step) + 1
    return {
        "low": low,
        "high": high,
        "test_low": test_low,
        "test_high": test_high,
        "clipped_share": float(seen.nonzero[beyond].sum() / seen.counts.sum()),
        "levels_used": int(used),
    }
