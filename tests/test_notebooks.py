"""Guards over the stored notebooks: what a reader sees is fresh, whole, and the same everywhere.

No kernel runs here; nbval runs the notebooks themselves. A guard takes a notebook and returns what
is wrong with it, or nothing; each guard is itself tested on a notebook spoilt on purpose.
"""

import base64
import re

import nbformat
import pytest
from nbformat import v4

from qkit.course.exercises import exercises
from qkit.course.glossary import glossary
from tools import course
from tools.render import (
    README_TABLE,
    ROOT,
    code_sha256,
    header,
    notebook_paths,
    reading_min,
    tagged_output,
)

CHECKED = "nbval-check-output"
NOTEBOOKS = notebook_paths()
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "notebooks"]
SOLUTIONS = [path for path in NOTEBOOKS if path.parent.name == "solutions"]

_TITLE = re.compile(r"# (\d\d) · \S.*")
_MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:home|root|tmp|work|Users|private|var/folders)/|\b[A-Za-z]:\\+Users\b"
)
_INLINE_PICTURE = re.compile(r"base64,[A-Za-z0-9+/=\s]+")
_TIMING = re.compile(r"\d ?(?:ns|[uµμ]s|ms|s|sec|seconds?|min|minutes?)\b")
_FIGURE = re.compile(r"<(?:Figure size|Axes\b|matplotlib\.)")


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(notebook, tag=None):
    return [c for c in notebook.cells if c.cell_type == "code" and (not tag or tag in tags(c))]


def texts(output):
    """Yield what an output says in words: streams, and every representation but pictures."""
    if "text" in output:
        yield output.text
    yield from output.get("traceback", ())
    for mime, content in output.get("data", {}).items():
        if not mime.startswith("image/"):
            yield _INLINE_PICTURE.sub("", str(content))


def complaint(cell, words):
    return f"{words} in the cell {cell.source[:60]!r}"


# --- the guards ---------------------------------------------------------------------------------


def stale(notebook):
    if notebook.metadata.get("qkit", {}).get("code_sha256") != code_sha256(notebook):
        return "the outputs are not from this code: run `make notebooks`"
    return None


def failing(notebook):
    for cell in code_cells(notebook):
        if "raises-exception" not in tags(cell):
            for output in cell.outputs:
                if output.output_type == "error":
                    return complaint(cell, f"an error ({output.ename})")
    return None


def not_run(notebook):
    for cell in code_cells(notebook):
        if cell.execution_count is None:
            return complaint(cell, "no execution count")
    return None


def checked_without_output(notebook):
    """Tell where nbval would compare nothing, and pass."""
    for cell in code_cells(notebook, CHECKED):
        if cell.execution_count is None:
            return complaint(cell, "no execution count")
        if not "".join(text for output in cell.outputs for text in texts(output)).strip():
            return complaint(cell, "nothing stored to compare")
    return None


def checked_that_varies(notebook):
    for cell in code_cells(notebook, CHECKED):
        if "varies" in tags(cell):
            return complaint(cell, "tagged as checked and as varying")
        for output in cell.outputs:
            said = "\n".join(texts(output))
            if any(mime.startswith("image/") for mime in output.get("data", ())):
                return complaint(cell, "a picture to compare")
            if output.get("name") == "stderr":
                return complaint(cell, "a warning to compare")
            for what, pattern in (("figure", _FIGURE), ("timing", _TIMING)):
                if found := pattern.search(said):
                    return complaint(cell, f"a {what} to compare ({found[0]!r})")
    return None


def state_of_widgets(notebook):
    if "widgets" in notebook.metadata:
        return "the state of widgets is stored"
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if any("jupyter.widget" in mime for mime in output.get("data", ())):
                return complaint(cell, "a view without its state")
    return None


def heavy(notebook):
    size_mb = len(nbformat.writes(notebook).encode()) / 1e6
    return f"{size_mb:.2f} MB, more than 1.5" if size_mb > 1.5 else None


def machine_path(notebook):
    for cell in notebook.cells:
        said = [cell.source, *(t for output in cell.get("outputs", ()) for t in texts(output))]
        for text in said:
            if found := _MACHINE_PATH.search(text):
                return complaint(cell, f"a path of one machine ({found[0]!r})")
    return None


def untitled(notebook):
    first = notebook.cells[0]
    if first.cell_type != "markdown" or not _TITLE.fullmatch(first.source.split("\n")[0]):
        return "the first line is not of the form `# NN · Title`"
    return None


def unusual_set_up(notebook):
    source = code_cells(notebook)[0].source
    if "qk.setup_notebook()" not in source:
        return "the first code cell does not call qk.setup_notebook()"
    if len(source.splitlines()) > 6:
        return "the first code cell has more than 6 lines"
    return None


def on_stand_in_data(notebook):
    """Tell where the outputs were made without MNIST: the README would show the digits' figures."""
    if not any("load_data" in cell.source for cell in code_cells(notebook)):
        return None  # it looks at no data
    said = "".join(t for output in code_cells(notebook)[0].outputs for t in texts(output))
    if said.startswith("mnist:"):
        return None
    return f"rendered on other data than MNIST ({said[:40]!r}): set QKIT_DATA and render again"


GUARDS = [
    stale,
    failing,
    not_run,
    checked_without_output,
    checked_that_varies,
    state_of_widgets,
    heavy,
    machine_path,
    untitled,
    unusual_set_up,
    on_stand_in_data,
]


def too_few_checked(notebook):
    found = len(code_cells(notebook, CHECKED))
    return f"{found} cells are checked, and 3 is the least" if found < 3 else None


def header_of_other_times(notebook):
    """Tell where the header's times are not those that were measured."""
    if not {"first_run_s", "later_run_s"} <= set(notebook.metadata.get("qkit", {})):
        return "no times measured: run `make notebooks`"
    if header(notebook) != notebook.cells[0].source:
        return "the header says other times than were measured"
    return None


def too_slow(notebook):
    """Tell where a first run takes longer than a reader waits, on two cores."""
    longest_s = 180 if notebook.cells[0].source[2:4] <= "04" else 360
    first_s = notebook.metadata.get("qkit", {}).get("first_run_s", 0)
    return f"a first run takes {first_s} s, more than {longest_s}" if first_s > longest_s else None


def unanswered(notebook):
    for cell in code_cells(notebook):
        if "qk.check(" in cell.source:
            for text in (text for output in cell.outputs for text in texts(output)):
                if " · not " in text:
                    return complaint(cell, text.strip())
    return None


def long_cells(notebook):
    """Tell where a cell has more than fifteen lines: its plumbing belongs into the kit, or out."""
    for cell in code_cells(notebook):
        if len(cell.source.splitlines()) > 15:
            return complaint(cell, f"{len(cell.source.splitlines())} lines")
    return None


def checked_names(notebook):
    """Return the names of the exercises that a notebook checks, in order."""
    cells = code_cells(notebook)
    return [name for cell in cells for name in re.findall(r'qk\.check\(\s*"([^"]+)"', cell.source)]


def leaking(notebook):
    """Tell where the cell of an exercise does more than ask: its check is in the kit."""
    for cell in code_cells(notebook):
        if "qk.check(" in cell.source:
            if re.search(r"^\w+ = \.\.\.", cell.source, re.MULTILINE) is None:
                return complaint(cell, "no stub `answer = ...`")
            if re.search(r"\b(def|lambda|hint|assert)\b", cell.source):
                return complaint(cell, "part of the check is on the screen")
    return None


# --- the notebooks ------------------------------------------------------------------------------


def read(path):
    return nbformat.read(path, as_version=4)


def names(paths):
    return {"argvalues": paths, "ids": [f"{p.parent.name}/{p.stem}" for p in paths]}


def test_there_are_notebooks():
    assert LESSONS


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("path", **names(NOTEBOOKS))
def test_notebook(path, guard):
    assert guard(read(path)) is None


@pytest.mark.parametrize("path", **names(NOTEBOOKS))
def test_the_title_bears_the_number_of_the_file(path):
    assert _TITLE.match(read(path).cells[0].source)[1] == path.name[:2]


@pytest.mark.parametrize("path", **names(LESSONS))
def test_lesson_is_checked(path):
    assert too_few_checked(read(path)) is None


@pytest.mark.parametrize("path", **names(LESSONS))
def test_lesson_says_how_long_it_takes(path):
    assert header_of_other_times(read(path)) is None


def test_the_first_five_are_read_in_two_hours():
    assert sum(reading_min(read(path)) for path in LESSONS[:5]) <= 120


# Of what a first run takes, most is conversion and measurement: the networks come with the kit.
@pytest.mark.parametrize("path", **names(LESSONS))
def test_first_run_is_bearable(path):
    assert too_slow(read(path)) is None


@pytest.mark.parametrize("path", **names(LESSONS))
def test_each_exercise_is_posed_and_solved_once(path):
    posed = exercises(path.name[:2])
    assert 2 <= len(posed) <= 6
    assert checked_names(read(path)) == posed
    assert checked_names(read(path.parents[1] / "solutions" / path.name)) == posed


@pytest.mark.parametrize("path", **names(LESSONS))
def test_no_cell_is_long(path):
    assert long_cells(read(path)) is None


@pytest.mark.parametrize("path", **names(LESSONS))
def test_no_answer_is_on_the_screen(path):
    assert leaking(read(path)) is None


@pytest.mark.parametrize("path", **names(SOLUTIONS))
def test_solution_is_right(path):
    assert path.name in {p.name for p in LESSONS}
    assert unanswered(read(path)) is None


def walkthrough():
    path = ROOT / "notebooks" / "03_quantization_aware_training.ipynb"
    if not path.exists():
        pytest.skip("there is no notebook 03 yet")
    return read(path)


def test_map_and_ways_are_those_of_the_one_list_of_lessons():
    assert [lesson["notebook"] for lesson in course.lessons()] == [path.stem for path in LESSONS]
    for path, text in course.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python -m tools.course"


def test_each_lesson_leads_to_the_next_and_the_map_to_all():
    listed = course.lessons()
    for number, path in enumerate(LESSONS):
        assert course.ways(listed, number) in nbformat.read(path, as_version=4).cells[-1].source
    told = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert all(course.link(lesson) in told for lesson in listed[1:])


def test_words_of_the_field_lead_to_the_glossary_where_they_come_first():
    text = {path.name[:2]: path.read_text(encoding="utf-8") for path in LESSONS}
    terms = glossary()["notebook"].items()
    linked = [
        term for term, lesson in terms if f"GLOSSARY.md#{course.anchor(term)})" in text[lesson]
    ]
    assert linked == [*glossary().index]


def test_the_readme_shows_the_table_of_notebook_03():
    notebook, readme = walkthrough(), ROOT / "README.md"
    found = README_TABLE.search(readme.read_text(encoding="utf-8")) if readme.exists() else None
    if not found:
        pytest.skip("README.md has no place for the table yet")
    table = tagged_output(notebook, "readme-table", "text/markdown")
    assert table, "notebook 03 stores no table for the README: run `make notebooks`"
    assert found[0] == f"{found[1]}{table.strip()}\n{found[2]}"


def test_the_readme_shows_the_picture_of_notebook_03():
    picture = tagged_output(walkthrough(), "readme-picture", "image/png")
    assert picture, "notebook 03 stores no picture for the README: run `make notebooks`"
    assert (ROOT / "docs" / "tradeoff.png").read_bytes() == base64.b64decode(picture)


# --- the guards, on notebooks spoilt on purpose --------------------------------------------------


def printed(text, **more):
    return v4.new_output("stream", text=text, **more)


def data(mime, content):
    return v4.new_output("display_data", {mime: content})


def ran(source, output, *cell_tags):
    return v4.new_code_cell(
        source, outputs=[output], execution_count=1, metadata={"tags": list(cell_tags)}
    )


def good_notebook():
    notebook = v4.new_notebook(
        cells=[
            v4.new_markdown_cell(
                "# 07 · A title\n"
                "~5 min to read · first run 2 min on two cores, later 30 s · needs 00\n"
                "See https://example.org/home/page."
            ),
            ran(
                "import qkit as qk\nqk.setup_notebook()\nqk.load_data()",
                printed("mnist: 60,000 images\n"),
            ),
            ran("plt.plot()", data("image/png", "+/tmp/ABC")),
            ran("1 / 0", v4.new_output("error", ename="E", evalue="", traceback=[]), "varies"),
            ran('answer = ...\nqk.check("07.1", answer)', printed("07.1 · correct\n"), CHECKED),
            *(ran(f"print({n})", printed(f"{n} of 5 steps, 90 %\n"), CHECKED) for n in (1, 2)),
        ]
    )
    notebook.cells[3].metadata.tags.append("raises-exception")
    notebook.metadata.qkit = {
        "code_sha256": code_sha256(notebook),
        "first_run_s": 118,
        "later_run_s": 27,
    }
    return notebook


def spoil(*, cell=-1, output=None, **changes):
    """Return a function that changes one cell, or puts another output into it."""

    def change(notebook):
        for name, value in changes.items():
            notebook.cells[cell][name] = value
        if output is not None:
            notebook.cells[cell].outputs = [output]

    return change


def keep_state(notebook):
    notebook.metadata["widgets"] = {}


def forget_hash(notebook):
    del notebook.metadata["qkit"]


def set_times(**times):
    return lambda notebook: notebook.metadata.qkit.update(times)


def drop_title(notebook):
    del notebook.cells[0]


def uncheck(notebook):
    notebook.cells[-1].metadata.tags.remove(CHECKED)


def check_what_varies(notebook):
    notebook.cells[-1].metadata.tags.append("varies")


def forbid_the_error(notebook):
    notebook.cells[3].metadata.tags.remove("raises-exception")


VIEW = "application/vnd.jupyter.widget-view+json"
SPOILT = [
    (stale, spoil(source="print(3)")),
    (stale, forget_hash),
    (failing, forbid_the_error),
    (not_run, spoil(cell=2, execution_count=None)),
    (checked_without_output, spoil(execution_count=None)),
    (checked_without_output, spoil(outputs=[])),
    (checked_without_output, spoil(output=printed(" \n"))),
    (checked_without_output, spoil(output=data("text/plain", ""))),
    (checked_that_varies, check_what_varies),
    (checked_that_varies, spoil(output=data("image/png", "AAAA"))),
    (checked_that_varies, spoil(output=data("text/plain", "<Figure size 704x528 with 1 Axes>"))),
    (checked_that_varies, spoil(output=data("text/plain", "<Axes: title={'center': 'x'}>"))),
    (checked_that_varies, spoil(output=printed("warned", name="stderr"))),
    *[
        (checked_that_varies, spoil(output=printed(f"invoke takes {time} here")))
        for time in ("7.3 µs", "7 μs", "12 us", "110ms", "3.2 s", "1 min", "40 seconds", "5 ns")
    ],
    (header_of_other_times, set_times(first_run_s=121)),
    (header_of_other_times, set_times(later_run_s=31)),
    (header_of_other_times, forget_hash),
    (too_slow, set_times(first_run_s=361)),
    (state_of_widgets, keep_state),
    (state_of_widgets, spoil(output=data(VIEW, {"model_id": "a"}))),
    (heavy, spoil(cell=2, output=data("image/png", "A" * 1_600_000))),
    (machine_path, spoil(source="open('/home/me/x')")),
    (machine_path, spoil(cell=0, source="see /home/notes")),
    (machine_path, spoil(output=printed("saved in /tmp/x1/model.tflite"))),
    (machine_path, spoil(output=data("text/html", "<b>/Users/me/mnist.npz</b>"))),
    (machine_path, spoil(source=r"open('C:\\Users\\me')")),
    (untitled, spoil(cell=0, source="# 7: A title")),
    (untitled, spoil(cell=0, source="intro\n# 07 · A title")),
    (untitled, drop_title),
    (unusual_set_up, spoil(cell=1, source="import qkit as qk")),
    (unusual_set_up, spoil(cell=1, source="qk.setup_notebook()\n" + "1\n" * 6)),
    (on_stand_in_data, spoil(cell=1, output=printed("digits: 1,297 training images\n"))),
    (too_few_checked, uncheck),
    (unanswered, spoil(cell=4, output=printed("07.1 · not answered yet\n"))),
    (unanswered, spoil(cell=4, output=printed("07.1 · not yet: count again\n"))),
    (long_cells, spoil(source="\n".join(f"print({n})" for n in range(16)))),
    (leaking, spoil(cell=4, source='answer = 3\nqk.check("07.1", answer)')),
    (leaking, spoil(cell=4, source='answer = ...\nqk.check("07.1", answer, lambda a: a == 3)')),
]


@pytest.mark.parametrize(
    "guard",
    [*GUARDS, too_few_checked, header_of_other_times, too_slow, unanswered, leaking, long_cells],
)
def test_guard_lets_a_good_notebook_pass(guard):
    assert guard(good_notebook()) is None


@pytest.mark.parametrize(("guard", "change"), SPOILT)
def test_guard_sees_a_spoilt_notebook(guard, change):
    notebook = good_notebook()
    change(notebook)
    assert guard(notebook)
