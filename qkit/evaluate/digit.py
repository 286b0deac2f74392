"""What several classifiers answer to one image, side by side."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.special import softmax

from qkit import validate
from qkit.interpreter.run import given_by, open_interpreter, outputs, taken
from qkit.result import Result
from qkit.tflite.file import TfliteError, inspect


@dataclass(frozen=True, eq=False, repr=False)
class DigitAnswers(Result):
    """The probabilities that models give to the classes of one image."""

    probabilities: Mapping  # by model, ndarrays of shape (classes,), float64, that sum to 1
    reference: str  # the model that the others are compared with

    @property
    def answers(self):
        """The most probable class of each model."""
        return {name: int(p.argmax()) for name, p in self.probabilities.items()}

    @property
    def differences(self):
        """Each other model's probabilities minus the reference's; ndarrays by name."""
        first = self.probabilities[self.reference]
        return {k: p - first for k, p in self.probabilities.items() if k != self.reference}

    def summary(self):
        """Say who answers what, with which margin, and how far the others are off."""
        first = self.probabilities[self.reference]
        best, second = first.argsort(kind="stable")[::-1][:2]
        text = (
            f"{self._agreement()} {self.reference} gives {best} the probability {first[best]:.4f}, "
            f"{first[best] - first[second]:.4f} ahead of {second}."
        )
        if self.differences:
            parts = [f"{name} {np.abs(d).max():.2g}" for name, d in self.differences.items()]
            text += f" Largest difference from it in any class: {', '.join(parts)}."
        return text

    def _agreement(self):
        found = self.answers
        by_answer = {answer: [n for n in found if found[n] == answer] for answer in found.values()}
        if len(by_answer) > 1:
            said = [f"{answer}: {', '.join(names)}" for answer, names in by_answer.items()]
            return f"The models disagree ({'; '.join(said)})."
        who = f"All {len(found)} models answer" if len(found) > 1 else f"{self.reference} answers"
        return f"{who} {found[self.reference]}."


def digit_answers(models, image):
    """Ask classifiers what is in one image.

    Parameters
    ----------
    models : mapping of str to bytes, .tflite files; the reference is "float32", or the first
    image : ndarray of the models' input shape, or of as many values, float, as in training

    Returns
    -------
    DigitAnswers
    """
    return open_classifiers(models)(image)


def open_classifiers(models):
    """Check classifiers once, to ask them about many images: a function like `digit_answers`."""
    if not isinstance(models, Mapping) or not models:
        empty = " without entries" * isinstance(models, Mapping)
        raise ValueError(
            "the models must be a dict of name → .tflite bytes with at least one entry, such as "
            f"comparison.models; got {type(models).__name__}{empty}."
        )
    shapes = {name: classifier_shapes(open_interpreter(file)) for name, file in models.items()}
    values = _common_values(shapes)
    already_probable = {name: _ends_in_softmax(tflite) for name, tflite in models.items()}

    def ask(image, names=tuple(models)):
        image = validate.values(image, what="digit_answers: the image")
        if image.size != values:
            raise ValueError(
                f"digit_answers: the image has the shape {image.shape}, and the models take "
                f"{next(iter(shapes.values()))[0]}. Bring it to that size, as "
                "qkit.widgets.drawing.like_mnist does."
            )
        found = {}
        for name in names:
            given = _scores(models[name], image.reshape(shapes[name][0]))
            found[name] = given / given.sum() if already_probable[name] else softmax(given)
        reference = "float32" if "float32" in found else names[0]
        return DigitAnswers(MappingProxyType(found), reference)

    return ask


def _common_values(shapes):
    """Return how many values an image has, which must be so for all, as must their classes."""
    sizes = {name: (math.prod(shape), classes) for name, (shape, classes) in shapes.items()}
    first, (values, classes) = next(iter(sizes.items()))
    for name, size in sizes.items():
        if size != (values, classes):
            raise ValueError(
                f"the models must take the same images and know the same classes: {first!r} takes "
                f"{values:,} values and knows {classes} classes, {name!r} "
                f"{size[0]:,} and {size[1]}. Leave one of them out."
            )
    return values


def classifier_shapes(interpreter, x=None):
    """Return the shape of one input image and the number of classes; refuse what is no classifier.

    Where the first axis may be that of items or not, `x`, an array of them, decides.
    """
    (takes, size), gives = taken(interpreter, x), given_by(interpreter)
    for kind, named in (("outputs", gives), ("inputs", takes)):
        if len(named) != 1:
            raise TfliteError(
                f"a model with one input and one output is wanted; this one has {len(named)} "
                f"{kind} ({', '.join(named)}). Convert the part that counts."
            )
    ((image, _),), (end,) = takes.values(), gives.values()
    if None in image:
        raise TfliteError(
            f"the model takes images of any size, {image}, and here they are of one. Convert it "
            "with calibration=x, images of that size."
        )
    shape = tuple(map(int, end["shape"]))
    shape = shape[1:] if shape[:1] == (size or 1,) else shape
    if len(shape) != 1 or shape[0] < 2:
        raise TfliteError(
            f"the model's output has the shape {(1, *shape)}: a classifier gives a score for each "
            "of two or more classes, shape (n, classes). A regression has no accuracy."
        )
    return image, shape[0]


def scores(tflite, x, *, batched=True):
    """Return the class scores of a .tflite classifier: its `outputs`, with the shape checked."""
    classifier_shapes(open_interpreter(tflite), x)
    return outputs(tflite, x, batched=batched, what="scores")


def _scores(tflite, image):
    found = outputs(tflite, image[None], batched=False, threads=1, what="digit_answers")
    return found[0].astype(np.float64)


def _ends_in_softmax(tflite):
    """Whether the scores are probabilities already; a conversion of dtype may follow."""
    file = inspect(tflite)
    maker = {id(made): op for op in file.operators for made in op.outputs}
    tensor = file.outputs[0]
    while (op := maker.get(id(tensor))) and op.name in ("QUANTIZE", "DEQUANTIZE"):
        tensor = op.inputs[0]
    return op is not None and op.name == "SOFTMAX"
