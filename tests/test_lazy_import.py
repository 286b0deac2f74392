"""`import qkit` costs next to nothing, and TensorFlow comes only with what needs it, in Keras 2."""

import json

import pytest

import qkit as qk

HEAVY = ("tensorflow", "keras", "tf_keras", "matplotlib", "ipywidgets", "pandas", "sklearn")

LOADED = f"import sys, json; print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"


def test_import_is_quick(run_python):
    code = (
        "import time; t = time.perf_counter(); import qkit; print(time.perf_counter() - t);"
        "assert 'tensorflow' not in __import__('sys').modules"
    )
    assert min(float(run_python(code)) for _ in range(4)) < 0.3


@pytest.mark.parametrize(
    "statement",
    [
        "import qkit",
        "import qkit.toolchain.schemes, qkit.evaluate.significance",
        "import qkit; qkit.SCHEMES['qat'], qkit.paired, qkit.accuracy, qkit.size, qkit.latency",
    ],
)
def test_import_loads_nothing_heavy(run_python, statement):
    assert json.loads(run_python(f"{statement}; {LOADED}")) == []


def test_no_module_below_the_plots_loads_anything_heavy(run_python):
    code = (
        "import pkgutil, importlib, qkit\n"
        "for m in pkgutil.walk_packages(qkit.__path__, 'qkit.'):\n"
        "    if not m.name.startswith(('qkit.plots', 'qkit.widgets')):\n"
        "        importlib.import_module(m.name)\n"
    )
    assert json.loads(run_python(code + LOADED)) == []


def test_tensorflow_may_be_forbidden(run_python):
    code = "import sys; sys.modules['tensorflow'] = None; import qkit as qk; print(qk.paired)"
    assert "function paired" in run_python(code)


def test_significance_and_a_files_accuracy_need_no_tensorflow(run_python, toy_tflite, tmp_path):
    (tmp_path / "toy.tflite").write_bytes(toy_tflite)
    code = (
        "import qkit as qk, numpy as np, sys\n"
        "tflite = open('toy.tflite', 'rb').read()\n"
        "found = qk.accuracy(tflite, np.ones((2, 4, 4), np.float32), np.array([0, 1]))\n"
        "print(found.n, qk.paired(found, found).p_value, qk.size(tflite).size_bytes)\n"
        "assert 'tensorflow' not in sys.modules"
    )
    assert run_python(code) == f"2 1.0 {len(toy_tflite)}"


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(AttributeError, match=r"no attribute 'acuracy'; it has .*accuracy"):
        _ = qk.acuracy


@pytest.mark.slow
def test_tensorflow_first_is_fine_while_its_keras_is_untouched(run_python):
    code = (
        "import warnings, tensorflow as tf\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('error')\n"
        "    import qkit as qk\n"
        "model = qk.models.walkthrough_cnn()\n"
        "print(isinstance(model, tf.keras.Model), type(model).__module__)"
    )
    assert run_python(code, TF_USE_LEGACY_KERAS=None).startswith("True tf_keras")


# TensorFlow itself takes seconds to import: the quick test has something that looks like it
PRETENDED = "import types; tf = types.SimpleNamespace(keras=types.SimpleNamespace()); "
PRETENDED += "tf.keras.__version__ = '3.15.1'; sys.modules['tensorflow'] = tf\n"


@pytest.mark.parametrize(
    "tensorflow",
    [
        pytest.param(PRETENDED, id="pretended"),
        pytest.param("import tensorflow as tf\n", marks=pytest.mark.slow, id="real"),
    ],
)
def test_keras_3_first_is_said_at_once_and_refused(run_python, tensorflow):
    code = (
        "import sys, warnings\n" + tensorflow + "assert tf.keras.__version__.startswith('3')\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('always')\n"
        "    import qkit as qk\n"
        "print(said[0].message)\n"
        "try:\n"
        "    qk.models.walkthrough_cnn()\n"
        "except RuntimeError as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    warning, error = run_python(code, TF_USE_LEGACY_KERAS=None).splitlines()
    for text in (warning, error.removeprefix("KerasVersionError")):
        assert "Keras 3" in text
        assert "Restart the kernel and run `import qkit` before" in text
    assert error.startswith("KerasVersionError")
