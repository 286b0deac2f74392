"""Every explorer of the notebooks, moved by keyboard in a real browser."""

import re
from pathlib import Path

import nbformat
import pytest
from lab_driver import ARTIFACTS, NOTEBOOKS, ROOT, errors_of, leave, open_notebook, run_all_cells
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

CALL = re.compile(r"^qk\.(explore_\w+)\(", re.MULTILINE)
ANSWER_S = 30
# What takes the focus, and the keys that may move it away from where it is
CONTROLS = {
    ".noUi-handle": ("ArrowRight", "ArrowLeft"),
    "button.widget-toggle-button:not(.mod-active):enabled": ("Space",),
    "input[type=checkbox]": ("Space",),
}


def explorers_of(name):
    """Return the names of the explorers that a notebook's cells end with, in their order."""
    notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [found for source in sources for found in CALL.findall(source)]


WITH_EXPLORERS = [name for name in NOTEBOOKS if explorers_of(name)]


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


@pytest.mark.parametrize("name", WITH_EXPLORERS)
def test_explorers_follow_the_keyboard(page, lab, name):
    try:
        open_notebook(page, f"{lab}/workspaces/{name[:2]}/tree/{name}")
        assert not errors_of(run_all_cells(page))
        boxes = page.locator(".widget-vbox").filter(has=page.locator("img[alt]"))
        expected = explorers_of(name)
        expect(boxes).to_have_count(len(expected), timeout=1000 * ANSWER_S)
        for box, explorer in zip(boxes.all(), expected, strict=True):
            box.scroll_into_view_if_needed()
            picture = box.locator("img[alt]").first
            still = picture.screenshot()
            assert move_by_keyboard(box), f"{explorer}: no key moved its first control"
            assert picture.screenshot() != still, f"{explorer}: the picture stayed as it was"
            ARTIFACTS.mkdir(exist_ok=True)
            box.screenshot(path=ARTIFACTS / f"{Path(name).stem}_{explorer}.png")
        assert page.locator(".jp-OutputArea [data-mime-type*=error]").count() == 0
    finally:
        leave(page, Path(name).stem)
