"""Will a target run a .tflite file, and what goes wrong in silence: the rules' findings."""

import importlib.util
from dataclasses import dataclass

from qkit import validate
from qkit.evaluate.operators import SOURCES, TARGETS, operators
from qkit.evaluate.target_rules import RULES
from qkit.result import Result
from qkit.tflite.file import TfliteError, inspect
from qkit.tflite.probe import probe

SEVERITIES = ("fatal", "costly", "note")  # not run, or wrong; slower, larger; to be known


@dataclass(frozen=True)
class Finding:
    """One thing in a file that a target does not run, runs slowly, or gets wrong."""

    code: str  # of the rule
    severity: str  # "fatal", "costly" or "note", for the target
    place: str  # operators or a tensor
    consequence: str
    remedy: str
    source: str


@dataclass(frozen=True, eq=False, repr=False)
class Lint(Result):
    """What rules found in a .tflite file for a target, the worst first."""

    target: str
    findings: tuple
    word: str  # whose list of operators was gone by
    arena_bytes: int | None = None  # of a microcontroller, by tflite-micro where it is installed

    def to_frame(self):
        """Return a DataFrame with one row per finding."""
        import pandas as pd

        return pd.DataFrame(map(vars, self.findings), columns=[*Finding.__dataclass_fields__])

    def summary(self):
        """Say in one line how much was found, and of what kinds."""
        count, codes = len(self.findings), dict.fromkeys(f.code for f in self.findings)
        fatal = sum(finding.severity == "fatal" for finding in self.findings)
        text = f"{count or 'no'} finding{'s' * (count != 1)} for {self.target}"
        text += f", {fatal} fatal" * (fatal > 0) + f": {', '.join(codes)}" * (count > 0)
        text += f"; arena {self.arena_bytes:,} bytes" if self.arena_bytes else ""
        return text + f"; operators by {self.word}" * (self.target != "cpu")


def lint(tflite, target="cpu"):
    """Look in a .tflite file for what a target does not run, or gets wrong in silence.

    The file is read, not run; for a microcontroller, tflite-micro allocates it in a process of its
    own, where it is installed.

    Parameters
    ----------
    tflite : bytes
    target : {"cpu", "gpu", "edgetpu", "microcontroller", "ethos-u"}

    Returns
    -------
    Lint, whose ``findings`` name code, severity, place, consequence, remedy and source

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "dynamic_range")
    >>> lint(tflite).findings
    ()
    >>> lint(tflite, "edgetpu").findings[0].code
    'float-operators'
    """
    validate.choice(target, TARGETS, name="lint: target")
    file = inspect(tflite)
    found = [
        Finding(code, severity[target], *said, source)
        for code, severity, find, source in RULES
        if target in severity
        for said in find(file)
    ]
    word, arena = operators(target)[1], None
    if target == "microcontroller" and importlib.util.find_spec("tflite_micro"):
        (arena, refusal), word = _arena(tflite), "tflite-micro as installed"
        if arena:  # then it has them all, whatever a list says
            found = [finding for finding in found if finding.code != "unsupported-operator"]
        if refusal:
            said = f"is refused by tflite-micro: {refusal}", "Change what it names."
            found.insert(0, Finding("arena", "fatal", "the file", *said, SOURCES[target]))
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Lint(target, tuple(found), word, arena)


def _arena(tflite):
    """Return how many bytes tflite-micro allocates, or None and why it does not."""
    try:
        tried = probe(tflite, account="arena")
    except TfliteError as error:  # it takes too long
        return None, str(error)
    return tried.memory_bytes or None, tried.error
