"""Strips of handwritten numbers: the images of a data set side by side, read column by column."""

import numpy as np

from qkit.evaluate.task import TaskData

COLUMNS = 96
SYMBOLS = "0123456789 "
_TRAIN_DIGITS = 60_000
_MOST_DIGITS = 3  # of a number
_DIGIT_GAPS = (0, 2)  # columns, smallest and largest
_NUMBER_GAPS = (5, 8)
_PADDING = -1


def data(images):
    """Write the images of a data set into strips of numbers of one to three digits.

    The images are halved in size, cut to the columns that hold ink, and set side by side at random
    distances; larger ones stand between numbers. A strip ends where the next number would not fit.
    Training strips hold training images alone, test strips test images alone, each of these once:
    what is read in one strip tells nothing of the next.

    Parameters
    ----------
    images : Dataset
        Of digits, 28×28.

    Returns
    -------
    TaskData
        Inputs of shape (n, 96, 14): columns from left to right, and the pixels of each from top to
        bottom. Targets of shape (n, symbols): positions in `SYMBOLS`, then −1.

    Examples
    --------
    >>> import qkit as qk
    >>> strips = data(qk.load_data("digits"))
    >>> strips.x_test.shape[1:]
    (96, 14)
    >>> text(strips.y_test[0])
    '85 838'
    """
    rng = np.random.default_rng(0)
    rounds = -(-_TRAIN_DIGITS // len(images.x_train))  # a small data set is written more than once
    order = np.concatenate([rng.permutation(len(images.x_train)) for _ in range(rounds)])
    train = _written(images.x_train, images.y_train, order[:_TRAIN_DIGITS], rng)
    test = _written(images.x_test, images.y_test, rng.permutation(len(images.x_test)), rng)
    return TaskData(*train, *test, f"strips of numbers made from {images.name}")


def text(symbols):
    """Return a target as text.

    Parameters
    ----------
    symbols : ndarray of shape (symbols,), integer
        Positions in `SYMBOLS`; negative ones are padding.

    Returns
    -------
    str

    Examples
    --------
    >>> text(np.array([1, 0, 10, 7, -1]))
    '10 7'
    """
    return "".join(SYMBOLS[s] for s in symbols if s >= 0)


def _written(x, y, order, rng):
    """Return strips with their targets; the last number or two may find no strip to fill."""
    small = x.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).transpose(0, 2, 1)  # columns first
    strips, targets = [], []
    strip, target, end, start = _empty(), [], 0, 0
    while start < len(order):
        digits = order[start : start + rng.integers(1, _MOST_DIGITS, endpoint=True)]
        columns = _number([small[i] for i in digits], rng)
        gap = rng.integers(*_NUMBER_GAPS, endpoint=True)
        if end + gap + len(columns) > COLUMNS:
            strips.append(strip)
            targets.append(target)
            strip, target, end = _empty(), [], 0
        if target:
            target.append(SYMBOLS.index(" "))
        strip[end + gap : end + gap + len(columns)] = columns
        target.extend(y[digits])
        end += gap + len(columns)
        start += len(digits)
    padded = np.full((len(targets), max(map(len, targets))), _PADDING, np.int32)
    for row, target in zip(padded, targets, strict=True):
        row[: len(target)] = target
    return np.stack(strips), padded


def _number(digits, rng):
    parts = []
    for digit in digits:
        inked = np.flatnonzero(digit.any(axis=1))
        gap = np.zeros((rng.integers(*_DIGIT_GAPS, endpoint=True), 14), np.float32)
        parts += [gap, digit[inked[0] : inked[-1] + 1]]
    return np.concatenate(parts[1:])


def _empty():
    return np.zeros((COLUMNS, 14), np.float32)
