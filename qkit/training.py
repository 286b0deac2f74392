"""Training that is seeded to the bit, fast, and done only once."""

import contextlib
import math
import random
import time
from dataclasses import astuple, dataclass
from functools import partial

import numpy as np

from qkit import cache as _cache
from qkit import validate
from qkit._tensorflow import quiet, tensorflow
from qkit.networks import network
from qkit.progress import progress_line
from qkit.result import Result
from qkit.training_key import key_of, machine, training_digest

# Batches that run in one call of the compiled graph: the same weights to the bit, 1.6 times faster.
MOST_STEPS_PER_CALL = 100
_CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass(frozen=True, repr=False)
class History(Result):
    """What a training run gave, epoch by epoch."""

    loss: tuple  # on the training images: running means of each epoch
    accuracy: tuple
    val_loss: tuple  # on the images held out, at the end of each epoch
    val_accuracy: tuple
    seconds: float  # of the training when it was run
    from_cache: bool
    shipped: bool = False  # whether it was looked up among those that come with qkit

    def to_frame(self):
        """Return a DataFrame with one row per epoch, counted from 1."""
        import pandas as pd

        frame = pd.DataFrame({name: getattr(self, name) for name in _CURVES if getattr(self, name)})
        return frame.set_index(pd.RangeIndex(1, len(frame) + 1, name="epoch"))

    def summary(self):
        """Say in one line how the training ended."""
        looked_up = "shipped with qkit" if self.shipped else "from the cache"
        how = looked_up if self.from_cache else f"in {self.seconds:.1f} s"
        return f"{_results(vars(self))}, {how}"


def fit(
    model, data, *, epochs, batch_size=32, seed=0, cache=True, validation_split=0.1,
    learning_rate=1e-3, loss=None,
):  # fmt: skip
    """Train a model in place: Adam, on the cross-entropy of its logits or on a loss of one's own.

    The optimizer starts anew at each call: the same arguments give the same weights to the last bit
    on the same machine, equal to Keras's own ``fit`` after ``set_random_seed(seed)``. The model is
    left compiled with a new one, and TensorFlow seeded, whether it was trained or looked up.

    Parameters
    ----------
    model : tf.keras.Model, of one input and one output
        Logits of two or more classes; or one output, logit or sigmoid, for labels 0 and 1.
    data : Dataset, or anything with `x_train` and `y_train`
    epochs, batch_size : int
    seed : int, of the shuffling and of random layers
    cache : bool
        Keep the trained weights, in ``$QKIT_CACHE`` or the platform's cache folder, under a key of
        the graph that trains, the values it starts from, data, settings, code and versions; from
        another processor or number of threads only those that come with qkit. What no graph tells
        is trained each time: a loop of one's own in place of Keras's, eager steps, Python or files
        in the graph, layers that draw from a seed or generator of their own.
    validation_split : float in [0, 1), share of the training images, from the end, held out
    learning_rate : float
    loss : callable or str, optional
        From targets and outputs to a tensor of one loss an item, or the name of one of Keras's.
        Without it, class numbers take the cross-entropy, as do 0 and 1 of one output or several
        labels, and real targets the mean squared error.

    Returns
    -------
    History, without accuracies where there is a `loss`

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> len(fit(qk.models.walkthrough_cnn(), digits, epochs=1, cache=False).loss)
    1
    """
    opened, settings, loss, x, y = prepared(
        model, data, "fit", epochs, batch_size, seed, cache, validation_split, learning_rate, loss
    )
    model = opened.model
    own = () if loss is None else (getattr(loss, "__name__", type(loss).__name__),)
    # nothing that differs from run to run stays in a saved notebook
    record, from_cache = once(
        model, x, y, settings, (*astuple(settings), *own), cache=cache, loss=loss, fields=_CURVES,
        train=lambda show: run_epochs(
            model, x, y, settings, [_shown(model, epochs, show)], loss=loss
        ),
        last=lambda record: f"{model.name}: {_results(record)}",
    )  # fmt: skip
    curves = {name: tuple(record[name]) for name in _CURVES}
    shipped = record.get("shipped", False)
    return History(**curves, seconds=record["seconds"], from_cache=from_cache, shipped=shipped)


def prepared(
    model, data, what, epochs, batch_size=32, seed=0, cache=True, validation_split=0.1,
    learning_rate=1e-3, loss=None,
):  # fmt: skip
    """Return network, settings, loss, inputs and targets of a training; refuse what is odd."""
    settings = Settings(epochs, batch_size, seed, validation_split, learning_rate)
    opened = network(model, what=what)
    loss = _checked_loss(loss, opened, data, what=what)
    x, y = settings.checked(opened, data, what=what, classifier=loss is None)
    validate.instance(cache, bool, name=f"{what}: cache")
    return opened, settings, loss, x, y


def _checked_loss(loss, opened, data, *, what):
    """Return a loss by name or as it is; without one, None for class numbers, or by the targets."""
    losses = tensorflow().keras.losses
    if isinstance(loss, str):
        found = None
        with contextlib.suppress(ValueError):
            found = losses.get(loss)  # which finds whatever Keras's module holds, "abc" too
        if not isinstance(found, type) and callable(found):
            return found
        raise ValueError(
            f"{what}: Keras has no loss {loss!r}. It has 'mse', 'mae', 'binary_crossentropy', "
            "'huber' and others, see tf.keras.losses; or pass a function."
        )
    y = validate.array(getattr(data, "y_train", ()), what=f"{what}: data.y_train")
    gives = next(iter(opened.gives.values()), ())
    if loss is None and (gives == (1,) or (y.shape[1:] == gives and not _one_hot(y))):
        if not np.isin(y, (0, 1)).all():
            return losses.MeanSquaredError()
        ends = getattr(opened.model.layers[-1], "activation", None)
        return losses.BinaryCrossentropy(from_logits=getattr(ends, "__name__", "") != "sigmoid")
    if not (loss is None or callable(loss)):
        raise TypeError(
            f"{what}: loss must be a function of targets and outputs, or its name, got {loss!r}."
        )
    return loss


def _one_hot(y):
    return y.ndim == 2 and np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all()


@dataclass(frozen=True)
class Settings:
    """How `fit` trains by Adam, and all that trains as it does."""

    epochs: int
    batch_size: int
    seed: int
    validation_split: float  # share of the training images, from the end, that is held out
    learning_rate: float

    def checked(self, opened, data, *, what, classifier=True):
        """Return float32 inputs and targets that fit a network; int64 labels for a classifier."""
        validate.parts(data, ("x_train", "y_train"), name=f"{what}: data")
        shape, scores = opened.shapes(what=what, classifier=classifier)
        x = validate.images(data.x_train, shape, what=f"{what}: data.x_train")
        check = partial(validate.labels, classes=scores[0]) if classifier else validate.targets
        y = check(data.y_train, count=len(x), what=f"{what}: data.y_train")
        validate.whole(self.epochs, name=f"{what}: epochs")
        validate.whole(self.batch_size, name=f"{what}: batch_size", most=2**20)
        validate.whole(self.seed, name=f"{what}: seed", least=0, most=2**32 - 1)
        validate.number(self.validation_split, "[0, 1)", name=f"{what}: validation_split")
        if not hasattr(self.learning_rate, "get_config"):  # a schedule of Keras has one
            validate.number(self.learning_rate, "[0, inf)", name=f"{what}: learning_rate")
        return x, y

    def trained_on(self, count):
        """Return how many of `count` images are trained on: the first ones, as Keras splits."""
        return int(count * (1 - self.validation_split))

    def steps_per_epoch(self, count):
        """Return the number of steps in an epoch over `count` images, the held-out ones off."""
        return math.ceil(self.trained_on(count) / self.batch_size)


def once(
    model, x, y, settings, depends_on, train, *, cache, last, fields, loss=None, trained=None,
    functions=(),
):  # fmt: skip
    """Train, or look up what that left: return the record and whether it was looked up.

    Where another model is `trained`, and its weights go back, `functions` do that.
    """
    functions = (_compile, run_epochs, seeded, *functions)
    trained, found, digest = trained or model, None, None
    if cache:
        with quiet(), seeded(settings.seed):
            _compile(trained, settings, loss)
            digest = training_digest(trained, x, y, depends_on)
    if digest:
        key, here, shapes = key_of(digest, functions), machine(), [w.shape for w in model.weights]
        found = _cache.load(key, shapes, fields, here)
        if not found:
            _cache.require_writable()
    with progress_line() as show:
        if found:
            weights, record = found
            model.set_weights(weights)
        else:
            started = time.perf_counter()
            record = train(show)
            # for whoever looks into the folder: the key says nothing of what it stands for
            record |= {"network": model.name, "depends_on": repr(depends_on)}
            record["seconds"] = time.perf_counter() - started
            if digest:
                named = [f"{each.__module__}.{each.__qualname__}" for each in functions]
                record |= {"machine": here, "digest": digest, "functions": named}
                _cache.store(key, model.get_weights(), record)
        if trained is model:  # as a training leaves it, but for an optimizer that has done nothing
            with quiet(), seeded(settings.seed):
                _compile(model, settings, loss)
        show(last(record) + (", weights that come with qkit" if record.get("shipped") else ""))
    return record, bool(found)


def run_epochs(model, x, y, settings, callbacks, steps_per_call=MOST_STEPS_PER_CALL, *, loss=None):
    """Train on the cross-entropy of logits or a loss, seeded and quiet; return curves by epoch."""
    with quiet(), seeded(settings.seed):
        _compile(model, settings, loss, steps_per_call)
        run = model.fit(
            x, y, settings.batch_size, settings.epochs,
            verbose=0, callbacks=callbacks, validation_split=settings.validation_split,
        ).history  # fmt: skip
    return {name: [float(value) for value in run.get(name, ())] for name in _CURVES}


def _compile(model, settings, loss, steps_per_call=MOST_STEPS_PER_CALL):
    keras = tensorflow().keras
    model.compile(
        keras.optimizers.Adam(settings.learning_rate),
        loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=None if loss else ["accuracy"],
        steps_per_execution=steps_per_call,  # callbacks see the last batch of each call
    )


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
    name = "accuracy" if record["accuracy"] else "loss"
    ends = {"training": record[name], "validation": record[f"val_{name}"]}
    said = [f"{part} {name} {curve[-1]:.4f}" for part, curve in ends.items() if curve]
    return ", ".join([f"{epochs} epoch{'' if epochs == 1 else 's'}", *said])


@contextlib.contextmanager
def seeded(seed):
    """Seed what Keras draws from, and give Python's and NumPy's generators back as they were.

    TensorFlow's, which cannot be asked, starts from the seed afterwards, whatever was drawn.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed_all = tensorflow().keras.utils.set_random_seed
    seed_all(seed)
    try:
        yield
    finally:
        seed_all(seed)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
