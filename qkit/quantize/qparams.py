"""A grid as a value: scales, zero points, and who shares them."""

from dataclasses import dataclass

import numpy as np

from qkit.quantize.granularity import PerTensor
from qkit.result import Result

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
    inverse : ndarray of shape (channels,), float32, or None
        Steps a unit. Where it is there, values are multiplied by it, and not divided by `scale`:
        TensorFlow's operator for channels does so, and rounds some values near a tie otherwise.
    """

    scale: np.ndarray
    zero_point: np.ndarray
    qmin: int
    qmax: int
    granularity: object = PerTensor()
    inverse: np.ndarray | None = None

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
