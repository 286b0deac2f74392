"""Where the bytes of a .tflite file go."""

import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from qkit.quantize.coding import entropy_coded_bytes
from qkit.result import Result
from qkit.tflite.file import inspect

# Of the dtypes whose values are coded as they are; of others, such as packed int4, byte by byte.
_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int16": 2, "int32": 4, "int64": 8}


@dataclass(frozen=True, eq=False, repr=False)
class Size(Result):
    """The ledger of a .tflite file; what takes long for large ones is computed when asked for."""

    size_bytes: int
    deflated_bytes: int  # of the file after zlib at level 9: its cost in a download or app package
    constants_bytes: MappingProxyType  # by dtype: weights, and int32 or int64 for biases and shapes
    metadata_bytes: int  # all the rest of the file: graph, names, scales, padding
    tflite: bytes  # the file itself, for what is computed later
    elsewhere_bytes: int = 0  # of constants that other files hold, in external buffers

    @cached_property
    def entropy_coded_bytes(self):
        """Of the file if its constants were entropy-coded, tables included, and the rest deflated.

        The floor for codes that take one value after the other, not for those that see patterns:
        where whole rows or blocks of weights are zero or alike, deflate goes below it.
        """
        file, coded = inspect(self.tflite), 0
        constants, rest = _constants(file, self.tflite)
        for tensor in constants:
            item = _ITEM_BYTES.get(tensor.dtype, 1)
            item = item if tensor.size_bytes % item == 0 else 1  # one may be cut off
            coded += entropy_coded_bytes(tensor.data.view(f"u{item}"))
        return round(coded + _deflated(np.frombuffer(self.tflite, np.uint8)[rest].tobytes()))

    def to_frame(self):
        """Return a DataFrame with one row per item of the ledger: bytes, and share of the file."""
        import pandas as pd

        items = {
            **{f"constants, {dtype}": n for dtype, n in self.constants_bytes.items()},
            "metadata": self.metadata_bytes,
            "file": self.size_bytes,
            "file, deflated": self.deflated_bytes,
            "file, entropy floor": self.entropy_coded_bytes,
        }
        frame = pd.DataFrame({"size_bytes": items}).rename_axis("item")
        return frame.assign(share=frame["size_bytes"] / self.size_bytes)

    def summary(self):
        """Say in one line how large it is, and of what."""
        parts = {**self.constants_bytes, "metadata": self.metadata_bytes}
        of = ", ".join(f"{n:,} {part}" for part, n in parts.items())
        more = f"; {self.elsewhere_bytes:,} more in other files" if self.elsewhere_bytes else ""
        return (
            f"{self.size_bytes:,} bytes ({of}), {self.deflated_bytes:,} deflated, "
            f"{self.entropy_coded_bytes:,} entropy floor{more}"
        )


def size(tflite):
    """Take stock of the bytes of a .tflite file, without running it.

    Parameters
    ----------
    tflite : bytes

    Returns
    -------
    Size

    Examples
    --------
    >>> import qkit as qk
    >>> ledger = size(qk.convert(qk.models.walkthrough_cnn(), "float32"))
    >>> sum(ledger.constants_bytes.values()) + ledger.metadata_bytes == ledger.size_bytes
    True
    """
    file, found = inspect(tflite), Counter()
    for tensor, own_bytes in _constants(file, tflite)[0].items():
        found[tensor.dtype] += own_bytes
    return Size(
        size_bytes=len(tflite),
        deflated_bytes=_deflated(tflite),
        constants_bytes=MappingProxyType(dict(found.most_common())),
        metadata_bytes=len(tflite) - found.total(),
        tflite=bytes(tflite),
        elsewhere_bytes=sum({t.buffer: t.elsewhere_bytes for t in file.tensors}.values()),
    )


def _constants(file, tflite):
    """Return the stored tensors, with how many bytes each is the first to read, and the others."""
    content, found = np.frombuffer(tflite, np.uint8), {}
    rest = np.ones(content.size, bool)
    for tensor in (tensor for tensor in file.tensors if tensor.size_bytes):
        start = tensor.data.ctypes.data - content.ctypes.data  # they are views of the file
        own = rest[start : start + tensor.size_bytes]
        if own.any():
            found[tensor] = int(own.sum())
            own[:] = False
    return found, rest


def _deflated(content):
    return len(zlib.compress(content, 9))
