"""Clipping against rounding: one tensor under grids that span more and more of its values."""

from dataclasses import dataclass

import numpy as np

from qkit import validate
from qkit.quantize.errors import quantization_error
from qkit.quantize.grid import choose_qparams
from qkit.result import Result

_SHARES = tuple(np.linspace(0.1, 1.5, 71).round(2).tolist())


@dataclass(frozen=True, eq=False, repr=False)
class RangeSweep(Result):
    """The error of symmetric grids that end at a share of the largest magnitude.

    Attributes
    ----------
    bits : tuple of int
    shares : ndarray of shape (shares,), float64
        Where the grid ends, in units of the largest magnitude: below 1 it clips.
    sqnr_db : ndarray of shape (bits, shares), float64
    rounding, clipping : ndarray of shape (bits, shares), float64
        Root mean square of the error by each cause, in units of that of the values. Their squares
        add up.
    clipped_share : ndarray of shape (bits, shares), float64
        Of the values, in [0, 1].
    """

    bits: tuple
    shares: np.ndarray
    sqnr_db: np.ndarray
    rounding: np.ndarray
    clipping: np.ndarray
    clipped_share: np.ndarray

    @property
    def best(self):
        """Position of the share with the highest SQNR, one for each of `bits`."""
        return self.sqnr_db.argmax(axis=1)

    @property
    def best_share(self):
        """Where the best grid ends, in units of the largest magnitude; one for each of `bits`."""
        return self.shares[self.best]

    def to_frame(self):
        """Return a DataFrame with one row for each number of bits: the best end, and the full."""
        import pandas as pd

        rows, best = np.arange(len(self.bits)), self.best
        full = np.abs(self.shares - 1).argmin()
        columns = {
            "best_share": self.best_share,
            "clipped_share": self.clipped_share[rows, best],
            "sqnr_db": self.sqnr_db[rows, best],
            "sqnr_db_full_range": self.sqnr_db[:, full],
        }
        frame = pd.DataFrame(columns, index=pd.Index(self.bits, name="bits"))
        frame["gain_db"] = frame["sqnr_db"] - frame["sqnr_db_full_range"]
        return frame

    def summary(self):
        """Say in one line where the best grids end."""
        ends = (
            f"{row.best_share:.2f} at {bits} bits ({row.gain_db:+.1f} dB)"
            for bits, row in self.to_frame().iterrows()
        )
        return f"best end, in units of the largest magnitude: {', '.join(ends)}"


def range_sweep(x, *, bits=(8, 4, 3, 2), shares=_SHARES):
    """Measure the error of symmetric grids of several ends and bits.

    Parameters
    ----------
    x : array_like of floating point
    bits : iterable of int
        2 to 16 each.
    shares : iterable of float
        Ends to try, in units of the largest magnitude of `x`, above 0. 1 is min–max.

    Returns
    -------
    RangeSweep

    Raises
    ------
    TypeError, ValueError
        If the values are not finite floating point, all 0, or a share is not above 0.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=10_000)
    >>> print(range_sweep(x, bits=[4]))
    best end, in units of the largest magnitude: 0.62 at 4 bits (+3.2 dB)
    """
    x = validate.values(x, what="range_sweep")
    largest = float(np.abs(x).max(initial=0))
    if not largest:
        raise ValueError("range_sweep: there is no value but 0, so no range to choose.")
    bits, shares = tuple(bits), np.asarray(tuple(shares), np.float64)
    if not (shares.size and (shares > 0).all()):
        raise ValueError(f"range_sweep: shares must be above 0, got {shares.tolist()}.")
    found = [
        [
            quantization_error(
                x, choose_qparams(x, bits=n, symmetric=True, range=(-s * largest, s * largest))
            )
            for s in shares
        ]
        for n in bits
    ]

    def table(what):
        return np.array([[what(error) for error in row] for row in found])

    sqnr_db = table(lambda error: error.sqnr_db)
    noise, clipping = 10 ** (-sqnr_db / 10), table(lambda error: error.clipping_share)
    return RangeSweep(
        bits=bits,
        shares=shares,
        sqnr_db=sqnr_db,
        rounding=np.sqrt(noise * (1 - clipping)),
        clipping=np.sqrt(noise * clipping),
        clipped_share=table(lambda error: error.clipped_share),
    )
