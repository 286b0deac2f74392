"""A guess before the cell that answers: committed to, then held against what was found."""

import math
from dataclasses import dataclass, replace
from numbers import Real

from qkit import validate
from qkit.course.ledger import note
from qkit.result import Result, rounded


@dataclass(frozen=True, repr=False)
class Prediction(Result):
    """What a reader committed to; ``guess`` is ``...`` where nobody did.

    Attributes
    ----------
    name : str, the notebook and a number: ``"03.2"``
    guess : float, str or ``...``
    unit : str, of a number
    choices : tuple of str, what a guess may be; empty for a number
    """

    name: str
    guess: object
    unit: str
    choices: tuple

    @property
    def given(self):
        """Whether somebody committed to it."""
        return self.guess is not ...

    def summary(self):
        """Return in a line what was predicted."""
        if self.given:
            return f"{self.name} · predicted: {self._said(self.guess)}"
        among = f" by one of {', '.join(self.choices)}" if self.choices else ""
        return f"{self.name} · nothing predicted: put your guess{among} in place of the ..."

    def resolve(self, truth):
        """Print how far off the guess was, and keep it in the ledger; nothing without a guess.

        Parameters
        ----------
        truth : float or str, what the cell found, in the prediction's unit

        Examples
        --------
        >>> predict("02.1", ..., unit="kB").resolve(24.3)
        02.1 · nothing predicted: put your guess in place of the ...
        02.1 · it is 24.3 kB
        """
        if self.choices and truth not in self.choices:
            raise ValueError(
                f"resolve: {self.name} has the choices {', '.join(self.choices)}, got {truth!r}."
            )
        truth = truth if self.choices else float(truth)
        found = f"{self.name} · it is {self._said(truth)}"
        if self.given:
            found += f"; you said {self._said(self.guess)}: {self._how_far(truth)}"
            note("prediction", self.name, guess=self.guess, truth=truth, unit=self.unit)
        print(found)

    def _said(self, value):
        return f"{value if self.choices else rounded(value, 4)} {self.unit}".strip()

    def _how_far(self, truth):
        if self.choices:
            return "right" if self.guess == truth else "another one; what speaks for it?"
        if truth * self.guess > 0:
            ratio = self.guess / truth
            if abs(math.log(ratio)) < math.log(1.1):
                return "within a tenth"
            times = rounded(max(ratio, 1 / ratio), 2)
            return f"{times} times too {'large' if ratio > 1 else 'small'}"
        return f"{self._said(abs(self.guess - truth))} off"


def predict(name, guess, *, unit="", choices=()):
    """Commit to a number or a choice, before the cell that answers.

    Parameters
    ----------
    name : str, the notebook and a number: ``"03.2"``
    guess : float, or one of `choices`; ``...`` runs through without a guess
    unit : str, of the number
    choices : sequence of str, what the guess may be; none for a number

    Returns
    -------
    Prediction
        With ``resolve(truth)``, for the cell that answers; `plot_guess` draws it into a figure.

    Raises
    ------
    ValueError
        Where the guess is none of the choices, or no finite number.

    Examples
    --------
    >>> guess = predict("04.1", ..., choices=("falls", "stays", "rises"))
    04.1 · nothing predicted: put your guess by one of falls, stays, rises in place of the ...
    """
    for given, what in (name, "name"), (unit, "unit"):
        validate.instance(given, str, name=f"predict: {what}")
    validate.instance(choices, (tuple, list), name="predict: choices")
    for each in choices:
        validate.instance(each, str, name="predict: each of the choices")
    made = Prediction(name, guess, unit, tuple(choices))
    if made.given:
        number = isinstance(guess, Real) and not isinstance(guess, bool) and math.isfinite(guess)
        if made.choices and not (isinstance(guess, str) and guess in made.choices):
            raise ValueError(
                f"predict: {name} is one of {', '.join(map(repr, made.choices))}, got {guess!r}."
            )
        if not (made.choices or number):
            of = f" of {unit}" if unit else ""
            raise ValueError(f"predict: {name} is a number{of}, got {guess!r}.")
        made = made if made.choices else replace(made, guess=float(guess))
        note("prediction", name, guess=made.guess, unit=unit)
    print(made)
    return made
