"""Which activations of a float file share a grid, and which have a fixed one, by the converter.

It has two quantizers. In 8 bits, a range spreads through operators that pass values on or join
them, upstream too; in 16, what is passed on keeps its grid, and what is joined is rounded anew.
"""

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

# Operators that give values which they take.
_MOVING = frozenset(
    {"BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER",
     "GATHER_ND", "MAX_POOL_2D", "MIRROR_PAD", "PAD", "PADV2", "REDUCE_MAX", "REDUCE_MIN",
     "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND",
     "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2",
     "TRANSPOSE", "UNPACK"}
)  # fmt: skip
_JOINING = frozenset({"CONCATENATION", "MAXIMUM", "MINIMUM", "PACK"})
_CHOOSING = frozenset({"SELECT", "SELECT_V2"})
_AVERAGING = frozenset({"AVERAGE_POOL_2D", "RESIZE_BILINEAR"})
_TIED_IN_8 = _MOVING | _JOINING | _CHOOSING | _AVERAGING | {"ADD_N"}
_TIED_IN_16 = (_MOVING | _AVERAGING | {"SUM"}) - {"TOPK_V2"}  # a sum, even where it overflows
# Ranges that are fixed, whatever is seen: 2**bits steps from end to end.
_FIXED_IN_8 = {"SOFTMAX": (0, 1), "LOGISTIC": (0, 1), "TANH": (-1, 1), "L2_NORMALIZATION": (-1, 1),
               "LOG_SOFTMAX": (-16, 0)}  # fmt: skip
_FIXED_IN_16 = dict.fromkeys(("LOGISTIC", "SOFTMAX", "TANH"), (-1, 1))
_IN_PLACE = frozenset({"ADD", "DIV", "MUL", "SUB"})  # may write into the memory of an input


@dataclass(frozen=True, eq=False)
class Grids:
    """The range that each float activation is on: a tensor's, by its number, or a fixed one."""

    of: dict = field(default_factory=dict)  # by number; of two, on the one and then the other
    anew: dict = field(default_factory=dict)  # by (operator, tensor), for this reader alone

    def places(self, operators):
        """Yield each place in a file, the tensor that it comes before, and the ranges to be on."""
        yield from ((index, index, ranges) for index, ranges in self.of.items())
        for (number, index), source in self.anew.items():
            yield (number, index), operators[number].outputs[0].index, (source,)


def in_8_bits(operators, inputs):
    """Return the `Grids` of the quantizer for 8 bits, in which fewer are taken too."""
    maker, readers = {}, defaultdict(list)
    for number, op in enumerate(operators):
        maker.update(dict.fromkeys(_floats(op.outputs), number))
        for index in _floats(op.inputs):
            readers[index].insert(0, number)
    kept = _kept(operators, maker, inputs)
    grids, waiting, done = Grids({i: (i,) for i in kept}), [*range(len(operators))], set()
    while waiting:  # from the last operator on; what a range has reached comes next
        op = operators[number := waiting.pop()]
        source = _source(op, grids.of, kept)
        if number in done or source is None:
            continue
        done.add(number)
        for index in _floats(op.inputs) if op.name in _TIED_IN_8 else ():
            waiting += [maker[index]] if index in maker and index not in grids.of else []
            if grids.of.setdefault(index, (source,))[-1] != source:
                grids.anew[number, index] = source
        for index in _floats(op.outputs):
            waiting += readers[index] if index not in grids.of else []
            if (now := grids.of.setdefault(index, (source,))[-1]) != source:
                grids.of[index] = source, now
    return grids


def in_16_bits(operators, inputs):
    """Return the `Grids` of the older quantizer, which is still that of 16 bits."""
    grids = Grids({index: (index,) for index in _floats(inputs)})
    for number, op in enumerate(operators):
        read, given = _floats(op.inputs), _floats(op.outputs)
        for index in given:
            own = (_FIXED_IN_16.get(op.name, index),)
            tied = op.name in _TIED_IN_16 and read
            grids.of[index] = grids.of.get(read[0], own) if tied else own
        if op.name in _JOINING and given:
            anew = (i for i in read if grids.of.get(i) != grids.of[given[0]])
            grids.anew.update(((number, i), given[0]) for i in anew)
    return grids


def own_ranges(operators, *grids):
    """Return in order the numbers of the activations whose range some grid takes, or is fixed."""
    found = {source for each in grids for sources in each.of.values() for source in sources}
    found.update(*(_floats(op.outputs) for op in operators if op.name in _FIXED_IN_8))
    return [i for i in grids[-1].of if i in found and all(i in each.of for each in grids)]


def overwritten(operators, inputs, outputs):
    """Return by number the activations that the kernel of a later one writes over, and that one.

    The converter looks at what an operator has read once more when it has run: such an activation's
    range spans both.
    """
    found, uses = {}, Counter(t.index for op in operators for t in op.inputs)
    ends = {t.index for t in (*inputs, *outputs)}
    once = {index for index, times in uses.items() if times == 1} - ends
    for op in (op for op in operators if op.name in _IN_PLACE and op.outputs):
        given, size = op.outputs[0].index, math.prod(op.outputs[0].shape)
        fitting = {t.index for t in op.inputs if math.prod(t.shape) == size > 1} & once
        free = [index for index in _floats(op.inputs) if index in fitting and given not in ends]
        found.update(dict.fromkeys(free[:1], given))
    return found


def fixed_ends(fixed, bits):
    """Return the ends of the grid of some bits on a fixed range, with 0 on it."""
    step = (fixed[1] - fixed[0]) / 2**bits
    low = max(fixed[0] + step * (bits == 16), -(2**bits - 1) * step)  # 16 bits are symmetric
    return low, low + (2**bits - 1 - (bits == 16)) * step


def rounds(op):
    """Whether an operator gives values off the grid of what it reads."""
    constants = any(t.constant and t.dtype == "float32" for t in op.inputs)
    return constants or op.name not in _MOVING | _JOINING | _CHOOSING


def _floats(tensors):
    """Return the numbers of the activations in float among tensors."""
    return [t.index for t in tensors if t.dtype == "float32" and not t.constant]


def _kept(operators, maker, inputs):
    """Return the numbers of the activations whose own range counts in 8 bits, in their order."""
    known, dropped = dict.fromkeys([*_floats(inputs), *maker]), set()
    for op in operators:
        read = [t.constant for t in op.inputs if t.dtype == "float32"]
        if op.name in _FIXED_IN_8 or (op.name in _TIED_IN_8 and read == [False]):
            dropped.update(_floats(op.outputs))
    waiting, joined = [index for index in known if index not in dropped], set()
    while waiting:  # what is joined goes by what it is joined to
        op = operators[maker[index]] if (index := waiting.pop()) in maker else None
        above = set(_floats(op.inputs)) if op and op.name in _TIED_IN_8 else set()
        waiting += above - joined
        joined |= above
    return [index for index in known if index not in dropped | joined]


def _source(op, of, kept):
    """Return the range that an operator spreads to what it reads and gives, if there is one."""
    if op.name not in _TIED_IN_8:
        return _FIXED_IN_8.get(op.name)
    known = [[i for i in _floats(ends) if i in of] for ends in (op.inputs, op.outputs)]
    for read, given in ([[i for i in side if i in kept] for side in known], known):
        first = read if len(op.inputs) == 1 else given if len(op.outputs) == 1 else ()
        if found := [*first, *read, *given]:
            return of[found[0]][-1]
    return None
