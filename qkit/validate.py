"""Checks of what users pass in, made before any work starts. Each error names the remedy."""

import numpy as np


def images(x, shape, *, what):
    """Return `x` as a float32 array of images, or say why it is none.

    Parameters
    ----------
    x : array_like of shape (n, *shape)
        Floating point; integers are refused, as they are nearly always unscaled pixels.
    shape : tuple of int or None
        Of one image; None where it is not known yet.
    what : str
        The caller and the argument, for the message.

    Returns
    -------
    ndarray of shape (n, *shape), float32

    Raises
    ------
    TypeError
        If the values are not floating point.
    ValueError
        If the shape is wrong, there are no images, or a value is NaN or infinite.

    Examples
    --------
    >>> images(np.zeros((2, 3)), (3,), what="f: x").dtype
    dtype('float32')
    """
    x = np.asarray(x)
    if not np.issubdtype(x.dtype, np.floating):
        hint = " Divide unscaled pixels by 255." if np.issubdtype(x.dtype, np.integer) else ""
        raise TypeError(
            f"{what} must hold floating-point values on the scale the model was trained on, "
            f"got {x.dtype}.{hint}"
        )
    if shape is not None and x.shape[1:] != tuple(shape):
        hint = ""
        if x.shape == tuple(shape):
            hint = " That is a single image: pass x[None]."
        elif x.shape[1:] == (*shape, 1):
            hint = " Drop the last axis: x[..., 0]."
        elif (*x.shape[1:], 1) == tuple(shape):
            hint = " Add a last axis: x[..., None]."
        raise ValueError(f"{what} must have the shape (n, {_commas(shape)}), got {x.shape}.{hint}")
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"{what} is empty or no stack of images: its shape is {x.shape}.")
    x = np.ascontiguousarray(x, np.float32)
    if not _all_finite(x):
        bad = ~np.isfinite(x.reshape(len(x), -1))
        raise ValueError(
            f"{what} holds {np.count_nonzero(bad):,} values that are NaN or infinite, the first in "
            f"item {bad.any(axis=1).argmax()}. Clean the data before you go on."
        )
    return x


def values(x, *, what):
    """Return `x` as a float32 array of finite values, or say what is wrong with it.

    Parameters
    ----------
    x : array_like of floating point
    what : str
        The caller's name, for the message.

    Returns
    -------
    ndarray of the shape of `x`, float32

    Raises
    ------
    TypeError
        If the values are not floating point.
    ValueError
        If a value is NaN or infinite.

    Examples
    --------
    >>> values([0.5], what="f")
    array([0.5], dtype=float32)
    """
    x = floating(x, what=what)
    with np.errstate(over="ignore"):  # beyond float32's range is told below
        x = np.asarray(x, np.float32, order="C")
    if not _all_finite(x):
        raise ValueError(
            f"{what}: {np.count_nonzero(~np.isfinite(x)):,} of {x.size:,} values are NaN or "
            "infinite in float32; no grid has a place for them. Find out where they come from, or "
            "clip them with np.clip."
        )
    return x


def floating(x, *, what):
    """Return `x` as an array, of the dtype it has, or say that it is not floating point.

    Parameters
    ----------
    x : array_like of floating point
    what : str
        The caller's name, for the message.

    Returns
    -------
    ndarray of the shape of `x`

    Raises
    ------
    TypeError
        If the values are not floating point.

    Examples
    --------
    >>> floating(np.float16([0.5]), what="f")
    array([0.5], dtype=float16)
    """
    x = np.asarray(x)
    if (
        not np.can_cast(x.dtype, np.float64)
        or np.issubdtype(x.dtype, np.integer)
        or x.dtype == bool
    ):
        raise TypeError(
            f"{what}: the values must be floating point, got {x.dtype}. Integers are on a grid "
            "already: dequantize them first."
        )
    return x


def labels(y, *, count, classes, what):
    """Return `y` as an int64 array of class numbers, or say why it is none.

    Parameters
    ----------
    y : array_like of shape (count,), integer
    count : int
        How many images there are.
    classes : int
        How many classes the model knows; labels run from 0 to classes − 1.
    what : str
        The caller and the argument, for the message.

    Returns
    -------
    ndarray of shape (count,), int64

    Raises
    ------
    TypeError
        If the labels are no integers.
    ValueError
        If their number or a value is wrong.

    Examples
    --------
    >>> labels([0, 9], count=2, classes=10, what="f: y")
    array([0, 9])
    """
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == classes:
        raise ValueError(f"{what} looks one-hot, shape {y.shape}: pass y.argmax(axis=1).")
    if y.shape != (count,):
        raise ValueError(f"{what} must hold one label for each of {count:,} images, got {y.shape}.")
    if not np.issubdtype(y.dtype, np.integer):
        raise TypeError(f"{what} must hold integer class numbers, got {y.dtype}.")
    if y.min() < 0 or y.max() >= classes:
        wrong = y[(y < 0) | (y >= classes)][0]
        raise ValueError(
            f"{what} holds the label {wrong}, and the model has {classes} outputs: labels must be "
            f"0 to {classes - 1}."
        )
    return y.astype(np.int64)


def targets(y, *, count, what):
    """Return `y` as an array with an entry for each item, or say why it is none.

    Parameters
    ----------
    y : array_like of shape (count, ...)
        Numbers; what they mean is the loss's affair.
    count : int
        How many inputs there are.
    what : str
        The caller and the argument, for the message.

    Returns
    -------
    ndarray

    Raises
    ------
    TypeError
        If it holds no numbers.
    ValueError
        If their number is wrong, or one is NaN or infinite.

    Examples
    --------
    >>> targets([[1, -1], [2, 3]], count=2, what="f: y").shape
    (2, 2)
    """
    y = np.asarray(y)
    if not (np.issubdtype(y.dtype, np.integer) or np.issubdtype(y.dtype, np.floating)):
        raise TypeError(f"{what} must hold numbers, got {y.dtype}.")
    if y.ndim == 0 or len(y) != count:
        raise ValueError(f"{what} must hold one entry for each of {count:,} inputs, got {y.shape}.")
    if not _all_finite(y):
        raise ValueError(f"{what} holds values that are NaN or infinite. Clean the data first.")
    return y


def choice(value, allowed, *, name):
    """Return `value` if it is among those allowed; `name` is the caller and the argument."""
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")
    return value


def whole(value, *, name, least=1):
    """Return `value` as an int if it is a whole number of `least` or more."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of {least} or more, got {value!r}.")
    return int(value)


def _all_finite(x):
    # unless they are huge, the sum of finite values is finite: a tenth of looking at each
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum())) or bool(np.isfinite(x).all())


def _commas(shape):
    return ", ".join(str(n) for n in shape)
