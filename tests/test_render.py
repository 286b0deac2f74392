"""The renderer: the same bytes each time, nothing half written, no state of widgets."""

import base64

import nbformat
import pytest
from nbformat import v4

from tools import render

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_PNG = base64.b64encode(b"picture").decode()


def cell(source, *tags):
    return v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def shown(mime, content, *tags):
    made = cell("…", *tags)
    made.outputs = [v4.new_output("display_data", {mime: content})]
    return made


@pytest.fixture
def written(tmp_path):
    def write(*cells, **metadata):
        path = tmp_path / "00_small.ipynb"
        nbformat.write(v4.new_notebook(cells=list(cells), metadata=metadata), path)
        return path

    return write


def test_rendering_twice_gives_the_same_bytes(written):
    path = written(
        cell("import sys, matplotlib.pyplot as plt"),
        cell("print({'a', 'b', 'c'}, hash('a'))\nprint(1, file=sys.stderr)\nprint(2)"),
        cell("plt.plot([1, 2]);"),
        cell("print('in parts')\nsys.stdout.flush()\nprint('one stream')"),
        kernelspec={"name": "mine", "display_name": "My own", "language": "python"},
    )
    ids = [c.id for c in nbformat.read(path, 4).cells]
    render.render(path)
    first = path.read_bytes()
    render.render(path)
    assert path.read_bytes() == first
    notebook = nbformat.read(path, 4)
    assert [c.id for c in notebook.cells] == ids
    assert [c.execution_count for c in notebook.cells] == [1, 2, 3, 4]
    assert [o.text for o in notebook.cells[3].outputs] == ["in parts\none stream\n"]
    assert notebook.metadata.kernelspec.name == "python3"
    assert "version" not in notebook.metadata.language_info
    assert all("execution" not in c.metadata for c in notebook.cells)
    assert notebook.metadata.qkit.code_sha256 == render.code_sha256(notebook)


def test_an_error_leaves_the_file_untouched(written, capsys):
    path = written(cell("1 + 1"), cell("1 / 0"))
    before = path.read_bytes()
    assert render.main([str(path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_an_error_that_a_lesson_wants_is_kept(written):
    path = written(cell("1 / 0", "raises-exception"), cell("1 + 1"))
    assert render.main([str(path)]) == 0
    assert nbformat.read(path, 4).cells[0].outputs[0].ename == "ZeroDivisionError"


def test_state_of_widgets_is_left_out(written):
    path = written(cell("import ipywidgets\nipywidgets.IntSlider(3)"), widgets={"old": {}})
    notebook = render.render(path)
    assert "widgets" not in notebook.metadata
    assert dict(notebook.cells[0].outputs[0].data) == {"text/plain": "IntSlider(value=3)"}
    assert _WIDGET_VIEW not in path.read_text()


def test_the_hash_is_of_the_code_alone():
    def digest(*cells):
        return render.code_sha256(v4.new_notebook(cells=list(cells)))

    base = digest(cell("a"), cell("b"))
    assert digest(v4.new_markdown_cell("prose"), cell("a", "varies"), cell("b")) == base
    assert digest(shown("text/plain", "1"), cell("b")) != base
    assert digest(cell("b"), cell("a")) != base
    assert digest(cell("ab")) != base


@pytest.mark.slow
def test_a_lesson_says_how_long_its_first_run_takes_and_a_later_one(tmp_path):
    folder, cache = tmp_path / "notebooks", tmp_path / "cache"
    folder.mkdir()
    path = folder / "00_small.ipynb"
    first = v4.new_markdown_cell("# 00 · Small\n~5 min · runs in a blink · needs nothing\n\nProse.")
    code = "import os, pathlib\nseen = pathlib.Path(os.environ['QKIT_CACHE'])\n"
    code += "import time\nif not seen.exists():\n    seen.mkdir()\n    time.sleep(4)"
    nbformat.write(v4.new_notebook(cells=[first, cell(code)]), path)
    times = render.render_twice(path, cache).metadata.qkit
    assert times.first_run_s - times.later_run_s >= 2
    lines = nbformat.read(path, 4).cells[0].source.splitlines()
    said = [render.said(times[name]) for name in ("first_run_s", "later_run_s")]
    assert lines[1] == (
        f"~5 min to read · first run {said[0]} on two cores, later {said[1]} · needs nothing"
    )
    assert lines[0::3] == ["# 00 · Small", "Prose."]


def test_reading_takes_words_lines_and_pictures_into_account():
    def minutes(words=0, lines=0, pictures=0):
        code = cell("\n\n".join("x" for _ in range(lines)))
        code.outputs = [v4.new_output("display_data", {"image/png": ""}) for _ in range(pictures)]
        prose = v4.new_markdown_cell("word " * words)
        return render.reading_min(v4.new_notebook(cells=[prose, code]))

    assert minutes() == 0
    assert minutes(words=400) == minutes(lines=40) == minutes(pictures=6) == 2
    assert minutes(words=200, lines=20, pictures=3) == 3


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"first_run_s": 75, "later_run_s": 50}, (75, 50)),
        ({"first_run_s": 76, "later_run_s": 40}, (60, 40)),
        ({"first_run_s": 60, "later_run_s": 51}, (60, 40)),  # a pair is of one rendering
        ({"later_run_s": 40}, (60, 40)),
        ({}, (60, 40)),
    ],
)
def test_times_stay_as_they_are_where_both_are_near_what_was_measured(stored, told):
    assert tuple(render.times_to_tell(stored, 60, 40).values()) == told


@pytest.mark.slow
def test_times_far_from_the_stored_ones_are_told_anew(tmp_path):
    path = tmp_path / "00_small.ipynb"
    first = v4.new_markdown_cell("# 00 · Small\n~5 min · … · needs nothing")
    stored = {"first_run_s": 3, "later_run_s": 1000}
    nbformat.write(v4.new_notebook(cells=[first, cell("1")], metadata={"qkit": stored}), path)
    times = render.render_twice(path, tmp_path / "cache").metadata.qkit
    assert times.later_run_s < 100
    again = render.render(path).metadata.qkit
    assert times.code_sha256 == again["code_sha256"]


def test_the_readme_gets_table_and_picture(tmp_path):
    (tmp_path / "docs").mkdir()
    readme = tmp_path / "README.md"
    marked = "above\n<!-- table: made by notebook 03 -->\n{}<!-- end of table -->\nbelow\n"
    readme.write_text(marked.format("| old |\n"))
    table = "| a \\1 |\n| --- |"
    notebook = v4.new_notebook(
        cells=[
            shown("text/markdown", "| another |"),
            shown("text/markdown", table, "readme-table"),
            shown("image/png", _PNG, "readme-picture"),
        ]
    )
    for _ in range(2):
        render.update_readme(notebook, tmp_path)
        assert readme.read_text() == marked.format(table + "\n")
    assert (tmp_path / "docs" / "tradeoff.png").read_bytes() == b"picture"


def test_a_readme_without_the_marks_stays_as_it_is(tmp_path):
    (tmp_path / "README.md").write_text("prose\n")
    notebook = v4.new_notebook(cells=[shown("text/markdown", "| a |", "readme-table")])
    render.update_readme(notebook, tmp_path)
    assert (tmp_path / "README.md").read_text() == "prose\n"
    assert not (tmp_path / "docs").exists()
