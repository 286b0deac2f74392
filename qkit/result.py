"""How a result shows itself: a line in print, a table in a notebook, formatted by its units."""

import copyreg
import math
import re
from numbers import Integral, Real
from types import MappingProxyType


def _significant(value):
    digits = 2 - math.floor(math.log10(abs(value) or 1))
    return f"{value:,.{max(digits, 0)}f}"


def _share(value):
    tiny = 0 < abs(value) < 0.001  # 0.0% would say that there are none
    return f"{100 * value:.2g}%" if tiny else f"{value:.1%}"


def kb(size_bytes):
    """Return a size in words, in kB: 1,000 bytes."""
    size = size_bytes / 1000
    return f"{size:,.1f} kB" if size >= 1 else f"{size:.2f} kB"


def rounded(value, digits):
    """Return a number by its first digits, but with all of those before the point."""
    return f"{value:,.0f}" if abs(value) >= 10**digits - 0.5 else f"{value:.{digits}g}"


def near_limit(p_value):
    """Whether a p-value is so close to 0.05 that, rounded, it would not tell its own side."""
    return 0.0495 <= p_value < 0.0505


def _number(value):
    return f"{value:,.0f}" if value == round(value) else f"{value:.6g}"


# From a word of a column's name to the format of its numbers. The first in this order counts:
# `accuracy_drop_pp` is in points.
_FORMATS = {
    **dict.fromkeys(("pp", "points"), "{:+.2f}".format),
    "accuracy": "{:.4f}".format,
    **dict.fromkeys(("share", "sparsity"), _share),
    "p": lambda p: "< 0.001" if p < 0.001 else f"{p:.{5 if near_limit(p) else 3}g}",
    "bytes": "{:,.0f}".format,
    **dict.fromkeys(("us", "µs", "ms", "mb", "ratio", "times"), _significant),
    "db": "{:.1f}".format,
    "steps": "{:.3f}".format,
    "bits": "{:.2f}".format,
}


def _format_of(column):
    """Return the function from an entry of a column of this name to its text."""
    words = re.findall(r"[^\W_]+", str(column).lower())
    form = next((_FORMATS[word] for word in _FORMATS if word in words), _number)

    def text(value):
        if isinstance(value, bool) or not isinstance(value, Real) or math.isinf(value):
            return str(value)
        return f"{value:,}" if isinstance(value, Integral) else form(value)

    return text


def _held(items):
    return MappingProxyType(items)


# Mappings of results are copied, and sent to other processes, as Python by itself does not.
copyreg.pickle(MappingProxyType, lambda held: (_held, (dict(held),)))


class Result:
    """A frozen value with `summary()`, a line; most have a `table`, or a `row`: a table of one."""

    def __str__(self):
        return self.summary()

    def __repr__(self):
        return f"{type(self).__name__}({self.summary()})"

    def to_frame(self):
        """Return the table, units in the names of its columns; None where the line says all."""
        if hasattr(type(self), "row"):
            import pandas as pd

            return pd.DataFrame([self.row])
        return getattr(self, "table", None)

    def _repr_html_(self):
        frame = self.to_frame()
        if frame is None:
            return None
        return frame.to_html(formatters=[*map(_format_of, frame)], na_rep="–", max_rows=60)
