"""What arrays of weights take: as they are, deflated, and by what their entropy allows."""

import zlib
from dataclasses import dataclass

from qkit.quantize.entropy_coding import entropy_coded_bytes
from qkit.result import Result

_LEVEL = 6


@dataclass(frozen=True, eq=False, repr=False)
class StoredBytes(Result):
    """Bytes of weights, without biases, scales and the file around them.

    Attributes
    ----------
    raw_bytes : int
        As they lie in a .tflite file.
    deflated_bytes : int
        After zlib at level 6, its own default and that of gzip and zip. `qk.size` takes level 9,
        which on pruned weights saves a few per cent more in ten times the time.
    entropy_bytes : float
        What an ideal coder makes of one value after the other, each array by itself, its tables
        included: see `entropy_coded_bytes`. A code that sees patterns, as deflate does, can need
        less.
    """

    raw_bytes: int
    deflated_bytes: int
    entropy_bytes: float

    @property
    def by_way(self):
        """The bytes by way of storing, in words."""
        return {
            "raw": self.raw_bytes,
            "deflated": self.deflated_bytes,
            "entropy floor": self.entropy_bytes,
        }

    def to_frame(self):
        """Return a DataFrame with one row per way of storing."""
        import pandas as pd

        return pd.DataFrame({"size_bytes": self.by_way}).rename_axis("stored")

    def summary(self):
        """Say in one line what they take."""
        return (
            f"raw {kib(self.raw_bytes)}, deflated {kib(self.deflated_bytes)}, entropy floor "
            f"{kib(self.entropy_bytes)}"
        )


def stored_bytes(arrays):
    """Measure what arrays of weights take.

    Parameters
    ----------
    arrays : iterable of ndarray
        Each in the dtype in which it is stored; deflated one after the other.

    Returns
    -------
    StoredBytes

    Examples
    --------
    >>> import numpy as np
    >>> found = stored_bytes([np.zeros(4096, np.float32), np.arange(1024, dtype=np.float32)])
    >>> found.raw_bytes, found.deflated_bytes < 2048, found.entropy_bytes < found.deflated_bytes
    (20480, True, False)
    """
    arrays = list(arrays)
    content = b"".join(array.tobytes() for array in arrays)
    return StoredBytes(
        raw_bytes=len(content),
        deflated_bytes=len(zlib.compress(content, _LEVEL)),
        entropy_bytes=sum(map(entropy_coded_bytes, arrays)),
    )


def kib(size_bytes):
    """Return a size in words, in KiB.

    Parameters
    ----------
    size_bytes : float

    Returns
    -------
    str

    Examples
    --------
    >>> kib(1536), kib(100)
    ('1.5 KiB', '0.10 KiB')
    """
    size = size_bytes / 1024
    return f"{size:.1f} KiB" if size >= 1 else f"{size:.2f} KiB"
