"""The first hour of a newcomer, by keyboard and mouse: 00 and an exercise, 02, 03, an explorer."""

import time

import pytest
from lab_driver import ARTIFACTS, PANEL, RUN_S, leave, open_notebook
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def sources(page):
    """Return the source of each cell of the notebook that is open."""
    return [cell["source"] for cell in page.evaluate(f"{PANEL}.content.model.toJSON()")["cells"]]


def cell_of(page, part):
    """Return the first code cell whose source holds a part."""
    number = next(n for n, source in enumerate(sources(page)) if part in source)
    return page.locator(".jp-Notebook:visible .jp-Cell").nth(number)


def run_down_to(page, part):
    """Press Shift+Enter from the top until the cell with a part has run."""
    number = next(n for n, source in enumerate(sources(page)) if part in source)
    cells = page.locator(".jp-Notebook:visible .jp-Cell")
    cells.first.locator(".jp-MarkdownOutput").click()
    for _ in range(number + 1):
        page.keyboard.press("Shift+Enter")
    counted = f"{PANEL}.content.widgets[{number}].model.executionCount"
    page.wait_for_function(f"{counted} !== null", timeout=1000 * RUN_S)
    assert (
        cells.locator("[data-mime-type*=error], [data-mime-type*=stderr] .ansi-red-fg").count() == 0
    )
    return cells.nth(number)


def follow(page, text):
    """Click a link to another lesson, and wait until its kernel is ready."""
    page.locator(".jp-Notebook:visible a", has_text=text).first.click()
    ready = f"{PANEL}?.sessionContext?.session?.kernel?.status === 'idle'"
    page.wait_for_function(f"{PANEL}.context.path.startsWith('{text[:2]}_') && {ready}")


def answer(page, name, typed):
    """Type an answer into the cell of an exercise, run it, and return what the check says."""
    cell = cell_of(page, f'qk.check("{name}"')
    call = cell.locator(".cm-content").inner_text().splitlines()[-1]
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(f"answer = {typed}\n{call}")
    page.keyboard.press("Control+Enter")
    said = cell.locator(".jp-OutputArea-output")
    expect(said).to_contain_text(f"{name} · ", timeout=60_000)
    return said


def test_first_hour(page, lab):
    log, started = [], time.monotonic()

    def done(what):
        log.append(f"{time.monotonic() - started:6.1f} s  {what}")

    try:
        open_notebook(page, f"{lab}/workspaces/hour/tree/00_start_here.ipynb")
        done("00 is open, its kernel is ready")
        run_down_to(page, "qk.compare(")
        expect(page.locator(".jp-OutputArea table").first).to_be_visible()
        done("the first table")
        expect(answer(page, "00.1", "4.0")).to_contain_text("not yet: ")
        done("a first answer, and why it is wrong")
        follow(page, "02 · Post-training quantization")
        run_down_to(page, "qk.paired(")
        done("02: the converter itself, sizes, a paired test")
        follow(page, "03 · Quantization-aware training")
        run_down_to(page, "qk.quantization_aware(")
        done("03: a network trained through the grid")
        open_notebook(page, f"{lab}/workspaces/explorer/tree/01_numbers_on_a_grid.ipynb")
        box = run_down_to(page, "qk.explore_number(")
        picture, readout = box.locator("img[alt]").first, box.locator("[role=status]")
        expect(picture).to_be_visible(timeout=30_000)
        done("01: the first explorer is there")
        before = readout.inner_text()
        box.locator(".noUi-target:visible").first.click(position={"x": 20, "y": 3})
        expect(readout).not_to_have_text(before)
        done("moved by the mouse")
        before = readout.inner_text()
        box.locator(".noUi-handle:visible").first.press("ArrowRight")
        expect(readout).not_to_have_text(before)
        done("moved by a key")
    finally:
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / "first_hour.txt").write_text("\n".join(log) + "\n", encoding="utf-8")
        leave(page, "first_hour")
