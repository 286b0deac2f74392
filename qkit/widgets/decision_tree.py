"""Explorer of the official decision tree: answer its questions, and hold it to account."""

from functools import cache

import ipywidgets as ipw

from qkit.evaluate.decision_tree import TREE, disagreements, follow
from qkit.evaluate.report import sentence
from qkit.plots.decision_tree import plot_decision_tree
from qkit.widgets.explorer import Explorer
from qkit.widgets.schemes import require_accuracies

_NO_AT_FIRST = ("retrain", "accuracy")  # so that the way ends at full integer
_LOOK = {"description_width": "15em", "button_width": "4em"}


def explore_decision_tree(comparison=None):
    """Answer the official guide's questions, see which scheme it names and what was measured.

    Questions that the answers given leave out are switched off.

    Parameters
    ----------
    comparison : Comparison, optional
        Of your own model, with accuracies: what in it disagrees with the tree, the readout says.

    Returns
    -------
    Explorer
    """
    if comparison is not None:
        require_accuracies(comparison, what="explore_decision_tree")
    options = [("no", False), ("yes", True)]
    controls = {
        name: ipw.ToggleButtons(
            options=options, value=name not in _NO_AT_FIRST, description=question.text, style=_LOOK
        )
        for name, question in TREE.items()
    }
    figure, update = plot_decision_tree.live(comparison=comparison)

    @cache  # the tests of significance take longer than the picture
    def told(**answers):
        decision = follow(answers)
        measured = [_measured(decision, comparison)] if comparison else []
        return decision, " ".join([str(decision), *measured])

    def answer(**answers):
        decision, words = told(**answers)
        for name, control in controls.items():
            control.disabled = name not in decision.path
        update(decision)
        return words

    alt = "The official decision tree, with one path through it lit."
    return Explorer(controls, figure, answer, alt=alt)


def _measured(decision, comparison):
    """Say what was measured of the scheme, and where the tree disagrees."""
    scheme = decision.scheme
    if scheme not in comparison.accuracies:
        reason = comparison.not_measured.get(scheme, "not measured: the comparison has no such row")
        return f"{scheme} {reason}."
    found = disagreements(decision, comparison)
    count = f"Measurement disagrees in {len(found)} point{'s'[: len(found) != 1]}."
    words = [count, *found] if found else ["Nothing measured here disagrees with the tree."]
    return " ".join([f"Measured: {sentence(comparison, scheme)}", *words])
