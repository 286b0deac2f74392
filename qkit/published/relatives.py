"""What int8 activations cost small relatives of published networks, and what int16 give back."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import MappingProxyType

import numpy as np

from qkit.data import drawn
from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import paired
from qkit.evaluate.sweep import sweep
from qkit.evaluate.tasks import Metric, ratio
from qkit.models import masked_transformer
from qkit.progress import progress_line
from qkit.published import denoising, detection, reading
from qkit.published.architectures import narrow_mobilenet
from qkit.published.tables import int16_activations
from qkit.result import Result
from qkit.toolchain.convert import convert
from qkit.training import fit


@dataclass(frozen=True)
class Relative:
    """A lesson for a small network that does what a published one does, on data made from MNIST."""

    name: str
    published: tuple | None  # model and metric in `qk.published.int16_activations()`
    build: Callable  # from a keyword `seed` to an untrained Keras 2 model
    metric: Metric
    epochs: int  # like batch size, learning rate and loss as for `qk.fit`
    batch_size: int = 32
    learning_rate: float = 1e-3
    data: Callable | None = None  # from a `Dataset` to the lesson's own; None: as it is
    loss: Callable | None = None


def right_classes(outputs, labels):
    """Return, for each image, whether the largest score is the label's, and 1."""
    return np.stack([outputs.argmax(axis=1) == labels, np.ones(len(labels), int)], axis=1)


TOP_1 = Metric("top-1", "", True, right_classes, ratio)
_READING = {"data": reading.data, "loss": reading.loss, "epochs": 8, "learning_rate": 3e-3}

_LESSONS = (
    Relative(
        "strip CNN", ("Wav2letter", "word error rate"),
        reading.strip_cnn, reading.WORD_ERROR_RATE, **_READING,
    ),
    Relative(
        "unrolled LSTM", ("DeepSpeech 0.5.1 (unrolled)", "character error rate"),
        reading.unrolled_rnn, reading.CHARACTER_ERROR_RATE, **_READING, batch_size=64,
    ),
    Relative(
        "detector", ("YoloV3", "mAP (IoU = 0.5)"),
        detection.detector, detection.MEAN_AVERAGE_PRECISION, 6, learning_rate=2e-3,
        data=detection.data, loss=detection.loss,
    ),
    Relative(
        "MobileNetV1 × 0.25", ("MobileNetV1", "top-1"),
        partial(narrow_mobilenet, 1), TOP_1, 4, 256, 4e-3,
    ),
    Relative(
        "MobileNetV2 × 0.25", ("MobileNetV2", "top-1"),
        partial(narrow_mobilenet, 2), TOP_1, 3, 256, 4e-3,
    ),
    Relative("masked transformer", ("MobileBert", "F1"), masked_transformer, TOP_1, 2),
    Relative(
        "denoiser", None, denoising.denoiser, denoising.SNR, 2, learning_rate=2e-3,
        data=denoising.data, loss=denoising.loss,
    ),
)  # fmt: skip
RELATIVES = MappingProxyType({relative.name: relative for relative in _LESSONS})


@dataclass(frozen=True, eq=False, repr=False)
class Int16Effect(Result):
    """One network with float32, int8 and int16 activations, on the same test items."""

    relative: Relative
    scores: MappingProxyType  # of "float32", "int8" and "int16"
    paired: MappingProxyType  # of "int8" and "int16", against "float32"
    models: MappingProxyType  # the .tflite files, by the names of the scores

    @property
    def lost(self):
        """What "int8" and "int16" lose against float32: (value, low, high), in points or dB."""
        metric = self.relative.metric
        factor = (-1 if metric.higher_is_better else 1) * (1 if metric.unit else 100)
        return {
            name: (factor * change.difference, *sorted(factor * end for end in change.interval))
            for name, change in self.paired.items()
        }

    @property
    def published_lost(self):
        """What the published model loses, by the same names, in points; empty without one."""
        if self.relative.published is None:
            return {}
        row = int16_activations().loc[self.relative.published]
        factor = -100 if self.relative.metric.higher_is_better else 100
        return (factor * (row - row["float32"])).drop("float32").to_dict()

    def summary(self):
        """Say in one line what int8 costs and int16 gives back."""
        changes = (f"{name} {change.summary()}" for name, change in self.paired.items())
        return f"{self.relative.name}, {'; '.join([self.scores['float32'].summary(), *changes])}"


def int16_effect(relative, images, *, seed=0, cache=True):
    """Train a small network, and score it with float32, int8 and int16 activations.

    Parameters
    ----------
    relative : Relative, one of `RELATIVES` or a lesson of your own
    images : Dataset, from which the lesson makes its data
    seed : int, of the initial weights and the shuffling
    cache : bool, whether to keep the trained weights on disk

    Returns
    -------
    Int16Effect

    Examples
    --------
    >>> import qkit as qk
    >>> own = Relative("my own", None, qk.models.walkthrough_cnn, TOP_1, epochs=1)
    >>> int16_effect(own, qk.load_data("digits"), cache=False).scores["int8"].n
    500
    """
    return _effect(relative, *_measured((images, cache), (relative, seed)))


def int16_effects(relatives, images, *, seeds=(0,), cache=True, executor=None):
    """Train several small networks under several seeds, beside one another if one likes.

    Parameters
    ----------
    relatives : iterable of Relative
    images, cache : as for `int16_effect`
    seeds : iterable of int
    executor : concurrent.futures.Executor, optional, on which one network is an item
        A training takes all cores: what is gained comes from other machines.

    Returns
    -------
    list of Int16Effect, all seeds of the first network first

    Examples
    --------
    >>> import qkit as qk
    >>> own = Relative("my own", None, qk.models.walkthrough_cnn, TOP_1, epochs=1)
    >>> len(int16_effects([own], qk.load_data("digits"), seeds=(0, 1), cache=False))
    2
    """
    items, what = [*product(relatives, seeds)], "int16_effects"
    with progress_line() as show:
        found = sweep(
            _measured, items, executor=executor, shared=(images, cache), show=show, what=what
        )
    return [_effect(relative, *parts) for (relative, _), parts in zip(items, found, strict=True)]


def _effect(relative, scores, models):
    """Return the effect, its metric the relative's own, of which a worker gives a copy."""
    scores = {name: replace(score, metric=relative.metric) for name, score in scores.items()}
    changes = {name: paired(scores["float32"], scores[name]) for name in ("int8", "int16")}
    return Int16Effect(relative, *map(MappingProxyType, (scores, changes, models)))


def _measured(shared, item):
    """Return scores and files of a network that is trained here."""
    (images, cache), (relative, seed) = shared, item
    data = relative.data(images) if relative.data else images
    model = relative.build(seed=seed)
    fit(
        model, data, epochs=relative.epochs, batch_size=relative.batch_size, seed=seed,
        learning_rate=relative.learning_rate, loss=relative.loss, cache=cache,
    )  # fmt: skip
    schemes = {"float32": "float32", "int8": "full_integer", "int16": "int16_activations"}
    calibration = drawn(data.x_train, 300)
    models = {name: convert(model, scheme, calibration) for name, scheme in schemes.items()}
    scores = {
        name: accuracy(tflite, data.x_test, data.y_test, metric=relative.metric)
        for name, tflite in models.items()
    }
    return scores, models


def int16_table(effects):
    """Return the published figures of int8 and int16 activations beside those of small relatives.

    Parameters
    ----------
    effects : iterable of Int16Effect

    Returns
    -------
    pandas.DataFrame, a row for what is here, and one for what is published, if it is
    """
    import pandas as pd

    rows = {}
    for effect in effects:
        name, metric = effect.relative.name, effect.relative.metric
        shown = "{:.2f} dB" if metric.unit else "{:.4f}"
        lost = f"{{:+.2f}} ({{:+.2f}} to {{:+.2f}}) {metric.unit or 'points'}"
        rows[name, "here"] = {
            "metric": metric.name,
            **{kind: shown.format(score.value) for kind, score in effect.scores.items()},
            **{f"{kind} loses": lost.format(*ends) for kind, ends in effect.lost.items()},
        }
        published = effect.relative.published
        if published:
            scores, lost = int16_activations().loc[published], effect.published_lost
            rows[name, f"published: {published[0]}"] = {
                "metric": published[1],
                **scores.map("{:.4f}".format),
                **{f"{kind} loses": f"{value:+.2f} points" for kind, value in lost.items()},
            }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["network", "figures"])
