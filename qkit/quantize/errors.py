"""What a grid does to values: how much is lost, and whether by rounding or by clipping."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.grid import QParams, fake_quantize
from qkit.result import Result

VALUE_EDGES = np.linspace(-1.05, 1.05, 106)  # in units of the largest magnitude
STEP_EDGES = np.linspace(-1.5, 1.5, 61)  # in steps; what lies beyond is in the outermost bins


@dataclass(frozen=True, eq=False, repr=False)
class QuantizationError(Result):
    """The difference between values and what a grid makes of them."""

    sqnr_db: float  # infinite where nothing is lost
    channel_sqnr_db: np.ndarray  # (channels,), float64; NaN for one that holds only zeros
    rmse_steps: float  # each error in steps of its own channel; 1/√12 by even rounding alone
    clipped_share: float  # of the values: more than half a step beyond the ends of the grid
    clipping_share: float  # of the squared error: what these make up; the rest is rounding
    n: int  # values

    def summary(self):
        """Say in one line how much is lost, and by what."""
        said = f"SQNR {self.sqnr_db:.1f} dB, error {self.rmse_steps:.3f} steps (RMS)"
        if not self.clipped_share:
            return f"{said}, all of it rounding"
        return (
            f"{said}; {100 * self.clipped_share:.2g} % of the values are clipped, which makes up "
            f"{100 * self.clipping_share:.0f} % of the squared error"
        )


@dataclass(frozen=True, eq=False, repr=False)
class GridFit(Result):
    """A grid beside the values that it is for."""

    qparams: QParams
    error: QuantizationError
    largest: float  # magnitude, 1 where all values are 0: the unit of `VALUE_EDGES`
    value_share: np.ndarray  # (105,), float64: of the values in each bin
    error_density: np.ndarray  # (60,), float64: in steps; about 1 from −½ to ½ by rounding alone

    def summary(self):
        """Say in one line what the grid is, and what it costs."""
        return f"{self.qparams.summary()}. {self.error.summary()}"


def quantization_error(x, qparams):
    """Measure what a grid does to values.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    QuantizationError

    Examples
    --------
    >>> from qkit.quantize.grid import choose_qparams
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> print(quantization_error(x, choose_qparams(x)))
    SQNR 41.6 dB, error 0.287 steps (RMS), all of it rounding
    """
    x = _exact(x, "quantization_error")
    return _measured(x, qparams)[1]


def sqnr_db(x, approximation):
    """Return the signal-to-quantization-noise ratio of an approximation, in decibels.

    Parameters
    ----------
    x, approximation : array_like of floating point, of one shape

    Returns
    -------
    float, 10 · log10(Σ x² / Σ (x − approximation)²), infinite where they are equal
        A bit more of a grid adds about 6.02 dB (W. R. Bennett, Bell System Technical Journal 1948).

    Examples
    --------
    >>> round(sqnr_db(np.float32([1.0, 2.0]), np.float32([1.1, 2.0])), 2)
    26.99
    """
    x, approximation = (_exact(v, "sqnr_db") for v in (x, approximation))
    if x.shape != approximation.shape:
        raise ValueError(
            f"sqnr_db: the shapes must be equal, got {x.shape} and {approximation.shape}."
        )
    signal = noise = 0.0
    for _, kept, lost in _squares(x.reshape(1, 1, -1), approximation.reshape(1, 1, -1)):
        signal += kept.sum()
        noise += lost.sum()
    return float(decibels(signal, noise))


def grid_fit(x, qparams):
    """Hold a grid against the values of a tensor.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    GridFit

    Examples
    --------
    >>> from qkit.quantize.grid import choose_qparams
    >>> x = np.linspace(-1, 1, 1001)
    >>> round(grid_fit(x, choose_qparams(x, bits=2)).error.sqnr_db, 1)
    9.5
    """
    x = _exact(x, "grid_fit")
    approximation, error = _measured(x, qparams)
    steps = (approximation - x).reshape(qparams.laid_out(x.shape))
    steps /= qparams.scale[:, None]
    errors, _ = np.histogram(np.clip(steps, STEP_EDGES[0], STEP_EDGES[-1]), STEP_EDGES)
    largest = float(np.abs(x).max()) or 1.0
    values, _ = np.histogram(x / largest, VALUE_EDGES)
    density = errors / x.size / np.diff(STEP_EDGES)
    return GridFit(qparams, error, largest, values / x.size, density)


def _exact(x, what):
    """Return finite values, in double precision where they came so: float32 would round them."""
    checked = validate.values(x, what=what)
    return np.asarray(x) if np.asarray(x).dtype == np.float64 else checked


def _measured(x, qparams):
    """Return what a grid makes of values, and how much that loses."""
    validate.instance(qparams, QParams, name="quantization_error: qparams")
    if x.size == 0:
        raise ValueError(f"quantization_error: no values to measure, shape {x.shape}.")
    values = x.reshape(qparams.laid_out(x.shape))
    half = qparams.scale / 2
    low, high = (qparams.low - half)[:, None], (qparams.high + half)[:, None]
    signal, noise = np.zeros((2, half.size))
    clipped, clipping = 0, 0.0
    approximation = fake_quantize(x, qparams)
    for part, signals, squares in _squares(values, approximation.reshape(values.shape)):
        channels = part[1]
        signal[channels] += signals.sum(axis=(0, 2))
        noise[channels] += squares.sum(axis=(0, 2))
        beyond = (values[part] < low[channels]) | (values[part] > high[channels])
        clipped += np.count_nonzero(beyond)
        clipping += squares[beyond].sum()
    steps_squared = noise / np.square(qparams.scale, dtype=np.float64)
    return approximation, QuantizationError(
        sqnr_db=float(decibels(signal.sum(), noise.sum())),
        channel_sqnr_db=np.where(signal, decibels(signal, noise), np.nan),
        rmse_steps=float(np.sqrt(steps_squared.sum() / x.size)),
        clipped_share=clipped / x.size,
        clipping_share=float(clipping / noise.sum()) if noise.any() else 0.0,
        n=x.size,
    )


def _squares(values, approximation):
    """Yield blocks, and squares of values and of errors in double precision, a block at a time."""
    for part in QParams.slices(values.shape):
        block = values[part]
        errors = np.subtract(approximation[part], block, dtype=np.float64)
        yield part, np.square(block, dtype=np.float64), np.square(errors)


def decibels(signal, noise):
    """Return the ratio of two sums of squares in dB, infinite without noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise, 10 * np.log10(np.divide(signal, noise)), np.inf)
