"""What goes into a model: an array, or one for each of several inputs, out of what holds them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from qkit import validate


@dataclass(frozen=True, eq=False)
class Labelled:
    """Items to measure on, with what is right of them, if that is known; none to train on."""

    x_test: object  # as `samples` returns them
    y_test: object = None
    name: str = "your data"

    @property
    def x_train(self):
        """The same items: ranges are chosen from them."""
        return self.x_test


def labelled(data, inputs, *, what):
    """Return data whose items are checked: a `Dataset` or its like, (x, y), or x alone."""
    if not hasattr(data, "x_test"):
        if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
            raise TypeError(
                f"{what} must be a qk.Dataset, or have its x_train, x_test, y_test, name; or be "
                f"(x, y), labelled items, or x alone; got {type(data).__name__}."
            )
        data = gathered(data, next(iter(inputs.values()))[0] if inputs else None)
        x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
        return Labelled(samples(x, inputs, what=what), y)
    validate.parts(data, ("x_train", "x_test", "y_test", "name"), name=what)
    parts = {
        part: samples(getattr(data, part), inputs, what=f"{what}.{part}")
        for part in ("x_train", "x_test")
    }
    more = {part: getattr(data, part) for part in ("y_train", "y_test") if hasattr(data, part)}
    return SimpleNamespace(**parts, **more, name=data.name)


def samples(x, inputs, *, what):
    """Return `x` checked: one array, or where there are several inputs a dict of them by name.

    Parameters
    ----------
    x : array_like of shape (n, *item): array, list, tensor or table; or tf.data, batched or not
        Of several inputs a list in their order, or a dict by name.
    inputs : dict of str to (tuple, dtype)
        Shape of an item, None where an axis is free, and what the model takes, by name; None where
        it scales whole numbers itself.
    what : str, for messages
    """
    if len(inputs) == 1:
        ((name, (shape, dtype)),) = inputs.items()
        given = x[name] if isinstance(x, Mapping) and set(x) == {name} else gathered(x, shape)
        if (found := validate.array(given, what=what)).ndim == 0 and found.dtype.kind in "OSU":
            raise TypeError(f"{what} must be an array of images, got {type(given).__name__}.")
        return validate.images(given, shape, what=what, dtype=dtype)
    x = gathered(x, next(iter(inputs.values()))[0])
    named = _named(x, inputs, what)
    found = {
        name: validate.images(named[name], shape, what=f"{what}[{name!r}]", dtype=dtype)
        for name, (shape, dtype) in inputs.items()
    }
    if len({*map(len, found.values())}) != 1:
        lengths = ", ".join(f"{len(array):,} of {name!r}" for name, array in found.items())
        raise ValueError(f"{what}: each input needs as many items as the others, got {lengths}.")
    return found


def count(x):
    """Return how many items there are."""
    return len(next(iter(x.values())) if isinstance(x, Mapping) else x)


def first(x):
    """Return the first item of what holds arrays, unchecked; of what does not, all."""
    if isinstance(x, Mapping):
        return {name: first(part) for name, part in x.items()}
    if isinstance(x, (list, tuple)) and all(isinstance(part, np.ndarray) for part in x):
        return [first(part) for part in x]
    return x[:1] if isinstance(x, np.ndarray) and x.ndim else x


def items_of(x):
    """Return what the items are called: images, where they have rows and columns."""
    return "images" if hasattr(x, "batches") or np.ndim(first(x)) > 2 else "items"


def rows(x, chosen):
    """Return some of the items: those of a slice, or of numbers."""
    return {k: v[chosen] for k, v in x.items()} if isinstance(x, Mapping) else x[chosen]


def gathered(data, shape=None):
    """Return what a pipeline of TensorFlow or a generator yields as arrays; all else as it is.

    By the shape of an item it is seen whether these are items or batches of them.
    """
    if hasattr(data, "__array__") or isinstance(data, (list, tuple, Mapping, str, bytes)):
        return data
    if not hasattr(data, "__iter__"):
        return data
    each = [tuple(item) if isinstance(item, (tuple, list)) else (item,) for item in data]
    if not each:
        raise ValueError(f"the {type(data).__name__} yields nothing; a generator runs only once.")
    one = next(iter(each[0][0].values())) if isinstance(each[0][0], Mapping) else each[0][0]
    join = np.stack if shape is None or np.ndim(one) <= len(shape) else np.concatenate
    parts = [_joined(part, join) for part in zip(*each, strict=True)]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _joined(parts, join):
    if isinstance(parts[0], Mapping):
        return {name: join([np.asarray(part[name]) for part in parts]) for name in parts[0]}
    return join([np.asarray(part) for part in parts])


def _named(x, inputs, what):
    """Return what was given for each of several inputs, by name."""
    names = ", ".join(f"{name!r} {('n', *shape)}" for name, (shape, _) in inputs.items())
    if isinstance(x, Mapping):
        if set(x) != set(inputs):
            raise ValueError(f"{what} has {', '.join(map(repr, x))}; the inputs are {names}.")
        return x
    if not isinstance(x, (list, tuple)) or len(x) != len(inputs):
        got = f"{len(x)} of them" if isinstance(x, (list, tuple)) else type(x).__name__
        raise ValueError(f"{what}: the model takes {names}: a list or a dict of arrays; got {got}.")
    arrays = [validate.array(part, what=what) for part in x]
    fitting = [
        [array for array in arrays if validate.fits(array.shape[1:], shape)]
        for shape, _ in inputs.values()
    ]
    # a file may have its inputs in another order than the model: where shapes tell, they count
    told = all(len(each) == 1 for each in fitting)
    return dict(zip(inputs, [each[0] for each in fitting] if told else arrays, strict=True))
