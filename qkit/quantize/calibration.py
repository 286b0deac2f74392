"""Choosing a range from a sample: what to span, and what to cut off.

Each function takes a stream of batches, looks at every batch once and keeps none, so that memory
does not grow with the sample. Each returns (low, high), for the `range` of `choose_qparams`; or
goes there itself: ``choose_qparams(x, range=calibration.mse)``.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from qkit import validate

_BINS = 4096
_SHRINKS = np.linspace(0, 1, 101)[1:]  # shares of the full range that are tried


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
    """

    counts: np.ndarray
    sums: np.ndarray
    width: float
    first: int
    low: float
    high: float

    @property
    def means(self):
        """Mean of the values in each bin; its middle where there are none."""
        middles = (self.first + np.arange(self.counts.size) + 0.5) * self.width
        filled = self.counts > 0
        return np.where(filled, self.sums / np.maximum(self.counts, 1), middles)


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
    for batch in batches:
        x = np.ravel(validate.values(batch, what="calibration"))
        if x.size:
            found = _counted(x, found, bins)
    if found is None:
        raise ValueError(
            "calibration: the stream of batches holds no values. Was the generator used up before? "
            "Pass a list, or make the generator anew."
        )
    return found


def min_max(batches):
    """Return the smallest and the largest value: nothing is clipped, however rare it is.

    Parameters
    ----------
    batches : iterable of array_like of floating point

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> min_max([np.float32([0.0, 1.0]), np.float32([-2.0])])
    (-2.0, 1.0)
    """
    found = histogram(batches, bins=2)
    return found.low, found.high


def percentile(batches, percent=99.99):
    """Return the range that holds most of the values, cutting as many off on either side.

    Parameters
    ----------
    batches : iterable of array_like of floating point
    percent : float
        Share of the values inside, above 0 to 100.

    Returns
    -------
    (float, float)
        True to within one bin of the histogram, at most 1/2048 of the range.

    Examples
    --------
    >>> low, high = percentile([np.linspace(0, 1, 10_001)], 98)
    >>> round(low, 2), round(high, 2)
    (0.01, 0.99)
    """
    if not 0 < percent <= 100:
        raise ValueError(f"percentile: percent must be above 0, at most 100, got {percent}.")
    found = histogram(batches)
    cumulative = np.cumsum(found.counts)
    cut = (1 - percent / 100) / 2 * cumulative[-1]
    first = np.searchsorted(cumulative, cut, side="right")
    last = np.searchsorted(cumulative, cumulative[-1] - cut, side="left")
    edges = (found.first + np.array([first, last + 1])) * found.width
    return float(max(edges[0], found.low)), float(min(edges[1], found.high))


def mse(batches, *, bits=8, symmetric=False):
    """Return the range whose grid has the least squared error: clipping traded for rounding.

    Parameters
    ----------
    batches : iterable of array_like of floating point
    bits : int
        Of the grid, 2 to 16: the coarser, the more is clipped.
    symmetric : bool
        Shrink both ends alike, for a symmetric grid.

    Returns
    -------
    (float, float)
        Of 100 shares of each end, the best; first of the far end, then of the near one.

    Notes
    -----
    A bin's rounding error is that of its mean, plus what its values scatter about it; where bins
    are wider than a quarter of a step, it is the step's mean, step² / 12.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> low, high = mse([x], bits=4)
    >>> bool(2 < high < 3.3 < x.max())
    True
    """
    found = histogram(batches)
    cost = partial(_squared_error, found, bits=bits)
    if symmetric:
        reach = max(-found.low, found.high)
        best = min(_SHRINKS, key=lambda share: cost(-share * reach, share * reach))
        return float(-best * reach), float(best * reach)
    low, high = min(found.low, 0.0), max(found.high, 0.0)
    for _ in range(2):
        high = min(_SHRINKS * max(found.high, 0.0), key=lambda end: cost(low, end))
        low = min(_SHRINKS * min(found.low, 0.0), key=lambda end: cost(end, high))
    return float(low), float(high)


def entropy(batches, *, bits=8):
    """Return the range whose grid keeps the distribution best, by Kullback–Leibler divergence.

    Parameters
    ----------
    batches : iterable of array_like of floating point
    bits : int
        Of the grid, 2 to 16.

    Returns
    -------
    (float, float)

    References
    ----------
    S. Migacz, "8-bit inference with TensorRT", GTC 2017: thresholds on the magnitude, values
    beyond it counted in the last bin, levels spread over the bins that are not empty.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> low, high = entropy([x], bits=4)
    >>> bool(high < x.max())
    True
    """
    found = histogram(batches)
    reach = max(-found.low, found.high)
    best = min(_SHRINKS[::-1], key=lambda share: _divergence(found, share * reach, 2**bits))
    return float(max(found.low, -best * reach)), float(min(found.high, best * reach))


def moving_average(batches, *, decay=0.999, start=(-6.0, 6.0)):
    """Return the range that quantization-aware training arrives at: it follows each batch a little.

    Parameters
    ----------
    batches : iterable of array_like of floating point
    decay : float
        Share of the range that is kept at each batch, in [0, 1).
    start : (float, float)
        The range before the first batch. With a decay of 0.999, half of it is still there after
        693 batches.

    Returns
    -------
    (float, float)

    References
    ----------
    `MovingAvgQuantize` of tensorflow-model-optimization, whose defaults these are.

    Examples
    --------
    >>> low, high = moving_average([np.float32([0.0, 1.0])] * 693)
    >>> round(low, 2), round(high, 2)
    (-3.0, 3.5)
    """
    if not 0 <= decay < 1:
        raise ValueError(f"moving_average: decay must be 0 or more and below 1, got {decay}.")
    ends, seen = np.array(start, np.float64), False
    for batch in batches:
        x = validate.values(batch, what="calibration")
        ends += (1 - decay) * (np.array([min(x.min(), 0), max(x.max(), 0)], np.float64) - ends)
        seen = True
    if not seen:
        raise ValueError("moving_average: the stream holds no batches.")
    return float(ends[0]), float(ends[1])


def _counted(x, found, bins):
    """Return the histogram with the values of one batch counted in."""
    low, high = float(x.min()), float(x.max())
    if found is None:
        # as narrow as the values allow; 0 and one value have no width of their own
        width = max((max(high, 0) - min(low, 0)) / (bins - 1), np.finfo(np.float32).tiny)
        found = Histogram(np.zeros(0, np.int64), np.zeros(0), width, 0, low, high)
    low, high = min(low, found.low), max(high, found.high)
    counts, sums, width, first = found.counts, found.sums, found.width, found.first
    while _span(low, high, width) > bins:
        odd = first % 2
        counts, sums = (_joined(np.r_[np.zeros(odd, v.dtype), v]) for v in (counts, sums))
        width, first = 2 * width, first // 2
    begin, count = int(np.floor(low / width)), _span(low, high, width)
    position = np.floor(x / width).astype(np.int64) - begin
    np.clip(position, 0, count - 1, out=position)  # float32 may round up to the end
    new_counts = np.bincount(position, minlength=count)
    new_sums = np.bincount(position, weights=x, minlength=count)
    inside = slice(first - begin, first - begin + counts.size)
    new_counts[inside] += counts
    new_sums[inside] += sums
    return Histogram(new_counts, new_sums, width, begin, low, high)


def _span(low, high, width):
    return int(np.floor(high / width)) - int(np.floor(low / width)) + 1


def _joined(values):
    """Add neighbours two by two."""
    return np.r_[values, np.zeros(values.size % 2, values.dtype)].reshape(-1, 2).sum(axis=1)


def _squared_error(found, low, high, *, bits):
    """Return the summed squared error of a grid from low to high, estimated from a histogram."""
    step = max((high - low) / (2**bits - 1), np.finfo(np.float64).tiny)
    values = found.means
    clipped = np.clip(values, low, high)
    if step > 4 * found.width:
        on_grid = np.clip(np.rint(values / step) * step, low, high)
        each = (on_grid - values) ** 2
    else:
        each = (clipped - values) ** 2 + (clipped == values) * step**2 / 12
        each[values == 0] = 0  # exact zeros are on the grid
    return float(found.counts @ each)


def _divergence(found, threshold, levels):
    """Return KL(values clipped at the threshold ‖ the same on so many levels)."""
    middles = (found.first + np.arange(found.counts.size) + 0.5) * found.width
    inside = np.flatnonzero(np.abs(middles) <= threshold + found.width / 2)
    if inside.size <= levels:
        return np.inf if inside.size < min(levels, found.counts.size) else 0.0
    kept = found.counts[inside].astype(np.float64)
    level = np.arange(inside.size) * levels // inside.size
    filled = kept > 0
    per_level = np.bincount(level, kept, levels) / np.maximum(np.bincount(level, filled, levels), 1)
    coarse = np.where(filled, per_level[level], 0)
    kept[0] += found.counts[: inside[0]].sum()
    kept[-1] += found.counts[inside[-1] + 1 :].sum()
    p, q = kept / kept.sum(), coarse / max(coarse.sum(), 1)
    both = p > 0
    with np.errstate(divide="ignore"):
        return float(np.sum(p[both] * np.log(p[both] / q[both])))
