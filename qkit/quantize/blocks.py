"""A tensor cut into blocks that stay in a core's own cache while NumPy passes over them."""

import itertools

# Values that are worked on at once: seven passes over 256 KiB stay in a core's own cache.
_BLOCK = 2**16


def block_slices(shape):
    """Yield the blocks of a tensor, small enough to stay in a core's own cache.

    Parameters
    ----------
    shape : (int, int, int)
        As a granularity lays it out: (outer, channels, inner).

    Returns
    -------
    iterator of tuple of three slices

    Examples
    --------
    >>> [part[2] for part in block_slices((1, 1, 100_000))]
    [slice(0, 65536, None), slice(65536, 131072, None)]
    """
    sizes = block_shape(shape)
    for starts in itertools.product(*map(range, (0, 0, 0), shape, sizes)):
        yield tuple(slice(i, i + size) for i, size in zip(starts, sizes, strict=True))


def block_shape(shape):
    """Return how many rows, channels and neighbours are worked on at once, at least one each.

    Parameters
    ----------
    shape : (int, int, int)
        As for `block_slices`.

    Returns
    -------
    (int, int, int)

    Examples
    --------
    >>> block_shape((1, 1000, 100))
    (1, 655, 100)
    """
    outer, channels, inner = (max(n, 1) for n in shape)
    if inner >= _BLOCK:
        return 1, 1, _BLOCK
    if channels * inner >= _BLOCK:
        return 1, _BLOCK // inner, inner
    return min(outer, _BLOCK // (channels * inner)), channels, inner
