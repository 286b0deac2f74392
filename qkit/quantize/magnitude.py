"""Which weights magnitude pruning keeps, in one shot, as tensorflow-model-optimization does it."""

import numpy as np

from qkit import validate

KEPT_OF_FOUR = 2


def magnitude_mask(weights, sparsity, pattern=None):
    """Return which weights are kept when the smallest magnitudes are set to 0.

    Parameters
    ----------
    weights : array_like of floating point, of one layer
    sparsity : float from 0 to below 1, share of the weights or blocks to set to 0
        Of n, max(round(n · (1 − sparsity)), 1) are kept, and what is as large as the last of them
        (M. Zhu, S. Gupta, arXiv:1710.01878).
    pattern : None, "2:4" or (rows, columns)
        None chooses each weight by itself. "2:4" keeps the two largest of every four neighbours
        along the last axis, whatever the sparsity (A. Mishra et al., arXiv:2104.08378). Two whole
        numbers keep or drop blocks of a matrix whole, by the mean of their magnitudes. What is left
        over at the end of an axis counts as one group or block more.

    Returns
    -------
    ndarray of the shape of `weights`, bool, True where a weight is kept

    Examples
    --------
    >>> magnitude_mask([0.1, -3.0, 2.0, -0.2], 0.5)
    array([False,  True,  True, False])
    """
    magnitudes = np.abs(validate.values(weights, what="magnitude_mask"))
    if magnitudes.size == 0:
        raise ValueError(f"magnitude_mask: there are no weights, shape {magnitudes.shape}.")
    validate.number(sparsity, "[0, 1)", name="magnitude_mask: sparsity, as 0.8 for 80 %,")
    if pattern is None:
        return magnitudes >= _threshold(magnitudes, sparsity)
    if isinstance(pattern, str) and pattern == "2:4":
        order = np.argsort(-fours(magnitudes), axis=-1, kind="stable")  # the first of equals stays
        kept = np.argsort(order, axis=-1) < KEPT_OF_FOUR
        return kept.reshape(*magnitudes.shape[:-1], -1)[..., : magnitudes.shape[-1]]
    rows, columns = _block(pattern, magnitudes.shape)
    means = _block_means(_block_means(magnitudes, rows, axis=0), columns, axis=1)
    kept = means >= _threshold(means, sparsity)
    height, width = magnitudes.shape
    return kept.repeat(rows, axis=0).repeat(columns, axis=1)[:height, :width]


def fours(x):
    """Return the groups of four neighbours along the last axis; zeros fill the last one up."""
    padding = [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % 4)]
    return np.pad(x, padding).reshape(*x.shape[:-1], -1, 4)


def _threshold(magnitudes, sparsity):
    """Return the smallest magnitude that is kept."""
    kept = np.round(np.float32(magnitudes.size) * (np.float32(1) - np.float32(sparsity)))
    position = magnitudes.size - max(int(kept), 1)
    return np.partition(magnitudes, position, axis=None)[position]


def _block(pattern, shape):
    pair = isinstance(pattern, (tuple, list)) and len(pattern) == 2
    if not pair or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in pattern):
        raise ValueError(
            'magnitude_mask: pattern must be None, "2:4" or a block of (rows, columns), whole '
            f"numbers of 1 or more, got {pattern!r}."
        )
    if len(shape) != 2:
        raise ValueError(
            f"magnitude_mask: blocks are for matrices, as dense layers have; these weights have "
            f'the shape {shape}. Choose None or "2:4" for them.'
        )
    return pattern


def _block_means(values, size, axis):
    """Return the means of neighbours along an axis; the last ones may be fewer."""
    starts = np.arange(0, values.shape[axis], size)
    counts = np.diff(np.float32([*starts, values.shape[axis]]))
    return np.add.reduceat(values, starts, axis=axis) / np.expand_dims(counts, 1 - axis)
