"""Every relative link of the documents and the notebooks leads to a file, and to a place in it."""

import re

import nbformat
import pytest

from tools.build_site import slug as jupyter_slug
from tools.render import ROOT, notebook_paths

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]+`", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)[^)]*\)|^\[[^\]]+\]: (\S+)|<(?:a href|img src)=\"([^\"]+)", re.M)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
ANCHOR = re.compile(r'<a (?:id|name)="([^"]+)"')
ABSOLUTE = re.compile(r"[a-z]+:|//")


def prose(path):
    """Return what a document, or a notebook's cells of prose, say."""
    if path.suffix != ".ipynb":
        return path.read_text(encoding="utf-8")
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def links(text):
    """Yield the relative links of a text; what stands in code is none."""
    for found in LINK.finditer(CODE.sub("", text)):
        target = next(filter(None, found.groups()))
        if not ABSOLUTE.match(target):
            yield target


def github_slug(title):
    """Return the anchor of a heading as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def places(path):
    """Return what an anchor may name in a file: a heading by the rule of its kind, or an <a id>."""
    text, slug = prose(path), jupyter_slug if path.suffix == ".ipynb" else github_slug
    headings = HEADING.findall(re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return {slug(title) for title in headings} | {*ANCHOR.findall(text)}


def fault(path, target):
    """Return what is wrong with a link of a file, or None."""
    name, _, anchor = target.partition("#")
    there = path.parent / name if name else path
    if not there.exists():
        return f"{target}: there is no such file"
    if anchor and anchor not in places(there):
        return f"{target}: {there.name} has no such place"
    return None


@pytest.mark.parametrize(
    "path", DOCUMENTS + notebook_paths(), ids=lambda p: f"{p.parent.name}/{p.name}"
)
def test_links_lead_somewhere(path):
    assert [found for target in links(prose(path)) if (found := fault(path, target))] == []


@pytest.fixture
def folder(tmp_path):
    cell = nbformat.v4.new_markdown_cell("# 01 · A title\n## What's *in* it?")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "there.ipynb")
    text = '# A title: of it\n| <a id="zero-point"></a>**zero point** |\n```\n# no heading\n```\n'
    (tmp_path / "there.md").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("there.md", None),
        ("there.md#a-title-of-it", None),
        ("there.md#zero-point", None),
        ("there.ipynb#01-·-A-title", None),
        ("gone.md", "no such file"),
        ("there.md#A-title:-of-it", "no such place"),
        ("there.md#no-heading", "no such place"),
        ("there.md#zero", "no such place"),
        ("there.ipynb#01--a-title", "no such place"),
    ],
)
def test_a_link_that_leads_nowhere_is_seen(folder, target, said):
    found = fault(folder / "from.md", target)
    assert found is None if said is None else said in found


def test_links_are_found_in_all_their_forms_and_not_in_code():
    text = '[a](b.md) [![c](d.svg)](e.md) `[f](g.md)` <a href="h.md">\n```\n[i](j.md)\n```\n'
    text += '[k]: l.md\n[m](https://n.org) [o](mailto:p@q.org) [r](#s) [t](u.md "v")'
    assert [*links(text)] == ["b.md", "d.svg", "e.md", "h.md", "l.md", "#s", "u.md"]
