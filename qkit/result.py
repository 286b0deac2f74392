"""How a result shows itself: a line in print, a table in a notebook, formatted by its units."""

import math
import re
from dataclasses import dataclass
from numbers import Integral, Real


def _significant(value):
    digits = 2 - math.floor(math.log10(abs(value) or 1))
    return f"{value:,.{max(digits, 0)}f}"


def _share(value):
    tiny = 0 < abs(value) < 0.001  # 0.0% would say that there are none
    return f"{100 * value:.2g}%" if tiny else f"{value:.1%}"


def _p_value(value):
    return "< 0.001" if value < 0.001 else f"{value:.3g}"


def _number(value):
    return f"{value:,.0f}" if value == round(value) else f"{value:.6g}"


# From a word of a column's name to the format of its numbers. The first in this order counts:
# `accuracy_drop_pp` is in points.
_FORMATS = {
    **dict.fromkeys(("pp", "points"), "{:+.2f}".format),
    "accuracy": "{:.4f}".format,
    **dict.fromkeys(("share", "sparsity"), _share),
    "p": _p_value,
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


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """A table shown by the units in its column names: bytes, share, accuracy, us, pp, p, db, ….

    Attributes
    ----------
    frame : DataFrame
        Units are words of the names, as in ``size_bytes``, ``p_value`` and ``"SQNR, dB"``.

    Examples
    --------
    >>> import pandas as pd
    >>> Table(pd.DataFrame({"size_bytes": [24576], "difference_pp": [0.5], "p_value": [4e-9]}))
      size_bytes difference_pp p_value
    0     24,576         +0.50 < 0.001
    """

    frame: object

    def __repr__(self):
        return self.frame.to_string(**self._look())

    def _repr_html_(self):
        return self.frame.to_html(**self._look(), max_rows=60)

    def _look(self):
        return {"formatters": [_format_of(name) for name in self.frame], "na_rep": "–"}


class Result:
    """Base of the frozen values that measurements return.

    A subclass has `summary()`, one line with the uncertainty, and holds a `table`, a DataFrame with
    the units in its column names, or overrides `to_frame()`, which makes one.
    """

    def __str__(self):
        return self.summary()

    def __repr__(self):
        return f"{type(self).__name__}({self.summary()})"

    def to_frame(self):
        """Return the numbers as a DataFrame, with their units in the column names."""
        return self.table

    def _repr_html_(self):
        return Table(self.to_frame())._repr_html_()
