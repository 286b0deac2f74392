"""A quantized file and its float one, run operator by operator on what the float one computes."""

import math
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from itertools import tee

import numpy as np

from qkit.interpreter.run import (
    fed,
    filled,
    from_grid,
    given_by,
    intermediate,
    open_interpreter,
    outputs,
    run_each,
)
from qkit.quantize.grid import dequantize, quantize
from qkit.quantize.integer_operators import grid_of
from qkit.tflite.file import TfliteError, TfliteFile, inspect, parsed
from qkit.tflite.match import CONVERTING, matched


@dataclass(frozen=True, eq=False)
class Both:
    """Two files of one network: which operators and which tensors stand for which."""

    tflite: bytes
    in_float: bytes
    file: TfliteFile
    original: TfliteFile
    pairs: dict  # by number of an operator: the float file's, None for one that only rounds
    stand: dict  # by number of an activation: the float file's
    unmatched: tuple  # numbers of the operators that have no counterpart
    grids: dict  # by number of an activation of the quantized file, None without one

    @cached_property
    def parsed(self):
        """The float file as the schema has it."""
        return parsed(self.in_float)

    @cached_property
    def gives(self):
        """What the float file's interpreter tells of each output, by name, in the file's order."""
        interpreter = open_interpreter(self.in_float)
        order = [detail["index"] for detail in interpreter.get_output_details()]
        named = given_by(interpreter).items()
        return dict(sorted(named, key=lambda pair: order.index(pair[1]["index"])))

    @property
    def size(self):
        """How many values all activations of an item are."""
        return sum(math.prod(tensor.shape) for tensor in self.original.activations)


def both(tflite, in_float, *, what):
    """Match a quantized file with the float one that it was made of."""
    file, original = inspect(tflite), inspect(in_float)
    for each in (file, original):
        if each.graphs != 1:
            raise TfliteError(
                f"{what}: the file has {each.graphs} graphs: loops and branches have no place in "
                "the order of its operators. Build recurrent layers with unroll=True."
            )
    pairs, stand = matched(file, original)
    pairs, alone = dict(pairs), []
    read = {t.index for k in pairs for t in file.operators[k].inputs}
    read |= {t.index for t in file.outputs}
    for number, op in enumerate(file.operators):
        if op.name == "QUANTIZE" and op.outputs[0].index in {*stand} & read:
            pairs[number] = None
        elif op.name not in CONVERTING and number not in pairs:
            alone += [number] if any(t.holds_values for t in op.outputs) else []
    pairs = {
        number: pairs[number]
        for number in sorted(pairs)
        if any(t.holds_values for t in file.operators[number].outputs)
    }
    grids = {tensor.index: grid_of(tensor) for tensor in file.tensors if not tensor.constant}
    return Both(bytes(tflite), bytes(in_float), file, original, pairs, stand, tuple(alone), grids)


def compared(two, x):
    """Yield for each item, by operator, what each of its outputs is: three arrays.

    In the float file; in the quantized one; and in the float one with the error that the operator
    makes by itself: its kernel and the float one compute from the very same numbers.
    """
    files = (two.in_float, two.original), (two.tflite, two.file)
    runs = (intermediate(tflite, x, _activations(file)) for tflite, file in files)
    seen, to_feed, to_feed_float, to_look = tee(zip(*runs, strict=True), 4)
    values = next(to_look)
    lone_float, float_slots = operators_apart(two.in_float, values[0])
    lone, slots = operators_apart(two.tflite, values[1])
    del to_look  # which would keep all
    places = dict(_places(two.file, slots))
    back = {other: number for number, other in two.pairs.items()}
    float_places = [
        (places.get((back.get(other), slot)), (back.get(other), slot), tensor.index)
        for (other, slot), tensor in _places(two.original, float_slots)
    ]
    fed, to_lone, to_float = tee((_fed(two, places, *item) for item in to_feed), 3)
    float_fed = (
        [
            item[0][index] if tensor is None else _real(two, each[place], tensor)
            for tensor, place, index in float_places
        ]
        for item, each in zip(to_feed_float, to_float, strict=True)
    )
    own = run_each(lone, ([*each.values()] for each in to_lone))
    plain = run_each(lone_float, float_fed)
    for item, each, *given in zip(seen, fed, own, plain, strict=True):
        yield _told(two, item, each, *given)


def with_error(two, number, x, own):
    """Return what the float network gives with an operator's outputs, by item, in their place."""
    written, readers = two.file.operators[number].outputs, None
    values = {two.stand[t.index]: v for t, v in zip(written, own[0], strict=True)}
    if two.pairs[number] is None and written[0] not in two.file.outputs:  # for its readers alone
        readers = {
            (two.pairs[k], slot)
            for k, op in enumerate(two.file.operators)
            for slot in op.slots
            if two.pairs.get(k) is not None and op.input(slot) is written[0]
        }
    tflite = with_given(two.parsed, values, readers)
    ends = *two.original.inputs, *two.original.outputs, *own[0]
    if all(len(end.shape) > 1 and end.shape[0] == 1 for end in ends):  # an axis that items share
        given = [np.concatenate(each) for each in zip(*own, strict=True)]
        found = outputs(tflite, [*x.values(), *given])
        found = [*found.values()] if isinstance(found, dict) else [found]
    else:
        found = _one_by_one(two, tflite, x, own)
    return dict(zip(two.gives, found, strict=True)) if len(found) > 1 else found[0]


def _one_by_one(two, tflite, x, own):
    """Return the outputs of a file that takes, beside each item, tensors as they are."""
    arrays, size = fed(open_interpreter(two.in_float), x, "layer_errors")
    feeds = ([*filled(arrays, slice(i, i + 1), size), *each] for i, each in enumerate(own))
    found = []
    for given in run_each(tflite, feeds, "xnnpack"):
        real = map(from_grid, given, two.gives.values())
        found.append([v[0] if v.shape[:1] == (size or 1,) else v for v in real])
    return [np.stack(each) for each in zip(*found, strict=True)]


def _activations(file):
    given = (tensor for op in file.operators for tensor in op.outputs)
    return dict.fromkeys(t.index for t in (*file.inputs, *given))


def _real(two, values, tensor):
    grid = two.grids[tensor.index]
    return dequantize(values, grid) if grid else values


def _places(file, slots):
    """Yield by operator and slot the tensor that it reads."""
    for number, each in enumerate(slots):
        yield from (((number, slot), file.operators[number].input(slot)) for slot in each)


def _fed(two, places, in_float, quantized):
    """Return by operator and slot what it reads: the float file's values, on the grid if any."""
    found = {}
    for place, tensor in places.items():
        values = quantized[tensor.index]
        if tensor.index in two.stand:
            values, grid = in_float[two.stand[tensor.index]], two.grids[tensor.index]
            values = quantize(values, grid) if grid else values
        found[place] = values
    return found


def _told(two, item, fed, own, plain):
    """Return by operator the three arrays of each output."""
    in_float, quantized = item
    own, plain = _by_operator(two.file, own), _by_operator(two.original, plain)
    found = {}
    for number, other in two.pairs.items():
        op, found[number] = two.file.operators[number], []
        for place, tensor in enumerate(op.outputs):
            wanted = in_float[two.stand[tensor.index]]
            got, alone = (
                _real(two, values, tensor)
                for values in (quantized[tensor.index], own[number][place])
            )
            reads = (
                _real(two, fed[number, 0], op.inputs[0]) if other is None else plain[other][place]
            )
            found[number].append((wanted, got, wanted + (alone - reads)))
    return found


def _by_operator(file, arrays):
    arrays = iter(arrays)
    return [[next(arrays) for _ in op.outputs] for op in file.operators]


def operators_apart(tflite, values):
    """Return a file in which each operator reads inputs and gives outputs of its own.

    Beside it: for each operator, the slots that are fed. All inputs and all outputs of the file are
    in the order of the operators, and of their slots; their shapes are those of some values of the
    activations, by number, as a file may leave shapes open.
    """
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    file, model = inspect(tflite), parsed(tflite)
    graph, slots = model.subgraphs[0], []
    computed = {t.index for t in (*file.inputs, *(t for op in file.operators for t in op.outputs))}
    graph.inputs, graph.outputs, model.signatureDefs = [], [], None

    def copied(index, ends):
        tensor = copy(graph.tensors[index])
        tensor.name = f"tensor {index} of place {len(ends)}".encode()
        tensor.shape, tensor.shapeSignature = [*values[index].shape], None
        graph.tensors.append(tensor)
        ends.append(len(graph.tensors) - 1)
        return ends[-1]

    for op in graph.operators:
        reads = [] if op.inputs is None else op.inputs
        slots.append([slot for slot, index in enumerate(reads) if index in computed])
        op.inputs = [copied(i, graph.inputs) if i in computed else i for i in reads]
        op.outputs = [copied(i, graph.outputs) for i in op.outputs]
    return bytes(convert_object_to_bytearray(model)), slots


def with_given(model, values, readers=None):
    """Return a file that takes, as further inputs, values in place of activations, by number.

    The readers are pairs of operator and slot; by default all, and the ends of the network. The
    model is what `parsed` gives, and stays as it is: to read it takes longer than to write it.
    """
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    model, graph, new = copy(model), copy(model.subgraphs[0]), {}
    model.subgraphs, model.signatureDefs = [graph], None
    graph.operators, graph.tensors = [*graph.operators], [*graph.tensors]
    for index, array in values.items():
        tensor, new[index] = copy(graph.tensors[index]), len(graph.tensors)
        tensor.name, tensor.buffer = f"tensor {index}, given".encode(), 0
        tensor.shape, tensor.shapeSignature = [*array.shape], None
        graph.tensors.append(tensor)
    for number, op in enumerate(graph.operators):
        places = enumerate([] if op.inputs is None else op.inputs)
        reads = [
            new.get(i, i) if readers is None or (number, slot) in readers else i
            for slot, i in places
        ]
        if {*reads} & {*new.values()}:
            graph.operators[number] = op = copy(op)
            op.inputs = reads
    if readers is None:
        graph.outputs = [new.get(i, i) for i in graph.outputs]
    graph.inputs = [*graph.inputs, *new.values()]
    return bytes(convert_object_to_bytearray(model))
