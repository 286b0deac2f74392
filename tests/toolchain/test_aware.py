"""Quantization-aware copies: from the same weights, on the data's ranges, with an equal control."""

import dataclasses
import threading

import numpy as np
import pytest

import qkit as qk


def assert_same(weights, others):
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(weight, other)


def accuracy_of(model, data):
    return qk.accuracy(model, data.x_test, data.y_test).accuracy


def test_copy_has_the_models_weights_and_leaves_the_model_alone(toy_model, toy_data):
    model = toy_model()
    before = model.get_weights()
    copy = qk.quantization_aware(model, calibration=toy_data.x_train)
    hidden = {v.name.rpartition("/")[2]: v.numpy() for v in copy.get_layer("quant_hidden").weights}
    np.testing.assert_array_equal(hidden["kernel:0"], before[0])
    np.testing.assert_array_equal(hidden["bias:0"], before[1])
    qk.fit(copy, toy_data, epochs=1, cache=False, validation_split=0)
    assert not np.array_equal(copy.get_layer("quant_hidden").get_weights()[0], before[0])
    assert_same(model.get_weights(), before)
    assert not {id(v) for v in copy.variables} & {id(v) for v in model.variables}


def test_ranges_start_at_6_and_spoil_the_copy_until_they_are_set(trained, digits):
    unset = qk.quantization_aware(trained)
    ranges = qk.activation_ranges(unset)
    assert ranges == {"input": (0, 0), "conv": (-6, 6), "logits": (-6, 6)}
    before = accuracy_of(trained, digits)
    copy = qk.quantization_aware(trained, calibration=digits.x_train[:300])
    assert accuracy_of(copy, digits) == pytest.approx(before, abs=0.02)
    assert accuracy_of(unset, digits) < before - 0.02


def test_calibrated_ranges_are_those_of_the_data(tf, trained, digits):
    x = digits.x_train[:300]
    ranges = qk.activation_ranges(qk.quantization_aware(trained, calibration=x))
    conv = tf.keras.Model(trained.inputs, trained.get_layer("conv").output)
    assert ranges["input"] == (x.min(), x.max())
    # weights are rounded on the way, so that these ranges are not the float model's to the bit
    for layer, model in (("conv", conv), ("logits", trained)):
        values = model(x).numpy()
        np.testing.assert_allclose(ranges[layer], (values.min(), values.max()), rtol=0.05)


@pytest.mark.parametrize("given", ["list", "dict", "model of a dict"])
def test_ranges_of_several_inputs_are_those_of_the_data(given, tf):
    layers, random = tf.keras.layers, np.random.default_rng(0)
    ends = {name: tf.keras.Input((4,), name=name) for name in ("wide", "narrow")}
    x = {name: s * random.normal(size=(60, 4)) for name, s in (("wide", 10), ("narrow", 1))}
    added = layers.Add()([layers.Dense(3)(end) for end in ends.values()])
    model = tf.keras.Model(ends if given == "model of a dict" else [*ends.values()], added)
    aware = qk.quantization_aware(model, calibration=[*x.values()] if given == "list" else x)
    ranges = qk.activation_ranges(aware)
    for name in x:
        np.testing.assert_allclose(ranges[name], (x[name].min(), x[name].max()), rtol=1e-6)


def test_ranges_are_set_and_the_library_stays_as_it_is(toy_model, toy_data):
    from tensorflow_model_optimization.python.core.quantization.keras import quant_ops

    own, seen, done = quant_ops.MovingAvgQuantize, set(), threading.Event()

    def watch():  # another thread, which may be training meanwhile
        while not done.is_set():
            seen.add(quant_ops.MovingAvgQuantize)

    watcher = threading.Thread(target=watch)
    watcher.start()
    aware = qk.quantization_aware(toy_model(), calibration=toy_data.x_train)
    done.set()
    watcher.join()
    assert seen == {own}
    before = qk.activation_ranges(aware)
    small = dataclasses.replace(toy_data, x_train=toy_data.x_train / 100)
    after = {name: r[-1] for name, r in qk.range_history(aware, small, steps=1).ranges.items()}
    for name in ("hidden", "logits"):  # a thousandth of the way again
        assert after[name][1] == pytest.approx(before[name][1], rel=2e-3)


@pytest.mark.slow
def test_calibration_leaves_weights_and_batch_norm_alone(digits):
    model = qk.models.depthwise_cnn()
    aware = qk.quantization_aware(model, calibration=digits.x_train[:50])
    for layer in model.layers:
        own = {v.name.rpartition("/")[2]: v.numpy() for v in layer.variables}
        copied = {v.name.rpartition("/")[2]: v.numpy() for v in aware.variables if owns(layer, v)}
        for name, values in own.items():
            np.testing.assert_array_equal(copied[name], values, err_msg=f"{layer.name} {name}")
    ranges = qk.activation_ranges(aware)
    assert len(ranges) == 1 + 9 + 2, "the input, each ReLU6, mean and logits"
    assert (-6, 6) not in ranges.values()
    assert all(0 == low <= high <= 6 for name, (low, high) in ranges.items() if "relu6" in name)


def owns(layer, variable):
    """Return whether a variable of an aware copy belongs to the copy of a layer."""
    path = variable.name.split("/")
    return layer.name in path or f"quant_{layer.name}" in path


@pytest.mark.slow
def test_control_is_a_plain_copy_trained_alike(toy_model, toy_data):
    model, plain = toy_model(), toy_model()
    before = [weight + 0.1 for weight in model.get_weights()]
    for start in (model, plain):
        start.set_weights(before)
    options = {"epochs": 1, "seed": 4, "cache": False, "validation_split": 0}
    tuned = qk.fine_tune_with_control(model, toy_data, calibration=toy_data.x_train, **options)
    assert_same(model.get_weights(), before)
    assert tuned.control_history.loss == qk.fit(plain, toy_data, **options).loss
    assert_same(tuned.control.get_weights(), plain.get_weights())
    assert len(tuned.qat_history.loss) == 1
    assert qk.activation_ranges(tuned.qat)["hidden"] != (-6, 6)


def normalized(tf):
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [layers.InputLayer((4, 4)), layers.LayerNormalization(name="norm"), layers.Flatten()]
    )


def own_layer(tf):
    class Doubling(tf.keras.layers.Layer):
        def call(self, x):
            return 2 * x

    layers = tf.keras.layers
    return tf.keras.Sequential([layers.InputLayer((4, 4)), Doubling(name="twice")])


def nested(tf):
    inner = tf.keras.Sequential([tf.keras.layers.InputLayer((4, 4)), tf.keras.layers.Flatten()])
    inner._name = "inside"
    return tf.keras.Sequential([tf.keras.layers.InputLayer((4, 4)), inner])


def subclassed(tf):
    class Own(tf.keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.flatten = tf.keras.layers.Flatten()

        def call(self, x):
            return self.flatten(x)

    model = Own()
    model(np.zeros((1, 4, 4), np.float32))
    return model


def already_aware(tf):
    layers = tf.keras.layers
    plain = tf.keras.Sequential([layers.InputLayer((4, 4)), layers.Flatten()], name="before")
    return qk.quantization_aware(plain)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (normalized, r"'norm' \(LayerNormalization\) has no QuantizeConfig.*Ways out:.*annotate"),
        (own_layer, r"'twice' \(Doubling\) has no QuantizeConfig"),
        (nested, r"'inside' is itself a model.*one by one"),
        (subclassed, r"'own' is a subclassed model.*functional API"),
        (already_aware, r"'before' is quantization-aware already; train it with qk\.fit"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
@pytest.mark.parametrize("calibrated", [False, True])
def test_model_that_cannot_be_wrapped_is_told(build, told, calibrated, tf):
    calibration = np.ones((2, 4, 4), np.float32) if calibrated else None
    with pytest.raises(ValueError, match=told):
        qk.quantization_aware(build(tf), calibration=calibration)


@pytest.fixture(scope="module")
def followed(toy_model, toy_data):
    """Return a toy model before training, its history, and its ranges after it."""
    model = qk.quantization_aware(toy_model())
    history = qk.range_history(model, toy_data, steps=50, every=20, batch_size=8)
    return history, qk.activation_ranges(model)


@pytest.mark.slow
def test_a_record_at_the_start_every_so_often_and_at_the_end(followed):
    history, after = followed
    assert history.steps.tolist() == [0, 20, 40, 50]
    assert {layer: ends[0].tolist() for layer, ends in history.ranges.items()} == {
        "input": [0, 0],
        "hidden": [-6, 6],
        "logits": [-6, 6],
    }
    for layer, ends in history.ranges.items():
        assert ends.shape == (4, 2)
        assert tuple(ends[-1]) == after[layer]


def test_input_takes_in_all_values_at_once(followed, toy_data):
    history, _ = followed
    assert history.ranges["input"][1:, 0].tolist() == [0, 0, 0]
    largest = history.ranges["input"][1:, 1]
    assert (largest > 0.95 * toy_data.x_train.max()).all()
    assert largest[-1] == pytest.approx(history.data_ranges["input"][1], rel=0.01)


def test_other_ranges_follow_by_a_moving_average_of_0999_a_step(followed):
    history, _ = followed
    # the hidden layer's smallest value is 0 at each step, by its ReLU, so that only 0.999 acts
    settling = -6 * 0.999**history.steps
    np.testing.assert_allclose(history.ranges["hidden"][:, 0], settling, rtol=1e-4)
    assert history.data_ranges["hidden"][0] == 0
    assert (np.diff(history.ranges["hidden"][:, 1]) < 0).all()


def test_plain_model_has_no_ranges(toy_model):
    assert qk.activation_ranges(toy_model()) == {}


def test_range_history_refuses(toy_model, toy_data, changed):
    aware = qk.quantization_aware(toy_model())
    with pytest.raises(ValueError, match=r"'toy' has no ranges.*qk\.quantization_aware"):
        qk.range_history(toy_model(), toy_data, steps=1)
    for options in ({"steps": 0}, {"steps": 1, "every": 0}):
        with pytest.raises(ValueError, match=r"(steps|every) must be a whole number"):
            qk.range_history(aware, toy_data, **options)
    with pytest.raises(ValueError, match=r"y_train holds the label 3.*0 to 2"):
        qk.range_history(aware, changed(toy_data, "y_train", 7, 3), steps=1)
    half = dataclasses.replace(toy_data, x_train=toy_data.x_train[:, :2])
    with pytest.raises(ValueError, match=r"data\.x_train must have the shape \(n, 4, 4\)"):
        qk.range_history(aware, half, steps=1)
