"""What is handed out: every exercise marked for nbgrader, no output, and no solution."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from qkit.course import exercises
from tools import assignment
from tools.render import ROOT

SOLUTIONS = sorted(ROOT.glob("solutions/*.ipynb"))
CALL = re.compile(r'qk\.check\(\s*"([^"]+)"')
STUB = 'kernel = 3\nend = ...  # your number\nqk.check("01.9", end, right=1.0)'


def lesson():
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(
                "# 01 · A title\n[02 · Next](02_next.ipynb), [docs](../docs/x.md#y), [web](https://x)"
            ),
            v4.new_code_cell("print(1)", outputs=[v4.new_output("stream", text="1\n")]),
            v4.new_code_cell(STUB, execution_count=3, id="the-stub"),
        ],
        metadata={"qkit": {"code_sha256": "…"}},
    )


def metadata(notebook):
    return [c.metadata["nbgrader"] for c in notebook.cells if "nbgrader" in c.metadata]


@pytest.fixture(scope="module")
def handed_out(tmp_path_factory):
    """Return by name what is written of each lesson, and the folder."""
    folder = tmp_path_factory.mktemp("assignment")
    assignment.main(folder)
    paths = folder.glob("source/*/*.ipynb")
    return folder, {path.name: nbformat.read(path, as_version=4) for path in paths}


def test_a_stub_is_the_students_and_the_cell_below_it_gives_the_point():
    made = assignment.assignment(lesson())
    stub, check = made.cells[-2:]
    assert (stub.id, stub.source, stub.execution_count) == ("the-stub", STUB, None)
    assert 'qk.check("01.9", end, right=1.0)\n' in check.source
    theirs, ours = metadata(made)
    assert (theirs["solution"], theirs["grade"], theirs["locked"]) == (True, False, False)
    assert (ours["solution"], ours["grade"], ours["locked"]) == (False, True, True)
    assert (ours["points"], ours["grade_id"]) == (1, "check-01-9")
    assert made.cells[1].outputs == []
    assert "qkit" not in made.metadata


def test_links_lead_where_things_lie_now_or_nowhere():
    text = assignment.assignment(lesson()).cells[0].source
    assert text.endswith("[02 · Next](../02_next/02_next.ipynb), docs, [web](https://x)")


@pytest.mark.parametrize(("end", "point"), [("1.0", True), ("9.0", False), ("...", False)])
def test_only_a_right_answer_gets_the_point(end, point, tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    asked = (lambda answer, right: None if answer == right else "count again"), "a number"
    monkeypatch.setitem(exercises._EXERCISES, "01.9", asked)
    *_, stub, check = assignment.assignment(lesson()).cells
    session = {}
    exec("import qkit as qk\n" + stub.source.replace("...", "1.0"), session)  # an earlier one
    exec(stub.source.replace("...", end), session)
    if point:
        exec(check.source, session)
    else:
        with pytest.raises(AssertionError, match=r"01\.9 is not right yet"):
            exec(check.source, session)


def test_each_exercise_of_each_lesson_gets_a_point_and_nothing_is_shown(handed_out):
    _, notebooks = handed_out
    assert {*notebooks} == {path.name for path in ROOT.glob("notebooks/*.ipynb")}
    for name, made in notebooks.items():
        asked = CALL.findall((ROOT / "notebooks" / name).read_text("utf-8").replace('\\"', '"'))
        given = [told["grade_id"] for told in metadata(made) if told["grade"]]
        assert given == [f"check-{each.replace('.', '-')}" for each in asked]
        assert not any(cell.get("outputs") for cell in made.cells)


def test_a_lesson_has_the_tables_that_it_reads(handed_out):
    folder, notebooks = handed_out
    for name, made in notebooks.items():
        read = re.findall(r'read_csv\("([^"]+)"', "\n".join(cell.source for cell in made.cells))
        assert all((folder / "source" / Path(name).stem / table).exists() for table in read)


def handed_out_too(solution, made):
    """Return the answers of a solution that are in what is handed out."""
    said = "\n".join(cell.source for cell in made.cells)
    sources = [cell.source for cell in solution.cells if CALL.search(cell.source)]
    answers = [CALL.split(source)[0].strip() for source in sources]
    return [answer for answer in answers if answer and answer in said]


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_no_solution_is_handed_out(path, handed_out):
    assert not handed_out_too(nbformat.read(path, as_version=4), handed_out[1][path.name])


def test_a_solution_that_is_handed_out_is_seen():
    made, solution = assignment.assignment(lesson()), lesson()
    solution.cells[-1].source = STUB.replace("...", "1.0")
    assert not handed_out_too(solution, made)
    made.cells[0].source += "\n" + solution.cells[-1].source
    assert handed_out_too(solution, made) == ["kernel = 3\nend = 1.0  # your number"]


def valid(notebook):
    """Raise what is wrong with the metadata: by nbgrader's own schema, or by what it asks for."""
    try:
        from nbgrader.nbgraderformat import MetadataValidator
    except ImportError:
        for told in metadata(notebook):
            assert told["schema_version"] == 3
            assert re.fullmatch(r"[\w-]+", told["grade_id"])
            assert all(type(told[key]) is bool for key in ("grade", "locked", "solution", "task"))
            assert isinstance(told.get("points", 0), int)
            assert ("points" in told) == told["grade"]
        ids = [told["grade_id"] for told in metadata(notebook)]
        assert len({*ids}) == len(ids), "nbgrader knows a cell by its id"
    else:
        MetadataValidator().validate_nb(notebook)


def test_metadata_are_as_nbgrader_wants_them(handed_out):
    for made in [*handed_out[1].values(), assignment.assignment(lesson())]:
        nbformat.validate(made)
        valid(json_alike(made))


def json_alike(notebook):
    return nbformat.from_dict(json.loads(json.dumps(notebook)))


@pytest.mark.parametrize("spoil", [{"points": "one"}, {"locked": 1}, {"grade_id": "a b"}])
def test_the_look_at_the_metadata_sees_what_is_spoilt(spoil):
    made = assignment.assignment(lesson())
    made.cells[-1].metadata["nbgrader"] |= spoil
    with pytest.raises(Exception):  # noqa: B017, PT011 - nbgrader's own, or an assertion
        valid(json_alike(made))
