"""The official decision tree, as data: from questions to a scheme."""

from dataclasses import dataclass
from types import MappingProxyType

from qkit.evaluate.report import NEEDED
from qkit.result import Result
from qkit.toolchain.schemes import PUBLISHED_SOURCE, SCHEMES

SOURCE = PUBLISHED_SOURCE


@dataclass(frozen=True)
class Question:
    """One question of the tree.

    Attributes
    ----------
    text : str
    no, yes : str
        What follows: a key of `TREE`, or a scheme's name.
    """

    text: str
    no: str
    yes: str


# The first question comes first; the words are short for those of the guide (see SOURCE).
TREE = MappingProxyType(
    {
        "optimize": Question("Optimize at all?", no="float32", yes="smaller"),
        "smaller": Question("Cut the size by more than half?", no="float16", yes="effort"),
        "effort": Question("Willing to put in more effort?", no="dynamic_range", yes="retrain"),
        "retrain": Question("Can you retrain?", no="calibration", yes="qat"),
        "calibration": Question("Have a calibration set?", no="dynamic_range", yes="accuracy"),
        "accuracy": Question("Need higher accuracy?", no="full_integer", yes="int16_activations"),
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Decision(Result):
    """A way through the tree.

    Attributes
    ----------
    path : mapping of str to bool
        The questions that were met, in order, and their answers.
    scheme : str
        Where it ends, a key of `qk.SCHEMES`.
    """

    path: MappingProxyType
    scheme: str

    def to_frame(self):
        """Return a DataFrame with one row per question met: its text and the answer."""
        import pandas as pd

        rows = {
            name: {"question": TREE[name].text, "answer": yes} for name, yes in self.path.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")

    def summary(self):
        """Say which scheme it is, and what the guide says of it."""
        scheme = SCHEMES[self.scheme]
        said = f"The tree names {self.scheme} ({scheme.title}): it {NEEDED[scheme.needs]}"
        if scheme.published_size_cut is None:
            return f"{said}; the guide's table has no row for it."
        return (
            f"{said}; the guide says {scheme.published_size_cut} smaller, "
            f"{scheme.published_accuracy}, for {scheme.published_hardware}."
        )


def follow(answers):
    """Follow the official decision tree to a scheme.

    Parameters
    ----------
    answers : dict of str to bool
        By key of `TREE`; questions that are not met may be left out.

    Returns
    -------
    Decision

    Raises
    ------
    ValueError
        If a question is not known, or one that is met has no answer.
    TypeError
        If an answer is not True or False.

    References
    ----------
    The guide of https://ai.google.dev/edge/litert/models/model_optimization.

    Examples
    --------
    >>> follow({"optimize": True, "smaller": False}).scheme
    'float16'
    """
    for name, answer in answers.items():
        if name not in TREE:
            raise ValueError(f"follow: {name!r} is no question. There are: {', '.join(TREE)}.")
        if not isinstance(answer, bool):
            raise TypeError(f"follow: the answer to {name!r} must be True or False, got {answer!r}")
    path, at = {}, next(iter(TREE))
    while at in TREE:
        if at not in answers:
            raise ValueError(f"follow: no answer to {at!r}: {TREE[at].text} Give True or False.")
        path[at] = answers[at]
        at = TREE[at].yes if answers[at] else TREE[at].no
    return Decision(MappingProxyType(path), at)
