"""Exercises of 12: a metric on a circle, one of two outputs, and a colleague's file."""

import numpy as np

from qkit._tensorflow import quiet, tensorflow
from qkit.course.exercises import exercise, number
from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.comparison import Comparison
from qkit.tflite.file import inspect

_NEAR = 0.02  # how far a share may be off that is taken for the same


@exercise("12.1", "a function of y and outputs that returns a share")
def near_on_a_circle(answer):
    """Try a metric on angles, in the shapes in which `qk.compare` has them."""
    rng = np.random.default_rng(12)
    y, off = rng.uniform(0, 360, 200), rng.permutation(np.linspace(-6, 6, 200))
    outputs, right = (y + off)[:, None], np.mean(np.abs(off) < 3)  # a network gives a column
    if fault := _fault_of_a_share(answer(y.copy(), outputs % 360), y, outputs % 360, right):
        return fault
    turns = 360 * rng.integers(-2, 3, outputs.shape)
    if not np.isclose(answer(y.copy(), outputs + turns), right):
        return "nothing keeps a network's outputs within a turn: −1° and 719° are 359°"
    return None


def _fault_of_a_share(found, y, outputs, right):
    """Return why a share is not the right one, or None."""
    if np.ndim(found):
        return f"one number is asked for, and yours has the shape {np.shape(found)}"
    each_with_each, plain = (np.mean(np.abs(outputs - t) < 3) for t in (y, y[:, None]))
    mistakes = [
        (each_with_each, "y has the shape (n,), outputs (n, 1): that compares each with each"),
        (100 * right, "that is per cent: a share lies between 0 and 1"),
        (y.size * right, "that is how many there are: a share lies between 0 and 1"),
        (plain, "359° and 1° are 2° apart, and yours has 358: the difference goes round, too"),
    ]
    hint = f"{right:.3f} of the check's are within three degrees, and yours says {{:.3f}}".format
    return number(found, right, mistakes=mistakes, hint=hint, rel=1e-5)


@exercise("12.2", "a comparison, of qk.compare,")
def one_of_two_outputs(answer, expected):
    """Ask for the comparison that judges an output by a rule."""
    given, wanted = (each.accuracies["float32"] for each in (answer, expected))
    if len(inspect(answer.models["float32"]).outputs) != 2:
        return "that is a network with one output; `both` has two"
    if not hasattr(given, "metric") or given.metric.name != wanted.metric.name:
        rule = given.metric.name if hasattr(given, "metric") else given.name
        return f"it is judged by {rule}, and the rule is {wanted.metric.name}"
    if abs(given.value - wanted.value) > 1e-3:
        return (
            f"float32 has {given.value:.4f} here and {wanted.value:.4f} in section 3: which "
            "output, and whose targets?"
        )
    missing = [name for name in expected.models if name not in answer.models]
    return f"it has no row of {', '.join(missing)}" if missing else None


def colleagues_file(model):
    """Return the float .tflite file that a colleague made of a Keras model for a camera."""
    tf = tensorflow()
    spec = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    camera = tf.function(lambda x: model(tf.clip_by_value(x / 255, 0, 1)), input_signature=[spec])
    with quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions
        return bytes(converter([camera.get_concrete_function()], camera).convert())


@exercise("12.3", "a comparison of the colleague's file, of qk.compare,")
def fed_as_it_asks(answer, theirs, frames, labels):
    """Tell a repaired pipeline from one whose symptom is hidden."""
    if not isinstance(answer, Comparison) or "full_integer" not in answer.accuracies:
        return 'a qk.compare with accuracies of "float32" and "full_integer" is asked for'
    if answer.models["float32"] != theirs:
        return "another file is judged; the colleague's is to stay as it is"
    if not answer.labels:
        return "without labels every file agrees with itself: whether it is right stays open"
    right = accuracy(theirs, frames, labels)
    found, int8 = (answer.accuracies[name] for name in ("float32", "full_integer"))
    if found.n != right.n:
        return f"{found.n:,} images are judged, and there were {right.n:,}"
    if (found.labels != right.labels).any():
        return "the labels are other ones: what is asked is who is right, not who agrees"
    return _fault_of_what_is_fed(found.accuracy, int8.accuracy, right.accuracy - _NEAR)


def _fault_of_what_is_fed(found, int8, least):
    """Return which of images and calibration sample are not as the file asks, or None."""
    if found < least:
        return (
            f"float32 itself is at {found:.1%}, so no scheme did that: what does the file's first "
            "operator do to an image, and what was done to it before?"
        )
    if int8 < least:
        return (
            f"float32 is mended, and full_integer is at {int8:.1%}: its ranges come from the "
            "calibration sample. Is that fed as the images are?"
        )
    return None
