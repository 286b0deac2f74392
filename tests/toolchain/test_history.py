"""The record of a training: the same from the cache, without held-out images, on any graph."""

import numpy as np
import pytest

import qkit as qk
from qkit.networks import network
from qkit.quantize.coding import sparsity


@pytest.fixture
def two_paths(tf):
    """Return a functional model with two layers side by side."""
    layers = tf.keras.layers
    inputs = layers.Input((4, 4))
    flat = layers.Flatten()(inputs)
    left = layers.Dense(8, name="left")(flat)
    right = layers.Dense(8, name="right", activation="relu")(flat)
    return tf.keras.Model(inputs, layers.Dense(3, name="out")(layers.Add()([left, right])))


@pytest.mark.parametrize("train", [qk.prune, qk.cluster], ids=["prune", "cluster"])
def test_functional_models_go_through(train, two_paths, toy_data):
    options = {"sparsity": 0.5} if train is qk.prune else {"clusters": 4}
    model, history = train(two_paths, toy_data, cache=False, batch_size=8, epochs=2, **options)
    assert [layer.name for layer in model.layers] == [layer.name for layer in two_paths.layers]
    assert set(history.sparsity) == {"left", "right", "out"}
    kernels = [model.get_layer(name).kernel.numpy() for name in ("left", "right", "out")]
    if train is qk.prune:
        assert [sparsity(k) for k in kernels] == pytest.approx([0.5] * 3, abs=0.05)
    else:
        assert max(np.unique(k).size for k in kernels) <= 4
    x = toy_data.x_test
    tflite = qk.convert(model, "float32")
    found = qk.accuracy(tflite, x, toy_data.y_test)
    np.testing.assert_array_equal(found.predictions, model(x).numpy().argmax(axis=1))


@pytest.fixture
def composite(tf):
    """Return a function that makes a model of layers that hold others, or several kernels."""
    layers = tf.keras.layers

    def build(recurrent):
        inputs = layers.Input((4, 4))
        x = layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
        if recurrent:
            lstm = layers.LSTM(5, return_sequences=True, name="lstm")
            x = layers.Bidirectional(lstm, name="both")(x)
        x = layers.SeparableConv1D(6, 3, name="separable")(x)
        return tf.keras.Model(inputs, layers.Dense(3, name="out")(layers.Flatten()(x)))

    return build


@pytest.mark.parametrize(
    ("train", "options"),
    [
        pytest.param(qk.prune, {"sparsity": 0.25}, id="prune"),
        pytest.param(qk.cluster, {"clusters": 8}, id="cluster", marks=pytest.mark.slow),
    ],
)
def test_kernels_keep_their_paths_under_a_wrapper_and_their_values_without(
    train, options, composite, toy_data
):
    start = composite(recurrent=train is qk.cluster)  # which pruning does not know
    before = network(start).kernels
    options |= {"cache": False, "batch_size": 50, "learning_rate": 1e-9, "epochs": 1}
    model, history = train(start, toy_data, **options)
    after = network(model).kernels
    assert history.sparsity.keys() == before.keys() == after.keys()
    for path, kernel in before.items():
        assert after[path].shape == kernel.shape
        assert history.sparsity[path][-1] == sparsity(after[path])
        if kernel.any():  # biases of attention start as zeros
            assert np.corrcoef(after[path].ravel(), kernel.ravel())[0, 1] > 0.8, path


@pytest.mark.slow
def test_without_held_out_images_there_is_no_accuracy(toy_model, toy_data):
    for _ in range(2):  # the second time from the cache
        _, history = qk.prune(toy_model(), toy_data, epochs=1, validation_split=0)
        assert np.isnan(history.accuracy).all()
        assert "accuracy" not in str(history)
    assert history.from_cache


def test_a_model_is_recorded_where_it_starts_and_where_it_ends(toy_model, toy_data):
    model = toy_model()
    before = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
    history = qk.weight_history(model, toy_data, epochs=3, cache=False)
    assert history.left_alone == {}
    for name, kernel in before.items():
        assert history.distinct_values[name][0] == np.unique(kernel).size
    assert history.steps.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.slow
def test_the_line_that_stays_tells_the_end_and_what_was_left_alone(
    trained, few_digits, monkeypatch
):
    from qkit import training

    shown = []

    class Line:
        def __enter__(self):
            return shown.append

        def __exit__(self, *error):
            return False

    monkeypatch.setattr(training, "progress_line", Line)
    _, history = qk.prune(trained, few_digits, epochs=1, pattern="2:4", cache=False)
    steps = history.steps[-1]
    said = "walkthrough_cnn, pruning 2:4, polynomial, seed 0: "
    assert any(line.startswith(f"{said}step ") for line in shown[:-1])
    assert f"step {steps} of {steps}" in shown[-2]
    assert shown[-1].startswith(f"{said}zeros conv 0.0%, logits 50.0%")
    assert shown[-1].endswith("left alone: conv (1 input channels are not a multiple of 4)")
    assert "seconds" not in shown[-1]
