"""What tools/course.py writes beside the map: badges, where there is an address; the glossary."""

import re
import shutil

import nbformat
import pytest

import qkit as qk
from tools import course
from tools.render import ROOT, code_sha256

ADDRESS = '\n[project.urls]\nRepository = "https://github.com/someone/some-kit"\n'
COLAB = "https://colab.research.google.com/github/someone/some-kit/blob/main/"
BINDER = "https://mybinder.org/v2/gh/someone/some-kit/main?labpath="


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Return a copy of what the list of lessons is written into, without an address."""
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    project = tmp_path / "pyproject.toml"
    project.write_text(course.REPOSITORY.sub("", project.read_text("utf-8")), "utf-8")
    monkeypatch.setattr(course, "ROOT", tmp_path)
    return tmp_path


def lessons_as_written():
    """Write all, and return the lessons' notebooks by their text."""
    (course.ROOT / "docs").mkdir(exist_ok=True)
    for path, text in course.written().items():
        path.write_text(text, encoding="utf-8")
    return {path: path.read_text("utf-8") for path in (course.ROOT / "notebooks").glob("*.ipynb")}


def test_without_an_address_there_are_no_badges(copy):
    assert not any("badge" in text for text in lessons_as_written().values())


def test_with_an_address_each_lesson_has_its_line_of_badges(copy):
    before, project = lessons_as_written(), copy / "pyproject.toml"
    told = project.read_text("utf-8")
    project.write_text(told + ADDRESS, "utf-8")
    after = lessons_as_written()
    for path, text in after.items():
        was, now = (nbformat.reads(each, as_version=4) for each in (before[path], text))
        title, *rest = was.cells[0].source.split("\n")
        assert now.cells[0].source.split("\n")[4:] == rest
        assert now.cells[0].source.startswith(f"{title}\n\n[![Colab](")
        assert f"]({COLAB}notebooks/{path.name})" in now.cells[0].source
        assert f"]({BINDER}notebooks/{path.name})" in now.cells[0].source
        assert '`%pip install "qkit @ git+https://github.com/someone/some-kit"`' in (
            now.cells[0].source
        )
        assert code_sha256(now) == code_sha256(was), "who has the kit installs nothing"
    assert lessons_as_written() == after, "written once, not again below it"
    project.write_text(told, "utf-8")
    assert lessons_as_written() == before


def test_each_term_of_the_glossary_has_an_anchor_of_its_own():
    page = course.written()[ROOT / "docs" / "GLOSSARY.md"]
    anchors = re.findall(r'<a id="([a-z0-9-]+)"></a>\*\*(.+?)\*\*', page)
    assert [term for _, term in anchors] == list(qk.glossary().index)
    assert len(dict(anchors)) == len(anchors)
    assert ("zero-point", "zero point") in anchors
    assert ("mcnemars-test", "McNemar's test") in anchors
    assert ("multiply-accumulate", "multiply–accumulate") in anchors
