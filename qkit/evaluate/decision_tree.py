"""The official decision tree, as data; and where measurement disagrees with it."""

from dataclasses import dataclass
from types import MappingProxyType

from qkit import validate
from qkit.evaluate.report import CONTROL_ROW, EFFORT, NEEDED
from qkit.evaluate.significance import paired
from qkit.result import Result
from qkit.toolchain.schemes import SCHEMES


@dataclass(frozen=True)
class Question:
    """One question of the tree; what follows is a key of `TREE`, or a scheme's name."""

    text: str
    no: str
    yes: str


# The first question comes first; the words are short for those of the guide.
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


# By scheme: what it costs more than, and what to say where it is not more accurate for it.
_SHOULD_BEAT = {
    "qat": {
        CONTROL_ROW: "Training: its equal-epoch control, quantized without QAT, is at {rival:.2f} "
        "%; qat is {points} from it ({p}): no gain from QAT that {n:,} images could show.",
        "full_integer": "Effort: the tree sends you to QAT for accuracy; against full_integer, "
        "which needs no labels, it is {points} ({p}).",
    },
    "int16_activations": {
        "full_integer": "Higher accuracy: against full_integer it is {points} ({p}), not "
        "measurably more accurate, and takes {times} the time.",
    },
}


@dataclass(frozen=True, eq=False, repr=False)
class Decision(Result):
    """A way through the tree."""

    path: MappingProxyType  # the questions that were met, in order, and their answers
    scheme: str  # where it ends, a key of `qk.SCHEMES`

    def to_frame(self):
        """Return a DataFrame with one row per question met: its text and the answer."""
        import pandas as pd

        rows = {name: (TREE[name].text, yes) for name, yes in self.path.items()}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=["question", "answer"])
        return frame.rename_axis("name")

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

    References
    ----------
    The guide of https://ai.google.dev/edge/litert/models/model_optimization.

    Examples
    --------
    >>> follow({"optimize": True, "smaller": False}).scheme
    'float16'
    """
    for name, answer in answers.items():
        validate.choice(name, TREE, name="follow: a question")
        if not isinstance(answer, bool):
            raise TypeError(f"follow: the answer to {name!r} must be True or False, got {answer!r}")
    path, at = {}, next(iter(TREE))
    while at in TREE:
        if at not in answers:
            raise ValueError(f"follow: no answer to {at!r}: {TREE[at].text} Give True or False.")
        path[at] = answers[at]
        at = TREE[at].yes if answers[at] else TREE[at].no
    return Decision(MappingProxyType(path), at)


def disagreements(decision, comparison):
    """Say where measurement disagrees with what the tree and the guide promise of its scheme.

    Differences in accuracy count where McNemar's test on the same images has p < 0.05.

    Parameters
    ----------
    decision : Decision
    comparison : Comparison
        Without an accuracy of the scheme there is nothing to hold against the tree.

    Returns
    -------
    list of str
        A sentence each.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["float16"])
    >>> float16 = follow({"optimize": True, "smaller": False})
    >>> disagreements(float16, compared)[0].partition(",")[0]
    'Size: the guide says up to 50 % smaller'
    """
    comparison.require_accuracies("disagreements")
    if decision.scheme not in comparison.accuracies:
        return []
    found = (
        _loss(decision, comparison),
        *_no_gain(decision, comparison),
        _size(decision, comparison),
        _speed(decision, comparison),
        _less_would_do(decision, comparison),
    )
    return [sentence for sentence in found if sentence]


def _loss(decision, comparison):
    found = comparison.paired[decision.scheme]
    if not found.worse:
        return None
    promised = SCHEMES[decision.scheme].published_accuracy
    words = f"the guide says {promised}, " if promised else ""
    return (
        f"Accuracy: {words}measured it is {-found.difference_pp:.2f} points below "
        f"{comparison.reference} (p = {found.p_value:.2g})."
    )


def _no_gain(decision, comparison):
    """Hold a scheme that costs more against what it should be more accurate than."""
    scheme, times = decision.scheme, comparison.latency.median_us
    if scheme == "qat" and CONTROL_ROW not in comparison.accuracies:
        yield "Training: no equal-epoch control was measured; what QAT changes may be its epochs."
    for rival, words in _SHOULD_BEAT.get(scheme, {}).items():
        if rival in comparison.accuracies:
            found = _held(comparison, rival, scheme)
            if not found.better:
                yield words.format(
                    rival=100 * found.a.accuracy,
                    points=f"{found.difference_pp:+.2f} points",
                    p=f"p = {found.p_value:.2g}",
                    n=found.a.n,
                    times=_times(times[scheme] / times[rival]),
                )


def _size(decision, comparison):
    promised = SCHEMES[decision.scheme].published_size_cut
    cut = comparison.size_cut(decision.scheme)
    if decision.path.get("smaller") and cut <= 50:
        return f"Size: you asked for a cut by more than half, measured it is {cut:.1f} %."
    if promised is None or round(cut) >= int("".join(filter(str.isdigit, promised))):
        return None
    return f"Size: the guide says {promised} smaller, measured it is {cut:.1f} %."


def _speed(decision, comparison):
    scheme, reference = decision.scheme, comparison.reference
    low, high = comparison.latency.ratio_interval[scheme]
    if scheme == reference or low <= 1:
        return None
    return (
        f"Speed: on this CPU it takes {_times(comparison.latency.ratio[scheme])} "
        f"({low:.2f} to {high:.2f}) the time of {reference}."
    )


def _less_would_do(decision, comparison):
    """Name the smallest scheme that asks for no more and is not measurably less accurate."""
    scheme, times = decision.scheme, comparison.latency.median_us
    bytes_ = {name: comparison.sizes[name].size_bytes for name in comparison.accuracies}
    rivals = [
        name
        for name in bytes_
        if name in SCHEMES
        and EFFORT.index(SCHEMES[name].needs) <= EFFORT.index(SCHEMES[scheme].needs)
        and bytes_[name] < bytes_[scheme]
        and not _held(comparison, name, scheme).better
    ]
    if not rivals:
        return None
    rival = min(rivals, key=bytes_.get)
    found = _held(comparison, scheme, rival)
    return (
        f"Less would do: {rival}, which {NEEDED[SCHEMES[rival].needs]}, is "
        f"{100 * (1 - bytes_[rival] / bytes_[scheme]):.1f} % smaller still, {_apart(found)}, and "
        f"takes {_times(times[rival] / times[scheme])} the time."
    )


def _held(comparison, a, b):
    return paired(comparison.accuracies[a], comparison.accuracies[b])


def _apart(found):
    return f"{found.difference_pp:+.2f} points (p = {found.p_value:.2g})"


def _times(ratio):
    digits = ".2g" if ratio < 0.1 else ".2f" if ratio < 10 else ".0f"
    return f"{ratio:{digits}} times"
