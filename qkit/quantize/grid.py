"""The grid of TensorFlow Lite: real = (q − zero_point) · scale, in NumPy.

A grid is chosen by `choose_qparams`, values go onto it by `quantize` and back by `dequantize`;
`fake_quantize` does both, and stays on the real axis.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.granularity import PerAxis, PerGroup, PerTensor
from qkit.result import Result

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

# Ranges narrower than this are widened to it, as the converter does: an all-zero channel gets the
# scale 1e-6 / 254, and not one through which nothing can be divided.
_NARROWEST_RANGE = 1e-6
# Values that are worked on at once: seven passes over 256 KiB stay in a core's own cache.
_BLOCK = 2**16
_DTYPES = (np.int8, np.uint8, np.int16, np.uint16)


@dataclass(frozen=True, eq=False, repr=False)
class QParams(Result):
    """A grid: what turns integers into real numbers, real = (q − zero_point) · scale.

    Attributes
    ----------
    scale : ndarray of shape (channels,), float32
        Distance of two neighbours on the grid, above 0.
    zero_point : ndarray of shape (channels,), int32
        The integer that stands for 0; in [qmin, qmax].
    qmin, qmax : int
        Smallest and largest integer.
    granularity : PerTensor, PerAxis or PerGroup
        Which values share a scale.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    qmin: int
    qmax: int
    granularity: object = PerTensor()

    @property
    def bits(self):
        """Bits of one integer."""
        return (self.qmax - self.qmin).bit_length()

    @property
    def dtype(self):
        """Smallest NumPy dtype that holds the integers."""
        limits = map(np.iinfo, _DTYPES)
        return next(i.dtype for i in limits if i.min <= self.qmin and self.qmax <= i.max)

    @property
    def low(self):
        """Smallest real number of each grid; ndarray of shape (channels,), float32."""
        return (self.qmin - self.zero_point).astype(np.float32) * self.scale

    @property
    def high(self):
        """Largest real number of each grid; ndarray of shape (channels,), float32."""
        return (self.qmax - self.zero_point).astype(np.float32) * self.scale

    def to_frame(self):
        """Return a DataFrame with one row per channel."""
        import pandas as pd

        columns = {"scale": self.scale, "zero_point": self.zero_point}
        frame = pd.DataFrame({**columns, "low": self.low, "high": self.high})
        return frame.rename_axis("channel")

    def summary(self):
        """Say in one line what the grid spans, and how fine it is."""
        text = f"{self.bits} bits, integers {self.qmin} to {self.qmax}"
        if self.scale.size == 1:
            return (
                f"{text}; scale {self.scale[0]:.6g}, zero point {self.zero_point[0]}: "
                f"{self.low[0]:.6g} to {self.high[0]:.6g}"
            )
        return f"{text}; {self.scale.size} scales, {self.scale.min():.3g} to {self.scale.max():.3g}"


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
        Whose rounding: the converter of TensorFlow Lite divides in double precision, the
        operator with which TensorFlow trains (`tf.quantization.fake_quant_with_min_max_vars`) in
        single. Their scales may differ in the last bit.

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
    x = np.asarray(x)
    outer, channels, inner = granularity.blocks(x.shape)
    low, high = _ends(x, (outer, channels, inner), range)
    precision = np.float64 if rule == "converter" else np.float32
    low = np.broadcast_to(np.minimum(low, 0), (channels,)).astype(precision)
    high = np.broadcast_to(np.maximum(high, 0), (channels,)).astype(precision)
    qmax = 2 ** (bits - 1) - 1
    qmin = -qmax if symmetric else -qmax - 1
    if symmetric:
        high = np.maximum(-low, high)
        low = -high
    narrow = high - low < _NARROWEST_RANGE
    high = np.where(narrow, precision(_NARROWEST_RANGE / 2), high)
    low = np.where(narrow, precision(-_NARROWEST_RANGE / 2), low)
    scale = (high - low) / precision(qmax - qmin)
    zero_point = np.zeros(channels) if symmetric else _nudged(low, scale, qmin, qmax, rule)
    return QParams(
        scale.astype(np.float32), zero_point.astype(np.int32), int(qmin), int(qmax), granularity
    )


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
    steps = q.reshape(_laid_out(q.shape, qparams)).astype(np.int32)
    steps -= qparams.zero_point[:, None]
    steps = steps.astype(np.float32)
    steps *= qparams.scale[:, None]
    return steps.reshape(q.shape)


def fake_quantize(x, qparams):
    """Return the numbers of a grid that are nearest to real values.

    The same as ``dequantize(quantize(x, qparams), qparams)``, in one go. For a grid chosen with
    ``rule="fake_quant"`` it equals `tf.quantization.fake_quant_with_min_max_vars` to the last bit.

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
    return low, high


def _nudged(low, scale, qmin, qmax, rule):
    """Return the integer nearest to where 0 falls: it must be on the grid itself."""
    if rule == "fake_quant":  # which counts its integers from 0
        return np.clip(np.floor(-low / scale + np.float32(0.5)), 0, qmax - qmin) + qmin
    real = qmin - low / scale
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
    x = validate.values(x, what="quantize")
    shape = _laid_out(x.shape, qparams)
    values, result = x.reshape(shape), np.empty(shape, dtype)
    zero_point = qparams.zero_point.astype(np.float32)
    grids = [qparams.low, qparams.high, qparams.scale, zero_point - qparams.qmin, zero_point]
    grids = [values_of_grid[:, None] for values_of_grid in grids]
    rows, channels, run = _block_shape(shape)
    if rows > 1 and channels > 1:  # written out, they run as fast as a single scale
        grids = [np.ascontiguousarray(np.broadcast_to(g, (rows, channels, run))) for g in grids]
    buffer = np.empty(rows * channels * run, np.float32)
    for i, j, k in itertools.product(*map(range, (0, 0, 0), shape, (rows, channels, run))):
        block = values[i : i + rows, j : j + channels, k : k + run]
        steps = buffer[: block.size].reshape(block.shape)
        low, high, scale, below_zero, zero = (
            g[: len(block)] if g.ndim == 3 else g[j : j + channels] for g in grids
        )
        np.clip(block, low, high, out=steps)
        steps -= low
        steps /= scale
        steps -= below_zero
        steps += np.float32(0.5)
        np.floor(steps, out=steps)
        finish(steps, scale, zero, result[i : i + rows, j : j + channels, k : k + run])
    return result.reshape(x.shape)


def _to_integers(steps, scale, zero_point, out):
    np.add(steps, zero_point, out=out, casting="unsafe")


def _to_real(steps, scale, zero_point, out):
    np.multiply(steps, scale, out=out)


def _block_shape(shape):
    """Return how many rows, channels and neighbours are worked on at once, at least one each."""
    outer, channels, inner = (max(n, 1) for n in shape)
    if inner >= _BLOCK:
        return 1, 1, _BLOCK
    if channels * inner >= _BLOCK:
        return 1, _BLOCK // inner, inner
    return min(outer, _BLOCK // (channels * inner)), channels, inner
