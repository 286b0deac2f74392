"""How a grid fits a tensor: where the values lie, where the grid does, how far one is off."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.errors import QuantizationError, quantization_error
from qkit.quantize.grid import QParams, fake_quantize
from qkit.result import Result

VALUE_EDGES = np.linspace(-1.05, 1.05, 106)  # in units of the largest magnitude
STEP_EDGES = np.linspace(-1.5, 1.5, 61)  # in steps; what lies beyond is in the outermost bins


@dataclass(frozen=True, eq=False, repr=False)
class GridFit(Result):
    """A grid beside the values that it is for.

    Attributes
    ----------
    qparams : QParams
    error : QuantizationError
    largest : float
        Largest magnitude among the values, 1 where all are 0: the unit of `VALUE_EDGES`.
    value_share : ndarray of shape (105,), float64
        Share of the values in each bin.
    error_density : ndarray of shape (60,), float64
        Of the error in steps; rounding alone gives about 1 between −½ and ½.
    """

    qparams: QParams
    error: QuantizationError
    largest: float
    value_share: np.ndarray
    error_density: np.ndarray

    def to_frame(self):
        """Return a DataFrame of one row: the grid's ends and the error."""
        frame = self.error.to_frame()
        frame.insert(0, "bits", self.qparams.bits)
        frame.insert(1, "scales", self.qparams.scale.size)
        frame.insert(2, "low", self.qparams.low.min())
        frame.insert(3, "high", self.qparams.high.max())
        return frame

    def summary(self):
        """Say in one line what the grid is, and what it costs."""
        return f"{self.qparams.summary()}. {self.error.summary()}"


def grid_fit(x, qparams):
    """Hold a grid against the values of a tensor.

    Parameters
    ----------
    x : array_like of floating point
    qparams : QParams

    Returns
    -------
    GridFit

    Raises
    ------
    TypeError, ValueError
        As `qk.grid.quantize` does.

    Examples
    --------
    >>> from qkit.quantize.grid import choose_qparams
    >>> x = np.linspace(-1, 1, 1001)
    >>> fit = grid_fit(x, choose_qparams(x, bits=2))
    >>> fit.qparams.bits, round(fit.error.sqnr_db, 1)
    (2, 9.5)
    """
    x = validate.values(x, what="grid_fit")
    shape = qparams.granularity.blocks(x.shape)
    steps = (fake_quantize(x, qparams) - x).reshape(shape) / qparams.scale[:, None]
    errors, _ = np.histogram(np.clip(steps, STEP_EDGES[0], STEP_EDGES[-1]), STEP_EDGES)
    largest = float(np.abs(x).max(initial=0)) or 1.0
    values, _ = np.histogram(x / largest, VALUE_EDGES)
    return GridFit(
        qparams=qparams,
        error=quantization_error(x, qparams),
        largest=largest,
        value_share=values / x.size,
        error_density=errors / x.size / np.diff(STEP_EDGES),
    )
