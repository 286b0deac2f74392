"""What goes into a model: an array, or one for each of several inputs, out of what holds them."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from types import SimpleNamespace

import numpy as np

from qkit import validate

_IN_MEMORY = 2**30  # bytes of a pipeline that are kept; of a larger one each part is read anew


class Unordered(dict):
    """Several inputs whose order nothing tells, such as those of a signature."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Items of a pipeline that is too large for memory, and is gone through whenever it is asked.

    Each part is held against the first time: what is judged and what is compared are the same.
    """

    data: object  # yields (x, …), or x; from the start each time
    batched: bool  # whether x is a batch
    sums: tuple  # checksum of each part of the first time
    length: int  # in items
    what: str = ""
    item: tuple = ()  # shape and dtype that the model takes

    def __len__(self):
        return self.length

    def parts(self):
        """Yield the items, a batch of the pipeline or some dozens at a time."""
        each = (x for x, *_ in _parts(self.data, self.batched))
        for x, wanted in zip_longest(each, self.sums):
            if x is None or _sum(x) != wanted:
                raise ValueError(
                    f"{self.what}: the pipeline gives other items than the first time, or in "
                    "another order, and does not fit into memory. Let it repeat itself: "
                    "shuffle(…, reshuffle_each_iteration=False), no random augmentation."
                )
            shape, dtype = self.item
            yield validate.images(x, shape, what=self.what, dtype=dtype)

    def __getitem__(self, chosen):
        places = np.arange(self.length)[chosen]
        found, start = {}, 0
        for part in self.parts():
            for place in places[(places >= start) & (places < start + len(part))]:
                found[place] = part[place - start]
            start += len(part)
            if len(found) == len(places):
                break
        return np.stack([found[place] for place in places])


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
        data = gathered(data, inputs, large=True)
        _require_two(data, inputs, what)
        x, y = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
        return Labelled(samples(x, inputs, what=what), y)
    validate.parts(data, ("x_train", "x_test", "y_test", "name"), name=what)
    parts = {
        part: samples(getattr(data, part), inputs, what=f"{what}.{part}")
        for part in ("x_train", "x_test")
    }
    more = {part: getattr(data, part) for part in ("y_train", "y_test") if hasattr(data, part)}
    return SimpleNamespace(**parts, **more, name=data.name)


def _require_two(data, inputs, what):
    """Refuse (x, y, weights), as Keras takes them; three arrays may be three inputs."""
    if not isinstance(data, tuple) or len(data) != 3:
        return
    if len(inputs or ()) != 3 or isinstance(data[0], (Mapping, list, tuple)):
        raise ValueError(
            f"{what} has a third part, and weights of items are not used. Pass (x, y); of a "
            "tf.data pipeline, data.map(lambda x, y, w: (x, y))."
        )


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
    if isinstance(x, Stream):
        if len(inputs) != 1:
            raise ValueError(f"{what}: a pipeline of more than 1 GiB is for a model of one input.")
        x = replace(x, what=what, item=next(iter(inputs.values())))
        next(x.parts())  # refuses what does not fit
        return x
    if len(inputs) == 1:
        ((name, (shape, dtype)),) = inputs.items()
        given = x[name] if isinstance(x, Mapping) and set(x) == {name} else gathered(x, inputs)
        if (found := validate.array(given, what=what)).ndim == 0 and found.dtype.kind in "OSU":
            raise TypeError(f"{what} must be an array of images, got {type(given).__name__}.")
        return validate.images(given, shape, what=what, dtype=dtype)
    x = gathered(x, inputs)
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
    return x[:1] if isinstance(x, Stream) or (isinstance(x, np.ndarray) and x.ndim) else x


def items_of(x):
    """Return what the items are called: images, where they have rows and columns."""
    return "images" if hasattr(x, "batches") or np.ndim(first(x)) > 2 else "items"


def rows(x, chosen):
    """Return some of the items: those of a slice, or of numbers."""
    return {k: v[chosen] for k, v in x.items()} if isinstance(x, Mapping) else x[chosen]


def gathered(data, inputs=None, *, large=False):
    """Return what a pipeline of TensorFlow or a generator yields as arrays; all else as it is.

    By the shape of an item it is seen whether these are items or batches of them. What is `large`,
    and can be gone through again, is a `Stream`; several inputs that have no names are a list.
    """
    if hasattr(data, "__array__") or isinstance(data, (list, tuple, Mapping, str, bytes)):
        return data
    if not hasattr(data, "__iter__"):
        return data
    each, held = [], 0
    for item in _items(data, inputs):
        each.append(item)
        if large and not isinstance(item[0], (Mapping, tuple)):
            held += np.asarray(item[0]).nbytes
        if held > _IN_MEMORY and iter(data) is not data:
            return _streamed(data, _batched(each[0][0], inputs))
    if not each:
        raise ValueError(f"the {type(data).__name__} yields nothing; a generator runs only once.")
    join = np.concatenate if _batched(each[0][0], inputs) else np.stack
    parts = [_joined(part, join) for part in zip(*each, strict=True)]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _items(data, inputs=None):
    """Yield (x, …) of all that a pipeline has, once; x is a tuple of several inputs alone."""
    if hasattr(data, "cardinality") and int(data.cardinality()) == -1:  # as TensorFlow says it
        raise ValueError(
            f"the {type(data).__name__} has no end. Leave .repeat() out, or say how many batches "
            "it is to give: data.take(n)."
        )
    try:  # what Keras makes of arrays or a folder goes round for ever, and has a length
        length = len(data)
    except TypeError:
        length = None
    several = inputs is not None and len(inputs) > 1
    for item in islice(data, length):
        x, *rest = item if isinstance(item, (tuple, list)) else (item,)
        found = [np.asarray(part) if isinstance(part, (tuple, list)) else part for part in rest]
        if isinstance(x, (tuple, list)):
            x = tuple(x) if several else np.asarray(x)
        yield (x, *found)


def _batched(x, inputs):
    """Whether what a pipeline yields are batches, by the axes of all its inputs together."""
    given = x.values() if isinstance(x, Mapping) else x if isinstance(x, tuple) else (x,)
    shapes = [shape for shape, _ in (inputs or {}).values()][: len(given)]
    told = shapes and None not in shapes
    return bool(told and sum(map(np.ndim, given)) > sum(map(len, shapes)))


def _streamed(data, batched):
    """Return a Stream, and what else the pipeline yields, in memory."""
    sums, length, more = [], 0, []
    for x, *rest in _parts(data, batched):
        sums.append(_sum(x))
        length += len(x)
        more.append(rest)
    stream = Stream(data, batched, tuple(sums), length)
    others = tuple(_joined(part, np.concatenate) for part in zip(*more, strict=True))
    return (stream, *others) if others else stream


def _parts(data, batched):
    """Yield a pipeline's batches as arrays, of single items 64 at a time."""
    items, join = _items(data), np.concatenate if batched else np.stack
    while some := list(islice(items, 1 if batched else 64)):
        yield [_joined(part, join) for part in zip(*some, strict=True)]


def _sum(x):
    return zlib.crc32(np.ascontiguousarray(x))


def _joined(parts, join):
    if isinstance(parts[0], Mapping):
        return {name: _joined([part[name] for part in parts], join) for name in parts[0]}
    if isinstance(parts[0], tuple):
        return [_joined(part, join) for part in zip(*parts, strict=True)]
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
    if not told and isinstance(inputs, Unordered):
        raise ValueError(
            f"{what}: the inputs {names} have no order that the model tells, and the shapes do not "
            f"tell which array is whose. Pass them by name: {{{next(iter(inputs))!r}: …}}."
        )
    return dict(zip(inputs, [each[0] for each in fitting] if told else arrays, strict=True))
