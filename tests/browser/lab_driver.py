"""Driving a real JupyterLab: starting it, opening and running notebooks, taking pictures."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Error

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path.name for path in ROOT.glob("notebooks/*.ipynb"))
ARTIFACTS = ROOT / "test-artifacts"

START_S = 120  # seconds on a free machine
RUN_S = 1200  # notebook 07 trains for six minutes where nothing is cached yet

# What a user would otherwise be asked or shown, and cells that are drawn only when scrolled to
SETTINGS = {
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
    "notebook-extension/tracker": '{"windowingMode": "none"}',
}
PANEL = "window.jupyterapp.shell.currentWidget"


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
    cells = page.evaluate(f"{PANEL}.content.model.toJSON()")["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
    return cells


def errors_of(cells):
    """Return the tracebacks of a notebook that was run, but for those that its tags expect."""
    return [
        output["traceback"]
        for cell in cells
        if "raises-exception" not in cell["metadata"].get("tags", ())
        for output in cell.get("outputs", ())
        if output["output_type"] == "error"
    ]


def leave(page, name):
    """Keep a picture of the page, and end its kernel: TensorFlow is large."""
    ARTIFACTS.mkdir(exist_ok=True)
    with contextlib.suppress(Error):  # a page that is gone must not hide why it went
        page.screenshot(path=ARTIFACTS / f"{name}.png")
        page.evaluate(f"{PANEL}.sessionContext.shutdown()")
