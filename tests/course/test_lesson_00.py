"""Exercises of 00: what is right is taken, and typical mistakes are told by their name."""

import pytest

FILES = {"float32": bytes(84_904), "full_integer": bytes(24_904)}  # the check asks their length

# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "00.1": (
        {"files": FILES},
        [3.81, (4 * 81_610 + 3_264) / (81_610 + 4_494)],
        [
            (84_904 / 24_904, "the small network's ratio"),
            (4, "the numbers alone"),
            (1 / 3.81, "the other way round"),
            (1 - 1 / 3.81, "the share that is saved"),
            (100 - 100 / 3.81, "in per cent"),
            (3.6, "stays about as long"),
            ("3.8", "a number is asked for"),
        ],
    ),
    "00.2": (
        {},
        ["c"],
        [("a", "how far does it reach"), ("b", "on others"), ("d", "gained less"), (2, "one of")],
    ),
}
MARKS = {"00.1": pytest.mark.slow}  # converts twice
