"""How the values of a stream of batches spread, in memory that does not grow with the values."""

import math

import numpy as np

from qkit import validate

_BINS = 4096  # at most; an even number
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
        """Counts without the values that are exactly 0."""
        return self.counts - self.zeros * (np.arange(self.counts.size) == -self.first)

    @property
    def magnitudes(self):
        """Counts of the absolute values that are not 0, in bins of the same width from 0 on."""
        position = self.first + np.arange(self.counts.size)
        return np.bincount(np.where(position < 0, -1 - position, position), self.nonzero)

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
            # 0 and one value have no width of their own
            least = float(np.finfo(np.float32).tiny)
            self.width = max((max(high, 0) - min(low, 0)) / (_BINS - 1), least)
            self.first = math.floor(low / self.width)
        self.ends.append((low, high))
        self._reach(low, high)
        for start in range(0, x.size, _BLOCK):  # double precision for a block at a time
            block = x[start : start + _BLOCK].astype(np.float64)
            position = np.floor(block / self.width).astype(np.int64) - self.first
            self.counts += np.bincount(position, minlength=self.counts.size)
            self.sums += np.bincount(position, weights=block, minlength=self.counts.size)
            self.zeros += block.size - np.count_nonzero(block)

    def _reach(self, low, high):
        """Join bins and add some on either side, until there are bins for these values too."""
        self.low, self.high = min(low, self.low), max(high, self.high)
        while math.floor(self.high / self.width) - math.floor(self.low / self.width) >= _BINS:
            odd = self.first % 2  # an odd first bin is the upper one of its pair
            around = (odd, (self.counts.size + odd) % 2)
            self.counts, self.sums = (
                np.pad(v, around).reshape(-1, 2).sum(axis=1) for v in (self.counts, self.sums)
            )
            self.width, self.first = 2 * self.width, self.first // 2
        below = self.first - math.floor(self.low / self.width)
        above = math.floor(self.high / self.width) + 1 - self.first - self.counts.size
        self.counts, self.sums = (np.pad(v, (below, above)) for v in (self.counts, self.sums))
        self.first -= below


def histogram(batches):
    """Return the `Histogram` of a stream of batches, or the one given, if it holds any values."""
    found = batches
    if not isinstance(batches, Histogram):
        found = Histogram()
        for batch in _each(batches):
            found.add(batch)
    _require_some(found.ends)
    return found


def ends(batches):
    """Return the smallest and the largest value of each batch: a tenth of filling a histogram."""
    if isinstance(batches, Histogram):
        found = batches.ends
    else:
        values = (validate.values(batch, what="calibration") for batch in _each(batches))
        found = [(float(x.min()), float(x.max())) for x in values if x.size]
    _require_some(found)
    return found


def _each(batches):
    try:
        return iter(batches)
    except TypeError:
        raise TypeError(
            "calibration: batches must be arrays one after the other, such as a list of them, got "
            f"{type(batches).__name__}."
        ) from None


def _require_some(found):
    if not found:
        raise ValueError(
            "calibration: the stream of batches holds no values. Was the generator used up before? "
            "Pass a list, or make the generator anew."
        )
