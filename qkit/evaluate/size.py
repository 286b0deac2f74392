"""Where the bytes of a .tflite file go."""

import zlib
from dataclasses import dataclass
from types import MappingProxyType

from qkit.interpreter import open_interpreter
from qkit.result import Result
from qkit.tflite_file import read_tflite


@dataclass(frozen=True, eq=False, repr=False)
class Size(Result):
    """The ledger of a .tflite file; `constants_bytes` and `metadata_bytes` add up to `size_bytes`.

    Attributes
    ----------
    size_bytes : int
        Of the file.
    deflated_bytes : int
        Of the file after zlib at level 9: what it costs in a download or an app package.
    constants_bytes : mapping of str to int
        Stored values by dtype: weights, and int32 or int64 for biases and shapes.
    metadata_bytes : int
        All the rest: graph, names, scales, padding.
    """

    size_bytes: int
    deflated_bytes: int
    constants_bytes: MappingProxyType
    metadata_bytes: int

    @property
    def size_kib(self):
        """Of the file, in KiB (1,024 bytes)."""
        return self.size_bytes / 1024

    def to_frame(self):
        """Return a DataFrame with one row per item of the ledger: bytes, and share of the file."""
        import pandas as pd

        items = {f"constants, {k}": v for k, v in self.constants_bytes.items()}
        items |= {"metadata": self.metadata_bytes, "file": self.size_bytes}
        items |= {"file, deflated": self.deflated_bytes}
        frame = pd.DataFrame({"size_bytes": items})
        frame["share"] = frame["size_bytes"] / self.size_bytes
        return frame.rename_axis("item")

    def summary(self):
        """Say in one line how large it is, and of what."""
        parts = [f"{n:,} {dtype}" for dtype, n in self.constants_bytes.items()]
        return (
            f"{self.size_bytes:,} bytes ({', '.join(parts)}, {self.metadata_bytes:,} metadata), "
            f"{self.deflated_bytes:,} deflated"
        )

    def _repr_html_(self):
        return self.to_frame().to_html(
            formatters={"size_bytes": "{:,}".format, "share": "{:.1%}".format}
        )


def size(tflite):
    """Take stock of the bytes of a .tflite file.

    Parameters
    ----------
    tflite : bytes

    Returns
    -------
    Size

    Raises
    ------
    TypeError, TfliteError
        If these are no bytes of a .tflite file that can be run.

    Examples
    --------
    >>> import qkit as qk
    >>> ledger = size(qk.convert(qk.models.walkthrough_cnn(), "float32"))
    >>> sum(ledger.constants_bytes.values()) + ledger.metadata_bytes == ledger.size_bytes
    True
    """
    open_interpreter(tflite)  # refuses damaged files before their tables are followed
    dtypes, stored = {}, {}
    for tensor in read_tflite(bytes(tflite)).tensors:
        if tensor.constant:
            # tensors may share a buffer; its bytes count once, under the dtype that reads it first
            dtypes.setdefault(tensor.buffer, tensor.dtype)
            stored[tensor.buffer] = tensor.size_bytes
    constants = {}
    for buffer, dtype in dtypes.items():
        constants[dtype] = constants.get(dtype, 0) + stored[buffer]
    constants = dict(sorted(constants.items(), key=lambda item: -item[1]))
    return Size(
        size_bytes=len(tflite),
        deflated_bytes=len(zlib.compress(bytes(tflite), 9)),
        constants_bytes=MappingProxyType(constants),
        metadata_bytes=len(tflite) - sum(constants.values()),
    )
