"""Training that is seeded to the bit, fast, and done only once."""

import hashlib
import importlib.metadata
import random
import re
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np

from qkit import cache as _cache
from qkit import validate
from qkit._tensorflow import classifier_shape, quiet, require_keras_2_model, tensorflow
from qkit.progress import progress_line
from qkit.result import Result

# Batches that run in one call of the compiled graph: the same weights to the bit, 1.6 times faster.
_STEPS_PER_EXECUTION = 100
_VERSIONS_OF = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")


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
    from_cache : bool
        Whether the weights came from the cache.
    """

    loss: tuple
    accuracy: tuple
    val_loss: tuple
    val_accuracy: tuple
    seconds: float
    from_cache: bool

    def to_frame(self):
        """Return a DataFrame with one row per epoch, counted from 1."""
        import pandas as pd

        columns = ("loss", "accuracy", "val_loss", "val_accuracy")
        frame = pd.DataFrame({c: getattr(self, c) for c in columns if getattr(self, c)})
        frame.index = pd.RangeIndex(1, len(frame) + 1, name="epoch")
        return frame

    def summary(self):
        """Say in one line how the training ended."""
        how = "from the cache" if self.from_cache else f"in {self.seconds:.1f} s"
        return f"{_results(len(self.loss), self)}, {how}"


def fit(
    model,
    data,
    *,
    epochs,
    batch_size=32,
    seed=0,
    cache=True,
    validation_split=0.1,
    learning_rate=1e-3,
):
    """Train a classifier in place: Adam on the cross-entropy of its logits.

    The optimizer starts anew at each call, so that the result depends on the arguments alone:
    the same arguments give the same weights to the last bit on the same machine, and are looked up
    instead of trained again. Equal to Keras's own ``fit`` after ``set_random_seed(seed)``.

    Parameters
    ----------
    model : tf.keras.Model
        Keras 2, with one input and logits of shape (n, classes) as output. Trained in place.
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

    Returns
    -------
    History

    Raises
    ------
    KerasVersionError, TypeError, ValueError
        If the model or the data are not fit for it; before any training.
    PermissionError
        If the cache cannot be written to; before any training.

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> history = fit(qk.models.walkthrough_cnn(), digits, epochs=1, cache=False)
    >>> len(history.loss)
    1
    """
    require_keras_2_model(model, what="fit")
    shape, classes = classifier_shape(model, what="fit")
    x = validate.images(data.x_train, shape, what="fit: data.x_train")
    y = validate.labels(data.y_train, count=len(x), classes=classes, what="fit: data.y_train")
    _require_whole(epochs, "epochs", least=1)
    _require_whole(batch_size, "batch_size", least=1)
    if not 0 <= validation_split < 1:
        raise ValueError(f"fit: validation_split must be in [0, 1), got {validation_split!r}")
    if cache:
        _cache.require_writable()
        key = _key(model, x, y, epochs, batch_size, seed, validation_split, learning_rate)
        found = _cache.load(key, [w.shape for w in model.get_weights()])
        if found:
            weights, record = found
            model.set_weights(weights)
            history = History(**_tuples(record), from_cache=True)
            with progress_line() as show:
                show(_last_line(model, history))
            return history
    history = _train(model, x, y, epochs, batch_size, seed, validation_split, learning_rate)
    if cache:
        record = asdict(history)
        del record["from_cache"]
        _cache.store(key, model.get_weights(), record)
    return history


def _train(model, x, y, epochs, batch_size, seed, validation_split, learning_rate):
    keras = tensorflow().keras
    started = time.perf_counter()
    with progress_line() as show, quiet(), seeded(seed):
        model.compile(
            keras.optimizers.Adam(learning_rate),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            steps_per_execution=_STEPS_PER_EXECUTION,
        )
        run = model.fit(
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            validation_split=validation_split,
            callbacks=[_progress_callback(model, epochs, show)],
            verbose=0,
        ).history
        curves = {
            name: tuple(float(v) for v in run.get(name, ()))
            for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        history = History(**curves, seconds=time.perf_counter() - started, from_cache=False)
        show(_last_line(model, history))
    return history


def _progress_callback(model, epochs, show):
    def on_epoch_end(epoch, logs):
        show(
            f"{model.name}: epoch {epoch + 1} of {epochs}, training accuracy {logs['accuracy']:.4f}"
        )

    return tensorflow().keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: show(f"{model.name}: epoch 1 of {epochs} …"),
        on_epoch_end=on_epoch_end,
    )


def _last_line(model, history):
    """Return what stays in a saved notebook: nothing that differs from run to run."""
    return f"{model.name}: {_results(len(history.loss), history)}"


def _results(epochs, history):
    text = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    if history.accuracy:
        text += f", training accuracy {history.accuracy[-1]:.4f}"
    if history.val_accuracy:
        text += f", validation accuracy {history.val_accuracy[-1]:.4f}"
    return text


@contextmanager
def seeded(seed):
    """Seed what Keras draws from, and give Python's and NumPy's generators back as they were."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    tensorflow().keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _key(model, x, y, *hyper_parameters):
    digest = hashlib.sha256()
    digest.update(_architecture(model).encode())
    for array in (*model.get_weights(), x, y):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    versions = [importlib.metadata.version(name) for name in _VERSIONS_OF]
    digest.update(repr((hyper_parameters, versions)).encode())
    return digest.hexdigest()


def _architecture(model):
    """Return a model's JSON without the numbers that Keras gives to names, as dense_1, dense_2.

    Which ones it gives depends on what the process has built before. Layers go by their position,
    so that it still shows which is connected to which.
    """
    text = model.to_json()
    for position, layer in enumerate(model.layers):
        text = text.replace(f'"{layer.name}"', f'"layer {position}"')
    return re.sub(r'_\d+(?=")', "", text)


def _tuples(record):
    return {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}


def _require_whole(value, name, *, least):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"fit: {name} must be a whole number of {least} or more, got {value!r}")
