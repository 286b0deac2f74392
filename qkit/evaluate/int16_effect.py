"""What int8 activations cost a network, and what int16 ones give back, on a task of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from qkit.data import drawn
from qkit.evaluate.task_scores import TaskScores, task_scores
from qkit.quantize.convert import convert
from qkit.result import Result
from qkit.tasks.task import Task
from qkit.training import fit

_CALIBRATION_ITEMS = 300


@dataclass(frozen=True)
class Relative:
    """A small network that does what a published one does, on data made from MNIST alone.

    Attributes
    ----------
    name : str
    published : str
        The model in `qk.published.int16_activations()` that it is a relative of.
    build : callable
        From a keyword `seed` to an untrained Keras 2 model.
    task : Task
    epochs, batch_size : int
    learning_rate : float
    """

    name: str
    published: str
    build: Callable
    task: Task
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3


RELATIVES = MappingProxyType(
    {
        relative.name: relative
        for relative in ()  # one line each
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Int16Effect(Result):
    """One network with float32, int8 and int16 activations, on the same test items.

    Attributes
    ----------
    relative : Relative
    scores : TaskScores
        Of "float32", "int8" and "int16".
    models : mapping of str to bytes
        The .tflite files, by the same names.
    """

    relative: Relative
    scores: TaskScores
    models: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per kind of activation."""
        return self.scores.to_frame().rename_axis("activations")

    def summary(self):
        """Say in one line what int8 costs and int16 gives back."""
        return f"{self.relative.name}, {self.scores.summary()}"


def int16_effect(relative, images, *, seed=0, cache=True):
    """Train a small network, and score it with float32, int8 and int16 activations.

    Parameters
    ----------
    relative : str or Relative
        A name in `RELATIVES`, or an entry of your own.
    images : Dataset
        From which the task makes its data.
    seed : int
        Of the initial weights and the shuffling.
    cache : bool
        Keep the trained weights on disk, see `fit`.

    Returns
    -------
    Int16Effect
    """
    relative = _find(relative)
    data = relative.task.data(images)
    model = relative.build(seed=seed)
    fit(
        model,
        data,
        epochs=relative.epochs,
        batch_size=relative.batch_size,
        learning_rate=relative.learning_rate,
        loss=relative.task.loss,
        seed=seed,
        cache=cache,
    )
    calibration = drawn(data.x_train, _CALIBRATION_ITEMS)
    models = {
        "float32": convert(model, "float32"),
        "int8": convert(model, "full_integer", calibration),
        "int16": convert(model, "int16_activations", calibration),
    }
    scores = task_scores(models, relative.task, data.x_test, data.y_test)
    return Int16Effect(relative, scores, MappingProxyType(models))


def _find(relative):
    if isinstance(relative, Relative):
        return relative
    if relative not in RELATIVES:
        raise ValueError(
            f"int16_effect: unknown relative {relative!r}; there are {', '.join(RELATIVES)}."
        )
    return RELATIVES[relative]
