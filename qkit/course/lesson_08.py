"""Exercises of 08: what a limit is held against, a rule of one's own for a file, the verdict."""

from qkit.course.exercises import choice, exercise
from qkit.evaluate.shortlist import shortlist
from qkit.tflite.edit import CHANNEL_AXIS
from qkit.tflite.file import inspect


@exercise("08.1", "one of the letters")
def what_shows_a_limit_to_be_met(answer):
    """Ask which figure says that no more than a limit is lost."""
    return choice(
        answer,
        {
            "a": "few images are enough for a p above 0.05: it says that nothing was shown",
            "b": None,
            "c": "that shows a difference, and not how large it is: a small one may well be met",
            "d": "equal shares on some images leave room for a loss on others: how much room?",
        },
    )


@exercise("08.2", "a function from qk.inspect(tflite) to a list of names")
def with_more_than_one_scale(answer, files):
    """Try a rule on files that hold what it is to find, and on files that don't."""
    for name, tflite in files.items():
        file = inspect(tflite)
        read = [op.input(1) for op in file.operators if op.name in CHANNEL_AXIS]
        right = {tensor.name for tensor in read if tensor.scale.size > 1}
        if fault := _fault_of_a_rule(answer(file), right, file):
            return f"{name}: {fault}"
    return None


def _fault_of_a_rule(found, right, file):
    """Return what is wrong with the names that a rule gives for a file, or None."""
    found = found if isinstance(found, str) else [*found]
    if isinstance(found, str) or not all(isinstance(name, str) for name in found):
        return "names are asked for, a list of them: tensor.name of each"
    found, biases = set(found), {t.name for t in file.tensors if t.dtype == "int32"}
    if found == right:
        return None
    if found - right and not right:
        return f"nothing is to be found there, and yours finds {sorted(found)[0]!r}"
    if found - right:
        kind = "a bias, which has the scales of its sums" if found & biases else "no such weight"
        return f"{sorted(found - right)[0]!r} is {kind}"
    dense = {op.inputs[1].name for op in file.operators if op.name == "FULLY_CONNECTED"}
    if found and found <= dense:
        return "dense layers alone is the kit's own rule; this chip asks it of all weights"
    return f"{len(right - found)} of {len(right)} are missed, such as {sorted(right - found)[0]!r}"


@exercise("08.3", "a function of found and most that returns a word")
def verdict(answer, comparisons):
    """Hold it against the kit's own, on every scheme, at forty limits."""
    asked, right = [], []
    for comparison in comparisons:
        schemes = list(comparison.paired)[1:]  # the first is float32
        for most in (step / 50 for step in range(40)):
            table = shortlist(comparison, drop_pp=most).table.iloc[:, 0]
            asked += [(comparison.paired[name], most) for name in schemes]
            right += [table[name] for name in schemes]
    said = [answer(*each) for each in asked]
    if said == right:
        return None
    if wrong := [word for word in said if word not in ("met", "missed", "open")]:
        return f'one of "met", "missed" and "open" is asked for, got {wrong[0]!r}'
    for rule, why in _MISTAKEN:
        if said == [rule(*each) for each in asked]:
            return why
    return _first_difference(said, right, asked)


def _by_the_figure(found, most):
    return "met" if -found.difference_pp <= most else "missed"


def _by_the_ends_as_they_stand(found, most):
    low, high = found.interval_pp
    return "met" if high <= most else "missed" if low > most else "open"


def _by_p(found, most):
    return "met" if found.p_value > 0.05 else "missed"


_MISTAKEN = (
    (_by_the_figure, "that holds the difference itself against the limit, and not its interval"),
    (_by_the_ends_as_they_stand, "a loss is minus the difference, so the ends change places"),
    (_by_p, "p tells whether something is lost, the interval whether it is too much"),
)


def _first_difference(said, right, asked):
    """Say where a verdict differs first."""
    place = next(n for n, (a, b) in enumerate(zip(said, right, strict=True)) if a != b)
    (low, high), most = asked[place][0].interval_pp, asked[place][1]
    return (
        f"{low:+.2f} to {high:+.2f} points, of which {most:.2f} may be lost, is {right[place]!r}, "
        f"and yours says {said[place]!r}: which end is the largest loss?"
    )
