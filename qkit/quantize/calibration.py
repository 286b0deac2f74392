"""Choosing a range from a stream of batches, of which none is kept: how much to cut off."""

import itertools
from functools import partial

import numpy as np

from qkit import validate
from qkit.quantize.histogram import ends, histogram

_SHRINKS = np.linspace(0, 1, 101)[1:]  # shares of the full range that are tried


def min_max(batches):
    """Return the smallest and the largest value: nothing is clipped, however rare it is.

    Parameters
    ----------
    batches : iterable of array_like, or Histogram

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> min_max([[0.0, 1.0], [-2.0]])
    (-2.0, 1.0)
    """
    lows, highs = zip(*ends(batches), strict=True)
    return min(lows), max(highs)


def percentile(batches, percent=99.99):
    """Return the range that holds most of the values, cutting as many off on either side.

    Parameters
    ----------
    batches : iterable of array_like, or Histogram
    percent : float above 0 to 100, of the values that are to lie inside

    Returns
    -------
    (float, float), true to within 1/2048 of the range

    Examples
    --------
    >>> np.round(percentile([np.linspace(0, 1, 10_001)], 98), 2).tolist()
    [0.01, 0.99]
    """
    validate.number(percent, "(0, 100]", name="percentile: percent")
    found = histogram(batches)
    cumulative = np.cumsum(found.counts)
    cut = (1 - percent / 100) / 2 * cumulative[-1]
    first = found.first + np.searchsorted(cumulative, cut, side="right")
    end = found.first + np.searchsorted(cumulative, cumulative[-1] - cut, side="left") + 1
    return float(max(first * found.width, found.low)), float(min(end * found.width, found.high))


def mse(batches, *, bits=8, symmetric=False):
    """Return the range whose grid has the least squared error: clipping traded for rounding.

    Parameters
    ----------
    batches : iterable of array_like, or Histogram
    bits : int, 2 to 16, of the grid: the coarser, the more is clipped
    symmetric : bool, for a symmetric grid

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> bool(2 < mse([x], bits=4)[1] < 3.3 < x.max())
    True
    """
    validate.whole(bits, name="mse: bits", least=2, most=16)
    validate.instance(symmetric, bool, name="mse: symmetric")
    found = histogram(batches)
    cost = partial(_squared_error, found, bits=bits, symmetric=symmetric)
    if symmetric:
        reach = end = max(-found.low, found.high)
        for nearby in (False, True):
            end = min(_tried(reach, end, nearby), key=lambda end: cost(-end, end))
        return float(-end), float(end)
    lowest, highest = min(found.low, 0.0), max(found.high, 0.0)
    # few bits have several valleys, so both ends together first; outliers reach far: dense near 0
    coarse = np.linspace(0, 1, 13)[1:] ** 2
    pairs = itertools.product(np.unique(lowest * coarse), np.unique(highest * coarse))
    low, high = min(pairs, key=lambda pair: cost(*pair))
    for nearby in (False, True):
        high = min(_tried(highest, high, nearby), key=lambda end: cost(low, end))
        low = min(_tried(lowest, low, nearby), key=lambda end: cost(end, high))
    return float(low), float(high)


def entropy(batches, *, bits=8):
    """Return the range whose grid keeps the distribution best, by Kullback–Leibler divergence.

    S. Migacz, "8-bit inference with TensorRT", GTC 2017; exact zeros are left out.

    Parameters
    ----------
    batches : iterable of array_like, or Histogram
    bits : int, 2 to 16, of the grid

    Returns
    -------
    (float, float), the full range from 12 bits on: 4,096 bins do not tell so many levels apart

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=100_000)
    >>> bool(entropy([x], bits=4)[1] < x.max())
    True
    """
    validate.whole(bits, name="entropy: bits", least=2, most=16)
    found = histogram(batches)
    counts = found.magnitudes
    if not counts.any():
        return found.low, found.high

    def cost(end):
        reached = end * found.width
        span = min(reached, max(-found.low, 0)) + min(reached, max(found.high, 0))
        return _divergence(counts, end, round(2**bits * reached / span))

    # an empty last bin would stand for all values beyond it: the nearest filled one takes its place
    filled = np.maximum.accumulate(np.where(counts > 0, np.arange(counts.size), 0))
    tried = filled[np.ceil(_SHRINKS * counts.size).astype(int) - 1] + 1
    reached = min(tried[::-1], key=cost) * found.width
    return float(max(found.low, -reached)), float(min(found.high, reached))


def moving_average(batches, *, decay=0.999, start=(-6.0, 6.0)):
    """Return the range that quantization-aware training arrives at: it follows each batch a little.

    As `MovingAvgQuantize` of tensorflow-model-optimization, whose defaults these are.

    Parameters
    ----------
    batches : iterable of array_like, or Histogram
    decay : float in [0, 1), the share of the range that is kept at each batch
    start : (float, float), the range before the first batch

    Returns
    -------
    (float, float)

    Examples
    --------
    >>> np.round(moving_average([[0.0, 1.0]] * 693), 2).tolist()  # half of the start is still there
    [-3.0, 3.5]
    """
    validate.number(decay, "[0, 1)", name="moving_average: decay")
    try:
        low, high = map(float, start)
    except (TypeError, ValueError):
        raise ValueError(f"moving_average: start must be two numbers, got {start!r}.") from None
    for batch_low, batch_high in ends(batches):
        low += (1 - decay) * (min(batch_low, 0) - low)
        high += (1 - decay) * (max(batch_high, 0) - high)
    return float(low), float(high)


def _tried(full, end, nearby):
    """Return ends to try: shares of the full one, or what lies within a share of the present."""
    if not nearby:
        return full * _SHRINKS
    return np.clip(end + full * np.linspace(-0.01, 0.01, 21), min(full, 0), max(full, 0))


def _squared_error(found, low, high, *, bits, symmetric=False):
    """Return the summed squared error of a grid from low to high, each bin taken by its mean.

    Where bins are wider than a quarter of a step, it is the step's mean error, step² / 12.
    """
    steps = 2**bits - 1 - symmetric
    step = max((high - low) / steps, np.finfo(np.float64).tiny)
    zero_point = steps // 2 if symmetric else np.rint(-low / step)
    values, counts = found.means, found.nonzero  # a zero loses nothing on any grid
    limits = -zero_point * step, (steps - zero_point) * step
    if step > 4 * found.width:
        return float(counts @ (np.clip(np.rint(values / step) * step, *limits) - values) ** 2)
    clipped = np.clip(values, *limits)
    return float(counts @ ((clipped - values) ** 2 + (clipped == values) * step**2 / 12))


def _divergence(counts, end, levels):
    """Return KL(the first bins, all others counted into the last of them ‖ so many levels)."""
    if end < levels:  # the bins are too coarse to tell
        return np.inf
    kept = counts[:end].astype(np.float64)
    level = np.arange(end) * levels // end
    filled = kept > 0
    per_level = np.bincount(level, kept, levels) / np.maximum(np.bincount(level, filled, levels), 1)
    coarse = np.where(filled, per_level[level], 0)
    kept[-1] += counts[end:].sum()
    p, q = kept[filled] / kept.sum(), coarse[filled] / coarse.sum()
    return float(np.sum(p * np.log(p / q)))
