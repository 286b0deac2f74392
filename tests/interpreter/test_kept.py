"""What took long is computed once; a file or an input that differs is never taken for another."""

import numpy as np
import pytest

from qkit.interpreter import kept
from qkit.interpreter.run import outputs


@pytest.fixture
def runs(monkeypatch):
    """Keep whatever is computed, and return a list that grows by a run of the interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    done, invoke = [], Interpreter.invoke
    monkeypatch.setattr(Interpreter, "invoke", lambda self: done.append(1) or invoke(self))
    monkeypatch.setattr(kept, "_LEAST_S", 0)
    monkeypatch.setattr(kept, "_kept", {})
    return done


def test_the_same_once_more_runs_nothing_and_is_the_callers_own(runs, tflite, digits):
    x = digits.x_test[:20]
    first = outputs(tflite("full_integer"), x)
    expected, ran = first.copy(), len(runs)
    first[:] = 0  # as a user may
    for _ in range(2):
        again = outputs(tflite("full_integer"), x.copy())
        np.testing.assert_array_equal(again, expected)
        again[:] = 0
    assert len(runs) == ran


def test_what_differs_runs(runs, tflite, digits):
    x, ran = digits.x_test[:20], []
    one_off = x.copy()
    one_off[7, 14, 14] += 0.5
    outputs(tflite("full_integer"), x)
    for file, given, how in (
        ("full_integer", one_off, {}),
        ("full_integer", x[:19], {}),
        ("full_integer", x[::-1], {}),
        ("full_integer", x, {"threads": 3}),
        ("full_integer", x, {"batched": False}),
        ("float32", x, {}),
    ):
        ran.append(len(runs))
        found = outputs(tflite(file), given, **how)
        assert len(runs) > ran[-1], (file, how)
        kept._kept.clear()
        np.testing.assert_array_equal(found, outputs(tflite(file), given, **how))
        outputs(tflite("full_integer"), x)


def test_what_is_quick_is_not_kept(runs, tflite, digits, monkeypatch):
    monkeypatch.setattr(kept, "_LEAST_S", float("inf"))
    outputs(tflite("full_integer"), digits.x_test[:20])
    assert not kept._kept


def test_the_oldest_goes_where_room_ends(runs, tflite, digits, monkeypatch):
    monkeypatch.setattr(kept, "_MOST_BYTES", 1000)  # of 10 scores for 20 images: 800 bytes
    first, second = digits.x_test[:20], digits.x_test[20:40]
    for x in (first, second):
        outputs(tflite("full_integer"), x)
    assert len(kept._kept) == 1
    ran = len(runs)
    outputs(tflite("full_integer"), second)
    assert len(runs) == ran
    outputs(tflite("full_integer"), first)
    assert len(runs) > ran
    outputs(tflite("full_integer"), digits.x_test[:40])  # larger than all the room
    assert not kept._kept


def test_what_may_give_something_else_runs_each_time(runs, built):
    drawn = ("RANDOM_UNIFORM", "s", "r", "RandomOptions", {"seed": 0, "seed2": 0})
    values = {"s": np.int32([1, 4]), **dict.fromkeys("xry", ((1, 4), "float32"))}
    tflite = built((values, [drawn, ("ADD", "xr", "y", "AddOptions")], "x", "y"))
    for ran in range(3):
        assert len(runs) == ran
        outputs(tflite, np.zeros((1, 4), np.float32))
    assert not kept._kept
