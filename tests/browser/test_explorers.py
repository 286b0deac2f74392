"""Every explorer in a real browser: moved by keyboard, laid out alike, and sharp at rest.

The screen has two pixels for each of the page.
"""

import inspect
import re

import nbformat
import pytest
from lab_driver import ARTIFACTS, ROOT, errors_of, leave, open_notebook, run_all_cells
from nbformat import v4
from playwright.sync_api import Error, expect

import qkit as qk

pytestmark = pytest.mark.browser

NAME = "explorers.ipynb"
FILES = ROOT / "tests" / "files"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
ANSWER_S = 30
# What takes the focus, and the keys that may move it away from where it is
CONTROLS = {
    ".noUi-handle": ("ArrowRight", "ArrowLeft"),
    "button.widget-toggle-button:not(.mod-active):enabled": ("Space",),
}
SET_UP = f"""
import numpy as np
from pathlib import Path
import qkit as qk
qk.setup_notebook()
files = Path({str(FILES)!r})
data = qk.load_data("digits")
schemes = ["float32", "full_integer", "int16_activations"]
models = {{name: (files / f"trained_{{name}}.tflite").read_bytes() for name in schemes}}
tflite = models["float32"]
model = qk.models.walkthrough_cnn()
with np.load(files / "trained.npz") as arrays:
    model.set_weights([arrays[f"arr_{{i}}"] for i in range(len(arrays.files))])
comparison = qk.compare(model, data, ["dynamic_range", "full_integer"])
"""
CALLS = (
    "qk.explore_number()",
    "qk.explore_grid(tflite)",
    "qk.explore_bits(tflite, data, images=100)",
    "qk.explore_digit(models, data.x_test)",
    "qk.explore_sparsity(tflite, data, images=100)",
    "qk.explore_clusters(tflite, data, images=100)",
    "qk.explore_schemes(comparison, x=data.x_test)",
    "qk.explore_decision_tree(comparison)",
    "qk.explore_calibration(tflite, data, test_images=100)",
    "qk.explore_mistakes(model, data, images=100)",
    "qk.explore_layers(tflite, data, images=100)",
    'qk.explore_pixel(models["full_integer"], data.x_test[:20])',
)


# The same words for the same things, in this order in every explorer that has them
ORDER = (
    *("tensor", "layer", "operator", "value", "drag", "bits", "activation bits", "range"),
    *("range, low", "range, high", "symmetric", "granularity", "images", "class", "sample size"),
)
LAYOUT = """
box => {
  const left = (element) => Math.round(element.getBoundingClientRect().left);
  const labels = [...box.querySelectorAll(".qkit-row > .widget-label:first-child")];
  return {
    words: labels.map((label) => label.textContent),
    labels: labels.map(left),
    controls: labels.map((label) => left(label.nextElementSibling)),
    cut: labels.filter((x) => x.scrollWidth > x.clientWidth).map((x) => x.textContent),
  };
}
"""


def name_of(call):
    return re.match(r"qk\.(\w+)", call)[1]


def test_each_explorer_is_in_the_notebook():
    explorers = {name for name in qk.__all__ if name.startswith("explore_")}
    assert {name_of(call) for call in CALLS} == explorers
    assert all(inspect.isfunction(getattr(qk, name)) for name in explorers)


def move_by_keyboard(box):
    """Move the first control that answers to a key; return whether one did."""
    readout = box.locator("[role=status]")
    before = readout.inner_text()
    for kind, keys in CONTROLS.items():
        for control in box.locator(kind).locator("visible=true").all()[:3]:
            for key in keys:
                control.focus()
                control.press(key)
                try:
                    expect(readout).not_to_have_text(before, timeout=2000)
                except AssertionError:
                    continue
                expect(readout).not_to_contain_text("measured anew", timeout=1000 * ANSWER_S)
                return True
    return False


def lies_in_two_columns(box):
    """Assert that labels are a column, and what one moves another, in the order of all."""
    found = box.evaluate(LAYOUT)
    assert found["words"], "no labels"
    assert len({*found["labels"]}) == len({*found["controls"]}) == 1, found
    assert found["controls"][0] > found["labels"][0]
    assert not found["cut"], found
    places = [ORDER.index(word) for word in found["words"] if word in ORDER]
    assert places == sorted(places), found["words"]


def is_sharp(picture):
    """Wait until a picture has two pixels each way for each of the page."""
    sharp = "[i.naturalWidth / i.clientWidth, i.naturalHeight / i.clientHeight]"
    for _ in range(50):
        found = picture.evaluate(f"i => {sharp}")
        if min(found) >= 2:
            return
        picture.page.wait_for_timeout(100)
    pytest.fail(f"a draft for five seconds: {found} pixels for each of the page")


def place(box):
    """Return where a picture lies in its explorer."""
    return box.evaluate(
        """box => {
          const [a, b] = [box, box.querySelector("img[alt]")].map((e) => e.getBoundingClientRect());
          return [b.left - a.left, b.top - a.top, b.width, b.height];
        }"""
    )


def seen(element):
    """Return the pixels of an element; one that is just being replaced is looked for again."""
    for _ in range(9):
        try:
            return element.screenshot(timeout=5000)
        except Error:
            element.page.wait_for_timeout(200)
    return element.screenshot()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1400}, device_scale_factor=2)
    yield context.new_page()
    context.close()


def test_explorers_follow_the_keyboard(page, lab, lab_folder):
    cells = [v4.new_code_cell(source) for source in (SET_UP, *CALLS)]
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, lab_folder / "notebooks" / NAME)
    try:
        open_notebook(page, f"{lab}/workspaces/explorers/tree/{NAME}")
        assert not errors_of(run_all_cells(page))
        boxes = page.locator(".widget-vbox").filter(has=page.locator("img[alt]"))
        expect(boxes).to_have_count(len(CALLS), timeout=1000 * ANSWER_S)
        for box, explorer in zip(boxes.all(), map(name_of, CALLS), strict=True):
            box.scroll_into_view_if_needed()
            lies_in_two_columns(box)
            picture = box.locator("img[alt]").first
            is_sharp(picture)
            before = place(box)
            still, source = seen(picture), picture.get_attribute("src")
            assert move_by_keyboard(box), f"{explorer}: no key moved its first control"
            # words come before the picture
            expect(picture).not_to_have_attribute("src", source, timeout=1000 * ANSWER_S)
            assert seen(picture) != still, f"{explorer}: the picture stayed as it was"
            is_sharp(picture)
            box.get_by_role("status").evaluate("e => { e.textContent = 'long '.repeat(999); }")
            assert place(box) == before, f"{explorer}: the picture was pushed away"
            ARTIFACTS.mkdir(exist_ok=True)
            (ARTIFACTS / f"{explorer}.png").write_bytes(seen(box))
        assert page.locator(".jp-OutputArea [data-mime-type*=error]").count() == 0
    finally:
        leave(page, "explorers")
