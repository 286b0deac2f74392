"""Which weights magnitude pruning keeps, in one shot, as tensorflow-model-optimization does it."""

import numpy as np

from qkit import validate

KEPT_OF_FOUR = 2


def magnitude_mask(weights, sparsity, pattern=None):
    """Return which weights are kept when the smallest magnitudes are set to 0.

    Parameters
    ----------
    weights : array_like of floating point
        Of one layer.
    sparsity : float
        Share of the weights to set to 0, from 0 to below 1. Weights as large as the last one kept
        stay too, so that equal magnitudes can leave more. The pattern "2:4" takes no notice of it.
    pattern : None, "2:4" or (rows, columns)
        None chooses each weight by itself. "2:4" keeps the two largest of every four neighbours
        along the last axis, the input channels in a .tflite file. Two whole numbers keep or drop
        blocks of a matrix whole, by the mean of their magnitudes. What is left over counts too.

    Returns
    -------
    ndarray of the shape of `weights`, bool
        True where a weight is kept.

    Notes
    -----
    Of n weights, max(round(n · (1 − sparsity)), 1) are kept, in float32 and with halves to the even
    number, as tensorflow-model-optimization does; of blocks likewise, in the layout of Keras. Where
    a block overhangs a matrix by two or more, it drops other blocks than it has measured.

    References
    ----------
    M. Zhu, S. Gupta, "To prune, or not to prune", 2017. A. Mishra et al., "Accelerating sparse deep
    neural networks", 2021: two of four.

    Examples
    --------
    >>> magnitude_mask(np.float32([0.1, -3.0, 2.0, -0.2]), 0.5)
    array([False,  True,  True, False])
    >>> magnitude_mask(np.float32([[1, 2, 3, 4], [0, -9, 0, -8]]), 0.5, "2:4").astype(int)
    array([[0, 0, 1, 1],
           [0, 1, 0, 1]])
    """
    magnitudes = np.abs(validate.values(weights, what="magnitude_mask"))
    if magnitudes.size == 0:
        raise ValueError(f"magnitude_mask: there are no weights, shape {magnitudes.shape}.")
    if isinstance(sparsity, (bool, str)) or not np.isscalar(sparsity) or not 0 <= sparsity < 1:
        hint = " Give 0.8 for 80 %." if np.isscalar(sparsity) and sparsity in range(2, 100) else ""
        raise ValueError(
            f"magnitude_mask: sparsity must be a number from 0 to below 1, got {sparsity!r}.{hint}"
        )
    if pattern is None:
        return magnitudes >= _threshold(magnitudes, sparsity)
    if isinstance(pattern, str) and pattern == "2:4":
        return _two_of_four(magnitudes)
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
    share = np.float32(1) - np.float32(sparsity)
    kept = max(int(np.round(np.float32(magnitudes.size) * share)), 1)
    position = magnitudes.size - kept
    return np.partition(magnitudes, position, axis=None)[position]


def _two_of_four(magnitudes):
    groups = fours(magnitudes)
    largest = np.argsort(-groups, axis=-1, kind="stable")[..., :KEPT_OF_FOUR]  # the first of equals
    kept = np.zeros(groups.shape, bool)
    np.put_along_axis(kept, largest, True, axis=-1)
    return kept.reshape(*magnitudes.shape[:-1], -1)[..., : magnitudes.shape[-1]]


def _block(pattern, shape):
    valid = isinstance(pattern, (tuple, list)) and len(pattern) == 2
    if not valid or not all(isinstance(n, (int, np.integer)) and n >= 1 for n in pattern):
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
    counts = np.diff(np.append(starts, values.shape[axis]))
    sums = np.add.reduceat(values, starts, axis=axis)
    return sums / np.expand_dims(counts.astype(np.float32), 1 - axis)
