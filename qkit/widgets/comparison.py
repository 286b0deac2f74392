"""Explorers of a comparison: schemes by two quantities, and the official decision tree."""

import weakref
from functools import cache, partial
from pathlib import Path

import ipywidgets as ipw
import numpy as np

from qkit.cache import write_atomically
from qkit.evaluate.decision_tree import TREE, disagreements, follow
from qkit.evaluate.report import sentence
from qkit.evaluate.significance import p_said, paired
from qkit.evaluate.tradeoff import QUANTITIES, tradeoff
from qkit.plots.decision_tree import plot_decision_tree
from qkit.plots.page import report
from qkit.plots.style import require
from qkit.plots.tradeoffs import plot_tradeoff
from qkit.widgets.controls import choice, in_row, yes_no
from qkit.widgets.explorer import Explorer


def explore_schemes(comparison, *, x=None):
    """Explore a comparison: choose schemes and axes, pick one, hold it against another.

    Two buttons write the whole comparison to a file; one that exists is never replaced.

    Parameters
    ----------
    comparison : Comparison, with accuracies; rows without have nothing to show
    x : ndarray of shape (n, height, width[, channels]), optional
        The test images it was measured on, values 0 to 1, to see those that flip.

    Returns
    -------
    Explorer
    """
    require(comparison, "Comparison", what="explore_schemes")
    comparison.require_accuracies("explore_schemes")
    names = list(comparison.accuracies)
    n, shape = comparison.accuracies[names[0]].n, np.shape(x)
    if x is not None and (len(shape) not in (3, 4) or shape[0] != n):
        raise ValueError(
            f"explore_schemes: the schemes were measured on {n:,} images; x has shape {shape}. "
            f"Pass the same images in the same order, shape ({n}, height, width), such as "
            "x=data.x_test."
        )
    chosen = tradeoff(comparison)
    first = next((name for name in (*chosen.front, *names) if name != names[0]), names[0])
    controls = {
        "schemes": ipw.SelectMultiple(options=names, value=names, rows=min(len(names), 6)),
        "scheme": choice(names, value=first),
        "against": choice(names, value=names[0]),
        "x": choice(QUANTITIES, value=chosen.x.name),
        "y": choice(QUANTITIES, value=chosen.y.name),
    }
    figure, update = plot_tradeoff.live(schemes=names, x=None if x is None else np.asarray(x))
    # the pictures do not draw the same object again
    by = cache(partial(tradeoff, comparison))
    held = cache(lambda *two: paired(*map(comparison.accuracies.get, two)))

    def answer(schemes, scheme, against, x, y):
        found, flips = by(x, y, schemes=schemes), held(against, scheme)
        update(found, scheme, against, flips)
        said = _front(found), sentence(comparison, scheme), _standing(found, scheme)
        return " ".join((*said, _flips(flips, scheme, against)))

    def unless_one(new, old):
        return "" if new else "at least one must stay shown; the last choice is back."

    alt = "Schemes by two quantities, with 95 % intervals and the Pareto front."
    explorer = Explorer(controls, figure, answer, alt=alt, refusals={"schemes": unless_one})
    folder = ipw.Text(".", description="folder")
    in_row(folder, controls["x"].style.description_width)
    buttons = [ipw.Button(description=f"save {kind}") for kind in ("CSV", "HTML")]
    explorer.children += (ipw.HBox([folder, *buttons]),)
    weak = weakref.proxy(explorer)  # the buttons must not keep it

    def save(button):
        weak.tell(_saved(comparison, folder.value, button.description.split()[1].lower()))

    for button in buttons:
        button.on_click(save)
    return explorer


def explore_decision_tree(comparison=None):
    """Answer the official guide's questions, see which scheme it names and what was measured.

    Parameters
    ----------
    comparison : Comparison, optional
        Of your own model, with accuracies: the readout says what in it disagrees with the tree.

    Returns
    -------
    Explorer
    """
    if comparison is not None:
        require(comparison, "Comparison", what="explore_decision_tree")
        comparison.require_accuracies("explore_decision_tree")
    controls = {name: yes_no(True, description=asked.text) for name, asked in TREE.items()}
    for name in ("retrain", "accuracy"):  # so that the way ends at full integer
        controls[name].value = False
    figure, update = plot_decision_tree.live(comparison=comparison)

    def answer(**answers):
        decision = follow(answers)
        for name, control in controls.items():
            control.disabled = name not in decision.path
        update(decision)
        return f"{decision} {_measured(decision, comparison)}" if comparison else str(decision)

    alt = "The official decision tree, with one path through it lit."
    return Explorer(controls, figure, answer, alt=alt)


def _front(found):
    if found.x is found.y:
        return f"Both axes show {found.x.short}: choose two different ones to see a trade-off."
    return (
        f"Pareto front of {found.x.short} and {found.y.short} among {len(found.points)} shown: "
        f"{', '.join(found.front)}."
    )


def _standing(found, scheme):
    """Say where the picked scheme stands in the picture."""
    if scheme not in found.points:
        return f"{scheme} is not among the schemes shown."
    if scheme in found.front:
        return "It is on the front."
    better, *others = found.beaten_by(scheme)
    if not others:
        return f"By these axes {better} is the better choice."
    more = f"{len(others)} others" if len(others) > 1 else others[0]
    return f"By these axes {better} and {more} are better choices."


def _flips(found, scheme, against):
    if scheme == against:
        return "Choose another scheme to hold it against."
    lost, gained, both = (len(v) for v in (found.lost, found.gained, found.disagreements))
    return (
        f"Against {against}: {lost} of {found.a.n:,} images lost, {gained} gained, "
        f"{both - lost - gained} wrong in another way; {found.difference_pp:+.2f} points, "
        f"{p_said(found.p_value)}: {found.verdict}."
    )


def _saved(comparison, folder, kind):
    """Write the comparison to a new file; say where it is, or why there is none."""
    path = Path(folder).expanduser().resolve() / f"comparison.{kind}"
    if not path.parent.is_dir():
        return f"Nothing written: there is no folder {path.parent}."
    if path.exists():
        return f"Nothing written: {path} is there already. Remove it, or name another folder."
    try:
        if kind == "csv":
            write_atomically(path, comparison.to_frame().to_csv().encode())
        else:
            report(comparison, path)
    except OSError as error:
        return f"Nothing written: {path.parent} cannot be written to ({error.strerror})."
    schemes = f"{len(comparison.models)} scheme{'s'[: len(comparison.models) != 1]}"
    return f"Written: {path}, {schemes}, {path.stat().st_size:,} bytes."


def _measured(decision, comparison):
    """Say what was measured of the scheme, and where the tree disagrees."""
    scheme = decision.scheme
    if scheme not in comparison.accuracies:
        reason = comparison.not_measured.get(scheme, "not measured: the comparison has no such row")
        return f"{scheme} {reason}."
    found = disagreements(decision, comparison)
    words = "Nothing measured here disagrees with the tree."
    if found:
        plural = "s" * (len(found) > 1)
        words = f"Measurement disagrees in {len(found)} point{plural}. {' '.join(found)}"
    return f"Measured: {sentence(comparison, scheme)} {words}"
