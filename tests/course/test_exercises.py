"""Every check takes its solution and rejects typical mistakes, each with its own reason."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.course import exercises

LESSONS = [f"{lesson:02}" for lesson in range(13)]


def cases():
    """Yield by exercise what its lesson's test module holds of it."""
    for path in sorted(Path(__file__).parent.glob("test_lesson_*.py")):
        module = importlib.import_module(path.stem)
        for name, (given, right, wrong) in module.CASES.items():
            marks = getattr(module, "MARKS", {}).get(name, [])
            yield pytest.param(name, given, right, wrong, id=name, marks=marks)


def said_of(name, answer, given, capsys):
    qk.check(name, answer, **given)
    said = capsys.readouterr().out
    assert said.startswith(f"{name} · ")
    return said.removeprefix(f"{name} · ").rstrip()


@pytest.mark.parametrize(("name", "given", "right", "wrong"), cases())
def test_exercise_takes_what_is_right_and_tells_what_is_wrong(name, given, right, wrong, capsys):
    given, right, wrong = (each() if callable(each) else each for each in (given, right, wrong))
    assert len(wrong) >= 3, "typical mistakes"
    assert said_of(name, ..., given, capsys) == "not answered yet"
    for answer in right:
        assert said_of(name, answer, given, capsys) == "correct"
    for answer, part in wrong:
        said = said_of(name, answer, given, capsys)
        assert said.startswith("not yet: ")
        assert part in said, said


def test_each_exercise_has_its_cases():
    there = {name for lesson in LESSONS for name in exercises.exercises(lesson)}
    assert {case.id for case in cases()} == there


def test_what_is_no_exercise_is_told_with_those_that_are():
    for name in ("01.99", "x", None, 1.1):
        with pytest.raises(ValueError, match=re.escape(f"no exercise {name!r}; there are ")):
            qk.check(name, 3)


def test_what_a_cell_does_not_hand_over_is_no_fault_of_the_answer(tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    with pytest.raises(TypeError, match=r"01\.3 is called otherwise .* argument: 'weights'"):
        qk.check("01.3", 0.5)
    with pytest.raises(TypeError, match=r"01\.1 is called otherwise .*'weights'"):
        qk.check("01.1", 6 / 255, weights=3)
    assert qk.ledger().table.empty


def test_number_is_right_a_known_mistake_or_neither():
    def judged(answer):
        return exercises.number(answer, 2.0, mistakes=[(0.5, "upside down")], hint="count")

    assert judged(2.01) is None
    assert judged(np.float32(2)) is judged(np.array([2])) is None  # as tensor.zero_point is one
    assert judged(0.5) == "upside down"
    assert judged(3) == "count"
    assert "number" in judged("2")
    assert "number" in judged(True)
    assert "number" in judged(np.array([2, 2]))


def test_array_is_judged_by_shape_then_by_elements():
    assert exercises.same([1, 2], [1, 2], hint="count") is None
    assert "shape" in exercises.same([1, 2, 3], [1, 2], hint="count")
    assert exercises.same([1, 3], [1, 2], hint="count") == "1 of 2 elements differ: count"
