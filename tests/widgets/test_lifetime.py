"""How long an explorer lives: as long as someone refers to it, or an output shows it."""

import gc
import threading
import weakref

import ipywidgets as ipw
import numpy as np
import psutil
import pytest
from matplotlib.figure import Figure

import qkit as qk
from qkit.widgets.explorer import Explorer

WEIGHTS = {"a": np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)}

# IPython as a kernel has it, without one: cells by their id, run again, or two of the same text
SHELL = """
import gc, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from matplotlib.figure import Figure
import ipywidgets
from qkit.widgets.explorer import Explorer

def explore(value=0):  # of next to nothing: what is shown is freed whatever it draws
    value = ipywidgets.IntSlider(value, 0, 9)
    return Explorer({"value": value}, Figure(), lambda value: str(value), alt="A number.")

shell = InteractiveShell.instance()
shell.display_pub.publish = lambda *given, **named: None
shell.displayhook.write_output_prompt = shell.displayhook.write_format_data = lambda *given: None
shell.user_ns.update(explore=explore, display=display, ipywidgets=ipywidgets)

def run(code, cell=None):
    done = shell.run_cell(code, store_history=True, cell_id=cell)
    done.raise_error()

def figures():
    for _ in range(2):
        gc.collect()
    return sum(isinstance(each, Figure) for each in gc.get_objects())
"""


@pytest.fixture(scope="module", autouse=True)
def only_what_is_new():
    """Leave what is there already out of each collection: after other tests that is much."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def counts():
    """Return how many figures, explorers and widgets there are."""
    for _ in range(2):  # what a first pass closes, a second frees
        gc.collect()
    kinds = [type(each) for each in gc.get_objects()]  # a proxy would load what it stands for
    return [sum(issubclass(x, kind) for x in kinds) for kind in (Figure, Explorer, ipw.Widget)]


def making(name, request):
    """Return a function that makes an explorer of a name, on what is made once for all."""
    if name == "grid":
        return lambda: qk.explore_grid(WEIGHTS, axis=0)
    if name in ("schemes", "decision_tree"):
        hand_made = request.getfixturevalue("hand_made")
        comparison = hand_made({"float32": (range(9), 80, 20), "full_integer": (range(8), 20, 9)})
        return lambda: getattr(qk, f"explore_{name}")(comparison)
    if name == "number":
        return qk.explore_number
    data = request.getfixturevalue("digits")
    file = request.getfixturevalue("float_file")
    if name == "digit":
        return lambda: qk.explore_digit({"a": file}, data.x_test[:9])
    if name == "calibration":
        return lambda: qk.explore_calibration(file, data, test_images=9)
    return lambda: getattr(qk, f"explore_{name}")(file, data, images=9)


@pytest.mark.parametrize(
    "name",
    ["grid", "number", "schemes", "decision_tree", "digit", "sparsity", "calibration", "layers"],
)
def test_an_explorer_that_nobody_refers_to_is_freed_with_all_its_widgets(name, request):
    make, found = making(name, request), []
    for _ in range(2):  # the second takes the place of one whose controls have moved, too
        explorer = make()
        for control in explorer.controls.values():
            if isinstance(control, (ipw.IntSlider, ipw.Checkbox, ipw.ToggleButtons)):
                options = getattr(control, "options", (control.value, not control.value))
                control.value = options[-1][1] if isinstance(options[-1], tuple) else options[-1]
        explorer.wait()
        found.append(counts())
    assert found[0] == found[1]


@pytest.mark.slow
def test_memory_stands_still_over_many_runs():
    held = []
    for run in range(15):
        explorer = qk.explore_grid(WEIGHTS, axis=0)
        if run in (4, 14):
            gc.collect()
            gc.collect()
            held.append(psutil.Process().memory_info().rss)
    assert held[1] - held[0] < 35e6  # a picture takes 6 MB, and ten were made
    assert explorer.settled


@pytest.mark.slow
def test_all_that_are_referred_to_live_and_follow_their_own_controls():
    made = [qk.explore_grid(WEIGHTS, axis=0) for _ in range(3)]
    gc.collect()
    for bits, explorer in zip((3, 4, 5), made, strict=True):
        explorer.controls["bits"].value = bits
    starts = [explorer.readout[:12] for explorer in made]
    assert starts == ["bits: 8 → 3.", "bits: 8 → 4.", "bits: 8 → 5."]


def test_what_is_shown_lives_until_it_is_closed_and_may_be_shown_again():
    explorer = qk.explore_number()
    assert explorer.comm is None
    first = explorer._repr_mimebundle_()
    gone = weakref.ref(explorer)
    del explorer
    gc.collect()
    explorer = gone()
    assert explorer is not None
    explorer.close()
    assert explorer.comm is None
    assert all(control.comm is None for control in explorer.controls.values())
    assert {*explorer._repr_mimebundle_()} == {*first}
    assert all(control.comm is not None for control in explorer.controls.values())
    explorer.controls["value"].value = 0.5
    assert "→ 0.5." in explorer.children[1].value
    explorer.close()


def test_an_explorer_within_a_box_is_shown_with_it():
    explorer = qk.explore_number()
    box = ipw.HBox([explorer])
    assert box.get_state()["children"] == [f"IPY_MODEL_{explorer.model_id}"]
    box.close()
    explorer.close()


def test_what_is_left_while_its_worker_computes_is_freed_when_that_is_done():
    go_on, threads = threading.Event(), threading.active_count()

    def compute(height):
        assert height == 2 or go_on.wait(10)
        return height

    control = ipw.IntSlider(2, 0, 9)
    explorer = Explorer(
        {"height": control}, Figure(), lambda height: ("", height), alt="Nothing.",
        compute=compute, draw=lambda result: None,
    )  # fmt: skip
    control.value = 5
    worker = explorer._worker
    assert worker.daemon
    assert threading.active_count() == threads + 1
    gone = weakref.ref(explorer)
    del explorer
    go_on.set()
    worker.join(10)
    del worker
    gc.collect()
    assert gone() is None
    assert threading.active_count() == threads


def test_a_cell_that_runs_again_frees_what_it_showed(run_python):
    code = """
for line, cell in (
    ("e = explore(); display(e)", "its id"),
    ("explore()", None),
    ("e = explore()\\ne", "another"),
    ("display(explore(), explore())", None),
):
    for times in range(2):
        run(line, cell)
    before = figures(), len(ipywidgets.widgets.widget._instances)
    run(line, cell)
    assert (figures(), len(ipywidgets.widgets.widget._instances)) == before, line
"""
    run_python(SHELL + code)


@pytest.mark.slow
def test_what_another_cell_shows_stays(run_python):
    code = """
run("a = explore(); display(a)", "first")
run("display(a)", "second")
run("kept = a", "third")
run("for value in (1, 2, 3): display(explore(value))", "a loop")
run("explore()", "fourth")
run("explore()", "fifth, of the same text")
before = figures()
kept = shell.user_ns["kept"]
run("a = explore(); display(a)", "first")
assert kept.comm is not None and figures() == before + 1  # the second cell shows it
run("display(a)", "second")
assert kept.comm is None and figures() == before + 1  # shown nowhere, but referred to
run("display(kept)", "second")
run("display(kept)", "second")
assert kept.comm is not None and kept.controls["value"].comm is not None
run("1 + 1", "second")
assert kept.comm is None
del kept
run("del kept", "third")
assert figures() == before
run("1 / 1", "a loop")
assert figures() == before - 3
"""
    run_python(SHELL + code)
