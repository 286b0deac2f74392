"""The hash of items and labels tells them apart, in whatever they come."""

import numpy as np
import pytest
from PIL import Image

import qkit as qk
from qkit.evaluate.provenance import provenance
from qkit.samples import gathered

X = np.arange(24, dtype=np.float32).reshape(6, 2, 2)


def sha(x, y=None):
    return provenance(x, y).items_sha256


def test_values_shapes_dtypes_order_and_labels_count():
    y = np.arange(6)
    hashes = {
        sha(X), sha(X, y), sha(X[::-1], y), sha(X, y[::-1]), sha(X.reshape(6, 4), y),
        sha(X.astype(np.float64), y), sha({"a": X}, y), sha({"b": X}, y), sha({"a": X, "b": X}),
    }  # fmt: skip
    assert len(hashes) == 9
    assert sha(np.asfortranarray(X), y.tolist()) == sha(X, y), "how they lie in memory does not"
    assert sha({"a": X, "b": X + 1}) == sha({"b": X + 1, "a": X})
    assert sha(None, None) == ""


def folder(path, colours):
    for name, colour in colours.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), colour).save(path / name)
    return qk.load_image_folder(path, 8, lambda pixels: pixels / 255)


def test_of_a_folder_the_images_and_classes_count_and_not_its_name(tmp_path):
    first = folder(tmp_path / "a", {"cat/0.png": 3, "dog/1.png": 4})
    assert sha(first) == sha(folder(tmp_path / "b", {"cat/x.png": 3, "dog/y.png": 4}))
    assert sha(first) != sha(folder(tmp_path / "c", {"cat/0.png": 3, "dog/1.png": 5}))
    assert sha(first) != sha(folder(tmp_path / "d", {"cat/0.png": 3, "cat/1.png": 4}))


def test_a_pipeline_that_does_not_fit_is_known_by_its_parts(monkeypatch):
    monkeypatch.setattr("qkit.samples._IN_MEMORY", 40)

    class Pipeline:
        def __init__(self, x):
            self.x = x

        def __iter__(self):
            return iter([(self.x[:3],), (self.x[3:],)])

    takes = {"x": ((2, 2), np.float32)}
    first, same, other = (gathered(Pipeline(x), takes, large=True) for x in (X, X.copy(), X + 1))
    assert sha(first) == sha(same) != sha(other)


def test_a_summary_says_when_where_and_on_what():
    found = provenance(X)
    assert found.summary() == (
        f"{found.date}, qkit {qk.__version__}, {qk.environment().summary()}, items {sha(X)[:12]}"
    )
    assert found.to_frame().loc["items_sha256", "found"] == sha(X)
    with pytest.raises(AttributeError):
        found.date = ""
