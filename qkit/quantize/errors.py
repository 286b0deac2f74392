"""What a grid does to values: how much is lost, and whether by rounding or by clipping."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.blocks import block_slices
from qkit.quantize.grid import fake_quantize
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class QuantizationError(Result):
    """The difference between values and what a grid makes of them.

    Attributes
    ----------
    sqnr_db : float
        Signal-to-quantization-noise ratio, in decibels; infinite where nothing is lost.
    channel_sqnr_db : ndarray of shape (channels,), float64
        The same for the values of each channel; NaN for one that holds only zeros.
    rmse_steps : float
        Root mean square of the error, each in steps of its own channel. Rounding alone gives
        1/√12 = 0.2887 where the values spread evenly between the grid's neighbours.
    clipped_share : float
        Share of the values that lie more than half a step beyond the ends of the grid, in [0, 1]:
        nearer ones are rounded to the end.
    clipping_share : float
        Share of the squared error that these values make up; the rest is rounding. 0 where there
        is no error.
    n : int
        Number of values.
    """

    sqnr_db: float
    channel_sqnr_db: np.ndarray
    rmse_steps: float
    clipped_share: float
    clipping_share: float
    n: int

    def to_frame(self):
        """Return a DataFrame of one row."""
        import pandas as pd

        names = ("sqnr_db", "rmse_steps", "clipped_share", "clipping_share", "n")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def summary(self):
        """Say in one line how much is lost, and by what."""
        text = f"SQNR {self.sqnr_db:.1f} dB, error {self.rmse_steps:.3f} steps (RMS)"
        if not self.clipped_share:
            return f"{text}, all of it rounding"
        return (
            f"{text}; {100 * self.clipped_share:.2g} % of the values are clipped, which makes up "
            f"{100 * self.clipping_share:.0f} % of the squared error"
        )


def quantization_error(x, qparams):
    """Measure what a grid does to values.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    QuantizationError

    Raises
    ------
    TypeError, ValueError
        As `quantize` does.

    Examples
    --------
    >>> from qkit.quantize.grid import choose_qparams
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> print(quantization_error(x, choose_qparams(x)))
    SQNR 41.6 dB, error 0.287 steps (RMS), all of it rounding
    """
    x = validate.values(x, what="quantization_error")
    if x.size == 0:
        raise ValueError(f"quantization_error: no values to measure, shape {x.shape}.")
    shape = qparams.granularity.blocks(x.shape)
    approximation = fake_quantize(x, qparams).reshape(shape)
    values = x.reshape(shape)
    half = qparams.scale / 2
    low, high = (qparams.low - half)[:, None], (qparams.high + half)[:, None]
    signal, noise = np.zeros(shape[1]), np.zeros(shape[1])
    clipped, clipping = 0, 0.0
    for part in block_slices(shape):  # double precision for a block at a time
        block, channels = values[part], part[1]
        squares = np.square(np.subtract(approximation[part], block, dtype=np.float64))
        noise[channels] += squares.sum(axis=(0, 2))
        signal[channels] += np.square(block, dtype=np.float64).sum(axis=(0, 2))
        beyond = (block < low[channels]) | (block > high[channels])
        clipped += np.count_nonzero(beyond)
        clipping += squares[beyond].sum()
    steps_squared = noise / np.square(qparams.scale, dtype=np.float64)
    return QuantizationError(
        sqnr_db=_decibels(signal.sum(), noise.sum()),
        channel_sqnr_db=_decibels(signal, noise),
        rmse_steps=float(np.sqrt(steps_squared.sum() / x.size)),
        clipped_share=clipped / x.size,
        clipping_share=float(clipping / noise.sum()) if noise.any() else 0.0,
        n=x.size,
    )


def sqnr_db(x, approximation):
    """Return the signal-to-quantization-noise ratio of an approximation, in decibels.

    Parameters
    ----------
    x, approximation : array_like of floating point
        Of one shape.

    Returns
    -------
    float
        10 · log10(Σ x² / Σ (x − approximation)²); infinite where they are equal. Each bit more
        adds about 6.02 dB.

    References
    ----------
    W. R. Bennett, "Spectra of quantized signals", Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> round(sqnr_db(np.float32([1.0, 2.0]), np.float32([1.1, 2.0])), 2)
    26.99
    """
    x, approximation = (validate.values(v, what="sqnr_db") for v in (x, approximation))
    if x.shape != approximation.shape:
        raise ValueError(
            f"sqnr_db: the shapes must be equal, got {x.shape} and {approximation.shape}."
        )
    signal = noise = 0.0
    for _, _, part in block_slices((1, 1, x.size)):
        block = x.ravel()[part].astype(np.float64)
        signal += np.square(block).sum()
        noise += np.square(block - approximation.ravel()[part]).sum()
    return _decibels(signal, noise)


def _decibels(signal, noise):
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels = 10 * np.log10(np.divide(signal, noise))
    return decibels if np.ndim(decibels) else float(decibels)
