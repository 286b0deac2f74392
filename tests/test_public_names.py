"""The stub is the one list of public names: all are there, and editors find them."""

import importlib
import re
from pathlib import Path

import jedi
import pytest

import qkit as qk

STUB = Path(qk.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
LINES = re.findall(r"^from ([\w.]+) import (\w+) as \2$", STUB, re.MULTILINE)
MODULES = ["calibration", "decision_tree", "grid", "integer", "mistakes", "models", "published",
           "simulation"]  # fmt: skip
PROJECT = jedi.Project(Path(qk.__file__).parents[1])


def completed(typed):
    """Return what an editor offers after these letters, by name, from the source alone."""
    script = jedi.Script(f"import qkit as qk\n{typed}", project=PROJECT)
    return {offer.name: offer for offer in script.complete()}


def test_every_line_of_the_stub_is_a_name_and_none_is_there_twice():
    imports = re.findall(r"^from .*", STUB, re.MULTILINE)
    assert len(imports) == len(LINES)
    assert sorted(name for _, name in LINES) == qk.__all__


@pytest.mark.parametrize(("home", "name"), LINES)
def test_name_is_what_the_stub_says(home, name):
    found = importlib.import_module(f"{home}.{name}" if name in MODULES else home)
    assert getattr(qk, name) is (found if name in MODULES else getattr(found, name))


def test_no_module_takes_the_place_of_a_name_when_it_is_imported(run_python):
    # a submodule qkit/x.py binds qkit.x when it is loaded, whatever x was to be
    code = (
        "import importlib, types, qkit as qk\n"
        f"for home in {sorted({home for home, _ in LINES})}: importlib.import_module(home)\n"
        "print(sorted(n for n in qk.__all__ if isinstance(getattr(qk, n), types.ModuleType)))"
    )
    assert run_python(code) == str(MODULES)


@pytest.mark.parametrize(
    ("typed", "name", "said"),
    [
        ("qk.conv", "convert", "model"),
        ("qk.load_d", "load_data", "Load a data set, held against its published MD5 sums."),
        ("qk.SCH", "SCHEMES", ""),
        ("qk.grid.choose", "choose_qparams", "scale"),
        ("qk.models.walk", "walkthrough_cnn", ""),
    ],
)
def test_editor_completes_without_running_anything(typed, name, said):
    assert said in completed(typed)[name].docstring()


def test_editor_completes_all_names():
    assert set(qk.__all__) <= set(completed("qk."))


def test_console_completes_names_that_nobody_has_used():
    found = {offer.name for offer in jedi.Interpreter("qk.plot_siz", [{"qk": qk}]).complete()}
    assert found == {"plot_sizes"}


def test_stub_is_shipped():
    settings = (PROJECT.path / "pyproject.toml").read_text(encoding="utf-8")
    assert 'qkit = ["*.pyi"' in settings
