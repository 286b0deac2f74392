"""Training that is seeded to the bit, fast, and done only once."""

import contextlib
import math
import random
import time
from dataclasses import asdict, astuple, dataclass

import numpy as np

from qkit import cache as _cache
from qkit import validate
from qkit._tensorflow import quiet, tensorflow
from qkit.networks import network
from qkit.progress import progress_line
from qkit.result import Result

# Batches that run in one call of the compiled graph: the same weights to the bit, 1.6 times faster.
_STEPS_PER_EXECUTION = 100
_SHIPPED = ", weights that come with qkit"
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, repr=False)
class History(Result):
    """What a training run gave, epoch by epoch.

    Attributes
    ----------
    loss, accuracy : tuple of float
        On the training images, running means of each epoch.
    val_loss, val_accuracy : tuple of float
        On the images held out by `validation_split`, at the end of each epoch.
    seconds : float
        What the training took when it was run.
    from_cache, shipped : bool
        Whether the weights were looked up; and among those that come with qkit.
    """

    loss: tuple
    accuracy: tuple
    val_loss: tuple
    val_accuracy: tuple
    seconds: float
    from_cache: bool
    shipped: bool = False

    def to_frame(self):
        """Return a DataFrame with one row per epoch, counted from 1."""
        import pandas as pd

        frame = pd.DataFrame({name: getattr(self, name) for name in _CURVES if getattr(self, name)})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
        return frame

    def summary(self):
        """Say in one line how the training ended."""
        looked_up = "shipped with qkit" if self.shipped else "from the cache"
        how = looked_up if self.from_cache else f"in {self.seconds:.1f} s"
        return f"{_results(asdict(self))}, {how}"


def fit(
    model, data, *, epochs, batch_size=32, seed=0, cache=True, validation_split=0.1,
    learning_rate=1e-3, loss=None,
):  # fmt: skip
    """Train a model in place: Adam, on the cross-entropy of its logits or on a loss of one's own.

    The optimizer starts anew at each call, so that the result depends on the arguments alone:
    the same arguments give the same weights to the last bit on the same machine, and are looked up
    instead of trained again. Equal to Keras's own ``fit`` after ``set_random_seed(seed)``.

    Parameters
    ----------
    model : tf.keras.Model
        Keras 2, with one input and one output: logits of shape (n, classes), unless there is a
        `loss`. Trained in place.
    data : Dataset
        Or anything with `x_train` and `y_train`.
    epochs : int
        1 or more.
    batch_size : int
    seed : int
        Of the shuffling and of random layers.
    cache : bool
        Keep the trained weights on disk, under a key of architecture, initial weights, data,
        hyper-parameters and library versions. The folder is ``$QKIT_CACHE`` or the platform's.
    validation_split : float
        Share of the training images, from the end, that is held out; in [0, 1).
    learning_rate : float
    loss : callable, optional
        From targets, as `y_train` has them, and the model's outputs to a tensor of one loss an
        item. Without it the model is a classifier, and `y_train` holds class numbers.

    Returns
    -------
    History
        Without accuracies where there is a `loss`.

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> history = fit(qk.models.walkthrough_cnn(), digits, epochs=1, cache=False)
    >>> len(history.loss)
    1
    """
    settings = Settings(epochs, batch_size, seed, validation_split, learning_rate)
    model = network(model, what="fit").model
    x, y = settings.checked(model, data, what="fit", classifier=loss is None)

    def train(show):
        started = time.perf_counter()
        run = run_epochs(model, x, y, settings, [_shown(model, epochs, show)], loss=loss)
        return {**run, "seconds": time.perf_counter() - started}

    depends_on = astuple(settings) if loss is None else (*astuple(settings), _cache.described(loss))
    # nothing that differs from run to run stays in a saved notebook
    record, from_cache = once(
        model, x, y, depends_on, train, cache=cache,
        last=lambda record: f"{model.name}: {_results(record)}",
    )  # fmt: skip
    curves = {name: tuple(record[name]) for name in _CURVES}
    return History(
        **curves,
        seconds=record["seconds"],
        from_cache=from_cache,
        shipped=record.get("shipped", False),
    )


@dataclass(frozen=True)
class Settings:
    """How a model is trained by Adam, for `fit` and for all that trains as it does."""

    epochs: int
    batch_size: int
    seed: int
    validation_split: float  # share of the training images, from the end, that is held out
    learning_rate: float

    def checked(self, model, data, *, what, classifier=True):
        """Return float32 inputs and targets that fit the model; int64 labels for a classifier."""
        opened = network(model, what=what)
        shape = opened.single_shapes(what=what)[0]
        classes = opened.classifier_shape(what=what)[1] if classifier else None
        x = validate.images(data.x_train, shape, what=f"{what}: data.x_train")
        named = {"count": len(x), "what": f"{what}: data.y_train"}
        if classifier:
            y = validate.labels(data.y_train, classes=classes, **named)
        else:
            y = validate.targets(data.y_train, **named)
        validate.whole(self.epochs, name=f"{what}: epochs")
        validate.whole(self.batch_size, name=f"{what}: batch_size")
        if not 0 <= self.validation_split < 1:
            raise ValueError(
                f"{what}: validation_split must be in [0, 1), got {self.validation_split!r}"
            )
        return x, y

    def trained_on(self, count):
        """Return how many of `count` images are trained on: the first ones, as Keras splits."""
        return int(count * (1 - self.validation_split))

    def steps_per_epoch(self, count):
        """Return the number of steps in an epoch over `count` images, the held-out ones off."""
        return math.ceil(self.trained_on(count) / self.batch_size)


def once(model, x, y, depends_on, train, *, cache, last):
    """Train, or look up what the same training left in a model: the record, and whether it was.

    `train` takes a function that shows progress, and returns the record, a dict for JSON; `last`
    makes of that the line that stays.
    """
    key = found = None
    if cache:
        _cache.require_writable()
        key = _cache.training_key(model, x, y, depends_on)
        found = _cache.load(key, [weight.shape for weight in model.get_weights()])
    with progress_line() as show:
        if found:
            weights, record = found
            model.set_weights(weights)
        else:
            record = train(show)
            # for whoever looks into the folder: the key says nothing of what it stands for
            record |= {"network": model.name, "depends_on": repr(depends_on)}
        show(last(record) + (_SHIPPED if record.get("shipped") else ""))
    if cache and not found:
        _cache.store(key, model.get_weights(), record)
    return record, bool(found)


def run_epochs(
    model, x, y, settings, callbacks, steps_per_execution=_STEPS_PER_EXECUTION, *, loss=None
):
    """Train on the cross-entropy of logits or a loss, seeded and quiet; return curves by epoch.

    Callbacks see the last of each `steps_per_execution` batches.
    """
    keras = tensorflow().keras
    with quiet(), seeded(settings.seed):
        model.compile(
            keras.optimizers.Adam(settings.learning_rate),
            loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=None if loss else ["accuracy"],
            steps_per_execution=steps_per_execution,
        )
        run = model.fit(
            x,
            y,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            validation_split=settings.validation_split,
            callbacks=callbacks,
            verbose=0,
        ).history
    return {name: [float(value) for value in run.get(name, ())] for name in _CURVES}


def _shown(model, epochs, show):
    def on_epoch_end(epoch, logs):
        name = "accuracy" if "accuracy" in logs else "loss"
        show(f"{model.name}: epoch {epoch + 1} of {epochs}, training {name} {logs[name]:.4f}")

    return tensorflow().keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: show(f"{model.name}: epoch 1 of {epochs} …"),
        on_epoch_end=on_epoch_end,
    )


def _results(record):
    epochs = len(record["loss"])
    text = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    name = "accuracy" if record["accuracy"] else "loss"
    if record[name]:
        text += f", training {name} {record[name][-1]:.4f}"
    if record[f"val_{name}"]:
        text += f", validation {name} {record[f'val_{name}'][-1]:.4f}"
    return text


@contextlib.contextmanager
def seeded(seed):
    """Seed what Keras draws from, and give Python's and NumPy's generators back as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    tensorflow().keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
