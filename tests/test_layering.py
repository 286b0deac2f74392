"""The house keeps its shape: imports go down only, one door leads to TensorFlow, names explain."""

import ast
import dataclasses
import inspect
import re
import sys
from pathlib import Path

import pytest

import qkit as qk

PACKAGE = Path(qk.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the ground up, no two on one floor; modules that are not named are the ground itself.
ORDER = (
    *("data", "image_folder", "networks", "models", "training"),
    *("tflite", "quantize", "interpreter", "toolchain", "evaluate", "published"),
    *("plots", "widgets"),
)
DRAWING = {"matplotlib", "ipywidgets"}
TENSORFLOW = {"tensorflow", "keras", "tf_keras"}
# The arithmetic leans on nothing that knows of models or files.
ARITHMETIC = re.compile(r"qkit(\.(quantize|validate|result)\b.*)?|numpy|scipy|ml_dtypes|pandas")


def name_of(path):
    """Return a module's dotted name below the package; empty for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor(name):
    top = name.partition(".")[0]
    return ORDER.index(top) + 1 if top in ORDER else 0


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
    """Return what a module imports and must not."""
    found = set()
    for target in imported(source):
        top, _, rest = target.partition(".")
        if (
            (top == "qkit" and name and floor(rest) > floor(name))  # the face itself may
            or (top in DRAWING and floor(name) < floor("plots") and name != "notebook")
            or (top in TENSORFLOW and name != "_tensorflow")
            or (
                floor(name) == floor("quantize")
                and top not in sys.stdlib_module_names
                and not ARITHMETIC.fullmatch(target if top == "qkit" else top)
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
        ("quantize.convert", "def f():\n    from qkit.evaluate.size import size", "qkit.evaluate"),
        ("evaluate.size", "import qkit.plots.style", "qkit.plots.style"),
        ("evaluate.size", "import matplotlib.pyplot as plt", "matplotlib.pyplot"),
        ("plots.sizes", "from qkit.widgets import sizes", "qkit.widgets"),
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


# Functions whose example would be a picture, need a trained model, or be their own description.
WITHOUT_EXAMPLE = {
    "activation_ranges",
    "digit_answers",
    "explore_bits",
    "explore_calibration",
    "explore_clusters",
    "explore_decision_tree",
    "explore_digit",
    "explore_mistakes",
    "explore_schemes",
    "explore_sparsity",
    "plot_accuracies",
    "plot_architectures",
    "plot_bytes_by_stage",
    "plot_calibration_effect",
    "plot_digit_answers",
    "plot_effect",
    "plot_flips",
    "plot_grid_fit",
    "plot_int16_effects",
    "plot_latencies",
    "plot_mask",
    "plot_mistake",
    "plot_range_history",
    "plot_scheme_rows",
    "plot_sizes",
    "plot_tradeoff",
    "plot_weight_histogram",
    "plot_weight_history",
    "quiet",
    "setup_notebook",
}
PUBLIC = {name: getattr(qk, name) for name in qk.__all__}
MODELS = ("depthwise_cnn", "walkthrough_cnn")
PUBLIC |= {f"models.{n}": getattr(qk.models, n) for n in MODELS}
NAMES = ("calibration", "decision_tree", "grid", "mistakes", "published", "simulation")
PUBLIC |= {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (getattr(qk, name) for name in NAMES)
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value)}


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
    if not name.endswith(("check", "quiet", "setup_notebook")):
        assert section(doc, "Returns") or section(doc, "Yields")
    assert (">>>" in section(doc, "Examples")) != (name in WITHOUT_EXAMPLE)


@pytest.mark.parametrize("name", CLASSES)
def test_public_class_is_a_frozen_value_with_every_field_described(name):
    cls = CLASSES[name]
    assert cls.__dataclass_params__.frozen
    fields = {field.name for field in dataclasses.fields(cls)}
    assert described(section(inspect.getdoc(cls), "Attributes")) == fields


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"Scheme", "Dataset", "Metric"}))
def test_result_has_a_table_and_a_line(name):
    assert callable(CLASSES[name].to_frame)
    assert callable(CLASSES[name].summary)
