"""Explorer of the official decision tree: answer its questions, and hold it to account."""

import functools

import ipywidgets as ipw

from qkit.evaluate.comparison import Comparison
from qkit.evaluate.decision_tree import TREE, disagreements, follow
from qkit.evaluate.report import sentence
from qkit.plots.decision_tree import plot_decision_tree
from qkit.widgets.explorer import Explorer

_FIRST = {name: name not in ("retrain", "accuracy") for name in TREE}  # ends at full integer


def explore_decision_tree(comparison=None):
    """Answer the official guide's questions, see which scheme it names and what was measured.

    Questions that the answers given leave out are switched off.

    Parameters
    ----------
    comparison : Comparison, optional
        Of your own model: where its measurements disagree with the tree, the readout says so.

    Returns
    -------
    Explorer
    """
    if comparison is not None and not isinstance(comparison, Comparison):
        raise TypeError(
            f"explore_decision_tree: expected a Comparison, got {type(comparison).__name__}. Pass "
            "what qk.compare(model, data) returns, or nothing for the tree alone."
        )
    if comparison is not None:
        comparison.require_accuracies("explore_decision_tree")
    controls = {
        name: ipw.ToggleButtons(
            options=[("no", False), ("yes", True)],
            value=_FIRST[name],
            description=question.text,
            style={"description_width": "15em", "button_width": "4em"},
        )
        for name, question in TREE.items()
    }
    figure, update = plot_decision_tree.live(comparison=comparison)

    @functools.cache  # the tests of significance take longer than the picture
    def told(**answers):
        decision = follow(answers)
        return f"{decision} {_measured(decision, comparison)}".strip()

    def answer(**answers):
        decision = follow(answers)
        for name, control in controls.items():
            control.disabled = name not in decision.path
        update(decision)
        return told(**answers)

    return Explorer(
        controls, figure, answer, alt="The official decision tree, with one path through it lit."
    )


def _measured(decision, comparison):
    """Say what was measured of the scheme, and where that disagrees with the tree."""
    if comparison is None:
        return ""
    scheme = decision.scheme
    if scheme not in comparison.models:
        reason = comparison.not_measured.get(scheme, f"the comparison has no row {scheme}")
        return f"Not measured here: {reason}."
    found = disagreements(decision, comparison)
    count = f"Measurement disagrees in {len(found)} point{'s'[: len(found) != 1]}."
    words = " ".join([count, *found]) if found else "Nothing measured here disagrees with the tree."
    return f"Measured: {sentence(comparison, scheme)} {words}"
