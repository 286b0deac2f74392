"""The files that tests read: small, whole, and what the script makes of the same weights today."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from qkit.tflite.file import inspect

ROOT = Path(__file__).parent.parent
FILES = ROOT / "tests" / "files"
LARGEST_BYTES = 3e6


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "test_files.py"
    spec = importlib.util.spec_from_file_location("the_tool_that_makes_files", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def structure(tflite):
    """Return what must not differ from one machine to another."""
    file = inspect(tflite)
    tensors = [(t.name, t.dtype, t.shape, t.scale.size, t.axis, t.size_bytes) for t in file.tensors]
    operators = [
        (op.name, [t.name for t in op.inputs], [t.name for t in op.outputs])
        for op in file.operators
    ]
    return tensors, operators


def numbers(tflite):
    """Yield the grids and the stored values of a file, and how far apart they may be."""
    for tensor in inspect(tflite).tensors:
        yield tensor.scale, 1e-4 * tensor.scale
        yield tensor.zero_point, 1
        if tensor.dtype in ("float32", "float16", "int8", "int16"):
            values = tensor.data.view(tensor.dtype).astype(np.float64)
            step = 1 if tensor.dtype.startswith("int") else 1e-3
            yield values, step * (1 if step == 1 else np.abs(values).max(initial=0))


def test_they_are_small_and_hold_no_code():
    files = list(FILES.iterdir())
    assert sum(path.stat().st_size for path in files) < LARGEST_BYTES
    assert {path.suffix for path in files} == {".json", ".npz", ".tflite"}
    for path in FILES.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


@pytest.mark.slow
def test_made_anew_they_are_the_same(tool, tf, tmp_path):
    for path in FILES.glob("*.npz"):
        if not path.name.startswith("zoo"):  # a training on another processor ends elsewhere
            (tmp_path / path.name).write_bytes(path.read_bytes())
    tool.make_all(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in FILES.iterdir()}
    for path in FILES.glob("*.json"):
        assert (tmp_path / path.name).read_text() == path.read_text()
    for path in FILES.glob("*.npz"):
        with np.load(path) as stored, np.load(tmp_path / path.name) as made:
            assert stored.files == made.files
            for name in stored.files:
                np.testing.assert_allclose(made[name], stored[name], rtol=1e-4, atol=1e-5)
    for path in FILES.glob("*.tflite"):
        stored, made = path.read_bytes(), (tmp_path / path.name).read_bytes()
        assert structure(made) == structure(stored), path.name
        for (a, tolerance), (b, _) in zip(numbers(stored), numbers(made), strict=True):
            assert np.all(np.abs(a - b) <= tolerance), path.name


@pytest.mark.slow
def test_trainings_end_where_the_stored_ones_did(tool, tf, digits, tmp_path):
    made, stored = tool.trained_models(tmp_path), tool.trained_models(FILES)
    for name in ("", "pruned", "clustered", "pruned_clustered"):
        right = [
            np.mean(model.predict(digits.x_test, verbose=0).argmax(axis=1) == digits.y_test)
            for model in (made[name], stored[name])
        ]
        assert right[0] == pytest.approx(right[1], abs=0.04), name
        for a, b in zip(made[name].get_weights(), stored[name].get_weights(), strict=True):
            assert np.mean(a == 0) == pytest.approx(np.mean(b == 0), abs=0.02), name
