"""A Chromium, and a JupyterLab on a copy of the notebooks, for all tests in a real browser."""

import os
import shutil
from pathlib import Path

import nbformat
import pytest
from lab_driver import NOTEBOOKS, ROOT, logged, running_lab
from playwright.sync_api import sync_playwright

CHROMIUM_NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # a container's root user has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        found = [os.environ.get("QKIT_CHROMIUM"), *map(shutil.which, CHROMIUM_NAMES)]
        path = next(filter(None, found), playwright.chromium.executable_path)
        if not Path(path).exists():
            pytest.skip(
                f"no Chromium: none of {', '.join(CHROMIUM_NAMES)} is on PATH, and $QKIT_CHROMIUM "
                "names none"
            )
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory):
    """Return a folder with a copy of notebooks/ without outputs: what is seen, the kernel made."""
    folder = tmp_path_factory.mktemp("a path with spaces")
    (folder / "notebooks").mkdir()
    for name in NOTEBOOKS:
        notebook = nbformat.read(ROOT / "notebooks" / name, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        nbformat.write(notebook, folder / "notebooks" / name)
    return folder


@pytest.fixture(scope="session")
def lab(lab_folder):
    """Return the address of a JupyterLab that serves the folder of notebooks."""
    with running_lab([f"--ServerApp.root_dir={lab_folder / 'notebooks'}"], lab_folder) as log:
        yield logged(log, r"http://localhost:\d+/lab")
