"""The laws of rounding, held against tensors: 1/√12 of a step, 6.02 dB a bit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.errors import quantization_error
from qkit.quantize.grid import choose_qparams
from qkit.result import Result

EVEN_RMSE_STEPS = 1 / np.sqrt(12)  # of an error that spreads evenly over one step


@dataclass(frozen=True, eq=False, repr=False)
class BitSweep(Result):
    """The error of min–max grids of several bits, beside what the laws say.

    Attributes
    ----------
    names : tuple of str
        Of the tensors.
    bits : tuple of int
    n : ndarray of shape (tensors,), int64
        Number of values.
    rmse_steps : ndarray of shape (tensors, bits), float64
        Root mean square of the error, in steps.
    rmse_steps_margin : ndarray of shape (tensors,), float64
        How far from 1/√12 chance alone takes 95 % of tensors of `n` independent, evenly spread
        errors.
    sqnr_db : ndarray of shape (tensors, bits), float64
    law_db : ndarray of shape (tensors, bits), float64
        The SQNR if the error were 1/√12 of a step.
    """

    names: tuple
    bits: tuple
    n: np.ndarray
    rmse_steps: np.ndarray
    rmse_steps_margin: np.ndarray
    sqnr_db: np.ndarray
    law_db: np.ndarray

    @property
    def within_law(self):
        """Where chance explains the distance from 1/√12; (tensors, bits), bool."""
        return np.abs(self.rmse_steps - EVEN_RMSE_STEPS) <= self.rmse_steps_margin[:, None]

    def to_frame(self):
        """Return a DataFrame with one row for each tensor and number of bits."""
        import pandas as pd

        index = pd.MultiIndex.from_product([self.names, self.bits], names=["tensor", "bits"])
        columns = ("rmse_steps", "within_law", "sqnr_db", "law_db")
        return pd.DataFrame({name: getattr(self, name).ravel() for name in columns}, index=index)

    def summary(self):
        """Say in one line how often the law of 1/√12 holds."""
        return (
            f"RMS error within chance of 1/√12 = {EVEN_RMSE_STEPS:.4f} steps in "
            f"{self.within_law.sum()} of {self.within_law.size} cases"
        )


def bit_sweep(tensors, *, bits=range(2, 13), symmetric=False):
    """Measure what min–max grids of several bits do to tensors.

    Parameters
    ----------
    tensors : mapping of str to array_like of floating point
        Not all 0.
    bits : iterable of int
        2 to 16 each.
    symmetric : bool
        As in `qk.grid.choose_qparams`; one scale a tensor.

    Returns
    -------
    BitSweep

    Raises
    ------
    TypeError, ValueError
        If there is no tensor, or a tensor's values are not finite floating point, or all 0.

    Notes
    -----
    Of an error e that spreads evenly over one step, e² has the mean 1/12 and the variance 1/180. So
    the root mean square of n of them has the standard error 1/√(60 n).

    References
    ----------
    W. R. Bennett, "Spectra of quantized signals", Bell System Technical Journal 27 (1948).

    Examples
    --------
    >>> x = np.random.default_rng(0).uniform(-1, 1, size=10_000)
    >>> print(bit_sweep({"even": x}, bits=[4, 8]))
    RMS error within chance of 1/√12 = 0.2887 steps in 2 of 2 cases
    """
    if not isinstance(tensors, Mapping) or not tensors:
        raise ValueError(f"bit_sweep: pass tensors by name, in a dict, got {tensors!r:.60}.")
    bits, rows = tuple(bits), []
    for name, x in tensors.items():
        x = validate.values(x, what=f"bit_sweep: {name}")
        power = float(np.mean(np.square(x, dtype=np.float64))) if x.size else 0.0
        if not power:
            raise ValueError(f"bit_sweep: {name} holds no value but 0.")
        for n in bits:
            qparams = choose_qparams(x, bits=n, symmetric=symmetric)
            error = quantization_error(x, qparams)
            even = power / (EVEN_RMSE_STEPS * float(qparams.scale[0])) ** 2
            rows.append((x.size, error.rmse_steps, error.sqnr_db, 10 * np.log10(even)))
    n, rmse_steps, sqnr_db, law_db = np.array(rows).reshape(len(tensors), len(bits), 4).T
    return BitSweep(
        names=tuple(tensors),
        bits=bits,
        n=n[0].astype(np.int64),
        rmse_steps=rmse_steps.T,
        rmse_steps_margin=1.96 / np.sqrt(60 * n[0]),
        sqnr_db=sqnr_db.T,
        law_db=law_db.T,
    )
