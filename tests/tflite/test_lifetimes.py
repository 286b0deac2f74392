"""What is alive when: by hand on small graphs, and held against the interpreter's own memory."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk

FILES = sorted((Path(__file__).parents[1] / "files").glob("*.tflite"))
# Where the interpreter takes less than is alive: an operator writes where its input is, reshapes
# and additions among them.
SHARED = {"ties_around_float32", "zoo_state_float32", "zoo_uint8_input_float32"}
ADD = "AddOptions"


def stored(name):
    return (Path(__file__).parents[1] / "files" / f"{name}.tflite").read_bytes()


@pytest.fixture
def diamond(built):
    """Return a file of which one sum is read twice, and an output once more."""
    tensors = {name: ((1, 4), np.float32) for name in ("x", "a", "b", "c", "unread", "last")}
    operators = [
        ("ADD", ("x", "x"), ("a",), ADD),
        ("ADD", ("a", "a"), ("b",), ADD),
        ("ADD", ("a", "a"), ("unread",), ADD),
        ("ADD", ("b", "a"), ("c",), ADD),
        ("ADD", ("a", "a"), ("last",), ADD),
    ]
    return built((tensors, operators, ["x"], ["b", "c"]))


def test_from_the_operator_that_writes_to_the_last_that_reads(diamond):
    plan = qk.inspect(diamond).memory_plan
    alive = {tensor.name: ends for tensor, ends in plan.lifetimes.items()}
    assert alive == {
        "x": (0, 0), "a": (0, 4), "b": (1, 4), "unread": (2, 2), "c": (3, 4), "last": (4, 4),
    }  # fmt: skip
    assert plan.alive_bytes == (32, 32, 48, 48, 64)
    assert (plan.peak_bytes, plan.peak_operator) == (64, 4)
    assert {tensor.name for tensor in plan.peak_tensors} == {"a", "b", "c", "last"}
    assert plan.to_frame()["alive"].tolist() == [2, 2, 3, 3, 4]
    assert str(plan) == "at most 64 bytes are alive, at 4 ADD: 4 activations, the largest 16 bytes"


def test_an_output_lives_to_the_end_and_a_state_all_along(tflite):
    file = qk.inspect(tflite("float32"))
    assert file.memory_plan.lifetimes[file.outputs[0]][1] == len(file.operators) - 1
    lstm = qk.inspect(stored("zoo_lstm_float32"))
    states = [tensor for tensor in lstm.tensors if tensor.variable]
    assert len(states) == 2
    assert {lstm.memory_plan.lifetimes[t] for t in states} == {(0, len(lstm.operators) - 1)}


def test_of_several_graphs_the_main_one_is_planned():
    file = qk.inspect(stored("zoo_state_float32"))
    plan = file.memory_plan
    assert file.graphs == 2
    assert len(plan.operators) == 7 < len(file.operators)
    assert file.operator_table["alive_bytes"].isna().sum() == len(file.operators) - 7
    assert file.operator_table["graph"].tolist() == [0] * 7 + [1] * (len(file.operators) - 7)
    assert [tensor.dtype for tensor in plan.unsized] == ["resource"]
    unknown = file.operator_table.query("graph == 0 and written_bytes.isna()")
    assert unknown["operator"].tolist() == ["VAR_HANDLE"]
    assert str(plan).endswith("; 1 of unknown size not counted")


def test_without_operators_nothing_is_planned(built):
    file = qk.inspect(built(({"x": ((1, 4), np.float32)}, [], ["x"], ["x"])))
    plan = file.memory_plan
    assert (plan.alive_bytes, plan.peak_bytes, plan.peak_operator) == ((), 0, None)
    assert plan.peak_tensors == ()
    assert str(plan) == "no operators: nothing is kept in memory"
    assert len(plan.to_frame()) == len(file.operator_table) == 0
    assert "written_bytes" in file.operator_table


def test_of_a_tensor_of_any_rank_the_size_is_unknown(built):
    tensors = {"x": ((), np.float32), "y": ((), np.float32)}
    operators = [("ADD", ("x", "x"), ("y",), ADD)]
    plan = qk.inspect(built((tensors, operators, ["x"], ["y"]))).memory_plan  # made without a rank
    assert len(plan.unsized) == 2
    assert str(plan).endswith("the largest 0 bytes; 2 of unknown size not counted")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_blocks_that_live_together_have_places_of_their_own(path):
    plan = qk.inspect(path.read_bytes()).memory_plan
    blocks = [(*plan.lifetimes[t], at, t.memory_bytes or 0) for t, at in plan.places.items()]
    for number, (first, last, at, size) in enumerate(blocks):
        for start, end, other, length in blocks[:number]:
            together = first <= end and start <= last and size and length
            assert not together or at + size <= other or other + length <= at
    top = max(at + size for *_, at, size in blocks)
    assert plan.peak_bytes <= top <= 1.3 * plan.peak_bytes


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_interpreter_takes_what_is_alive_or_more(path):
    plan = qk.inspect(path.read_bytes()).memory_plan
    planned = qk.memory(path.read_bytes()).activations_bytes
    if planned is None:
        assert path.stem == "ties_around_int16_activations"  # of which an operator does not run
    elif path.stem in SHARED:
        assert planned < plan.peak_bytes <= planned + sum(map(size_of, shared(path.read_bytes())))
    else:  # it never overwrites an input, and what is resized in the run has memory of its own
        assert plan.peak_bytes <= planned <= 3 * plan.peak_bytes


def size_of(tensor):
    return tensor.memory_bytes


def shared(tflite):
    """Return what operators write where one of their inputs begins, in the interpreter."""
    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()

    def places(tensors):
        arrays = {t: interpreter.tensor(t.index)() for t in tensors if t.dtype != "resource"}
        return {array.__array_interface__["data"][0]: t for t, array in arrays.items()}

    pairs = [(places(op.inputs), places(op.outputs)) for op in planned_operators(tflite)]
    return [tensor for read, written in pairs for at, tensor in written.items() if at in read]


def planned_operators(tflite):
    return qk.inspect(tflite).memory_plan.operators
