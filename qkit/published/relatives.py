"""What int8 activations cost a network, and what int16 ones give back, on a task of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from qkit.data import drawn
from qkit.evaluate.task import Task
from qkit.evaluate.task_scores import TaskScores, task_scores
from qkit.models import masked_transformer
from qkit.published.classification import CLASSIFICATION
from qkit.published.denoiser import denoiser
from qkit.published.denoising import DENOISING
from qkit.published.detection import DETECTION
from qkit.published.detector import detector
from qkit.published.mobilenets import mobilenet_v1, mobilenet_v2
from qkit.published.readers import strip_cnn, unrolled_rnn
from qkit.published.reading import CHARACTERS, WORDS
from qkit.published.tables import int16_activations
from qkit.result import Result
from qkit.toolchain.convert import convert
from qkit.training import fit

_CALIBRATION_ITEMS = 300


@dataclass(frozen=True)
class Relative:
    """A small network that does what a published one does, on data made from MNIST alone.

    Attributes
    ----------
    name : str
    published : (str, str) or None
        Model and metric in `qk.published.int16_activations()` that it is a relative of.
    build : callable
        From a keyword `seed` to an untrained Keras 2 model.
    task : Task
    epochs, batch_size : int
    learning_rate : float
    """

    name: str
    published: tuple | None
    build: Callable
    task: Task
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-3


_READING = {"epochs": 8, "learning_rate": 3e-3}
_SMALL_MOBILENET = {"batch_size": 256, "learning_rate": 4e-3}
_DEEPSPEECH = ("DeepSpeech 0.5.1 (unrolled)", "character error rate")

RELATIVES = MappingProxyType(
    {
        name: Relative(name, published, build, task, **training)
        for name, published, build, task, training in (
            ("strip CNN", ("Wav2letter", "word error rate"), strip_cnn, WORDS, _READING),
            ("unrolled LSTM", _DEEPSPEECH, unrolled_rnn, CHARACTERS, _READING | {"batch_size": 64}),
            (
                "detector",
                ("YoloV3", "mAP (IoU = 0.5)"),
                detector,
                DETECTION,
                {"epochs": 6, "learning_rate": 2e-3},
            ),
            (
                "MobileNetV1 × 0.25",
                ("MobileNetV1", "top-1"),
                mobilenet_v1,
                CLASSIFICATION,
                {"epochs": 4, **_SMALL_MOBILENET},
            ),
            (
                "MobileNetV2 × 0.25",
                ("MobileNetV2", "top-1"),
                mobilenet_v2,
                CLASSIFICATION,
                {"epochs": 3, **_SMALL_MOBILENET},
            ),
            (
                "masked transformer",
                ("MobileBert", "F1"),
                masked_transformer,
                CLASSIFICATION,
                {"epochs": 2},
            ),
            ("denoiser", None, denoiser, DENOISING, {"epochs": 2, "learning_rate": 2e-3}),
        )
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

    @property
    def lost(self):
        """What "int8" and "int16" lose against float32: (value, low, high), in points or dB."""
        task = self.scores.task
        factor = (-1 if task.higher_is_better else 1) * (1 if task.unit else 100)
        ends = self.scores.difference_interval
        return {
            name: (factor * difference, *sorted(factor * end for end in ends[name]))
            for name, difference in self.scores.difference.items()
        }

    @property
    def published_lost(self):
        """What the published model loses, by the same names, in points; empty without one."""
        if self.relative.published is None:
            return {}
        row = int16_activations().loc[self.relative.published]
        factor = -100 if self.scores.task.higher_is_better else 100
        return {name: float(factor * (row[name] - row["float32"])) for name in ("int8", "int16")}

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

    Raises
    ------
    ValueError
        If there is no relative of that name; or from `fit` and `convert`.

    Examples
    --------
    >>> import qkit as qk
    >>> from qkit.published.classification import CLASSIFICATION
    >>> own = Relative("my own", None, qk.models.walkthrough_cnn, CLASSIFICATION, epochs=1)
    >>> int16_effect(own, qk.load_data("digits"), cache=False).scores.n
    500
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


def int16_table(effects):
    """Return the published figures of int8 and int16 activations beside those of small relatives.

    Parameters
    ----------
    effects : iterable of Int16Effect

    Returns
    -------
    pandas.DataFrame
        Two rows a network, published and here, where there is a published one: metric, float32,
        int8 and int16 as they are, and what int8 and int16 lose, in words with the interval.
    """
    import pandas as pd

    published = int16_activations()
    rows = {}
    for effect in effects:
        task, score = effect.scores.task, effect.scores.score
        shown = "{:.2f} dB" if task.unit else "{:.4f}"
        lost = {
            f"{name} loses": f"{value:+.2f} ({low:+.2f} to {high:+.2f}) {task.unit or 'points'}"
            for name, (value, low, high) in effect.lost.items()
        }
        rows[(effect.relative.name, "here")] = {
            "metric": task.metric, **{k: shown.format(v) for k, v in score.items()}, **lost
        }  # fmt: skip
        if effect.relative.published:
            model, metric = effect.relative.published
            row = published.loc[(model, metric)]
            rows[(effect.relative.name, f"published: {model}")] = {
                "metric": metric,
                **{name: f"{value:.4f}" for name, value in row.items()},
                **{f"{k} loses": f"{v:+.2f} points" for k, v in effect.published_lost.items()},
            }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.names = ["network", "figures"]
    return frame


def _find(relative):
    if isinstance(relative, Relative):
        return relative
    if relative not in RELATIVES:
        raise ValueError(
            f"int16_effect: unknown relative {relative!r}; there are {', '.join(RELATIVES)}."
        )
    return RELATIVES[relative]
