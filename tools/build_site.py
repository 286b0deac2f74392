"""The course as a site to read without a kernel: `make site` builds it in build/site.

Notebooks are shown with their stored outputs, never run. What Sphinx reads is laid out in
build/site-source as it lies in the repository, so that its relative links hold, with a page for
each name of the kit, in the order of the course, and with the explorers of `SAVED` as pages.
"""

import inspect
import json
import lzma
import re
import shutil
import sys
from pathlib import Path

import nbformat
import numpy as np

import qkit as qk

ROOT = Path(__file__).resolve().parent.parent
SOURCE, SITE = ROOT / "build" / "site-source", ROOT / "build" / "site"
NAMES = re.compile(r"^# (\d\d .*|Beside.*)$|^from \S+ import (\w+)", re.MULTILINE)
PICTURES = re.compile(r"\[!\[(\w+)\]\([^)]*\)\]")  # of a badge, from another's server
STATES = 100  # pictures of an explorer's page


def slug(title):
    """Return the anchor of a heading as Jupyter makes it."""
    return title.replace(" ", "-")


# --- the names of the kit ------------------------------------------------------------------------


def names():
    """Return the public names by the lesson that uses them first, as the stub lists them."""
    stub = Path(qk.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    found = {}
    for heading, name in NAMES.findall(stub):
        if heading:
            found[heading] = []
        else:
            found[[*found][-1]].append(name)
    return found


def page(name):
    """Return the page of a name, as reStructuredText; of a function with the result it returns."""
    value, title = getattr(qk, name), f"qk.{name}"
    lines = [title, "=" * len(title), ""]
    if inspect.ismodule(value):
        return "\n".join([*lines, f".. automodule:: {value.__name__}", "   :members:", ""])
    if inspect.isclass(value):
        return "\n".join([*lines, *described(f"qkit.{name}")])
    if not inspect.isfunction(value):
        return "\n".join([*lines, f"By name: {', '.join(value)}.", ""])
    lines += [f".. autofunction:: qkit.{name}", ""]
    if result := returned(value):
        lines += described(f"{result.__module__}.{result.__qualname__}")
    return "\n".join(lines)


def described(name):
    """Return the lines that describe a class and what it can be asked for."""
    return [f".. autoclass:: {name}", "   :members:", "   :inherited-members:", "   :no-index:", ""]


def returned(function):
    """Return the class of the kit that a function's docstring names under Returns, or None."""
    found = re.search(r"^Returns\n-+\n(\w+)", inspect.getdoc(function) or "", re.MULTILINE)
    value = vars(sys.modules[function.__module__]).get(found[1]) if found else None
    return value if inspect.isclass(value) and value.__module__.startswith("qkit") else None


def index():
    """Return the list of all names, a section for each lesson."""
    lines = ["# The names of qkit", "In the order of the course: where each is used first.", ""]
    for heading, group in names().items():
        lines += [f"## {heading}", "```{toctree}", ":maxdepth: 1", "", *group, "```", ""]
    return "\n".join(lines)


# --- explorers as pages --------------------------------------------------------------------------


def kernels():
    """Return the weights of the walkthrough's network, which come with the kit, channels first."""
    folder = Path(qk.__file__).parent / "weights"
    entries = json.loads((folder / "list.json").read_text(encoding="utf-8"))["entries"]
    for name, entry in entries.items():
        if entry["settings"] == "(10, 32, 0, 0.1, 0.001)":
            with lzma.open(folder / f"{name}.npz.xz") as file, np.load(file) as arrays:
                if arrays["w0"].shape == (3, 3, 1, 12):
                    dense, convolution = arrays["w2"].T, arrays["w0"].transpose(3, 0, 1, 2)
                    return {"dense weights": dense, "conv weights": convolution}
    raise LookupError("qkit/weights has no walkthrough_cnn of ten epochs")


# By name, light enough to be drawn in all positions while the site is built.
SAVED = {
    "explore_number": lambda: qk.explore_number(0.123456789),
    "explore_grid": lambda: qk.explore_grid(kernels()),
}


def with_pages(notebook):
    """Put a link to its page below each explorer that has one, and words in place of badges.

    A part's heading goes down to that of a section: a page with two titles is two in the contents.
    """
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            again = "#" if cells and cell.source.startswith("# ") else ""
            cell.source = again + PICTURES.sub(r"[\1]", cell.source)
        cells.append(cell)
        for name in SAVED if cell.cell_type == "code" else ():
            if f"qk.{name}(" in cell.source:
                link = f'<a href="../explorers/{name}.html">Drag here, without a kernel.</a>'
                cells.append(nbformat.v4.new_markdown_cell(link))
    notebook.cells = cells
    return notebook


# --- the site ------------------------------------------------------------------------------------


def lay_out(source=SOURCE, states=STATES):
    """Write anew what Sphinx reads; the pages of explorers with at most so many states."""
    shutil.rmtree(source, ignore_errors=True)
    unread = shutil.ignore_patterns("__pycache__", "weights", ".ipynb_checkpoints", "site")
    for folder in ("docs", "notebooks", "solutions", "qkit", "tools"):
        shutil.copytree(ROOT / folder, source / folder, ignore=unread)
    shutil.copytree(ROOT / "docs" / "site", source, dirs_exist_ok=True)
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for path in [*source.glob("notebooks/*.ipynb"), *source.glob("solutions/*.ipynb")]:
        nbformat.write(with_pages(nbformat.read(path, as_version=4)), path)
    (source / "api").mkdir()
    (source / "api" / "index.md").write_text(index(), encoding="utf-8")
    for name in (name for group in names().values() for name in group):
        (source / "api" / f"{name}.rst").write_text(page(name), encoding="utf-8")
    folder = source / "extra" / "explorers"
    folder.mkdir(parents=True)
    for name, made in SAVED.items():
        made().save(folder / f"{name}.html", states=states)


def main(source=SOURCE, site=SITE, states=STATES):
    """Build the site; return Sphinx's exit code."""
    from sphinx.cmd.build import main as sphinx  # of the extra `site`

    lay_out(source, states)
    shutil.rmtree(site, ignore_errors=True)
    return sphinx(["--jobs", "2", "--quiet", "-d", f"{source}-read", str(source), str(site)])


if __name__ == "__main__":
    sys.exit(main())
