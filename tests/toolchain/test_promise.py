"""The traps of the tool chain that stay silent are errors here, and each says why."""

import dataclasses
import itertools

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.digit import scores
from qkit.interpreter.run import outputs
from qkit.tflite.file import inspect
from qkit.toolchain.promise import PromiseError, check_promise, room_for_biases
from qkit.training import seeded

BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]

PAIRS = [
    (made, asked)
    for made, asked in itertools.permutations(map(qk.SCHEMES.get, BY_CONVERTER), 2)
    if (made.weights, made.activations, made.io) != (asked.weights, asked.activations, asked.io)
]


def changed(name, **changes):
    return dataclasses.replace(qk.SCHEMES[name], **changes)


@pytest.mark.parametrize(("made", "asked"), PAIRS, ids=lambda scheme: scheme.name)
def test_file_of_one_scheme_breaks_the_promise_of_another(made, asked, tflite):
    with pytest.raises(PromiseError, match=f"convert: '{asked.name}' was asked for, but"):
        check_promise(tflite(made.name), asked)


@pytest.mark.parametrize("name", BY_CONVERTER)
def test_file_keeps_its_own_promise(name, tflite):
    check_promise(tflite(name), qk.SCHEMES[name])


@pytest.mark.parametrize(
    ("scheme", "told"),
    [
        (changed("int16_activations", needs="nothing"), "the activations are float32"),
        (
            changed("full_integer", optimizations=(), supported_ops=()),
            "none was quantized.*without optimizations",
        ),
    ],
    ids=["int16 without calibration", "calibration without optimizations"],
)
def test_request_that_the_converter_ignores_is_an_error(scheme, told, trained, calibration):
    with pytest.raises(PromiseError, match=told):
        qk.convert(trained, scheme, calibration)


def test_aware_model_without_optimizations_is_an_error(aware):
    with pytest.raises(PromiseError, match="weights are float32: none was quantized"):
        qk.convert(aware, changed("qat", optimizations=()))


def test_dynamic_range_on_small_tensors_is_an_error(toy_model):
    with pytest.raises(PromiseError, match=r"none was quantized.*under 1,024 elements"):
        qk.convert(toy_model(), "dynamic_range")


def test_depthwise_dynamic_range_with_one_scale_is_refused(tf):
    layers = tf.keras.layers
    # 1,152 weights: enough to be quantized
    model = tf.keras.Sequential([layers.InputLayer((8, 8, 128)), layers.DepthwiseConv2D(3)])
    with pytest.raises(PromiseError, match=r"reads memory it should not.*per_channel=True"):
        qk.convert(model, changed("dynamic_range", per_channel=False))


def test_one_scale_a_tensor_is_fine_without_depthwise_layers(trained, digits):
    tflite = qk.convert(trained, changed("dynamic_range", per_channel=False))
    table = qk.inspect(tflite).to_frame()
    assert table["channels"].max() == 1
    assert (table["dtype"] == "int8").any()
    exact = qk.accuracy(trained, digits.x_test, digits.y_test).accuracy
    assert qk.accuracy(tflite, digits.x_test, digits.y_test).accuracy == pytest.approx(
        exact, abs=0.02
    )


def test_scale_that_is_not_finite_is_an_error(tflite, edited):
    def spoil(model):
        graph = model.subgraphs[0]
        grid = graph.tensors[graph.operators[-1].inputs[0]].quantization
        grid.scale = np.full_like(grid.scale, np.inf)

    with pytest.raises(PromiseError, match=r"not finite.*unrolled recurrent"):
        check_promise(edited(tflite("int16_activations"), spoil), qk.SCHEMES["int16_activations"])


@pytest.fixture(scope="module")
def started_from_zeros(tf, toy_data):
    """Return a small unrolled GRU with biases, and its file with int16 activations as it comes."""
    layers = tf.keras.layers
    gru = layers.GRU(8, unroll=True, bias_initializer="random_normal", name="reader")
    with seeded(0):
        model = tf.keras.Sequential([layers.InputLayer((4, 4)), gru])
    with qk.quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        ops = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
        converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, ops)]
        converter.representative_dataset = lambda: ([x[None]] for x in toy_data.x_train)
        return model, converter.convert()


def test_first_state_of_unrolled_gru_spoils_the_scales_of_its_weights(started_from_zeros):
    _, tflite = started_from_zeros
    (zeros,) = (op.outputs[0] for op in inspect(tflite).operators if op.name == "FILL")
    assert zeros.scale.tolist() == [0]
    with pytest.raises(PromiseError, match=r"not finite.*unrolled recurrent"):
        check_promise(tflite, qk.SCHEMES["int16_activations"])


def test_unrolled_recurrent_layers_convert_with_int16(started_from_zeros, tf, toy_data):
    model, _ = started_from_zeros
    tflite = qk.convert(model, "int16_activations", toy_data.x_train)
    assert "FILL" not in {op.name for op in inspect(tflite).operators}
    exact = model(toy_data.x_test).numpy()
    error = outputs(tflite, toy_data.x_test) - exact
    assert np.abs(error).max() < 0.05 * np.abs(exact).max()


def test_aware_model_with_int16_is_refused(aware, calibration):
    with pytest.raises(ValueError, match=r"for int8 activations.*Convert the float model"):
        qk.convert(aware, "int16_activations", calibration)


def test_aware_model_under_another_scheme_is_refused(aware, calibration):
    with pytest.raises(ValueError, match=r"under 'full_integer'.*Use 'qat'"):
        qk.convert(aware, "full_integer", calibration)


def test_plain_model_as_qat_is_refused(trained):
    with pytest.raises(ValueError, match=r"a plain one.*qk\.quantization_aware"):
        qk.convert(trained, "qat")


def test_layer_normalization_with_int16_is_refused(tf, calibration):
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.InputLayer((28, 28)),
            layers.LayerNormalization(),
            layers.Flatten(),
            layers.Dense(9),
        ]
    )
    with pytest.raises(PromiseError, match=r"cannot be run.*without a kernel.*SQUARED_DIFFERENCE"):
        qk.convert(model, "int16_activations", calibration)


@pytest.mark.parametrize("mask", [-1e9, -100.0])
def test_huge_mask_with_int16_is_refused(mask, tf, calibration):
    layers = tf.keras.layers
    image = tf.keras.Input((28, 28))
    # what a masked attention adds to its scores: nothing where there is ink, else the mask
    masked = layers.Softmax()(layers.Add()([image, layers.Rescaling(-mask, mask)(image)]))
    model = tf.keras.Model(image, layers.Dense(9)(layers.Flatten()(masked)))
    if mask == -100:
        qk.convert(model, "int16_activations", calibration)
        return
    with pytest.raises(PromiseError, match=r"one step of the grid.*Use a mask of −100"):
        qk.convert(model, "int16_activations", calibration)


def test_sparsity_with_int8_weights_is_refused(trained):
    scheme = changed("dynamic_range", optimizations=("DEFAULT", "EXPERIMENTAL_SPARSITY"))
    with pytest.raises(ValueError, match=r"EXPERIMENTAL_SPARSITY.*refuses to prepare"):
        qk.convert(trained, scheme)


@pytest.fixture(scope="module")
def dead(tf, trained):
    """Return `trained` with one filter of which only a large bias is left."""
    model = tf.keras.models.clone_model(trained)
    model.set_weights(trained.get_weights())
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 3], bias[3] = 0, 0.5
    model.get_layer("conv").set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def dead_aware(dead, digits):
    return qk.quantization_aware(dead, calibration=digits.x_train[:300])


def error(tflite, model, x):
    return np.sqrt(np.mean((scores(tflite, x) - model(x).numpy()) ** 2))


def test_the_plain_converter_loses_the_bias_and_ours_keeps_it(tf, dead_aware, digits):
    x = digits.x_test[:100]
    converter = tf.lite.TFLiteConverter.from_keras_model(dead_aware)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    with qk.quiet():
        plain = converter.convert()
    before = [w.copy() for w in dead_aware.get_weights()]
    ours = qk.convert(dead_aware, "qat")
    assert error(plain, dead_aware, x) > 0.3
    assert error(ours, dead_aware, x) < 0.05
    for weight, old in zip(dead_aware.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_after_training_the_converter_keeps_it_by_itself(dead, digits):
    tflite = qk.convert(dead, "full_integer", digits.x_train[:300])
    assert error(tflite, dead, digits.x_test[:100]) < 0.1


def test_a_folder_in_which_it_cannot_be_repaired_is_refused(dead_aware, tmp_path):
    with qk.quiet():
        dead_aware.save(tmp_path / "model", save_format="tf")
    with pytest.raises(PromiseError, match=r"a bias in .* is cut off.*weights .* all zero"):
        qk.convert(tmp_path / "model", "qat")


def test_without_dead_channels_nothing_is_changed(aware):
    before = aware.get_weights()
    with room_for_biases(aware):
        for weight, old in zip(aware.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, old)
