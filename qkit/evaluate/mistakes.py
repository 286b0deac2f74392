"""Five mistakes that users of the tools report again and again, made for real, and repaired."""

from dataclasses import dataclass, replace

import numpy as np

from qkit import validate
from qkit.data import drawn
from qkit.evaluate.accuracy import Accuracy, accuracy_of
from qkit.evaluate.digit import scores
from qkit.quantize.grid import dequantize, fake_quantize
from qkit.quantize.integer_operators import grid_of
from qkit.result import Result
from qkit.tflite.file import inspect
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import convert


@dataclass(frozen=True)
class Recipe:
    """How an int8 file is made and fed; the defaults are right."""

    calibration: str = "images"  # or "pixels", from 0 to 255, divided "twice", or "none"
    sample_size: int = 100  # images
    aware: str = ""  # or through the grid, before the first step: ranges "settled" or "initial"
    feed: str = "reals"  # of a test image; or the "bytes" of its pixels, read as int8


PATIENTS = {
    "A": Recipe(calibration="pixels"),
    "B": Recipe(feed="bytes"),
    "C": Recipe(calibration="none"),
    "D": Recipe(aware="initial"),
    "E": Recipe(calibration="twice"),
}
# What those who bring them say. It need not be the cause.
COMPLAINTS = {
    "A": "Since it is quantized, it answers as if it saw next to nothing.",
    "B": "In Python it worked; fed with the camera's bytes it answers at random.",
    "C": "It is as accurate as ever, but the accelerator will not take it.",
    "D": "I trained it through the grid, for a moment, and now it knows nothing.",
    "E": "Calibration went through without a word, and now it guesses. Is that int8?",
}
# What each changes in a recipe, from the wrong value to the right. The last two are sound advice
# that none of the five was in need of.
DIAGNOSES = {
    "calibrated on pixels that were not divided by 255": ("calibration", "pixels", "images"),
    "calibrated on images that were divided by 255 twice": ("calibration", "twice", "images"),
    "no calibration set, and the converter kept silent": ("calibration", "none", "images"),
    "trained through the grid, but the ranges never settled": ("aware", "initial", "settled"),
    "the camera's bytes read as int8, not put on the input's grid": ("feed", "bytes", "reals"),
    "too few calibration images": ("sample_size", 100, 500),
    "a sample that is too large": ("sample_size", 500, 100),
}


@dataclass(frozen=True, eq=False, repr=False)
class Examination(Result):
    """What can be seen of an int8 file and its answers, without knowing how it was made."""

    accuracy: Accuracy
    reference: Accuracy  # of the float file on the same images
    size_bytes: int
    input_dtype: str
    float_operators: int  # that compute in floating point
    input_grid: tuple | None  # smallest and largest number it can stand for; None in float
    output_grid: tuple | None  # of the logits
    input_span: tuple  # of the test images
    output_span: tuple  # of the float network's logits for them
    image: np.ndarray  # a test image, (height, width)
    image_on_grid: np.ndarray  # what is left of it on the grid of the file's input

    def to_frame(self):
        """Return a DataFrame with one row per symptom."""
        import pandas as pd

        symptoms = {
            "accuracy": self.accuracy.summary(),
            "accuracy in float": self.reference.summary(),
            "file, bytes": f"{self.size_bytes:,}",
            "input": self.input_dtype,
            "operators in float": self.float_operators,
            "input: grid": _said(self.input_grid),
            "input: test images": _said(self.input_span),
            "input: levels in one image": len(np.unique(self.image_on_grid)),
            "logits: grid": _said(self.output_grid),
            "logits: in float": _said(self.output_span),
        }
        return pd.DataFrame({"found": symptoms}).rename_axis("symptom")

    def summary(self):
        """Say the symptoms in one line."""
        symptoms = self.to_frame()["found"].items()
        return "; ".join(f"{name}: {found}" for name, found in symptoms) + "."


def repaired(recipe, diagnosis):
    """Return a recipe after what a diagnosis asks for; the same where that was right already.

    Parameters
    ----------
    recipe : Recipe
    diagnosis : str, one of `DIAGNOSES`

    Returns
    -------
    Recipe

    Examples
    --------
    >>> repaired(PATIENTS["E"], "calibrated on images that were divided by 255 twice") == Recipe()
    True
    """
    validate.choice(diagnosis, DIAGNOSES, name="repaired: the diagnosis")
    ingredient, wrong, right = DIAGNOSES[diagnosis]
    wanted = getattr(recipe, ingredient) == wrong
    return replace(recipe, **{ingredient: right}) if wanted else recipe


def examine(model, data, recipe, *, images=1000):
    """Make an int8 file by a recipe, feed it, and report what can be seen.

    Parameters
    ----------
    model : tf.keras.Model, a trained Keras 2 classifier of images on 0 to 1
    data : Dataset
    recipe : Recipe
    images : int, how many of its first test images are measured on

    Returns
    -------
    Examination

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> examine(model, digits, PATIENTS["C"], images=50).input_dtype
    'float32'
    """
    images = validate.whole(images, name="examine: images")
    x, y = data.x_test[:images], data.y_test[:images]
    tflite = _made(model, data, recipe)
    in_float = scores(convert(model, "float32"), x)
    file = inspect(tflite)
    grids = [grid_of(tensor) for tensor in (*file.inputs, *file.activations) if tensor.scale.size]
    ends = [(float(grid.low[0]), float(grid.high[0])) for grid in grids] or [None]
    fed = x
    if recipe.feed == "bytes" and file.inputs[0].dtype == "int8":
        pixels = np.rint(255 * x).astype(np.uint8).view(np.int8)  # what lies above 127 wraps around
        fed = dequantize(pixels, grids[0])
    return Examination(
        accuracy=accuracy_of(scores(tflite, fed).argmax(axis=1), y),
        reference=accuracy_of(in_float.argmax(axis=1), y),
        size_bytes=len(tflite),
        input_dtype=file.inputs[0].dtype,
        float_operators=len(file.float_operators),
        input_grid=ends[0],
        output_grid=ends[-1],
        input_span=_span(x),
        output_span=_span(in_float),
        image=x[0],
        image_on_grid=fake_quantize(fed[0], grids[0]) if grids else fed[0],
    )


def _made(model, data, recipe):
    if recipe.calibration == "none":  # no error, no warning: the converter makes this instead
        return convert(model, "dynamic_range")
    sample = drawn(data.x_train, recipe.sample_size)
    sample = {"pixels": 255 * sample, "twice": sample / 255}.get(recipe.calibration, sample)
    if recipe.aware:
        settled = sample if recipe.aware == "settled" else None
        return convert(quantization_aware(model, calibration=settled), "qat")
    return convert(model, "full_integer_int8_io", sample)


def _span(values):
    return float(values.min()), float(values.max())


def _said(ends):
    return "none, float" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"
