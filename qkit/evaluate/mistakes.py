"""Five mistakes that users of the tools report again and again, made for real, and repaired."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet, tensorflow
from qkit.data import drawn
from qkit.evaluate.accuracy import Accuracy, accuracy_of
from qkit.interpreter.run import from_grid, open_interpreter, scores
from qkit.quantize.grid import QParams, fake_quantize
from qkit.result import Result
from qkit.tflite.file import inspect
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import convert


@dataclass(frozen=True)
class Recipe:
    """How an int8 file is made and fed; the defaults are right."""

    calibration: str = "training images"  # or "pixels from 0 to 255", "divided twice", "none"
    sample_size: int = 100  # images
    method: str = "after training"  # or "through the grid": aware, before its first training step
    ranges: str = "from a sample"  # or "where training starts", of the activations
    feed: str = "on the input's grid"  # or "bytes read as int8", of a test image


PATIENTS = MappingProxyType(
    {
        "A": Recipe(calibration="pixels from 0 to 255"),
        "B": Recipe(feed="bytes read as int8"),
        "C": Recipe(calibration="none"),
        "D": Recipe(method="through the grid", ranges="where training starts"),
        "E": Recipe(calibration="divided twice"),
    }
)
# What those who bring them say. It need not be the cause.
COMPLAINTS = MappingProxyType(
    {
        "A": "Since it is quantized, it answers as if it saw next to nothing.",
        "B": "In Python it worked; fed with the camera's bytes it answers at random.",
        "C": "It is as accurate as ever, but the accelerator will not take it.",
        "D": "I trained it through the grid, for a moment, and now it knows nothing.",
        "E": "Calibration went through without a word, and now it guesses. Is that int8?",
    }
)
# By the words of the diagnosis: what it changes in a recipe, from the wrong value to the right.
# The last two are sound advice that none of the five was in need of.
DIAGNOSES = MappingProxyType(
    {
        "calibrated on pixels that were not divided by 255": (
            "calibration", "pixels from 0 to 255", "training images",
        ),
        "calibrated on images that were divided by 255 twice": (
            "calibration", "divided twice", "training images",
        ),
        "no calibration set, and the converter kept silent": (
            "calibration", "none", "training images",
        ),
        "trained through the grid, but the ranges never settled": (
            "ranges", "where training starts", "from a sample",
        ),
        "the camera's bytes read as int8, not put on the input's grid": (
            "feed", "bytes read as int8", "on the input's grid",
        ),
        "too few calibration images": ("sample_size", 100, 500),
        "a sample that is too large": ("sample_size", 500, 100),
    }
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Examination(Result):
    """What can be seen of an int8 file and its answers, without knowing how it was made.

    Attributes
    ----------
    accuracy, reference : Accuracy
        Of the file, and of the float file on the same images.
    size_bytes : int
    input_dtype : str
    float_operators : int
        Operators that compute in floating point.
    input_grid, output_grid : (float, float) or None
        Smallest and largest number that the file's input and its logits can stand for; None where
        they are in float.
    input_span, output_span : (float, float)
        What the test images span, and the float network's logits for them.
    image, image_on_grid : ndarray of shape (height, width)
        One test image, and what is left of it on the grid of the file's input.
    """

    accuracy: Accuracy
    reference: Accuracy
    size_bytes: int
    input_dtype: str
    float_operators: int
    input_grid: tuple | None
    output_grid: tuple | None
    input_span: tuple
    output_span: tuple
    image: np.ndarray
    image_on_grid: np.ndarray

    def to_frame(self):
        """Return a DataFrame with one row per symptom."""
        import pandas as pd

        rows = {
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
        return pd.DataFrame({"found": rows}).rename_axis("symptom")

    def summary(self):
        """Say the symptoms in a few sentences."""
        low, high = self.accuracy.interval
        return (
            f"{100 * self.accuracy.accuracy:.1f} % right (95 % interval {100 * low:.1f} to "
            f"{100 * high:.1f}, n = {self.accuracy.n:,}), in float "
            f"{100 * self.reference.accuracy:.1f} %. {self.size_bytes:,} bytes, input "
            f"{self.input_dtype}, {self.float_operators or 'no'} operators in float. Input: grid "
            f"{_said(self.input_grid)}, images {_said(self.input_span)}. Logits: "
            f"grid {_said(self.output_grid)}, in float {_said(self.output_span)}."
        )


def repaired(recipe, diagnosis):
    """Return a recipe after what a diagnosis asks for; the same where that was right already.

    Parameters
    ----------
    recipe : Recipe
    diagnosis : str
        One of `DIAGNOSES`.

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
    if getattr(recipe, ingredient) != wrong:
        return recipe
    return replace(recipe, **{ingredient: right})


def examine(model, data, recipe, *, images=1000):
    """Make an int8 file by a recipe, feed it, and report what can be seen.

    Parameters
    ----------
    model : tf.keras.Model
        A trained Keras 2 classifier of images on 0 to 1.
    data : Dataset
    recipe : Recipe
    images : int
        Test images to measure on, the first of `data`.

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
    x, y = data.x_test[:images], data.y_test[:images]
    tflite = _made(model, data, recipe)
    in_float = scores(convert(model, "float32"), x)
    fed = _fed(tflite, x, recipe)
    file = inspect(tflite)
    on_grid = [t for op in file.operators for t in op.outputs if t.scale.size and not t.constant]
    first = file.inputs[0] if file.inputs[0].scale.size else next(iter(on_grid), None)
    return Examination(
        accuracy=accuracy_of(scores(tflite, fed).argmax(axis=1), y),
        reference=accuracy_of(in_float.argmax(axis=1), y),
        size_bytes=len(tflite),
        input_dtype=file.inputs[0].dtype,
        float_operators=len(file.float_operators),
        input_grid=_ends(first),
        output_grid=_ends(on_grid[-1]) if on_grid else None,
        input_span=_span(x),
        output_span=_span(in_float),
        image=x[0],
        image_on_grid=fed[0] if first is None else fake_quantize(fed[0], _qparams(first)),
    )


def _made(model, data, recipe):
    """Return the file that a recipe makes."""
    sample = drawn(data.x_train, recipe.sample_size)
    if recipe.calibration == "none":
        return _without_calibration(model)
    if recipe.calibration == "divided twice":
        sample = sample / 255
    if recipe.calibration == "pixels from 0 to 255":
        sample = 255 * sample
    if recipe.method == "through the grid":
        settled = sample if recipe.ranges == "from a sample" else None
        return convert(quantization_aware(model, calibration=settled), "qat")
    return convert(model, "full_integer_int8_io", sample)


def _without_calibration(model):
    """Convert as somebody does who forgets `representative_dataset`: no error, no warning."""
    tf = tensorflow()
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        return converter.convert()


def _fed(tflite, x, recipe):
    """Return real values that arrive at the input as the recipe's images do."""
    detail = open_interpreter(tflite).get_input_details()[0]
    if recipe.feed == "on the input's grid" or detail["dtype"] != np.int8:
        return x
    pixels = np.rint(255 * x).astype(np.uint8).view(np.int8)  # what lies above 127 wraps around
    return from_grid(pixels, detail)


def _qparams(tensor):
    limits = np.iinfo(tensor.dtype)
    return QParams(tensor.scale, tensor.zero_point.astype(np.int32), limits.min, limits.max)


def _ends(tensor):
    if tensor is None or not tensor.scale.size:
        return None
    qparams = _qparams(tensor)
    return float(qparams.low[0]), float(qparams.high[0])


def _span(values):
    return float(values.min()), float(values.max())


def _said(ends):
    return "none, float" if ends is None else f"{ends[0]:.3g} to {ends[1]:.3g}"
