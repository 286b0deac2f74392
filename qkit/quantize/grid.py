"""The grid of TensorFlow Lite: real = (q − zero_point) · scale, in NumPy.

A grid is chosen by `choose_qparams`, values go onto it by `quantize` and back by `dequantize`;
`fake_quantize` does both, and stays on the real axis.
"""

import math

import numpy as np

from qkit import validate
from qkit.quantize.blocks import block_shape, block_slices
from qkit.quantize.granularity import PerAxis, PerGroup, PerTensor
from qkit.quantize.qparams import QParams

__all__ = [
    "PerAxis",
    "PerGroup",
    "PerTensor",
    "QParams",
    "choose_qparams",
    "dequantize",
    "fake_quantize",
    "quantize",
]

# Ranges narrower than this are widened, as the converter does: an all-zero channel gets the scale
# 1e-6 / 254, and not one through which nothing can be divided.
_NARROWEST_RANGE = 1e-6


def choose_qparams(
    x, *, bits=8, symmetric=False, granularity=PerTensor(), range=None, rule="converter"
):  # fmt: skip
    """Choose the grid for a tensor's values.

    Parameters
    ----------
    x : array_like of floating point
        Finite and not empty. Where `range` gives both ends, only the shape counts.
    bits : int
        2 to 16.
    symmetric : bool
        Zero point 0 and as many integers on either side (the narrow range, −127 to 127 in 8
        bits), as TensorFlow Lite has weights and 16-bit activations. Otherwise all 2**bits
        integers are used and the zero point lies where the range needs it.
    granularity : PerTensor, PerAxis or PerGroup
        Which values share a scale.
    range : (low, high) or callable, optional
        What the grid must span: smallest and largest value by default; two numbers, or two arrays
        of shape (channels,); or a function of a stream of batches that returns (low, high), such
        as those of `qk.calibration`. It is widened until it contains 0.
    rule : {"converter", "fake_quant"}
        Whose rounding: a zero point halfway between two integers goes away from zero in the
        converter of TensorFlow Lite, and up in the operators with which TensorFlow trains
        (`tf.quantization.fake_quant_with_min_max_vars`, and `…_per_channel` for PerAxis). Their
        scales are equal.

    Returns
    -------
    QParams

    Raises
    ------
    TypeError
        If the values are not floating point.
    ValueError
        If a value is NaN or infinite, or an argument is out of its range.

    References
    ----------
    B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-
    only inference", CVPR 2018: the nudged zero point. TensorFlow Lite 8-bit quantization
    specification: narrow range and zero point of weights.

    Examples
    --------
    >>> print(choose_qparams(np.float32([-1.0, 3.0])))
    8 bits, integers -128 to 127; scale 0.0156863, zero point -64: -1.00392 to 2.99608
    >>> kernel = np.float32([[0.1, -0.2], [30.0, 10.0]])
    >>> choose_qparams(kernel, bits=4, symmetric=True, granularity=PerAxis(0)).scale
    array([0.02857143, 4.285714  ], dtype=float32)
    """
    if not (isinstance(bits, (int, np.integer)) and 2 <= bits <= 16):
        raise ValueError(f"choose_qparams: bits must be an integer from 2 to 16, got {bits!r}.")
    if rule not in ("converter", "fake_quant"):
        raise ValueError(f"choose_qparams: rule must be 'converter' or 'fake_quant', got {rule!r}.")
    if not isinstance(granularity, (PerTensor, PerAxis, PerGroup)):
        raise TypeError(
            "choose_qparams: granularity must be PerTensor(), PerAxis(axis) or PerGroup(size), got "
            f"{granularity!r}."
        )
    x = np.asarray(x)
    blocks = granularity.blocks(x.shape)
    channels = blocks[1]
    low, high = _ends(x, blocks, range)
    low = np.broadcast_to(np.minimum(low, 0), (channels,)).astype(np.float64)
    high = np.broadcast_to(np.maximum(high, 0), (channels,)).astype(np.float64)
    qmax = 2 ** (int(bits) - 1) - 1
    qmin = -qmax if symmetric else -qmax - 1
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    _refuse_too_wide(low, high)
    low, high = _widened(low.astype(np.float32), high.astype(np.float32), symmetric)
    steps = np.float32(qmax - qmin)
    scale = (high - low) / steps
    # its two operators differ: the one for channels multiplies
    by_channel = rule == "fake_quant" and isinstance(granularity, PerAxis)
    inverse = steps / (high - low) if by_channel else None
    zero_point = np.zeros(channels) if symmetric else _nudged(low, scale, qmin, qmax, rule)
    return QParams(scale, zero_point.astype(np.int32), qmin, qmax, granularity, inverse)


def quantize(x, qparams):
    """Return the integers that stand for real values: scaled, rounded, and clipped to the grid.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `x`, of the dtype `qparams.dtype`

    Raises
    ------
    TypeError
        If the values are not floating point.
    ValueError
        If a value is NaN or infinite, or the grid has another number of channels than `x`.

    Examples
    --------
    >>> grid = choose_qparams(np.float32([-1.0, 3.0]), bits=4)
    >>> quantize(np.float32([-9.0, 0.0, 0.1, 3.0]), grid)
    array([-8, -4, -4,  7], dtype=int8)
    """
    return _by_blocks(x, qparams, qparams.dtype, _to_integers)


def dequantize(q, qparams):
    """Return the real numbers that integers stand for.

    Parameters
    ----------
    q : array_like of integer
        In [qmin, qmax].
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `q`, float32

    Examples
    --------
    >>> grid = choose_qparams(np.float32([-1.0, 3.0]), bits=4)
    >>> dequantize(np.int8([-8, -4, 7]), grid)
    array([-1.0666667,  0.       ,  2.9333334], dtype=float32)
    """
    q = np.asarray(q)
    if not np.issubdtype(q.dtype, np.integer):
        raise TypeError(f"dequantize: q must hold integers, got {q.dtype}. Call quantize first.")
    q_of_channels = q.reshape(_laid_out(q.shape, qparams))
    # exact in single precision: integers of 17 bits at most
    steps = np.subtract(q_of_channels, qparams.zero_point[:, None], dtype=np.float32)
    steps *= qparams.scale[:, None]
    return steps.reshape(q.shape)


def fake_quantize(x, qparams):
    """Return the numbers of a grid that are nearest to real values.

    The same as ``dequantize(quantize(x, qparams), qparams)``, in one go. For a grid chosen with
    ``rule="fake_quant"`` it equals `tf.quantization.fake_quant_with_min_max_vars`, or
    `…_per_channel`, to the last bit, where the range is no narrower than 1e-6.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `x`, float32

    Raises
    ------
    TypeError
        If the values are not floating point.
    ValueError
        If a value is NaN or infinite, or the grid has another number of channels than `x`.

    Examples
    --------
    >>> x = np.float32([0.1, 0.2, 1.0])
    >>> fake_quantize(x, choose_qparams(x, bits=2))
    array([0.        , 0.33333334, 1.        ], dtype=float32)
    """
    return _by_blocks(x, qparams, np.float32, _to_real)


def _ends(x, blocks, range):
    """Return smallest and largest value that the grid of each channel must span."""
    if range is None or callable(range):
        x = validate.values(x, what="choose_qparams").reshape(blocks)
        if x.size == 0:
            raise ValueError(f"choose_qparams: no values to choose a range from, shape {x.shape}.")
        if range is None:
            return x.min(axis=(0, 2)), x.max(axis=(0, 2))
        return np.array([range([x[:, channel]]) for channel in np.arange(blocks[1])]).T
    try:
        low, high = (np.asarray(end, np.float64) for end in range)
    except (TypeError, ValueError):
        raise ValueError(
            f"choose_qparams: range must be (low, high) or a function such as "
            f"qk.calibration.min_max, got {range!r}."
        ) from None
    if not (np.isfinite(low).all() and np.isfinite(high).all() and (low <= high).all()):
        raise ValueError(
            f"choose_qparams: range must be finite, the smaller end first, got ({low}, {high})."
        )
    if not {low.shape, high.shape} <= {(), (blocks[1],)}:
        raise ValueError(
            f"choose_qparams: range must hold two numbers or two arrays of shape ({blocks[1]},), "
            f"one value a channel, got the shapes {low.shape} and {high.shape}."
        )
    return low, high


def _refuse_too_wide(low, high):
    """Refuse a range whose width float32 cannot hold: so are all steps counted from its low end."""
    width = high - low
    if width.size and width.max() >= np.finfo(np.float32).max:
        widest = width.argmax()
        raise ValueError(
            f"choose_qparams: the range from {low[widest]:.3g} to {high[widest]:.3g} is too wide: "
            "its width is infinite in float32. Clip the values with np.clip, or pass a range."
        )


def _widened(low, high, symmetric):
    """Return the ends of the ranges, those that are too narrow further out.

    The converter has two ways: a symmetric range becomes 1e-6 wide, and either end of another
    moves out by 1e-6.
    """
    narrow = high.astype(np.float64) - low < _NARROWEST_RANGE
    wider = (
        (-_NARROWEST_RANGE / 2, _NARROWEST_RANGE / 2)
        if symmetric
        else (low - _NARROWEST_RANGE, high + _NARROWEST_RANGE)
    )
    low, high = (
        np.where(narrow, np.float32(out), end) for out, end in zip(wider, (low, high), strict=True)
    )
    return low, high


def _nudged(low, scale, qmin, qmax, rule):
    """Return the integer nearest to where 0 falls: it must be on the grid itself."""
    if rule == "fake_quant":  # which counts its integers from 0
        return np.clip(np.floor(-low / scale + np.float32(0.5)), 0, qmax - qmin) + qmin
    # the converter divides in double precision, and rounds to single before it rounds to integers
    real = (qmin - low.astype(np.float64) / scale).astype(np.float32)
    away_from_zero = np.copysign(np.floor(np.abs(real) + 0.5), real)
    return np.clip(away_from_zero, qmin, qmax)


def _laid_out(shape, qparams):
    """Return the shape (outer, channels, inner) of a tensor that fits the grid."""
    blocks = qparams.granularity.blocks(shape)
    if qparams.scale.shape != (blocks[1],):
        raise ValueError(
            f"a tensor of shape {shape} has {blocks[1]} channels under {qparams.granularity}, and "
            f"the grid has {qparams.scale.size}. Was it chosen for another tensor?"
        )
    return blocks


def _by_blocks(x, qparams, dtype, finish):
    """Round all values to whole steps from zero, block by block, and finish each block.

    Rounding is that of TensorFlow's operator, in its order of operations: halves go up.
    """
    x = validate.floating(x, what="quantize")
    shape = _laid_out(x.shape, qparams)
    values, result = x.reshape(shape), np.empty(shape, dtype)
    zero_point = qparams.zero_point.astype(np.float32)
    multiplied = qparams.inverse is not None
    stride, resize = (qparams.inverse, np.multiply) if multiplied else (qparams.scale, np.divide)
    below_zero = zero_point - qparams.qmin
    grids = [qparams.low, qparams.high, stride, below_zero, qparams.scale, zero_point]
    grids = [values_of_grid[:, None] for values_of_grid in grids]
    sizes = block_shape(shape)
    written_out = sizes[0] > 1 and sizes[1] > 1  # so they run nearly as fast as a single scale
    if written_out:
        grids = [np.ascontiguousarray(np.broadcast_to(g, sizes)) for g in grids]
    buffer = np.empty(math.prod(sizes), np.float32)
    for part in block_slices(shape):
        block = values[part]
        with np.errstate(over="ignore"):  # what float32 cannot hold is told below
            block = np.asarray(block, np.float32)
        if not np.isfinite(block).all():
            validate.values(x, what="quantize")  # which counts them all, and refuses
        steps = buffer[: block.size].reshape(block.shape)
        low, high, stride, below_zero, scale, zero = (
            g[: len(block)] if written_out else g[part[1]] for g in grids
        )
        if written_out:  # a fifth of the time of np.clip, which is fast for single ends only
            np.minimum(np.maximum(block, low, out=steps), high, out=steps)
        else:
            np.clip(block, low, high, out=steps)
        steps -= low
        resize(steps, stride, out=steps)
        steps -= below_zero
        steps += np.float32(0.5)
        np.floor(steps, out=steps)
        finish(steps, scale, zero, result[part])
    return result.reshape(x.shape)


def _to_integers(steps, scale, zero_point, out):
    np.add(steps, zero_point, out=out, casting="unsafe")


def _to_real(steps, scale, zero_point, out):
    np.multiply(steps, scale, out=out)
