"""What arrays of weights take: as they are, deflated, and by what their entropy allows."""

import zlib
from dataclasses import dataclass

from qkit.quantize.weight_statistics import entropy_bits
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
        The least that a code can take which spends its bits on one value after the other, each
        array by itself. The table of the values is not counted, so that of floats that all differ
        it is far too little; a code that sees patterns, as deflate does, can need less.
    """

    raw_bytes: int
    deflated_bytes: int
    entropy_bytes: float

    def to_frame(self):
        """Return a DataFrame with one row per way of storing."""
        import pandas as pd

        rows = {"raw": self.raw_bytes, "deflated": self.deflated_bytes}
        rows |= {"entropy floor": self.entropy_bytes}
        return pd.DataFrame({"size_bytes": rows}).rename_axis("stored")

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
    >>> found.raw_bytes, found.entropy_bytes, found.deflated_bytes < 2048
    (20480, 1280.0, True)
    """
    arrays = list(arrays)
    content = b"".join(array.tobytes() for array in arrays)
    return StoredBytes(
        raw_bytes=len(content),
        deflated_bytes=len(zlib.compress(content, _LEVEL)),
        entropy_bytes=sum(entropy_bits(array) * array.size / 8 for array in arrays),
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
