"""How the values of a stream of batches spread, in memory that does not grow with the stream."""

from dataclasses import dataclass

import numpy as np

from qkit import validate

_BINS = 4096
_BLOCK = 2**16


@dataclass(frozen=True, eq=False)
class Histogram:
    """How values spread: counts in bins of equal width that meet at 0.

    Attributes
    ----------
    counts : ndarray of shape (bins,), int64
    sums : ndarray of shape (bins,), float64
        Of the values in each bin; sums / counts is where they are, closer than the middle.
    width : float
        Of one bin.
    first : int
        Position of the first bin in widths: it begins at first · width.
    low, high : float
        Smallest and largest value.
    zeros : int
        Values that are exactly 0, as most are after a ReLU; counted in their bin too.
    """

    counts: np.ndarray
    sums: np.ndarray
    width: float
    first: int
    low: float
    high: float
    zeros: int

    @property
    def middles(self):
        """Middle of each bin."""
        return (self.first + np.arange(self.counts.size) + 0.5) * self.width

    @property
    def nonzero(self):
        """Counts without the values that are exactly 0, which lose nothing on any grid."""
        counts = self.counts.copy()
        if self.zeros:
            counts[-self.first] -= self.zeros
        return counts

    @property
    def magnitudes(self):
        """Counts of the absolute values that are not 0, in bins of the same width from 0 on."""
        position = self.first + np.arange(self.counts.size)
        folded = np.where(position < 0, -1 - position, position)
        return np.bincount(folded, self.nonzero)

    @property
    def means(self):
        """Mean of the values in each bin that are not 0; its middle where there are none."""
        counts = self.nonzero
        return np.where(counts > 0, self.sums / np.maximum(counts, 1), self.middles)


def histogram(batches, *, bins=_BINS):
    """Count the values of a stream of batches in bins that grow with their range.

    The first batch sets the width of the bins. Where a later one reaches beyond them, neighbours
    are joined two by two, which loses nothing but resolution: half of `bins` remain at least.

    Parameters
    ----------
    batches : iterable of array_like of floating point
    bins : int
        At most so many; even.

    Returns
    -------
    Histogram

    Raises
    ------
    TypeError, ValueError
        If there are no values, or a value is not floating point or not finite.

    Examples
    --------
    >>> found = histogram([np.float32([0.0, 0.1]), np.float32([3.9])], bins=8)
    >>> found.counts.sum(), found.low, round(found.high, 2)
    (np.int64(3), 0.0, 3.9)
    """
    found = None
    for x in checked(batches):
        found = _counted(x, found, bins)
    return found


def checked(batches):
    """Yield the values of each batch in one row; refuse a stream without any."""
    empty = True
    for batch in batches:
        x = np.ravel(validate.values(batch, what="calibration"))
        if x.size:
            empty = False
            yield x
    if empty:
        raise ValueError(
            "calibration: the stream of batches holds no values. Was the generator used up before? "
            "Pass a list, or make the generator anew."
        )


def _counted(x, found, bins):
    """Return the histogram with the values of one batch counted in."""
    low, high = float(x.min()), float(x.max())
    if found is None:
        # as narrow as the values allow; 0 and one value have no width of their own
        width = max((max(high, 0) - min(low, 0)) / (bins - 1), float(np.finfo(np.float32).tiny))
        found = Histogram(np.zeros(0, np.int64), np.zeros(0), width, 0, low, high, 0)
    low, high = min(low, found.low), max(high, found.high)
    counts, sums, width, first = found.counts, found.sums, found.width, found.first
    while _span(low, high, width) > bins:
        odd = first % 2
        counts, sums = (_joined(np.r_[np.zeros(odd, v.dtype), v]) for v in (counts, sums))
        width, first = 2 * width, first // 2
    begin, count = int(np.floor(low / width)), _span(low, high, width)
    new_counts, new_sums = np.zeros(count, np.int64), np.zeros(count)
    inside = slice(first - begin, first - begin + counts.size)
    new_counts[inside] += counts
    new_sums[inside] += sums
    zeros = found.zeros
    for start in range(0, x.size, _BLOCK):  # double precision for a block at a time
        block = x[start : start + _BLOCK].astype(np.float64)
        position = np.floor(block / width).astype(np.int64) - begin
        new_counts += np.bincount(position, minlength=count)
        new_sums += np.bincount(position, weights=block, minlength=count)
        zeros += block.size - np.count_nonzero(block)
    return Histogram(new_counts, new_sums, width, begin, low, high, zeros)


def _span(low, high, width):
    return int(np.floor(high / width)) - int(np.floor(low / width)) + 1


def _joined(values):
    """Add neighbours two by two."""
    return np.r_[values, np.zeros(values.size % 2, values.dtype)].reshape(-1, 2).sum(axis=1)
