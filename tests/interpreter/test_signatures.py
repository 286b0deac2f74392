"""Of a file with several signatures, the one that is named is run, timed and judged."""

import tempfile

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.edit import first_signature

X = np.random.default_rng(0).random((20, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def tflite(tf):
    """Return a file of three functions of one module, one of them with a loop, and the module."""

    class Several(tf.Module):
        def __init__(self):
            self.kernel = tf.Variable(np.random.default_rng(1).random((6, 3)).astype(np.float32))

        @tf.function(input_signature=[tf.TensorSpec((1, 6), tf.float32, "x")])
        def scores(self, x):
            return {"scores": x @ self.kernel}

        @tf.function(input_signature=[tf.TensorSpec((1, 6), tf.float32, "x")])
        def doubled(self, x):
            return {"twice": 2 * x}

        @tf.function(input_signature=[tf.TensorSpec((1, 6), tf.float32, "x")])
        def powers(self, x):
            for _ in tf.range(3):
                x = x * x
            return {"eighth": x}

    module, folder = Several(), tempfile.mkdtemp()
    keys = {name: getattr(module, name) for name in ("doubled", "powers", "scores")}
    with qk.quiet():
        tf.saved_model.save(module, folder, signatures=keys)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[*keys])
        return converter.convert(), module.kernel.numpy()


@pytest.mark.parametrize("name", ["doubled", "powers", "scores"])
def test_each_computes_what_its_function_does(name, tflite):
    file, kernel = tflite
    expected = {"doubled": 2 * X, "powers": X**8, "scores": X @ kernel}[name]
    np.testing.assert_allclose(qk.outputs(file, X, signature=name), expected, rtol=1e-5)
    moved = first_signature(file, name, what="here")
    assert len(qk.inspect(moved).tensors) == len(qk.inspect(file).tensors)
    assert first_signature(file, None, what="here") is file


def test_the_named_one_is_timed_and_judged(tflite):
    file, kernel = tflite
    y = (X @ kernel).argmax(axis=1)
    assert qk.accuracy(file, X, y, signature="scores").accuracy == 1
    times = qk.latency({"a": file}, X, signature="scores", instances=2, rounds=1)
    assert times.median_us["a"] > 0


def test_one_that_is_not_there_is_told(tflite):
    with pytest.raises(
        ValueError, match=r"'train' is not in the file, .* 'doubled', 'powers', 'sco"
    ):
        qk.outputs(tflite[0], X, signature="train")
