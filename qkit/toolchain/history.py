"""How weights change while a model is trained: zeros, distinct values, and the accuracy."""

from dataclasses import astuple, dataclass

import numpy as np

from qkit._tensorflow import quiet, tensorflow
from qkit.networks import network
from qkit.quantize.coding import distinct_values, sparsity
from qkit.result import Result
from qkit.toolchain.wrapping import copy_of
from qkit.training import MOST_STEPS_PER_CALL, once, prepared, run_epochs, seeded

_HELD_OUT_IMAGES = 2_000  # at each record: enough to see the accuracy dip, quick enough for thirty
_RECORDS_PER_EPOCH = 10
_FIELDS = ("steps", "sparsity", "distinct_values", "accuracy")


@dataclass(frozen=True, eq=False, repr=False)
class WeightHistory(Result):
    """What happened to the kernels of a model during a training, step by step.

    They are taken as the forward pass uses them: masked, clustered, or on their grid.
    """

    steps: np.ndarray  # training steps done, shape (k,), int64; the first is 0
    sparsity: dict  # by kernel, its share of zeros, shape (k,)
    distinct_values: dict  # by kernel, how many values it has, shape (k,)
    accuracy: np.ndarray  # on training images that were held out, shape (k,); NaN without them
    left_alone: dict  # layers with kernels that were not to be compressed, with the reason
    from_cache: bool

    def summary(self):
        """Say in one line what the training made of the kernels, and which it left alone."""
        parts = [
            f"{kernel} {self.sparsity[kernel][0]:.1%} → {self.sparsity[kernel][-1]:.1%} zeros, "
            f"{self.distinct_values[kernel][0]:,} → {self.distinct_values[kernel][-1]:,} values"
            for kernel in self.sparsity
        ]
        text = f"{self.steps[-1]:,} steps: {'; '.join(parts)}"
        if np.isfinite(self.accuracy[-1]):
            text += f"; held-out accuracy {self.accuracy[0]:.4f} → {self.accuracy[-1]:.4f}"
        return text + _left_alone(self.left_alone)


def weight_history(
    model, data, *, epochs=1, batch_size=32, seed=0, learning_rate=1e-3, cache=True,
    validation_split=0.1, loss=None,
):  # fmt: skip
    """Train a model as `fit` does, and record its kernels on the way.

    Parameters
    ----------
    model : tf.keras.Model, trained in place, to the same weights as by `fit`
    data : Dataset
    epochs, batch_size, seed, learning_rate, cache, validation_split, loss : as for `fit`

    Returns
    -------
    WeightHistory

    Examples
    --------
    >>> import qkit as qk
    >>> aware = qk.quantization_aware(qk.models.walkthrough_cnn())
    >>> history = weight_history(aware, qk.load_data("digits"), cache=False)
    >>> int(history.steps[-1]), bool(history.distinct_values["logits"][-1] <= 255)
    (37, True)
    """
    opened, settings, loss, x, y = prepared(
        model, data, "weight_history", epochs, batch_size, seed, cache, validation_split,
        learning_rate, loss,
    )  # fmt: skip
    return record_training(
        opened.model, x, y, settings, kind=("weights",), what="training", cache=cache,
        left_alone={}, loss=loss,
    )  # fmt: skip


def record_training(
    target, x, y, settings, *, kind, what, cache, left_alone, wrap=None, unwrap=None, callbacks=(),
    loss=None,
):  # fmt: skip
    """Train a model in place and record it; once, under `kind` and all else, if it may be cached.

    With `wrap` a copy of wrapped layers is trained, whose weights come back through `unwrap`.
    """
    per_epoch, trained_on = settings.steps_per_epoch(len(x)), settings.trained_on(len(x))
    at_once = int(np.clip(per_epoch // _RECORDS_PER_EPOCH, 1, MOST_STEPS_PER_CALL))
    # of what is told by a loss of one's own, there is no accuracy
    held_out = slice(trained_on, trained_on + (0 if loss else _HELD_OUT_IMAGES))
    trained = _wrapped(target, wrap, settings.seed) if wrap else target

    def train(show):
        opened = network(trained)
        notes = [_noted(opened, 0, x[held_out], y[held_out])]

        def follow(batch, logs):
            done = int(trained.optimizer.iterations)
            notes.append(_noted(opened, done, x[held_out], y[held_out]))
            steps = f"step {done:,} of {per_epoch * settings.epochs:,}"
            show(f"{target.name}, {what}: {steps}, {_line(_by_quantity(notes))}")

        callback = tensorflow().keras.callbacks.LambdaCallback(on_train_batch_end=follow)
        run_epochs(trained, x, y, settings, [*callbacks, callback], at_once, loss=loss)
        if unwrap:
            # masking leaves −0.0 where the weight was negative, which a compressor takes for
            # another value: 13 % more bytes in a pruned float32 file
            stripped = network(unwrap(trained)).weights  # in another order, some of them
            for path, weight in network(target).weights.items():
                weight.assign(stripped[path].numpy() + 0)
        # once more, as the model is left: the last weights are masked after a step
        notes[-1] = _noted(network(target), notes[-1]["steps"], x[held_out], y[held_out])
        return _by_quantity(notes)

    record, from_cache = once(
        target, x, y, settings, (kind, astuple(settings)), train, cache=cache, trained=trained,
        loss=loss, functions=(record_training, _noted, sparsity, distinct_values), fields=_FIELDS,
        last=lambda record: f"{target.name}, {what}: {_line(record)}{_left_alone(left_alone)}",
    )  # fmt: skip
    return WeightHistory(
        steps=np.array(record["steps"]),
        sparsity=_columns(record["sparsity"]),
        distinct_values=_columns(record["distinct_values"]),
        accuracy=np.array(record["accuracy"]),
        left_alone=left_alone,
        from_cache=from_cache,
    )


def _wrapped(model, wrap, seed):
    with quiet(), seeded(seed):  # some of the initialisations of clusters draw
        # the wrappers hold the layers themselves: those of a copy, or the model would be changed
        return tensorflow().keras.models.clone_model(copy_of(model), clone_function=wrap)


def _noted(opened, step, x, y):
    """Return what is noted of a network at a step, for JSON."""
    used = opened.kernels
    accuracy = float("nan")
    if len(y):
        # outside the compiled graph: evaluate() would reset the running means of the training
        scores = opened.model(x, training=False).numpy()
        accuracy = float(np.mean(scores.argmax(axis=1) == y))
    return {
        "steps": step,
        "sparsity": {name: sparsity(kernel) for name, kernel in used.items()},
        "distinct_values": {name: distinct_values(kernel) for name, kernel in used.items()},
        "accuracy": accuracy,
    }


def _by_quantity(notes):
    return {name: [note[name] for note in notes] for name in notes[0]}


def _line(record):
    """Say what the last note of a record holds."""
    zeros = ", ".join(f"{name} {share:.1%}" for name, share in record["sparsity"][-1].items())
    values = ", ".join(f"{name} {n:,}" for name, n in record["distinct_values"][-1].items())
    text = f"zeros {zeros}; distinct values {values}"
    if np.isfinite(record["accuracy"][-1]):
        text += f"; held-out accuracy {record['accuracy'][-1]:.4f}"
    return text


def _left_alone(layers):
    words = ", ".join(f"{name} ({why})" for name, why in layers.items())
    return f"; left alone: {words}" if words else ""


def _columns(notes):
    return {kernel: np.array(values) for kernel, values in _by_quantity(notes).items()}
