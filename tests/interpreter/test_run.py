"""Real values go on a tensor's own grid and come back from it, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkit as qk
from qkit.interpreter.run import (
    classifier_shapes,
    from_grid,
    open_interpreter,
    outputs,
    scores,
    single_shapes,
    to_grid,
)
from qkit.tflite.file import TfliteError


def detail(dtype, scale=0.0, zero_point=0):
    return {"name": "image", "dtype": dtype, "quantization": (scale, zero_point)}


def test_integers_are_scaled_rounded_and_clipped():
    values = np.array([-100, -0.75, -0.2, 0, 0.24, 0.26, 0.74, 1.5, 100], np.float32)
    given = to_grid(values, detail(np.int8, scale=0.5, zero_point=-3))
    # by the arithmetic of qkit.quantize.grid: halves go up
    assert given.tolist() == [-128, -4, -3, -3, -3, -2, -2, 0, 127]
    assert given.dtype == np.int8


def test_unsigned_integers_are_clipped_at_zero():
    values = np.array([-1, 0.6, 2], np.float32)
    assert to_grid(values, detail(np.uint8, 1 / 255, 0)).tolist() == [0, 153, 255]


def test_grid_values_come_back_as_real_numbers():
    given = from_grid(np.array([-128, -3, 127], np.int8), detail(np.int8, 0.5, -3))
    assert given.tolist() == [-62.5, 0, 65]
    assert given.dtype == np.float32


@given(st.integers(-128, 127), st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_what_comes_from_a_grid_goes_back_to_the_same_place(q, scale, zero_point):
    grid = detail(np.int8, scale, zero_point)
    assert to_grid(from_grid(np.array([q], np.int8), grid), grid)[0] == q


def test_floats_pass_through():
    values = np.array([0.1, 2], np.float32)
    assert to_grid(values, detail(np.float32)) is values
    assert to_grid(values, detail(np.float16)).dtype == np.float16
    assert from_grid(values.astype(np.float16), detail(np.float16)).dtype == np.float32


def test_integers_without_a_grid_are_refused():
    with pytest.raises(TfliteError, match="'image' takes int8 and names no grid"):
        to_grid(np.zeros(1, np.float32), detail(np.int8))


def test_shapes_of_a_classifier(tflite):
    assert classifier_shapes(open_interpreter(tflite("float32"))) == ((28, 28), 10)


@pytest.mark.parametrize("scheme", ["float32", "full_integer_int8_io"])
def test_outputs_of_any_shape_are_those_of_the_model(tf, digits, scheme):
    conv = tf.keras.Sequential(
        [tf.keras.layers.InputLayer((28, 28)), tf.keras.layers.Conv1D(3, 5, 2, name="conv")]
    )
    x = digits.x_test[:7]
    tflite = qk.convert(conv, scheme, x)
    assert single_shapes(open_interpreter(tflite)) == ((28, 28), (12, 3))
    for batched in (True, False):
        given = outputs(tflite, x, batched=batched)
        assert given.dtype == np.float32
        tolerance = 1e-5 if scheme == "float32" else 0.05
        np.testing.assert_allclose(given, conv.predict(x, verbose=0), atol=tolerance)
    with pytest.raises(TfliteError, match="gives a score for each"):
        scores(tflite, x)


def test_batch_size_and_threads_reach_the_interpreter(tflite):
    opened = open_interpreter(tflite("float32"), threads=2, batch_size=5)
    assert opened.get_input_details()[0]["shape"].tolist() == [5, 28, 28]


@pytest.mark.slow
def test_every_image_starts_from_the_same_state(tf):
    # a fused LSTM keeps its state between calls: an image must not feel the one before it
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((6, 4), batch_size=1), layers.LSTM(5), layers.Dense(3)]
    )
    tflite = qk.convert(model, "float32")
    x = np.random.default_rng(0).random((4, 6, 4)).astype(np.float32)
    forward, backward = scores(tflite, x), scores(tflite, x[::-1])[::-1]
    np.testing.assert_array_equal(forward, backward)
    expected = np.concatenate([model(image[None]).numpy() for image in x])
    np.testing.assert_allclose(forward, expected, atol=1e-5)


def test_failure_on_some_image_is_told_as_damage(toy_tflite, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    def fail(self):
        raise RuntimeError("tensor.data.raw != nullptr was not true")

    monkeypatch.setattr(Interpreter, "invoke", fail)
    with pytest.raises(TfliteError, match=r"is it damaged\? tensor.data.raw"):
        scores(toy_tflite, np.zeros((2, 4, 4), np.float32))
