"""Exercises by name: each is a function from an answer to what is wrong with it, or to nothing."""

import importlib
import inspect
import re
from numbers import Real
from pathlib import Path

import numpy as np

from qkit.course.ledger import note
from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import paired

_EXERCISES = {}  # by name; filled by the modules lesson_00, lesson_01 … when they are loaded


def exercise(name, asked):
    """Register a function as the check of an exercise: the notebook's number and its own.

    The function takes the answer and, by keyword, what else the cell hands over. It returns why
    the answer is wrong, in terms of the idea, or None. `asked` says what an answer is, to a reader
    whose answer is of another kind: "a number, …".
    """

    def register(function):
        _EXERCISES[name] = function, asked
        return function

    return register


def check(name, answer, **given):
    """Say whether an exercise's answer is right, or what is wrong with it.

    Parameters
    ----------
    name : str, the notebook and the exercise: ``"03.1"``
    answer : object, ``...`` if there is none yet
    **given : what the check needs of the reader's session, as the notebook's cell has it

    Raises
    ------
    ValueError, TypeError
        Where there is no such exercise, or it is called otherwise than in its cell.

    Examples
    --------
    >>> check("01.1", ...)
    01.1 · not answered yet
    """
    function, asked = _find(name)
    if answer is ...:
        print(f"{name} · not answered yet")
        return
    try:
        inspect.signature(function).bind(answer, **given)
    except TypeError as error:
        raise TypeError(f"check: {name} is called otherwise in its cell: {error}.") from None
    try:
        fault = function(answer, **given)
    except Exception as error:  # an answer may be anything; what is given is the cell's own
        fault = f"{asked} is asked for, and yours ends with {error!r}"
    note("check", name, right=fault is None)
    print(f"{name} · correct" if fault is None else f"{name} · not yet: {fault}")


def exercises(lesson):
    """Return the names of a lesson's exercises, in order; `lesson` is its number: ``"03"``."""
    if (Path(__file__).parent / f"lesson_{lesson}.py").exists():
        importlib.import_module(f"qkit.course.lesson_{lesson}")
    return sorted(name for name in _EXERCISES if name.startswith(f"{lesson}."))


def _find(name):
    if not (
        isinstance(name, str) and re.fullmatch(r"\d\d\.\d+", name) and name in exercises(name[:2])
    ):
        lessons = sorted(path.stem[-2:] for path in Path(__file__).parent.glob("lesson_*.py"))
        there = [each for lesson in lessons for each in exercises(lesson)]
        raise ValueError(f"check: there is no exercise {name!r}; there are {', '.join(there)}.")
    return _EXERCISES[name]


def number(answer, right, *, mistakes=(), hint, rel=0.01, abs=0.0):
    """Judge a number: right, one of the typical mistakes, or neither.

    Parameters
    ----------
    answer, right : float
    mistakes : sequence of (float, str), a wrong value and why it is wrong
    hint : str, for any other number; or a function from that number to one
    rel, abs : float, how far an answer may be off, relative to what is right and in its unit

    Examples
    --------
    >>> number(4, 0.25, mistakes=[(4, "the other way round")], hint="count again")
    'the other way round'
    """
    answer = answer.item() if hasattr(answer, "item") and np.size(answer) == 1 else answer
    if isinstance(answer, bool) or not isinstance(answer, Real):
        return f"a number is asked for, got {type(answer).__name__}"
    for value, why in [(right, None), *mistakes]:
        if np.isclose(answer, value, rtol=rel, atol=abs):
            return why
    return hint(answer) if callable(hint) else hint


def choice(answer, reasons):
    """Judge one of several: `reasons` says by choice why it is wrong, and None of the right one.

    Examples
    --------
    >>> choice("b", {"a": None, "b": "that is the other axis"})
    'that is the other axis'
    """
    if not isinstance(answer, str) or answer not in reasons:
        return f"one of {', '.join(map(repr, reasons))} is asked for, got {answer!r}"
    return reasons[answer]


def same(answer, right, *, hint):
    """Judge an array: its shape first, then how many of its elements are as they should be.

    Examples
    --------
    >>> same([1, 2, 4], [1, 2, 3], hint="count on")
    '1 of 3 elements differ: count on'
    """
    answer, right = np.asarray(answer), np.asarray(right)
    if answer.shape != right.shape:
        return f"the shape is to be {right.shape}, got {answer.shape}"
    differ = np.count_nonzero(answer != right)
    return f"{differ:,} of {right.size:,} elements differ: {hint}" if differ else None


def gained(before, after, x, y):
    """Return how two models, Keras or files, differ on the same items, as `paired` has it."""
    return paired(*(accuracy(model, x, y) for model in (before, after)))
