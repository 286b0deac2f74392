"""Reading strips of handwritten numbers: the strips, two networks, their loss, two error rates."""

from functools import partial

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.data import Dataset
from qkit.evaluate.tasks import Metric, ratio

COLUMNS = 96
SYMBOLS = "0123456789 "


def data(images):
    """Return strips of numbers of one to three digits, and their targets: symbols, then −1."""
    rng = np.random.default_rng(0)
    n = len(images.x_train)  # a small data set is written more than once
    order = np.concatenate([rng.permutation(n) for _ in range(0, 60_000, n)])
    train = _written(images.x_train, images.y_train, order[:60_000], rng)
    test = _written(images.x_test, images.y_test, rng.permutation(len(images.x_test)), rng)
    return Dataset(*train, *test, f"strips of numbers made from {images.name}", images.source)


def text(symbols):
    """Return a target as text, without its padding."""
    return "".join(SYMBOLS[s] for s in symbols if s >= 0)


def strip_cnn(*, seed=0):
    """Return a small relative of Wav2letter (Collobert et al., 2016): columns for frames."""
    keras = tensorflow().keras
    layers = keras.layers
    glorot = [keras.initializers.GlorotUniform(100 * seed + number) for number in range(7)]
    convolution = partial(layers.Conv1D, padding="same", activation="relu")
    return keras.Sequential(
        [
            layers.InputLayer((COLUMNS, 14), name="strip"),
            convolution(48, 7, 2, kernel_initializer=glorot[1], name="conv1"),
            convolution(48, 5, kernel_initializer=glorot[2], name="conv2"),
            convolution(48, 5, kernel_initializer=glorot[3], name="conv3"),
            convolution(48, 5, kernel_initializer=glorot[4], name="conv4"),
            convolution(96, 1, kernel_initializer=glorot[5], name="conv5"),
            layers.Conv1D(12, 1, padding="same", kernel_initializer=glorot[6], name="logits"),
        ],
        name="strip_cnn",
    )


def unrolled_rnn(*, cell="lstm", seed=0):
    """Return a small relative of DeepSpeech 0.5.1 (Hannun et al., 2014), unrolled to 48 steps."""
    keras = tensorflow().keras
    layers = keras.layers
    recurrent = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}[cell]
    dense = partial(layers.Dense, 64, "relu")
    glorot = [keras.initializers.GlorotUniform(100 * seed + number) for number in range(6)]
    return keras.Sequential(
        [
            layers.InputLayer((COLUMNS, 14), name="strip"),
            layers.Conv1D(  # a dense layer over nine columns, at every other one
                64, 9, 2, "same", activation="relu", kernel_initializer=glorot[0], name="window"
            ),
            dense(kernel_initializer=glorot[3], name="dense1"),
            recurrent(
                64, return_sequences=True, unroll=True, kernel_initializer=glorot[1],
                recurrent_initializer=keras.initializers.Orthogonal(seed=100 * seed + 2), name=cell,
            ),
            dense(kernel_initializer=glorot[4], name="dense2"),
            layers.Dense(12, kernel_initializer=glorot[5], name="logits"),
        ],
        name=f"unrolled_{cell}",
    )  # fmt: skip


def loss(targets, logits):
    """Return the CTC loss: −log of the probability of all alignments that read as the target.

    Parameters
    ----------
    targets : tf.Tensor of shape (n, symbols), integer
        Positions in `SYMBOLS`, then −1.
    logits : tf.Tensor of shape (n, steps, len(SYMBOLS) + 1), float32
        One score for each symbol, and the last for none (the blank).

    Returns
    -------
    tf.Tensor of shape (n,)

    Notes
    -----
    After Graves et al., "Connectionist temporal classification" (2006), by TensorFlow's own op.
    """
    tf = tensorflow()
    written = targets >= 0
    symbols = tf.SparseTensor(
        tf.where(written),
        tf.cast(targets[written], tf.int32),
        tf.shape(targets, out_type=tf.int64),
    )
    count, steps = tf.shape(logits)[0], tf.shape(logits)[1]
    return tf.nn.ctc_loss(
        symbols, logits, None, tf.fill([count], steps), logits_time_major=False, blank_index=-1
    )


def read(logits):
    """Return what a network reads: the best symbol of each step, once a run, without blanks."""
    best = logits.argmax(axis=2)
    begins = np.diff(best, axis=1, prepend=-1) != 0
    return [text(b[first & (b < len(SYMBOLS))]) for b, first in zip(best, begins, strict=True)]


def tallies(units, logits, targets):
    """Return each strip's edits from what is read to the target, and its length, in `units`."""
    tf = tensorflow()
    found, wanted = (
        tf.ragged.constant([*map(units, lines)], tf.string, ragged_rank=1)
        for lines in (read(logits), map(text, targets))
    )
    edits = tf.edit_distance(found.to_sparse(), wanted.to_sparse(), normalize=False)
    return np.stack([edits, wanted.row_lengths()], axis=1).astype(np.int64)


def _written(x, y, order, rng):
    """Return strips with their targets; the last strip may want a number, and is left out."""
    small = x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).transpose(0, 2, 1)  # columns first
    strips, targets, end = [], [], COLUMNS
    while len(order):
        digits, order = np.split(order, [rng.integers(1, 3, endpoint=True)])
        columns = _number(small[digits], rng)
        start = end + rng.integers(5, 8, endpoint=True)  # columns between numbers
        if start + len(columns) > COLUMNS:
            start -= end
            strips.append(np.zeros((COLUMNS, 14), np.float32))
            targets.append([])
        if targets[-1]:
            targets[-1].append(SYMBOLS.index(" "))
        end = start + len(columns)
        strips[-1][start:end] = columns
        targets[-1].extend(y[digits])
    pad = tensorflow().keras.utils.pad_sequences
    return np.stack(strips[:-1]), pad(targets[:-1], padding="post", value=-1)


def _number(digits, rng):
    """Return the columns of digits with none, one or two blank ones between them."""
    parts = []
    for digit in digits:
        inked = np.flatnonzero(digit.any(axis=1))
        gap = np.zeros((rng.integers(2, endpoint=True), 14), np.float32)
        parts += [gap, digit[inked[0] : inked[-1] + 1]]
    return np.concatenate(parts[1:])


CHARACTER_ERROR_RATE = Metric("character error rate", "", False, partial(tallies, list), ratio)
WORD_ERROR_RATE = Metric("word error rate", "", False, partial(tallies, str.split), ratio)
