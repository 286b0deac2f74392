"""Checks of what users pass in, made before any work starts. Each error names the remedy."""

from collections.abc import Iterable, Mapping

import numpy as np


def images(x, shape, *, what, dtype=np.float32):
    """Return `x` as items of a shape, None where it is not known yet, in a dtype the model takes.

    By an integer dtype it takes whole numbers that stand for themselves, and no others; by None
    these and real ones.
    """
    x = array(x, what=what)
    if dtype is not None and np.dtype(dtype).kind != "f":
        _require_whole(x, np.dtype(dtype), what)
    elif x.dtype.kind not in ("f" if dtype is not None else "fiu"):
        _require_numbers(x, what)
    if shape is not None and not fits(x.shape[1:], shape):
        raise ValueError(
            f"{what} must have the shape ({', '.join(map(str, ('n', *shape)))}), got {x.shape}."
            f"{_shape_hint(x.shape, tuple(shape))}"
        )
    if x.ndim < (1 if shape is not None else 2) or len(x) == 0:
        raise ValueError(f"{what} is empty or no stack of images: its shape is {x.shape}.")
    with np.errstate(over="ignore"):
        return _finite(np.ascontiguousarray(x, dtype or np.float32), what, x)


def fits(got, shape):
    """Whether an item has a shape, in which None stands for any length."""
    same = (wanted in (None, length) for length, wanted in zip(got, shape, strict=False))
    return len(got) == len(shape) and all(same)


def array(x, *, what):
    """Return `x` as an array."""
    try:
        return np.asarray(x)
    except ValueError as error:
        raise ValueError(f"{what} must be an array, and its parts do not fit: {error}") from None


def _require_numbers(x, what):
    """Refuse whole numbers that may be unscaled pixels, and what is no number."""
    if x.dtype.kind in "iu" and x.ndim == 2 and x.dtype != np.uint8:
        return  # a table's columns
    hint = ""
    if x.dtype.kind in "iu":
        hint = (
            " Where the model scales pixels itself, pass x.astype('float32'); where it was trained "
            "on values from 0 to 1, divide by 255: x / 255."
        )
    raise TypeError(
        f"{what} must hold floating-point values on the scale the model was trained on, "
        f"got {x.dtype}.{hint}"
    )


def _require_whole(x, dtype, what):
    if dtype.kind not in "biu":
        raise TypeError(
            f"{what}: the model takes {dtype}, and what goes in here are real numbers, integers or "
            "truth values. Feed it by ai_edge_litert.interpreter.Interpreter itself."
        )
    if x.dtype.kind not in "biu":
        raise TypeError(
            f"{what}: the model takes {dtype} and names no grid to put real values on, got "
            f"{x.dtype}. Pass whole numbers, such as token ids or pixels from 0 to 255."
        )
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if x.size and (x.min() < low or x.max() > high):
        raise ValueError(
            f"{what} holds {x.min()} to {x.max()}, and the model takes {dtype}: {low} to {high}."
        )


def _finite(x, what, given=None):
    """Return `x`, unless it holds NaN or what is infinite, in its dtype or as it was given."""
    if not _all_finite(x):
        bad = ~np.isfinite(x.reshape(len(x), -1))
        lost, remedy = "NaN or infinite", "Clean the data before you go on"
        if given is not None and _all_finite(given):
            most = f"{np.finfo(x.dtype).max:.6g}"
            lost, remedy = f"beyond {most}, the largest {x.dtype}", f"The model takes {x.dtype}"
        raise ValueError(
            f"{what} holds {np.count_nonzero(bad):,} values that are {lost}, the first in item "
            f"{bad.any(axis=1).argmax()}. {remedy}."
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
    x = array(x, what=what)
    if x.dtype.kind in "biu" or not np.can_cast(x.dtype, np.float64):
        raise TypeError(
            f"{what}: the values must be floating point, got {x.dtype}. Integers are on a grid "
            "already: dequantize them first."
        )
    return x


def labels(y, *, count, classes, what):
    """Return `y` as int64 class numbers from 0 to classes − 1, one for each of `count` images."""
    y = array(y, what=what)
    if y.ndim == 2 and y.shape[1] == classes > 1:
        raise ValueError(f"{what} looks one-hot, shape {y.shape}: pass y.argmax(axis=1).")
    if y.shape != (count,):
        raise ValueError(f"{what} must hold one label for each of {count:,} images, got {y.shape}.")
    if y.dtype.kind not in "biuf" or (y != np.round(y)).any():
        raise TypeError(f"{what} must hold integer class numbers, got {y.dtype}.")
    if y.min() < 0 or y.max() >= classes:
        wrong = y[(y < 0) | (y >= classes)][0]
        raise ValueError(
            f"{what} holds the label {wrong}, and the model has {classes} outputs: labels must be "
            f"0 to {classes - 1}."
        )
    return y.astype(np.int64)


def numbered(y, class_names, *, what):
    """Return class numbers for labels that are words, by the order of the model's outputs."""
    if class_names is None or isinstance(y, Mapping):
        return y
    if isinstance(class_names, (str, bytes)) or not isinstance(class_names, Iterable):
        raise TypeError(f"{what}: class_names must be a list of words, got {class_names!r}.")
    names, words = list(map(str, class_names)), array(y, what=what)
    if len(set(names)) < len(names):
        raise ValueError(f"{what}: class_names holds a name twice.")
    if words.dtype.kind not in "OSU":
        return y
    place = {name: number for number, name in enumerate(names)}
    # TensorFlow gives words back as bytes
    said = [w.decode(errors="replace") if isinstance(w, bytes) else str(w) for w in words.flat]
    if unknown := sorted({*said} - set(names)):
        raise ValueError(
            f"{what} holds {', '.join(map(repr, unknown[:3]))}, which class_names has not: "
            f"{', '.join(map(repr, names[:5]))}{' …' if names[5:] else ''}."
        )
    return np.array([place[word] for word in said], np.int64).reshape(words.shape)


def targets(y, *, count, what):
    """Return `y` as numbers, an entry for each of `count` inputs; a loss knows what they mean."""
    y = array(y, what=what)
    if y.dtype.kind not in "biuf":
        raise TypeError(f"{what} must hold numbers, got {y.dtype}.")
    if y.ndim == 0 or len(y) != count:
        raise ValueError(f"{what} must hold one entry for each of {count:,} inputs, got {y.shape}.")
    return _finite(y, what)


def choice(value, allowed, *, name):
    """Return `value` if it is among those allowed; `name` is the caller and the argument."""
    kinds = tuple({*map(type, allowed)})  # an array is equal to none of them, nor different
    if not isinstance(value, kinds) or value not in tuple(allowed):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}; got {value!r}.")
    return value


def instance(value, kinds, *, name):
    """Return `value` if it is of one of the kinds."""
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in np.ravel(kinds))
        raise TypeError(f"{name} must be a {wanted}, got {type(value).__name__}.")
    return value


def parts(data, names, *, name):
    """Return `data` if it has parts of these names, as a `Dataset` has."""
    if missing := [part for part in names if not hasattr(data, part)]:
        raise TypeError(
            f"{name} must be a qk.Dataset, or have its {', '.join(names)}; {type(data).__name__} "
            f"has no {' and no '.join(missing)}."
        )
    return data


def whole(value, *, name, least=1, most=None):
    """Return `value` as an int if it is a whole number of `least` or more, up to `most`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        ends = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {ends}, got {value!r}.")
    return int(value)


def number(value, interval, *, name):
    """Return `value` as a float if it lies in an interval as one writes it: "[0, 1)"."""
    low, high = map(float, interval[1:-1].split(","))
    left_out = [end for end, bracket in ((low, "("), (high, ")")) if bracket in interval]
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not low <= value <= high or value in left_out:
        raise ValueError(f"{name} must be a number in {interval}, got {value!r}.")
    return float(value)


def _all_finite(x):
    # unless they are huge, the sum of finite values is finite: a tenth of looking at each
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(x.sum())) or bool(np.isfinite(x).all())
