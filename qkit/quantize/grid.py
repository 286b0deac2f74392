"""The grid of TensorFlow Lite in NumPy: real = (q − zero_point) · scale, chosen and applied."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.result import Result

DTYPES = np.int8, np.uint8, np.int16, np.uint16, np.int32  # of integers that stand for reals
_NARROWEST_RANGE = 1e-6  # narrower ones are widened, as the converter does: no scale is 0
_BLOCK = 2**16  # values that are worked on at once: 256 KiB stay in a core's own cache


@dataclass(frozen=True)
class PerTensor:
    """One scale for a whole tensor."""

    def blocks(self, shape):
        """Return (outer, channels, inner), whose product is the size, for a tensor's shape."""
        return 1, 1, math.prod(shape)


@dataclass(frozen=True)
class PerAxis:
    """A scale for each index along one axis: kernels have one for each output channel."""

    axis: int  # it may count from the end

    def blocks(self, shape):
        """Return (outer, channels, inner) as `PerTensor` does."""
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(
                f"PerAxis({self.axis}): a tensor of shape {shape} has the axes 0 to "
                f"{len(shape) - 1}."
            )
        axis = self.axis % len(shape)
        return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


@dataclass(frozen=True)
class PerGroup:
    """A scale for each run of `size` neighbours along the last axis: 4-bit weights are kept so."""

    size: int

    def blocks(self, shape):
        """Return (outer, channels, inner) as `PerTensor` does."""
        last = (1, *shape)[-1]
        if self.size < 1 or last % self.size:
            fitting = ", ".join(str(n) for n in range(1, last + 1) if last % n == 0)
            raise ValueError(
                f"PerGroup({self.size}) does not divide the last axis of the shape {shape}; sizes "
                f"that do: {fitting}."
            )
        return 1, math.prod(shape) // self.size, self.size


@dataclass(frozen=True, eq=False, repr=False)
class QParams(Result):
    """A grid: what turns integers into real numbers."""

    scale: np.ndarray  # (channels,), float32: distance of two neighbours, above 0
    zero_point: np.ndarray  # (channels,), int32: the integer that stands for 0
    qmin: int
    qmax: int
    granularity: object = PerTensor()
    inverse: np.ndarray | None = None  # steps a unit, where values are multiplied by them instead

    @property
    def bits(self):
        """Bits of one integer."""
        return (self.qmax - self.qmin).bit_length()

    @property
    def low(self):
        """Smallest real number of each grid."""
        return (self.qmin - self.zero_point).astype(np.float32) * self.scale

    @property
    def high(self):
        """Largest real number of each grid."""
        return (self.qmax - self.zero_point).astype(np.float32) * self.scale

    def laid_out(self, shape):
        """Return (outer, channels, inner) of a tensor's shape that fits the grid."""
        blocks = self.granularity.blocks(shape)
        if self.scale.shape != blocks[1:2]:
            raise ValueError(
                f"a tensor of shape {shape} has {blocks[1]} channels under {self.granularity}, and "
                f"the grid has {self.scale.size}. Was it chosen for another tensor?"
            )
        return blocks

    @staticmethod
    def slices(laid_out):
        """Yield slices of (outer, channels, inner): blocks that stay in a core's own cache."""
        sizes = _block_sizes(laid_out)
        for starts in itertools.product(*map(range, (0, 0, 0), laid_out, sizes)):
            yield tuple(slice(i, i + size) for i, size in zip(starts, sizes, strict=True))

    def summary(self):
        """Say in one line what the grid spans, and how fine it is."""
        scales = f"{self.scale.size} scales, {self.scale.min():.3g} to {self.scale.max():.3g}"
        if self.scale.size == 1:
            ends = f"{self.low[0]:.6g} to {self.high[0]:.6g}"
            scales = f"scale {self.scale[0]:.6g}, zero point {self.zero_point[0]}: {ends}"
        return f"{self.bits} bits, integers {self.qmin} to {self.qmax}; {scales}"


def choose_qparams(
    x, *, bits=8, symmetric=False, granularity=PerTensor(), range=None, rule="converter"
):  # fmt: skip
    """Choose the grid for a tensor's values: that of B. Jacob et al., arXiv:1712.05877.

    Parameters
    ----------
    x : array_like of floating point, finite; only its shape counts where `range` has both ends
    bits : int, 2 to 16
    symmetric : bool, zero point 0 and as many integers on either side (−127 to 127 in 8 bits)
    granularity : PerTensor, PerAxis or PerGroup, which values share a scale
    range : (low, high) or callable, optional
        Widened until it contains 0: two numbers, or two arrays of shape (channels,), or one of
        `qk.calibration`; smallest and largest value by default.
    rule : {"converter", "fake_quant"}
        A zero point halfway between two integers goes away from zero in the converter, and up in
        the operators with which TensorFlow trains.

    Returns
    -------
    QParams

    Examples
    --------
    >>> print(choose_qparams([-1.0, 3.0]))
    8 bits, integers -128 to 127; scale 0.0156863, zero point -64: -1.00392 to 2.99608
    >>> choose_qparams([[0.1, -0.2], [30.0, 10.0]], symmetric=True, granularity=PerAxis(0)).scale
    array([0.0015748 , 0.23622048], dtype=float32)
    """
    if not (isinstance(bits, (int, np.integer)) and 2 <= bits <= 16):
        raise ValueError(f"choose_qparams: bits must be an integer from 2 to 16, got {bits!r}.")
    validate.choice(rule, ("converter", "fake_quant"), name="choose_qparams: rule")
    validate.instance(symmetric, (bool, np.bool_), name="choose_qparams: symmetric")
    if not isinstance(granularity, (PerTensor, PerAxis, PerGroup)):
        raise TypeError(
            "choose_qparams: granularity must be PerTensor(), PerAxis(axis) or PerGroup(size), got "
            f"{granularity!r}."
        )
    x = validate.array(x, what="choose_qparams: x")
    blocks = granularity.blocks(x.shape)
    low, high = _spanned(*_ends(x, blocks, range), blocks[1], symmetric)
    qmax = 2 ** (int(bits) - 1) - 1
    qmin = -qmax if symmetric else -qmax - 1
    steps = np.float32(qmax - qmin)
    scale = (high - low) / steps
    zero_point = np.zeros(scale.size) if symmetric else _nudged(low, scale, qmin, qmax, rule)
    # TensorFlow's two operators differ: the one for channels multiplies, and rounds some ties apart
    by_channel = rule == "fake_quant" and isinstance(granularity, PerAxis)
    inverse = steps / (high - low) if by_channel else None
    return QParams(scale, zero_point.astype(np.int32), qmin, qmax, granularity, inverse)


def quantize(x, qparams):
    """Return the integers that stand for real values: scaled, rounded, and clipped to the grid.

    Parameters
    ----------
    x : array_like of floating point
        Rounded once: float64 in double precision, where TensorFlow would make it float32 before.
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `x`, of the smallest dtype that holds `qmin` to `qmax`

    Examples
    --------
    >>> quantize(np.float32([-9.0, 0.1, 3.0]), choose_qparams([-1.0, 3.0], bits=4))
    array([-8, -4,  7], dtype=int8)
    """
    validate.instance(qparams, QParams, name="quantize: qparams")
    dtypes = map(np.iinfo, DTYPES)
    dtype = next(i.dtype for i in dtypes if i.min <= qparams.qmin and qparams.qmax <= i.max)
    if dtype == np.int32:  # single precision has too few digits for it
        x = validate.floating(x, what="quantize").astype(np.float64)
    return _rounded(x, qparams, dtype, np.add, qparams.zero_point.astype(np.float32))


def dequantize(q, qparams):
    """Return the real numbers that integers stand for.

    Parameters
    ----------
    q : array_like of integer, `qmin` to `qmax`
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `q`, float32

    Examples
    --------
    >>> dequantize([-8, -4, 7], choose_qparams([-1.0, 3.0], bits=4))
    array([-1.0666667,  0.       ,  2.9333334], dtype=float32)
    """
    validate.instance(qparams, QParams, name="dequantize: qparams")
    q = validate.array(q, what="dequantize: q")
    if not np.issubdtype(q.dtype, np.integer):
        raise TypeError(f"dequantize: q must hold integers, got {q.dtype}. Call quantize first.")
    of_channels = q.reshape(qparams.laid_out(q.shape))
    # exact in single precision: integers of 17 bits at most
    steps = np.subtract(of_channels, qparams.zero_point[:, None], dtype=np.float32)
    steps *= qparams.scale[:, None]
    return steps.reshape(q.shape)


def fake_quantize(x, qparams):
    """Return the numbers of a grid that are nearest to real values: `quantize`, then `dequantize`.

    For float32 and a grid by ``rule="fake_quant"`` that is no narrower than 1e-6 it equals
    TensorFlow's `fake_quant_with_min_max_vars`, for PerAxis `…_per_channel`, to the last bit.

    Parameters
    ----------
    x : array_like of floating point, float64 as for `quantize`
    qparams : QParams

    Returns
    -------
    ndarray of the shape of `x`, float32

    Examples
    --------
    >>> fake_quantize([0.1, 0.2, 1.0], choose_qparams([1.0], bits=2))
    array([0.        , 0.33333334, 1.        ], dtype=float32)
    """
    validate.instance(qparams, QParams, name="fake_quantize: qparams")
    return _rounded(x, qparams, np.float32, np.multiply, qparams.scale)


def _block_sizes(laid_out):
    """Return how far a block reaches along each axis: the inner ones first, at least one each."""
    outer, channels, inner = laid_out
    inner = max(min(inner, _BLOCK), 1)
    channels = max(min(channels, _BLOCK // inner), 1)
    return max(min(outer, _BLOCK // inner // channels), 1), channels, inner


def _rounded(x, qparams, dtype, finish, operand):
    """Round to whole steps from zero as TensorFlow's operator does, halves up, and finish them."""
    x = validate.floating(x, what="quantize")
    values = x.reshape(qparams.laid_out(x.shape))
    result = np.empty(values.shape, dtype)
    # float64 in double precision: made float32 first, it would be rounded twice
    working = np.promote_types(x.dtype, np.float32)
    resize, stride = np.divide, qparams.scale
    if qparams.inverse is not None and working == np.float32:
        resize, stride = np.multiply, qparams.inverse
    below_zero = qparams.zero_point.astype(working) - qparams.qmin
    grids = np.stack([-below_zero * qparams.scale, stride, below_zero, operand])[:, None, :, None]
    sizes = _block_sizes(values.shape)
    if sizes[0] > 1:  # written out, many channels run nearly as fast as one
        grids = np.ascontiguousarray(np.broadcast_to(grids, (len(grids), *sizes)))
    for part in qparams.slices(values.shape):
        low, stride, below_zero, by = grids[:, : len(values[part]), part[1]]
        with np.errstate(over="ignore"):  # of what lies far beyond the grid, or is refused
            block = np.asarray(values[part], working)
            steps = block - low
            resize(steps, stride, out=steps)
        if not np.isfinite(block).all():
            validate.values(x, what="quantize")  # which counts them all, and refuses
        np.clip(steps, 0, qparams.qmax - qparams.qmin, out=steps)
        steps -= below_zero
        steps += 0.5
        np.floor(steps, out=steps)
        finish(steps, by, out=result[part], casting="unsafe")
    return result.reshape(x.shape)


def _ends(x, blocks, range):
    """Return smallest and largest value that the grid of each channel must span."""
    if not (range is None or callable(range)):
        return _given(range, blocks[1])
    x = validate.values(x, what="choose_qparams").reshape(blocks)
    if x.size == 0:
        raise ValueError(f"choose_qparams: no values to choose a range from, shape {x.shape}.")
    if range is None:
        return x.min(axis=(0, 2)), x.max(axis=(0, 2))
    return np.array([_given(range([channel]), 1) for channel in x.swapaxes(0, 1)]).T


def _given(range, channels):
    """Return both ends of a range in numbers, one for all channels or one for each."""
    try:
        low, high = map(np.float64, range)
    except (TypeError, ValueError):
        raise ValueError(
            f"choose_qparams: range must be (low, high) or a function such as "
            f"qk.calibration.min_max, got {range!r}."
        ) from None
    if not np.all((-np.inf < low) & (low <= high) & (high < np.inf)):
        raise ValueError(
            f"choose_qparams: range must be finite, the smaller end first, got ({low}, {high})."
        )
    if not {low.shape, high.shape} <= {(), (channels,)}:
        raise ValueError(
            f"choose_qparams: range must hold two numbers or two arrays of shape ({channels},), "
            f"one value a channel, got the shapes {low.shape} and {high.shape}."
        )
    return low, high


def _spanned(low, high, channels, symmetric):
    """Return the ends of each channel's grid in float32: around 0, and not too narrow."""
    low = np.broadcast_to(np.minimum(low, 0), (channels,)).astype(np.float64)
    high = np.broadcast_to(np.maximum(high, 0), (channels,)).astype(np.float64)
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    width = high - low
    if width.max(initial=0) >= np.finfo(np.float32).max:  # all steps are counted from the low end
        widest = width.argmax()
        raise ValueError(
            f"choose_qparams: the range from {low[widest]:.3g} to {high[widest]:.3g} is too wide: "
            "its width is infinite in float32. Clip the values with np.clip, or pass a range."
        )
    ends = np.float32([low, high])
    narrow = np.subtract(ends[1], ends[0], dtype=np.float64) < _NARROWEST_RANGE
    # the converter makes a symmetric one 1e-6 wide, and moves either end of another out by as much
    out = np.float32([[-_NARROWEST_RANGE], [_NARROWEST_RANGE]])
    return np.where(narrow, out / 2 if symmetric else ends + out, ends)


def _nudged(low, scale, qmin, qmax, rule):
    """Return the integer nearest to where 0 falls: it must be on the grid itself."""
    if rule == "fake_quant":  # which counts its integers from 0
        return np.clip(np.floor(-low / scale + np.float32(0.5)), 0, qmax - qmin) + qmin
    # the converter divides in double precision, and rounds to single before it rounds to integers
    real = (qmin - low.astype(np.float64) / scale).astype(np.float32)
    away_from_zero = np.copysign(np.floor(np.abs(real) + 0.5), real)
    return np.clip(away_from_zero, qmin, qmax)
