"""Run the notebooks and store what they show, the same bytes each time.

``python tools/render.py [NOTEBOOK …]`` runs the notebooks named, or all in notebooks/ and
solutions/. A cell tagged ``readme-table`` or ``readme-picture`` feeds the README; one tagged
``varies`` shows timings or the machine, and alone may give another output at the next run.
"""

import base64
import hashlib
import json
import os
import re
import sys
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


def render(path):
    """Run a notebook in its own folder and replace the file with what came out.

    Parameters
    ----------
    path : Path

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell that is not tagged ``raises-exception`` fails; the file is then as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name=_KERNELSPEC["name"],
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    client.execute(env={**os.environ, **_ENVIRONMENT})
    _leave_out_what_varies(notebook)
    nbformat.validate(notebook)
    write_atomically(path, (nbformat.writes(notebook) + "\n").encode())
    return notebook


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
    for path in [Path(name) for name in arguments] or notebook_paths():
        started = time.perf_counter()
        try:
            update_readme(render(path))
            outcome = ""
        except CellExecutionError as error:
            failed, outcome = 1, f"  FAILED, file left as it was\n{error}"
        print(f"{path.name:40} {time.perf_counter() - started:6.1f} s{outcome}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
