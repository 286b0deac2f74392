"""Exercises of 09: whom a table accuses, and a function that names the layer."""

from qkit.course.exercises import choice, exercise

_HIDDEN = ("block1_pw", "block3_pw")  # layers that the lesson has not planted a weight in


@exercise("09.1", "one of the letters")
def whom_a_table_accuses(answer):
    """Ask which of four operators is worth a repair."""
    return choice(
        answer,
        {
            "a": None,
            "b": "its own rounding is the coarsest, but hardly any of it reaches the output",
            "c": "by itself it is as good as the rest: it works on what came in wrong",
            "d": "the lowest of the first column stands behind all faults: it is the last victim",
        },
    )


@exercise("09.2", "a function from a model to the name of a layer")
def culprit(answer, plant):
    """Plant a weight in two layers that the lesson left alone."""
    named = {layer: answer(plant(layer)) for layer in _HIDDEN}
    if not all(isinstance(name, str) for name in named.values()):
        return f"the name of a layer is asked for, got {next(iter(named.values()))!r}"
    if len(set(named.values())) == 1:
        return (
            f"it names {named[_HIDDEN[0]]!r} wherever the weight is: a layer that errs most in "
            "health, too, is none. Hold each against itself"
        )
    missed = [layer for layer, name in named.items() if name != layer]
    if not missed:
        return None
    return (
        f"the weight is in {missed[0]!r}, and yours names {named[missed[0]]!r}: errors of layers "
        "differ in size, so ask by what factor each has grown"
    )
