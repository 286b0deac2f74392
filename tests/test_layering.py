"""The house keeps its shape: imports go down only, one door leads to TensorFlow, names explain."""

import ast
import dataclasses
import importlib
import inspect
import re
import sys
from pathlib import Path

import pytest

import qkit as qk
from qkit.result import Result

PACKAGE = Path(qk.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up, no two on one floor; whoever adds a module at the root gives it a floor.
ORDER = (
    *(
        "_quiet",
        "_tensorflow",
        "validate",
        "samples",
        "result",
        "progress",
        "machine",
        "notebook",
        "cache",
    ),
    *("data", "networks", "models", "training_key", "training"),
    *("tflite", "quantize", "interpreter", "toolchain", "evaluate", "published"),
    "course",
    *("plots", "widgets"),
)
DRAWING = {"matplotlib", "ipywidgets"}
TENSORFLOW = {"tensorflow", "keras", "tf_keras"}
# The arithmetic leans on nothing that knows of models or files.
ARITHMETIC = re.compile(r"qkit(\.(quantize|validate|result)\b.*)?|numpy|scipy|ml_dtypes|pandas")
WALKING_A_FILE = re.compile(r"qkit\.(samples|tflite)\b.*")  # which only one module of it does


def name_of(path):
    """Return a module's dotted name below the package; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor(name):
    return ORDER.index(name.partition(".")[0])


def imported(source):
    """Yield the dotted names that a module imports anywhere, in functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(name, source):
    """Return what a module imports and must not; the face itself loads names by their text."""
    found = set()
    here = floor(name) if name else len(ORDER)
    for target in imported(source):
        top, _, rest = target.partition(".")
        if (
            (top == "qkit" and rest and floor(rest) > here)
            or (top in DRAWING and here < floor("plots") and name != "notebook")
            or (top in TENSORFLOW and name != "_tensorflow")
            or (
                here == floor("quantize")
                and top not in sys.stdlib_module_names
                and not ARITHMETIC.fullmatch(target if top == "qkit" else top)
                and not (name == "quantize.integer" and WALKING_A_FILE.fullmatch(target))
            )
        ):
            found.add(target)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "qkit")
def test_module_imports_nothing_from_above(path):
    assert breaches(name_of(path), path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("name", "source", "breach"),
    [
        ("machine", "from qkit.training import fit", "qkit.training"),
        ("data", "from qkit import quantize", "qkit.quantize"),
        ("tflite.probe", "from qkit import interpreter", "qkit.interpreter"),
        ("quantize.errors", "def f():\n    from qkit.evaluate.size import size", "qkit.evaluate"),
        ("evaluate.size", "import qkit.plots.style", "qkit.plots.style"),
        ("evaluate.size", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("plots.rows", "from qkit.widgets import rows", "qkit.widgets"),
        ("published.tables", "from qkit import plots", "qkit.plots"),
        ("training", "def f():\n    import tensorflow as tf", "tensorflow"),
        ("models", "from tf_keras import layers", "tf_keras"),
    ],
)
def test_the_check_sees_a_breach(name, source, breach):
    assert any(found.startswith(breach) for found in breaches(name, source))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path) or "qkit")
def test_module_is_one_idea_of_moderate_length(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


# Functions whose example would need a trained model, or that are their own description.
WITHOUT_EXAMPLE = {
    *("activation_ranges", "digit_answers", "published.int16_table", "quiet", "setup_notebook"),
}
WITHOUT_RESULT = {"check", "published.settle_batch_norm", "quiet", "setup_notebook"}
PUBLIC = {name: getattr(qk, name) for name in qk.__all__}
for package in (qk.models, qk.published):
    short = package.__name__.removeprefix("qkit.")
    PUBLIC |= {f"{short}.{name}": getattr(package, name) for name in package.__all__}
for module in (qk.calibration, qk.decision_tree, qk.grid, qk.mistakes, qk.simulation):
    PUBLIC |= {
        f"{module.__name__}.{name}": value
        for name, value in inspect.getmembers(module, inspect.isfunction)
        if value.__module__ == module.__name__ and name[0] != "_"
    }
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}


def results(base=Result):
    """Yield the classes of results, of all modules; those that others build on stand for none."""
    for cls in base.__subclasses__():
        yield from results(cls) if cls.__subclasses__() else [cls]


for path in MODULES:
    importlib.import_module(f"qkit.{name_of(path)}".rstrip("."))
RESULTS = {cls.__qualname__: cls for cls in results()}
CLASSES = RESULTS | {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


def section(doc, title):
    """Return a section of a numpydoc docstring; empty where there is none."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", doc, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def described(text):
    """Return the names that the head lines of a section describe, as in ``x, y : ndarray``."""
    heads = re.findall(r"^(\**\w+(?:, \**\w+)*)(?: : .*)?$", text, re.MULTILINE)
    return {name.lstrip("*") for head in heads for name in head.split(", ")}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_public_function_explains_itself(name):
    doc = inspect.getdoc(FUNCTIONS[name]) or ""
    assert re.match(r"[A-Z][^\n]*[.]\n|[A-Z][^\n]*[.]\Z", doc), "a summary line"
    arguments = set(inspect.signature(FUNCTIONS[name]).parameters)
    assert described(section(doc, "Parameters")) == arguments
    assert name in WITHOUT_RESULT or section(doc, "Returns") or section(doc, "Yields")
    if not name.startswith(("plot_", "explore_")):
        assert (">>>" in section(doc, "Examples")) != (name in WITHOUT_EXAMPLE)


@pytest.mark.parametrize("name", CLASSES)
def test_class_is_a_frozen_value_and_where_it_lists_its_fields_it_lists_all(name):
    cls = CLASSES[name]
    assert cls.__dataclass_params__.frozen
    fields = {field.name for field in dataclasses.fields(cls)}
    assert described(section(inspect.getdoc(cls), "Attributes")) in (set(), fields)


@pytest.mark.parametrize("name", RESULTS)
def test_result_says_itself_in_a_line(name):
    assert callable(RESULTS[name].summary)
