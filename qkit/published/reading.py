"""Reading strips of numbers: the loss of a network that aligns by itself, and two error rates."""

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.evaluate.task import Task, ratio
from qkit.published.strips import SYMBOLS, data, text


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
    """Return what a network reads: the best symbol of each step, once a run, without blanks.

    Parameters
    ----------
    logits : ndarray of shape (n, steps, len(SYMBOLS) + 1)

    Returns
    -------
    list of str

    Examples
    --------
    >>> steps = [1, 1, 11, 1, 10, 7, 11, 11]  # 11 stands for none, 10 for a space
    >>> read(np.eye(12)[steps][None])
    ['11 7']
    """
    best = logits.argmax(axis=2)
    begins = np.diff(best, axis=1, prepend=-1) != 0
    return [text(b[first & (b < len(SYMBOLS))]) for b, first in zip(best, begins, strict=True)]


def characters(logits, targets):
    """Return, for each strip, the edits from what is read to the target, and the target's length.

    Parameters
    ----------
    logits : ndarray of shape (n, steps, len(SYMBOLS) + 1)
    targets : ndarray of shape (n, symbols), integer
        Positions in `SYMBOLS`, then −1.

    Returns
    -------
    ndarray of shape (n, 2), int64
        Insertions, deletions and substitutions of characters, spaces too; number of characters.

    Examples
    --------
    >>> characters(np.eye(12)[[1, 10, 7, 11]][None], np.array([[1, 7, -1]])).tolist()
    [[1, 2]]
    """
    return _tallies(read(logits), [text(t) for t in targets], list)


def words(logits, targets):
    """Return, for each strip, the edits from the numbers that are read to those of the target.

    Parameters
    ----------
    logits, targets
        As for `characters`.

    Returns
    -------
    ndarray of shape (n, 2), int64
        Insertions, deletions and substitutions of whole numbers; how many numbers there are.

    Examples
    --------
    >>> words(np.eye(12)[[1, 10, 7, 11]][None], np.array([[1, 7, -1]])).tolist()
    [[2, 1]]
    """
    return _tallies(read(logits), [text(t) for t in targets], str.split)


def _tallies(found, wanted, units):
    tf = tensorflow()
    found, wanted = (
        tf.ragged.constant([units(line) for line in lines], tf.string, ragged_rank=1)
        for lines in (found, wanted)
    )
    edits = tf.edit_distance(found.to_sparse(), wanted.to_sparse(), normalize=False)
    return np.stack([edits, wanted.row_lengths()], axis=1).astype(np.int64)


def _task(name, metric, tallies):
    return Task(
        name=name,
        metric=metric,
        higher_is_better=False,
        data=data,
        loss=loss,
        tallies=tallies,
        score=ratio,
    )


CHARACTERS = _task("reading characters", "character error rate", characters)
WORDS = _task("reading words", "word error rate", words)
