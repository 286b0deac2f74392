"""Lessons to hand out: `make assignment` writes them for nbgrader, in build/assignment.

A lesson has stubs, and no solution. Here its outputs go, the cell of each exercise is marked as the
student's, and a locked cell below asks `qk.check` once more: the point is given where the ledger
then has a new entry that says right.
"""

import ast
import re
import shutil
from pathlib import Path

import nbformat

from qkit.cache import write_atomically

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "assignment"
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "qkit"
c.ClearSolutions.enabled = False  # the stubs stay as they are: there is nothing to clear
c.Execute.timeout = 1800  # seconds; some cells train a network
"""
GRADED = """\
_before = qk.ledger().entries.get(("check", "{name}"))
{call}
_now = qk.ledger().entries.get(("check", "{name}"))
assert _now != _before and _now["right"], "{name} is not right yet"
"""
LESSON = re.compile(r"\]\((\d\d_\w+)\.ipynb")  # a link to another one, which has its own folder
ELSEWHERE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]*\)")  # a link to what is not handed out


def checks(source):
    """Yield the name of each exercise that a cell checks, and the call that does it."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(ast.Attribute(ast.Name("qk"), "check"), [ast.Constant(str(name)), *_]):
                yield name, ast.get_source_segment(source, node)


def marked(grade_id, **more):
    """Return what nbgrader's third schema says of a cell."""
    told = {"schema_version": 3, "grade_id": grade_id, "grade": False, "solution": False}
    return {"nbgrader": told | {"locked": False, "task": False} | more}


def graded(cell):
    """Return a cell, without its outputs, and a locked one for each exercise in it."""
    cell.outputs, cell.execution_count = [], None
    cells = [cell]
    for name, call in checks(cell.source) if "qk.check(" in cell.source else ():
        dashed = name.replace(".", "-")
        cell.metadata |= marked(f"exercise-{dashed}", solution=True)
        cells.append(nbformat.v4.new_code_cell(GRADED.format(name=name, call=call).rstrip()))
        cells[-1].id = f"check-{dashed}"
        cells[-1].metadata |= marked(f"check-{dashed}", grade=True, locked=True, points=1)
    return cells


def assignment(notebook):
    """Return a lesson as it is handed out."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LESSON.sub(r"](../\1/\1.ipynb", ELSEWHERE.sub(r"\1", cell.source))
        cells += graded(cell) if cell.cell_type == "code" else [cell]
    notebook.cells = cells
    del notebook.metadata["qkit"]  # how long it took, and what the outputs were made from
    return notebook


def main(folder=FOLDER):
    """Write all lessons, each with the tables that it reads, and how nbgrader is to take them."""
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(ROOT.glob("notebooks/*.ipynb")):
        own = folder / "source" / path.stem
        own.mkdir(parents=True)
        text = nbformat.writes(assignment(nbformat.read(path, as_version=4)))
        write_atomically(own / path.name, f"{text}\n".encode())
        for table in path.parent.glob("*.csv"):
            if table.name in text:
                shutil.copy(table, own)
    write_atomically(folder / "nbgrader_config.py", CONFIG.encode())


if __name__ == "__main__":
    main()
