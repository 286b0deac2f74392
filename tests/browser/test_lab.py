"""The notebooks in a real JupyterLab, run and looked at through a real browser."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from lab_driver import (
    NOTEBOOKS,
    PANEL,
    ROOT,
    errors_of,
    leave,
    logged,
    open_notebook,
    run_all_cells,
    running_lab,
)
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

# The others run in nbval alone: here each would take its time once more. Explorers have a notebook
# of their own.
IN_THE_BROWSER = [name for name in NOTEBOOKS if name[:2] == "00"]


@pytest.mark.parametrize("name", IN_THE_BROWSER)
def test_notebook_runs_top_to_bottom(page, lab, name):
    try:
        open_notebook(page, f"{lab}/workspaces/{name[:2]}/tree/{name}")
        cells = run_all_cells(page)
        assert not errors_of(cells)
        tables = page.locator(".jp-OutputArea table")
        if any("qk.compare(" in cell["source"] for cell in cells):
            tables = tables.filter(has_text="needs beside the model")
        tables.first.scroll_into_view_if_needed()
        expect(tables.first).to_be_visible()
    finally:
        leave(page, Path(name).stem)


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_make_lab_opens_the_first_notebook(page, lab_folder):
    recipe = subprocess.check_output(["make", "--dry-run", "lab"], cwd=ROOT, text=True)
    arguments = shlex.split(re.search(r"-m jupyter lab (.+)", recipe)[1])
    with running_lab(arguments, lab_folder) as log:
        try:
            open_notebook(page, logged(log, r"file://\S+\.html"))
            assert page.evaluate(f"{PANEL}.context.path").endswith("00_start_here.ipynb")
            expect(page.locator(".jp-Notebook h1").first).to_be_visible()
        finally:
            leave(page, "make_lab")
