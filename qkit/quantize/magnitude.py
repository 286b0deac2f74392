"""Which weights magnitude pruning keeps, in one shot, as tensorflow-model-optimization does it."""

import numpy as np

from qkit import validate

KEPT_OF_FOUR = 2


def magnitude_mask(weights, sparsity, pattern=None, *, axis=-1):
    """Return which weights are kept when the smallest magnitudes are set to 0.

    Parameters
    ----------
    weights : array_like of floating point
        Of one layer. In the layout of a .tflite file the first axis counts output channels and the
        last one input channels.
    sparsity : float
        Share of the weights to set to 0, from 0 to below 1. Weights as large as the last one kept
        stay too, so that equal magnitudes can leave more. The pattern "2:4" takes no notice of it.
    pattern : None, "2:4" or (rows, columns)
        None chooses each weight by itself. "2:4" keeps the two largest of every four neighbours
        along `axis`; what is left over at its end counts as four with zeros. Two whole numbers
        keep or drop blocks of a matrix whole, by the mean of their magnitudes; the last blocks are
        smaller where the shape is no multiple.
    axis : int
        Of "2:4": that of the input channels, along which hardware multiplies.

    Returns
    -------
    ndarray of the shape of `weights`, bool
        True where a weight is kept.

    Notes
    -----
    Of n weights, max(round(n · (1 − sparsity)), 1) are kept, worked out in float32 and with halves
    to the even number, as tensorflow-model-optimization does; of blocks likewise. Its blocks are
    those of the Keras layout, (inputs, outputs): transpose weights and block to compare. Where a
    block overhangs a matrix by two or more, it measures windows that are shifted against the
    blocks which it then drops (the padding of "SAME" pooling); here, both are the same.

    References
    ----------
    M. Zhu, S. Gupta, "To prune, or not to prune", 2017. A. Mishra et al., "Accelerating sparse deep
    neural networks", 2021: two of four. tensorflow-model-optimization, `pruning_impl.py`.

    Examples
    --------
    >>> magnitude_mask(np.float32([0.1, -3.0, 2.0, -0.2]), 0.5)
    array([False,  True,  True, False])
    >>> magnitude_mask(np.float32([[1, 2, 3, 4], [0, -9, 0, -8]]), 0.5, "2:4").astype(int)
    array([[0, 0, 1, 1],
           [0, 1, 0, 1]])
    >>> magnitude_mask(np.float32([[1, 2, 3, 4], [0, -9, 0, -8]]), 0.75, (1, 2)).astype(int)
    array([[0, 0, 0, 0],
           [1, 1, 0, 0]])
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
        return _two_of_four(magnitudes, axis)
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


def _two_of_four(magnitudes, axis):
    if magnitudes.ndim == 0 or not -magnitudes.ndim <= axis < magnitudes.ndim:
        raise ValueError(
            f"magnitude_mask: axis {axis} does not exist in weights of the shape "
            f"{magnitudes.shape}."
        )
    along = np.moveaxis(magnitudes, axis, -1)
    groups = fours(along)
    largest = np.argsort(-groups, axis=-1, kind="stable")[..., :KEPT_OF_FOUR]  # the first of equals
    kept = np.zeros(groups.shape, bool)
    np.put_along_axis(kept, largest, True, axis=-1)
    kept = kept.reshape(*along.shape[:-1], -1)[..., : along.shape[-1]]
    return np.moveaxis(kept, -1, axis)


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
