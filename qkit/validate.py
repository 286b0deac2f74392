"""Checks of what users pass in, made before any work starts. Each error names the remedy."""

import numpy as np


def images(x, shape, *, what):
    """Return `x` as float32 images of a shape, which is None where it is not known yet."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        hint = " Divide unscaled pixels by 255." if x.dtype.kind in "iu" else ""
        raise TypeError(
            f"{what} must hold floating-point values on the scale the model was trained on, "
            f"got {x.dtype}.{hint}"
        )
    if shape is not None and x.shape[1:] != tuple(shape):
        raise ValueError(
            f"{what} must have the shape (n, {', '.join(map(str, shape))}), got {x.shape}."
            f"{_shape_hint(x.shape, tuple(shape))}"
        )
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"{what} is empty or no stack of images: its shape is {x.shape}.")
    return _finite(np.ascontiguousarray(x, np.float32), what)


def _finite(x, what):
    if not _all_finite(x):
        bad = ~np.isfinite(x.reshape(len(x), -1))
        raise ValueError(
            f"{what} holds {np.count_nonzero(bad):,} values that are NaN or infinite, the first in "
            f"item {bad.any(axis=1).argmax()}. Clean the data before you go on."
        )
    return x


def _shape_hint(got, image):
    if got == image:
        return " That is a single image: pass x[None]."
    if got[1:] == (*image, 1):
        return " Drop the last axis: x[..., 0]."
    if (*got[1:], 1) == image:
        return " Add a last axis: x[..., None]."
    return ""


def values(x, *, what):
    """Return `x` as a float32 array of finite values, in C order."""
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
    """Return `x` as an array of the floating-point dtype that it has, bfloat16 and its like too."""
    x = np.asarray(x)
    if x.dtype.kind in "biu" or not np.can_cast(x.dtype, np.float64):
        raise TypeError(
            f"{what}: the values must be floating point, got {x.dtype}. Integers are on a grid "
            "already: dequantize them first."
        )
    return x


def labels(y, *, count, classes, what):
    """Return `y` as int64 class numbers from 0 to classes − 1, one for each of `count` images."""
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == classes:
        raise ValueError(f"{what} looks one-hot, shape {y.shape}: pass y.argmax(axis=1).")
    if y.shape != (count,):
        raise ValueError(f"{what} must hold one label for each of {count:,} images, got {y.shape}.")
    if y.dtype.kind not in "iu":
        raise TypeError(f"{what} must hold integer class numbers, got {y.dtype}.")
    if y.min() < 0 or y.max() >= classes:
        wrong = y[(y < 0) | (y >= classes)][0]
        raise ValueError(
            f"{what} holds the label {wrong}, and the model has {classes} outputs: labels must be "
            f"0 to {classes - 1}."
        )
    return y.astype(np.int64)


def targets(y, *, count, what):
    """Return `y` as numbers, an entry for each of `count` inputs; a loss knows what they mean."""
    y = np.asarray(y)
    if y.dtype.kind not in "iuf":
        raise TypeError(f"{what} must hold numbers, got {y.dtype}.")
    if y.ndim == 0 or len(y) != count:
        raise ValueError(f"{what} must hold one entry for each of {count:,} inputs, got {y.shape}.")
    return _finite(y, what)


def choice(value, allowed, *, name):
    """Return `value` if it is among those allowed; `name` is the caller and the argument."""
    if value not in tuple(allowed):  # a list may be asked for, which no dict can look up
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
