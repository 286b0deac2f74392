"""The arithmetic of the integer kernels: sums of products, and the way back onto eight bits.

All arrays have an axis for items first. Every result is the one of TensorFlow Lite's reference
kernels, to the last bit; what each function follows stands in its first lines.
"""

import numpy as np

# Floating-point numbers are used where they are exact, as the processor multiplies matrices of
# them fastest: whole numbers up to 2²⁴ in float32, and up to 2⁵³ in float64.
_EXACT = {np.float32: 2**24, np.float64: 2**53}


def multiplier_and_shift(real):
    """Return the integers m and s for which m · 2^(s − 31) is nearest to a positive factor.

    Parameters
    ----------
    real : float or ndarray, at least 0
        What an accumulator is multiplied by: input scale · weight scale / output scale.

    Returns
    -------
    multiplier : ndarray of int64, 2^30 to 2^31 − 1
    shift : ndarray of int64, powers of two to the left; below 0 to the right

    Source: ``QuantizeMultiplier``; B. Jacob et al., arXiv:1712.05877, section 2.2.

    Examples
    --------
    >>> multiplier, shift = multiplier_and_shift(0.0072474273418460)
    >>> int(multiplier), int(shift)
    (1992157658, -7)
    """
    fraction, shift = np.frexp(np.float64(real))
    multiplier = np.int64(np.floor(fraction * 2**31 + 0.5))
    carried = multiplier == 2**31  # rounded up to 1
    multiplier, shift = multiplier >> carried, np.int64(shift + carried)
    vanishes = shift < -31
    return np.where(vanishes, 0, multiplier), np.where(vanishes, 0, shift)


def requantize(accumulator, multiplier, shift):
    """Return round(accumulator · multiplier · 2^(shift − 31)), rounded twice, as the kernels do.

    Parameters
    ----------
    accumulator : ndarray of integers; of 32 bits, of which a shift to the left loses the upper ones
    multiplier, shift : of `multiplier_and_shift`; one for all or one for each of the last axis

    Returns
    -------
    ndarray of int64

    Source: ``MultiplyByQuantizedMultiplier``: the upper half of the doubled product, in which a
    half goes up (``SaturatingRoundingDoublingHighMul``), then a shift to the right in which a half
    goes away from zero (``RoundingDivideByPOT``). Rounding once instead would give another integer
    now and then.

    Examples
    --------
    >>> requantize(np.int64([1000, -1000]), *multiplier_and_shift(0.0072474273418460))
    array([ 7, -7])
    """
    kept = (accumulator << np.maximum(shift, 0)).astype(np.int32)
    return round_shift(high_product(kept.astype(np.int64), multiplier), np.maximum(-shift, 0))


def requantize_wide(accumulator, multiplier, shift):
    """Return what `requantize` does for accumulators of 64 bits: those of int16 activations.

    The multiplier loses its lower half, so that the product fits; it is rounded once, and the lower
    32 bits are kept.
    Source: ``MultiplyByQuantizedMultiplier`` for int64.
    """
    short = np.where(multiplier < 0x7FFF0000, (multiplier + (1 << 15)) >> 16, 0x7FFF)
    down = 15 - shift
    return ((accumulator * short + (1 << (down - 1))) >> down).astype(np.int32)


def rescale(accumulator, factor):
    """Return round(accumulator · factor) in double precision, a half away from zero.

    Source: ``FullyConnected`` of LiteRT, which has left the integers here. What leaves 32 bits
    hangs on the processor there.
    """
    return np.int64(nearest(accumulator * factor))


def convolve(x, weights, *, stride=(1, 1), dilation=(1, 1), padding="SAME"):
    """Return the sums of a convolution, over integers that have lost their zero points.

    x is (n, height, width, channels); weights are (filters, rows, columns, channels of a group).
    """
    *kernel, depth = weights.shape[1:]
    patches = _patches(x, kernel, stride, dilation, padding)
    groups = x.shape[-1] // depth
    found = [
        connect(part.reshape(*part.shape[:3], -1), of_group.reshape(len(of_group), -1))
        for part, of_group in zip(
            np.split(patches, groups, -1), np.split(weights, groups), strict=True
        )
    ]
    return found[0] if groups == 1 else np.concatenate(found, -1)


def convolve_by_channel(x, weights, *, stride=(1, 1), dilation=(1, 1), padding="SAME"):
    """Return the sums of a depthwise convolution; weights are (1, rows, columns, filters).

    The filters of a channel stand side by side.
    """
    kernel, filters = weights.shape[1:3], weights.shape[3]
    weights = weights.reshape(-1, filters)
    dtype = _exact(x, np.abs(weights).sum(0))
    patches = _patches(x.astype(dtype, copy=False), kernel, stride, dilation, padding)
    each = np.repeat(patches, filters // x.shape[-1], -1) if filters > x.shape[-1] else patches
    found = np.zeros((*each.shape[:3], filters), dtype)
    for (row, column), by in zip(np.ndindex(*kernel), weights.astype(dtype), strict=True):
        found += each[:, :, :, row, column] * by
    return found.astype(np.int64)


def connect(x, weights):
    """Return the sums of a dense layer: x is (…, inputs), weights are (outputs, inputs)."""
    dtype = _exact(x, np.abs(weights).sum(-1))
    return (x.astype(dtype, copy=False) @ weights.T.astype(dtype)).astype(np.int64)


def largest(x, kernel, *, stride, padding):
    """Return the largest of each window, of which nothing outside the picture is part."""
    patches = _patches(x, kernel, stride, (1, 1), padding, np.iinfo(x.dtype).min)
    found = patches[:, :, :, 0, 0].copy()
    for row, column in np.ndindex(*kernel):
        np.maximum(found, patches[:, :, :, row, column], out=found)
    return found


def average(x, kernel, *, stride, padding):
    """Return the mean of each window's own pixels, a half rounded away from zero."""
    ones = np.ones((1, *x.shape[1:3], 1), np.int64)
    total, count = (
        _patches(np.int64(a), kernel, stride, (1, 1), padding).sum((3, 4)) for a in (x, ones)
    )
    return divided(total, count)


def mean(x, axes, multiplier, shift, zero_point):
    """Return the mean over axes, requantized: the count is divided into the multiplier.

    Source: ``QuantizedMeanOrSum``. The division cuts off, so the multiplier is a little low.
    """
    count = int(np.prod([x.shape[axis] for axis in axes]))
    up = min(count.bit_length() - 1, 32, 31 + int(shift))
    total = x.sum(tuple(axes), dtype=np.int64, keepdims=True) - count * zero_point
    return requantize(total, (multiplier << up) // count, shift - up)


def add(parts, scales, scale, up):
    """Return the sum of two arrays of integers without zero points, on the grid of the result.

    Source: ``reference_integer_ops::Add``. Both are brought onto a grid 2^up times as fine as twice
    the coarser one, and their sum from there onto its own: three roundings.
    """
    twice = 2 * max(map(float, scales))
    total = sum(
        requantize(np.int64(part) << up, *multiplier_and_shift(float(own) / twice))
        for part, own in zip(parts, scales, strict=True)
    )
    return requantize(total, *multiplier_and_shift(twice / ((1 << up) * float(scale))))


def softmax(x, scale, beta, dtype):
    """Return the softmax over the last axis, in parts of 2⁸ or 2¹⁶, by fixed-point numbers.

    Source: ``reference_ops::Softmax``; of gemmlowp the exponential and the reciprocal. As x has
    eight bits there are 256 differences from the largest, and as many exponentials.
    """
    limits = np.iinfo(dtype)
    multiplier, shift = multiplier_and_shift(min(beta * float(scale) * 2**26, 2.0**31 - 1))
    reach = int(31 * 2.0 ** (26 - int(shift)))  # beyond it, exp is nothing
    below = np.arange(256)
    table = exponential(requantize(-np.minimum(below, reach), multiplier, shift), 5)
    table[below > reach] = 0
    behind = x.max(-1, keepdims=True).astype(np.int64) - x
    powers = table[behind]
    total = round_shift(powers, 12).sum(-1, keepdims=True)  # of 12 bits above the point
    spare = 32 - np.frexp(total.astype(np.float64))[1]  # zeros ahead of its first bit
    inverse = reciprocal((total << spare) - 2**31)
    share = round_shift(high_product(inverse, powers), 12 - spare + 31 - limits.bits)
    return np.where(behind > reach, limits.min, np.clip(share + limits.min, limits.min, limits.max))


def logistic(real):
    """Return 1 / (1 + exp(−x)) in single precision.

    Source: ``LUTPopulate`` of ``SigmoidPrepare``, which has left the integers here.
    """
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-real.astype(np.float64)).astype(np.float32))


def softmax_short(x, factor):
    """Return the softmax of int16 over the last axis, in parts of 2¹⁵, by two tables.

    The factor brings differences from the largest onto steps of 10/65535.
    Source: ``reference_ops::SoftmaxInt16``.
    """
    behind = x - x.max(-1, keepdims=True).astype(np.int64)
    steps = requantize(behind, *multiplier_and_shift(factor)) + 32767
    powers = _between(_table(2**15 * np.exp(np.linspace(-10, 0, 1025))), steps)
    total = powers.sum(-1, keepdims=True)
    bits = np.frexp(total.astype(np.float64))[1]
    rest = (((total << (31 - bits)) + (1 << 13)) >> 14) - 3 * 2**15
    inverse = _between(_table(2**15 / (1 + np.linspace(0, 1, 1025))), rest)
    return np.clip((powers * inverse + (1 << (bits - 2))) >> (bits - 1), 0, 32767)


def logistic_short(x, scale):
    """Return 1 / (1 + exp(−x)) of int16 in parts of 2¹⁵, by a table of each 24th.

    Source: ``reference_integer_ops::Logistic`` for int16; ``SigmoidPrepare`` for the multiplier.
    """
    real, shift = 3 * 2**12 * float(scale), 0
    while real <= 32767 / 2 and shift <= 30:
        real, shift = 2 * real, shift + 1
    if abs(np.log2(scale) + 12) < 1e-3:
        real, shift = 3, 0
    steps = (np.int64(x) * int(real) + ((1 << shift) >> 1)) >> shift
    half_steps = 2**16 / (1 + np.exp(-np.arange(513) / 48))
    here, middle, after = half_steps[:-1:2], half_steps[1::2], half_steps[2::2]
    table = np.int64(np.rint(here - ((here + after) / 2 - middle) / 2))
    table[-1] = 65535
    place = np.minimum(np.abs(steps) >> 9, 254)
    found = (table[place] << 9) + (np.abs(steps) & 511) * (table[place + 1] - table[place])
    found = np.where(np.abs(steps) >= 255 << 9, 32767 << 10, found)
    return (np.where(steps < 0, (1 << 25) - found - 1, found) + 512) >> 10


def _table(values):
    """Return every second value as an integer, less half the error that a line between them has.

    Source: ``LUTPopulateInt16``.
    """
    here, middle, after = values[:-1:2], values[1::2], values[2::2]
    error = nearest((after + nearest(here)) / 2) - nearest(middle)
    table = np.append(nearest(here) - nearest(error / 2), nearest(values[-1]))
    return np.minimum(table, 2**15 - 1).astype(np.int64)


def _between(table, steps):
    """Return what lies on a line between two of 513 values, for 16 bits each: ``LUTLookup``."""
    steps = np.clip(steps, -(2**15), 2**15 - 1) + 2**15
    base, after = table[steps >> 7], table[(steps >> 7) + 1]
    return base + (((after - base) * (steps & 127) + 64) >> 7)


def nearest(x):
    """Return the nearest whole numbers, a half away from zero."""
    whole = np.trunc(x)
    return whole + np.copysign(np.abs(x - whole) >= 0.5, x)


def high_product(a, b):
    """Return a · b · 2^−31, rounded, a half up: a product of two fractions of 31 bits."""
    return (a * b + (1 << 30)) >> 31


def round_shift(x, bits):
    """Return x · 2^−bits, rounded, a half away from zero."""
    half = (1 << bits) >> 1
    return (x + half - ((x < 0) & (half > 0))) >> bits


def divided(total, count):
    """Return the quotient of whole numbers, rounded, a half away from zero."""
    return np.sign(total) * ((np.abs(total) + count // 2) // count)


def exponential(x, whole_bits):
    """Return exp of fixed-point numbers up to 0 with so many bits above the point, in 31 below it.

    Source: gemmlowp's ``exp_on_negative_values``: a polynomial in the last quarter, times a power
    of e for each bit of the quarters before it.
    """
    point = 31 - whole_bits
    quarter = 1 << (point - 2)
    last = (x & (quarter - 1)) - quarter
    t = (last << whole_bits) + (1 << 28)  # around −1/8
    e = round(np.exp(-1 / 8) * 2**31)
    t2 = high_product(t, t)
    t3, t4 = high_product(t2, t), high_product(t2, t2)
    third = high_product(round_shift(t4, 2) + t3, round(2**31 / 3))
    found = e + high_product(e, t + round_shift(third + t2, 1))
    before = last - x
    for exponent in range(-2, whole_bits):
        power = round(np.exp(-(2.0**exponent)) * 2**31)
        taken = before & (1 << (point + exponent)) > 0
        found = np.where(taken, high_product(found, power), found)
    return np.where(x == 0, 2**31 - 1, found)


def reciprocal(x):
    """Return 1 / (1 + x) for fractions of 31 bits, by three steps of Newton's from 48/17 − 32/17 d.

    Source: gemmlowp's ``one_over_one_plus_x_for_x_in_0_1``.
    """
    half = (x + 2**31) >> 1  # (1 + x) / 2
    found = round(48 / 17 * 2**29) + high_product(half, round(-32 / 17 * 2**29))
    for _ in range(3):
        found += high_product(found, (1 << 29) - high_product(half, found)) << 2
    return np.minimum(found << 1, 2**31 - 1)


def _exact(x, sums):
    """Return the floating-point type in which no sum of products of x can be inexact.

    The sums are those of the weights' absolute values.
    """
    most = int(max(x.max(initial=0), -x.min(initial=0))) * int(sums.max(initial=0))
    return next(dtype for dtype, limit in _EXACT.items() if most < limit)


def sides(sizes, reach, stride):
    """Return how much padding "SAME" puts before and behind each axis; the odd one comes last."""
    lacking = (
        max((-(-size // s) - 1) * s + k - size, 0)
        for size, s, k in zip(sizes, stride, reach, strict=True)
    )
    return [(total // 2, total - total // 2) for total in lacking]


def _patches(x, kernel, stride, dilation, padding, outside=0):
    """Return what each position of a window sees: a view (n, rows, columns, *kernel, channels)."""
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if padding == "SAME" and any(map(any, around := sides(x.shape[1:3], reach, stride))):
        x = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=outside)
    windows = np.lib.stride_tricks.sliding_window_view(x, reach, (1, 2))
    windows = windows[:, :: stride[0], :: stride[1], :, :: dilation[0], :: dilation[1]]
    return np.moveaxis(windows, 3, 5)
