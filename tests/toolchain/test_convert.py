"""Every scheme converts to the file that the plain TensorFlow calls give, and keeps its promise."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit.interpreter.run import scores
from qkit.toolchain.dead_channels import room_for_biases

# Constants of these types are biases and shapes, not weights.
NO_WEIGHTS = {"int32", "int64"}

every_scheme = pytest.mark.parametrize("name", qk.SCHEMES)


@pytest.fixture(scope="module")
def source(techniques):
    """Return a function from a scheme's name to the Keras model that it converts."""
    return lambda name: techniques[qk.SCHEMES[name].technique]


def plain_float32(tf, converter, sample):
    pass


def plain_float16(tf, converter, sample):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def plain_dynamic_range(tf, converter, sample):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def plain_full_integer(tf, converter, sample):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = sample
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def plain_full_integer_int8_io(tf, converter, sample):
    plain_full_integer(tf, converter, sample)
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8


def plain_int16_activations(tf, converter, sample):
    plain_full_integer(tf, converter, sample)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]


plain_pruned = plain_clustered = plain_pruned_clustered = plain_float32
plain_qat = plain_pqat = plain_cqat = plain_pcqat = plain_dynamic_range

PLAIN = {name.removeprefix("plain_"): f for name, f in globals().items() if name[:6] == "plain_"}


@every_scheme
def test_same_bytes_as_the_plain_calls(name, tf, source, tflite, calibration):
    model = source(name)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    PLAIN[name](tf, converter, lambda: ([image[None]] for image in calibration))
    with qk.quiet(), room_for_biases(model):
        plain = converter.convert()
    assert tflite(name) == plain


@every_scheme
def test_dtypes_in_the_file_are_those_promised(name, tflite):
    scheme = qk.SCHEMES[name]
    # without a delegate, which would hide the operators it takes over
    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=tflite(name), experimental_op_resolver_type=kernels)
    details = {d["index"]: np.dtype(d["dtype"]).name for d in interpreter.get_tensor_details()}
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert {details[d["index"]] for d in ends} == {scheme.io}
    table = qk.inspect(tflite(name)).to_frame()
    constant = table["size_bytes"] > 0
    weights = table[constant & ~table["dtype"].isin(NO_WEIGHTS)]
    # small tensors, such as the convolution's 108 weights, may stay in float in a weight-only file
    assert weights.loc[weights["size_bytes"].idxmax(), "dtype"] == scheme.weights
    computed = {
        details[index]
        for op in interpreter._get_ops_details()
        if op["op_name"] not in ("QUANTIZE", "DEQUANTIZE")
        for index in op["outputs"]
    }
    assert scheme.activations in computed
    assert computed <= {scheme.activations, "int32"}


@every_scheme
def test_scores_are_close_to_the_keras_models(name, source, tflite, digits):
    x = digits.x_test[:200]
    expected = source(name).predict(x, verbose=0)
    given = scores(tflite(name), x)
    by_weights = {"float32": 3e-5, "float16": 3e-3}
    tolerance = by_weights.get(qk.SCHEMES[name].weights, 0.05) * expected.std()
    # the root of the mean square: single scores beyond what the calibration saw are clipped
    assert np.sqrt(np.mean((given - expected) ** 2)) < tolerance
    assert np.mean(given.argmax(axis=1) == expected.argmax(axis=1)) > 0.97


@every_scheme
def test_file_is_as_small_as_its_weights(name, trained, tflite):
    bytes_a_weight = np.dtype(qk.SCHEMES[name].weights).itemsize
    expected = bytes_a_weight * trained.count_params()
    assert expected < len(tflite(name)) < expected + 6_000


@pytest.mark.parametrize(("name", "kind"), [("float32", str), ("int16_activations", Path)])
def test_saved_model_gives_what_the_model_gives(name, kind, saved, tflite, calibration, digits):
    from_folder = qk.convert(kind(saved("trained")), name, calibration)
    x = digits.x_test[:100]
    np.testing.assert_allclose(scores(from_folder, x), scores(tflite(name), x), atol=1e-5)


def test_saved_model_of_an_aware_model_keeps_the_promise(saved, tflite, digits):
    x = digits.x_test[:100]
    from_folder = qk.convert(saved("aware"), "qat")
    np.testing.assert_array_equal(scores(from_folder, x), scores(tflite("qat"), x))


def test_calibration_of_the_wrong_shape_is_seen_in_a_saved_model(saved, calibration):
    with pytest.raises(ValueError, match=r"shape \(n, 28, 28\), got \(60, 28, 27\)"):
        qk.convert(saved("trained"), "full_integer", calibration[:, :, 1:])


def test_conversion_is_silent_and_repeatable_and_reads_no_sample_in_vain(
    toy_model, toy_tflite, capfd
):
    assert qk.convert(toy_model(), "float32", calibration="no images at all") == toy_tflite
    assert capfd.readouterr() == ("", "")
