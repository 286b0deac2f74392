"""Which tensor of a float file a tensor of a quantized one stands for."""

from collections import defaultdict

import numpy as np

from qkit.tflite.edit import CHANNEL_AXIS
from qkit.tflite.file import layer_name
from qkit.tflite.values import real_values

CONVERTING = ("QUANTIZE", "DEQUANTIZE")
_ALIKE = 0.5  # cosine of constants; roundings, in 2 bits too, leave 0.8, and others have about 0


def matched(file, in_float):
    """Return pairs of operators of two files, and by number the float tensor of each activation.

    An operator is matched where there is one of its kind that gives the same shapes, reads what
    its own inputs stand for, and has constants that point the same way; of several, as of equal
    layers side by side, the one with the same name, or else the nearest constants. Behind one
    without a match, where nothing tells what is read, names of both files have to be equal.
    """
    stand = dict(zip((t.index for t in file.inputs), _inputs(file, in_float), strict=True))
    pairs, free = [], defaultdict(list)
    for number, op in enumerate(in_float.operators):
        free[_kind(op)].append(number)
    widened = {}  # constants that a DEQUANTIZE stands before
    for number, op in enumerate(file.operators):
        if op.name in CONVERTING and op.inputs and op.outputs:
            (read, *_), (given, *_) = op.inputs, op.outputs
            if read.constant:
                widened[given.index] = read
            elif read.index in stand:
                stand[given.index] = stand[read.index]
            continue
        fits = {
            other: likeness
            for other in free[_kind(op)]
            if (likeness := _likeness(op, in_float.operators[other], stand, widened)) is not None
        }
        if not fits:
            continue
        named = [k for k in fits if _names(in_float.operators[k]) == _names(op)]
        other = max(named or fits, key=fits.get)
        free[_kind(op)].remove(other)
        pairs.append((number, other))
        both = zip(op.outputs, in_float.operators[other].outputs, strict=True)
        stand.update((mine.index, theirs.index) for mine, theirs in both)
    return pairs, stand


def _inputs(file, in_float):
    """Return the numbers of the float file's inputs in the order of the other's: by name."""
    by_name = {tensor.name: tensor.index for tensor in in_float.inputs}
    names = [tensor.name for tensor in file.inputs]
    if set(names) == set(by_name):
        return [by_name[name] for name in names]
    if len(file.inputs) != len(in_float.inputs):
        raise ValueError(
            f"the float model takes {len(in_float.inputs)} inputs and the file {len(names)}: they "
            "are two networks."
        )
    return [tensor.index for tensor in in_float.inputs]


def _kind(op):
    return op.name, tuple(tensor.shape for tensor in op.outputs)


def _names(op):
    return [tensor.name for tensor in op.outputs]


def _likeness(op, other, stand, widened):
    """Return how alike the constants of two operators are, None where the operators are not."""
    likeness, known = [], True
    for slot in {*op.slots, *other.slots}:
        mine, theirs = op.input(slot), other.input(slot)
        if mine is None or theirs is None:
            return None
        mine = widened.get(mine.index, mine)
        if mine.constant != theirs.constant or (mine.constant and mine.shape != theirs.shape):
            return None
        if mine.constant and mine.holds_values and theirs.holds_values:
            likeness.append(_cosine(real_values(mine), real_values(theirs)))
        elif not mine.constant and mine.holds_values:
            known &= mine.index in stand
            if stand.get(mine.index, theirs.index) != theirs.index:
                return None
    if min(likeness, default=1) < _ALIKE or not (known or _names(op) == _names(other)):
        return None
    return sum(likeness)


def _cosine(a, b):
    """Return the cosine between two arrays, 1 where one of them is all zeros."""
    a, b = (np.asarray(values, np.float64).ravel() for values in (a, b))
    norm = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norm) if norm else 1.0


def operator_name(op):
    """Return what to call an operator: the layer of its weights, or the path of what it gives."""
    weights = op.input(1)
    if weights is not None and weights.constant and op.name in CHANNEL_AXIS:
        return layer_name(weights.name)
    first = op.outputs[0].name.partition(";")[0]
    return first.partition("/")[2] or first
