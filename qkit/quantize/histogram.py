"""How the values of a stream of batches spread, in memory that does not grow with the values."""

import numpy as np

from qkit import validate

_BINS = 4096  # at most so many, which is even
_BLOCK = 2**16


class Histogram:
    """How values spread: counts in bins of equal width that meet at 0, filled batch by batch.

    The first batch sets the width of the bins. Where a later one reaches beyond them, neighbours
    are joined two by two, which loses nothing but resolution: half of them remain at least.
    """

    def __init__(self):
        self.counts = np.zeros(0, np.int64)
        self.sums = np.zeros(0)  # of a bin's values; sums / counts is closer than the middle
        self.width, self.first = 0.0, 0  # of a bin; the first one begins at first · width
        self.low, self.high = np.inf, -np.inf
        self.ends = []  # smallest and largest value of each batch, in order
        self.zeros = 0  # values that are exactly 0, as most are after a ReLU; in their bin too

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
        middles = (self.first + np.arange(counts.size) + 0.5) * self.width
        return np.where(counts > 0, self.sums / np.maximum(counts, 1), middles)

    def add(self, batch):
        """Count the values of a batch in, an array of finite floating point."""
        x = np.ravel(validate.values(batch, what="calibration"))
        if x.size == 0:
            return
        low, high = float(x.min()), float(x.max())
        if not self.ends:
            # as narrow as the values allow; 0 and one value have no width of their own
            least = float(np.finfo(np.float32).tiny)
            self.width = max((max(high, 0) - min(low, 0)) / (_BINS - 1), least)
        self.ends.append((low, high))
        self._reach(low, high)
        for start in range(0, x.size, _BLOCK):  # double precision for a block at a time
            block = x[start : start + _BLOCK].astype(np.float64)
            position = self._widths(block) - self.first
            self.counts += np.bincount(position, minlength=self.counts.size)
            self.sums += np.bincount(position, weights=block, minlength=self.counts.size)
            self.zeros += block.size - np.count_nonzero(block)

    def _reach(self, low, high):
        """Join bins and add some on either side, until there are bins for these values too."""
        self.low, self.high = min(low, self.low), max(high, self.high)
        while self._widths(self.high) - self._widths(self.low) >= _BINS:
            odd = self.first % 2
            self.counts, self.sums = (_joined(v, odd) for v in (self.counts, self.sums))
            self.width, self.first = 2 * self.width, self.first // 2
        begin, end = int(self._widths(self.low)), int(self._widths(self.high)) + 1
        around = (self.first - begin, end - self.first - self.counts.size)
        if self.counts.size == 0:
            around = (0, end - begin)
        self.counts, self.sums = (np.pad(v, around) for v in (self.counts, self.sums))
        self.first = begin

    def _widths(self, x):
        return np.floor(x / self.width).astype(np.int64)


def histogram(batches):
    """Return the `Histogram` of a stream of batches, or the one given, if it holds any values."""
    found = batches
    if not isinstance(batches, Histogram):
        found = Histogram()
        for batch in batches:
            found.add(batch)
    _some(found.ends)
    return found


def ends(batches):
    """Return the smallest and the largest value of each batch of a stream or a `Histogram`."""
    if isinstance(batches, Histogram):
        return np.array(_some(batches.ends))
    values = (validate.values(batch, what="calibration") for batch in batches)
    return np.array(_some([(float(x.min()), float(x.max())) for x in values if x.size]))


def _some(found):
    if not found:
        raise ValueError(
            "calibration: the stream of batches holds no values. Was the generator used up before? "
            "Pass a list, or make the generator anew."
        )
    return found


def _joined(values, odd):
    """Add neighbours two by two; an odd first bin is the upper one of its pair."""
    values = np.pad(values, (odd, 0))
    return np.pad(values, (0, values.size % 2)).reshape(-1, 2).sum(axis=1)
