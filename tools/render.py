"""Run the notebooks and store what they show, the same bytes each time.

``python tools/render.py [NOTEBOOK …]`` runs the notebooks named, or all in notebooks/ and
solutions/. A lesson runs twice, first with an empty cache of trained networks; its header says how
long each took. A cell tagged ``readme-table`` or ``readme-picture`` feeds the README; one tagged
``varies`` shows timings or the machine, and alone may give another output at the next run.
"""

import base64
import hashlib
import json
import math
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from qkit.cache import write_atomically

ROOT = Path(__file__).resolve().parent.parent
README_TABLE = re.compile(
    r"(<!-- table: made by notebook 03 -->\n).*?(<!-- end of table -->)", re.DOTALL
)

HEADER = re.compile(r"^~\d+ min.*( · needs .*)$", re.MULTILINE)
# Words a minute of somebody who reads to learn (Carver, "Reading rate", 1990); lines of code a
# minute, of short cells, and a figure or a table in a third of one, are ours.
WORDS_A_MIN, LINES_A_MIN, OUTPUTS_A_MIN = 200, 20, 3
_NOT_READ = re.compile("## (?:Exercise|Check yourself|The map)")

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0"}
_KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
_LANGUAGE = {  # what a kernel says of itself, without its version
    "name": "python",
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}


def notebook_paths(root=ROOT):
    """Return the paths of all notebooks, those of the solutions last, in the order of names."""
    return sorted(root.glob("notebooks/*.ipynb")) + sorted(root.glob("solutions/*.ipynb"))


def code_sha256(notebook):
    """Return the SHA-256 of a notebook's code, cell by cell; prose and outputs do not count.

    Parameters
    ----------
    notebook : nbformat.NotebookNode

    Returns
    -------
    str
        Hexadecimal. Stored outputs are stale where it differs from the one in the metadata.
    """
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()


def tagged_output(notebook, tag, mime):
    """Return the first output of a type that a cell with this tag shows, or None.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    tag : str
    mime : str
        For example "text/markdown".
    """
    for cell in notebook.cells:
        if tag in cell.metadata.get("tags", ()):
            for output in cell.get("outputs", ()):
                if mime in output.get("data", ()):
                    return output.data[mime]
    return None


def said(seconds):
    """Return a time as a header says it: tens of seconds, half minutes from 100 s on, rounded up.

    Examples
    --------
    >>> said(31), said(100), said(121)
    ('40 s', '2 min', '2½ min')
    """
    if seconds < 100:
        return f"{10 * math.ceil(seconds / 10)} s"
    halves = math.ceil(seconds / 30)
    return f"{halves // 2}{'½' * (halves % 2)} min"


def reading_min(notebook):
    """Return how many minutes a notebook takes to read: exercises, checks, references aside."""
    read, cells = True, []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            read = not _NOT_READ.match(cell.source)
        if read:
            cells.append(cell)
    prose = (cell.source.split("**References")[0] for cell in cells if cell.cell_type == "markdown")
    code = [cell for cell in cells if cell.cell_type == "code"]
    words = sum(len(text.split()) for text in prose)
    lines = sum(bool(line.strip()) for cell in code for line in cell.source.splitlines())
    shown = sum("data" in output for cell in code for output in cell.outputs)
    return words / WORDS_A_MIN + lines / LINES_A_MIN + shown / OUTPUTS_A_MIN


def header(notebook):
    """Return the first cell's text with the times of reading, of a first run and a later one."""
    times, read = notebook.metadata.qkit, max(5, 5 * round(reading_min(notebook) / 5))
    runs = (
        f"first run {said(times['first_run_s'])} on two cores, later {said(times['later_run_s'])}"
    )
    line = f"~{read} min to read · {runs}"
    return HEADER.sub(lambda found: f"{line}{found[1]}", notebook.cells[0].source, count=1)


def render(path, environment=None):
    """Run a notebook in its own folder and replace the file with what came out.

    Parameters
    ----------
    path : Path
    environment : dict of str to str, optional
        Variables for the kernel, beside this process's own.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell that is not tagged ``raises-exception`` fails; the file is then as it was.
    """
    notebook = execute(path, environment or {})
    _leave_out_what_varies(notebook)
    _write(notebook, path)
    return notebook


def render_twice(path, cache):
    """Render a lesson with the cache empty, and again; put both times into metadata and header."""
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        notebook = execute(path, {"QKIT_CACHE": str(cache)})
        seconds.append(round(time.perf_counter() - started))
    times = times_to_tell(notebook.metadata.get("qkit", {}), *seconds)
    _leave_out_what_varies(notebook)
    notebook.metadata.qkit |= times
    notebook.cells[0].source = header(notebook)
    _write(notebook, path)
    return notebook


def times_to_tell(stored, first_s, later_s):
    """Return the stored times where both are within a quarter of those measured, else the latter.

    So the file changes only where something did, and its two times are always of one rendering.
    """
    measured = {"first_run_s": first_s, "later_run_s": later_s}
    told = {name: stored.get(name, 0) for name in measured}
    return told if all(abs(told[n] - new) <= new / 4 for n, new in measured.items()) else measured


def execute(path, environment):
    """Run a notebook in its own folder and return what came out; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name=_KERNELSPEC["name"],
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute(env={**os.environ, **_ENVIRONMENT, **environment})
    return notebook


def _write(notebook, path):
    nbformat.validate(notebook)
    write_atomically(path, (nbformat.writes(notebook) + "\n").encode())


def _leave_out_what_varies(notebook):
    notebook.metadata.pop("widgets", None)
    notebook.metadata |= {
        "kernelspec": _KERNELSPEC,
        "language_info": _LANGUAGE,
        "qkit": {"code_sha256": code_sha256(notebook)},
    }
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell ran, from an earlier session
        for output in cell.get("outputs", ()):
            # a view without its state breaks GitHub's page; text and picture beside it stay
            output.get("data", {}).pop(_WIDGET_VIEW, None)


def update_readme(notebook, root=ROOT):
    """Put the table and the picture that a notebook marks for the README in their places.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
    root : Path
        The folder of README.md and docs/.
    """
    picture = tagged_output(notebook, "readme-picture", "image/png")
    if picture:
        write_atomically(root / "docs" / "tradeoff.png", base64.b64decode(picture))
    table, readme = tagged_output(notebook, "readme-table", "text/markdown"), root / "README.md"
    if table and readme.exists():
        text = readme.read_text(encoding="utf-8")
        new = README_TABLE.sub(lambda found: f"{found[1]}{table.strip()}\n{found[2]}", text)
        if new != text:
            write_atomically(readme, new.encode())


def main(arguments):
    """Render the notebooks named, or all; return 1 if one of them failed, else 0."""
    failed = 0
    with tempfile.TemporaryDirectory() as caches:
        for path in [Path(name) for name in arguments] or notebook_paths():
            started = time.perf_counter()
            cache = Path(caches) / path.name[:2]  # a solution goes on with its lesson's networks
            try:
                if path.parent.name == "notebooks":
                    update_readme(render_twice(path, cache))
                else:
                    render(path, {"QKIT_CACHE": str(cache)} if cache.exists() else {})
                outcome = ""
            except CellExecutionError as error:
                failed, outcome = 1, f"  FAILED, file left as it was\n{error}"
            print(f"{path.name:40} {time.perf_counter() - started:6.1f} s{outcome}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
