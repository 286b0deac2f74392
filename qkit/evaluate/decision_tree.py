"""The official decision tree, as data; and where measurement disagrees with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from qkit import validate
from qkit.evaluate.comparison import Comparison
from qkit.evaluate.report import CONTROL_ROW, EFFORT, NEEDED
from qkit.evaluate.significance import p_said, paired
from qkit.result import Result
from qkit.toolchain.schemes import SCHEMES


@dataclass(frozen=True)
class Question:
    """One question of the tree; what follows is a key of `TREE`, or a scheme's name."""

    text: str
    no: str
    yes: str


# The first question comes first; the words are short for those of the guide.
TREE = {
    "optimize": Question("Optimize at all?", no="float32", yes="smaller"),
    "smaller": Question("Cut the size by more than half?", no="float16", yes="effort"),
    "effort": Question("Willing to put in more effort?", no="dynamic_range", yes="retrain"),
    "retrain": Question("Can you retrain?", no="calibration", yes="qat"),
    "calibration": Question("Have a calibration set?", no="dynamic_range", yes="accuracy"),
    "accuracy": Question("Need higher accuracy?", no="full_integer", yes="int16_activations"),
}
# A scheme, what it costs more than, and what to say where it is not more accurate for it.
_SHOULD_BEAT = (
    ("qat", CONTROL_ROW, "Training: its equal-epoch control, quantized without QAT, is at "
     "{found.a.percent[0]:.2f} %; qat is {found.difference_pp:+.2f} points from it ({p}): no gain "
     "from QAT that {found.a.n:,} images could show."),
    ("qat", "full_integer", "Effort: the tree sends you to QAT for accuracy; against full_integer, "
     "which needs no labels, it is {found.difference_pp:+.2f} points ({p})."),
    ("int16_activations", "full_integer", "Higher accuracy: against full_integer it is "
     "{found.difference_pp:+.2f} points ({p}), not measurably more accurate, and takes {times} "
     "times the time."),
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Decision(Result):
    """A way through the tree."""

    path: MappingProxyType  # the questions that were met, in order, and their answers
    scheme: str  # where it ends, a key of `qk.SCHEMES`

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
    """Follow the tree of https://ai.google.dev/edge/litert/models/model_optimization to a scheme.

    Parameters
    ----------
    answers : dict of str to bool, by key of `TREE`; questions that are not met may be left out

    Returns
    -------
    Decision

    Examples
    --------
    >>> follow({"optimize": True, "smaller": False}).scheme
    'float16'
    """
    for name, answer in validate.instance(answers, Mapping, name="follow: answers").items():
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

    Accuracies differ where McNemar's exact test has p < 0.05; a small loss is of up to a point.

    Parameters
    ----------
    decision : Decision
    comparison : Comparison, which has nothing to say where it has no accuracy of the scheme

    Returns
    -------
    list of str, a sentence each

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["float16", "dynamic_range"])
    >>> disagreements(follow({"optimize": True, "smaller": False}), compared)[-1].partition(",")[0]
    'Less would do: dynamic_range'
    """
    validate.instance(decision, Decision, name="disagreements: decision")
    validate.instance(comparison, Comparison, name="disagreements: comparison")
    comparison.require_accuracies("disagreements")
    if decision.scheme not in comparison.accuracies:
        return []
    checks = (_loss, _no_gain, _size, _speed, _less_would_do)
    return [sentence for check in checks for sentence in check(decision, comparison)]


def _loss(decision, comparison):
    found = comparison.paired[decision.scheme]
    promised = SCHEMES[decision.scheme].published_accuracy
    if found.worse and ("small" not in (promised or "") or found.interval_pp[1] < -1):
        yield (
            f"Accuracy: {f'the guide says {promised}, ' if promised else ''}measured it is "
            f"{-found.difference_pp:.2f} points below {comparison.reference} "
            f"({p_said(found.p_value)})."
        )


def _no_gain(decision, comparison):
    scheme, accuracies, times = decision.scheme, comparison.accuracies, comparison.latency.median_us
    if scheme == "qat" and CONTROL_ROW not in accuracies:
        yield "Training: no equal-epoch control was measured; what QAT changes may be its epochs."
    for costly, rival, words in _SHOULD_BEAT:
        if costly != scheme or rival not in accuracies:
            continue
        found = paired(accuracies[rival], accuracies[scheme])
        if not found.better:
            slower = _said(times[scheme] / times[rival])
            yield words.format(found=found, p=p_said(found.p_value), times=slower)


def _size(decision, comparison):
    if decision.path.get("smaller") and (cut := comparison.size_cut(decision.scheme)) <= 50:
        yield f"Size: you asked for a cut by more than half, measured it is {cut:.1f} %."


def _speed(decision, comparison):
    low, high = comparison.latency.ratio_interval[decision.scheme]
    ratio = _said(comparison.latency.ratio[decision.scheme])
    if low > 1:
        yield (
            f"Speed: on this CPU it takes {ratio} times ({low:.2f} to {high:.2f}) the time of "
            f"{comparison.reference}."
        )


def _less_would_do(decision, comparison):
    """Name the smallest scheme that asks for no more and is not measurably less accurate."""
    scheme, accuracies, times = decision.scheme, comparison.accuracies, comparison.latency.median_us
    size = {name: comparison.sizes[name].size_bytes for name in accuracies}
    effort = {name: EFFORT.index(SCHEMES[name].needs) for name in size if name in SCHEMES}
    easy = [k for k in effort if size[k] < size[scheme] and effort[k] <= effort[scheme]]
    for rival in sorted(easy, key=size.get):
        found = paired(accuracies[scheme], accuracies[rival])
        if not found.worse:
            yield (
                f"Less would do: {rival}, which {NEEDED[SCHEMES[rival].needs]}, is "
                f"{100 * (1 - size[rival] / size[scheme]):.1f} % smaller still, "
                f"{found.difference_pp:+.2f} points ({p_said(found.p_value)}), and takes "
                f"{_said(times[rival] / times[scheme])} times the time."
            )
            return


def _said(ratio):
    if ratio < 0.1:
        return f"{ratio:.2g}"
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"
