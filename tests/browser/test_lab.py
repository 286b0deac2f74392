"""The notebooks in a real JupyterLab, run and looked at through a real browser."""

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Error, expect, sync_playwright

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.name for path in ROOT.glob("notebooks/*.ipynb"))
ARTIFACTS = ROOT / "test-artifacts"

CHROMIUM_NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
CHROMIUM_OPTIONS = [
    "--no-sandbox",  # a container's root user has none
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
START_S = 60
RUN_S = 600  # notebook 03 trains for four minutes where nothing is cached yet

# What a user would otherwise be asked or shown, and cells that are drawn only when scrolled to
SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "notebook-extension/tracker": '{"windowingMode": "none"}',
}
PANEL = "window.jupyterapp.shell.currentWidget"


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


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def lab(lab_folder):
    """Return the address of a JupyterLab that serves the folder of notebooks."""
    with running_lab([f"--ServerApp.root_dir={lab_folder / 'notebooks'}"], lab_folder) as log:
        yield logged(log, r"http://localhost:\d+/lab")


@contextlib.contextmanager
def running_lab(arguments, folder):
    """Run JupyterLab with settings and a port of its own; yield the path of its log."""
    home = folder / f"jupyter {time.monotonic_ns()}"
    for name, content in SETTINGS.items():
        path = home / f"config/lab/user-settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    log = home / "server.log"
    command = [
        *(sys.executable, "-m", "jupyter", "lab", *arguments),
        "--ServerApp.browser=echo %s",  # the page that a browser would be sent to, into the log
        "--allow-root",
        "--LabApp.expose_app_in_browser=True",
        f"--LabApp.workspaces_dir={home / 'workspaces'}",
        f"--ServerApp.port={free_port()}",
        "--IdentityProvider.token=",
    ]
    folders = {"CONFIG": "config", "DATA": "data", "RUNTIME": "runtime"}
    own = {f"JUPYTER_{key}_DIR": str(home / name) for key, name in folders.items()}
    own["IPYTHONDIR"] = str(home / "ipython")
    with log.open("w") as out:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **own}, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        yield log
    finally:
        server.terminate()  # it shuts its kernels down
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()  # kernels end by themselves when their server is gone
            server.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def logged(log, pattern):
    """Return the address in the log, once JupyterLab has written it and answers."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if found := re.search(pattern, log.read_text()):
            with contextlib.suppress(OSError), urllib.request.urlopen(found[0], timeout=10):
                return found[0]
        time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not start:\n{log.read_text()}")


def open_notebook(page, url):
    """Open an address and wait until the kernel of the notebook there is idle."""
    page.goto(url)
    page.wait_for_function(
        f"window.jupyterapp && {PANEL}?.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=1000 * START_S,
    )


def run_all_cells(page):
    """Run the notebook as its menu does, and return its cells as they are then."""
    page.evaluate(
        "() => { window.jupyterapp.commands.execute('notebook:run-all-cells')"
        ".finally(() => { window.allCellsRan = true; }); }"
    )
    page.wait_for_function("window.allCellsRan", timeout=1000 * RUN_S)
    return page.evaluate(f"{PANEL}.content.model.toJSON()")["cells"]


def leave(page, name):
    """Keep a picture of the page, and end its kernel: TensorFlow is large."""
    ARTIFACTS.mkdir(exist_ok=True)
    with contextlib.suppress(Error):  # a page that is gone must not hide why it went
        page.screenshot(path=ARTIFACTS / f"{name}.png")
        page.evaluate(f"{PANEL}.sessionContext.shutdown()")


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_top_to_bottom(page, lab, name):
    try:
        open_notebook(page, f"{lab}/workspaces/{name[:2]}/tree/{name}")
        cells = [cell for cell in run_all_cells(page) if cell["cell_type"] == "code"]
        expected = [c for c in cells if "raises-exception" in c["metadata"].get("tags", ())]
        errors = [
            output["traceback"]
            for cell in cells
            if cell not in expected
            for output in cell["outputs"]
            if output["output_type"] == "error"
        ]
        assert not errors
        assert all(cell["execution_count"] for cell in cells)
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
