"""Shorter floating-point formats: fewer bits for the fraction, the exponent, or both."""

import numpy as np

from qkit import validate

FORMATS = {
    "float16": "float16",
    "bfloat16": "bfloat16",
    "float8_e4m3": "float8_e4m3fn",
    "float8_e5m2": "float8_e5m2",
}


def round_to_float(x, name):
    """Return the numbers of a shorter floating-point format that are nearest to real values.

    Parameters
    ----------
    x : array_like of floating point
        Finite.
    name : {"float16", "bfloat16", "float8_e4m3", "float8_e5m2"}

    Returns
    -------
    ndarray of the shape of `x`, float32
        Values that the format cannot reach become infinite; float8_e4m3 has no infinity, so they
        become its largest number, 448.

    Raises
    ------
    TypeError, ValueError
        If the format is unknown, or a value is not floating point or not finite.

    References
    ----------
    IEEE 754-2019 (float16); P. Micikevicius et al., "FP8 formats for deep learning" (2022), which
    became the Open Compute Project's OFP8 (both eight-bit formats).

    Examples
    --------
    >>> round_to_float(np.float32([0.123456789, 70000.0]), "float16")
    array([0.12347412,        inf], dtype=float32)
    >>> round_to_float(np.float32([0.123456789, 70000.0]), "float8_e4m3").tolist()
    [0.125, 448.0]
    """
    import ml_dtypes

    if name not in FORMATS:
        raise ValueError(
            f"round_to_float: the format must be one of {', '.join(FORMATS)}, got {name!r}."
        )
    x = validate.values(x, what="round_to_float")
    dtype = np.dtype(FORMATS[name] if name == "float16" else getattr(ml_dtypes, FORMATS[name]))
    if name == "float8_e4m3":
        largest = float(ml_dtypes.finfo(dtype).max)
        x = np.clip(x, -largest, largest)
    with np.errstate(over="ignore"):
        return x.astype(dtype).astype(np.float32)
