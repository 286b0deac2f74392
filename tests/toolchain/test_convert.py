"""Every scheme converts to the file of the plain TensorFlow calls, and keeps its promise."""

import dataclasses
import functools
import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit.evaluate.digit import scores
from qkit.tflite.edit import with_inputs_in_order
from qkit.tflite.file import inspect
from qkit.toolchain.promise import PromiseError, check_promise, room_for_biases

conversion = importlib.import_module("qkit.toolchain.convert")  # the function bears its name
# Constants of these types are biases and shapes, not weights.
NO_WEIGHTS = {"int32", "int64"}
BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]

every_scheme = pytest.mark.parametrize("name", BY_CONVERTER)


@pytest.fixture(scope="module")
def source(technique):
    """Return a function from a scheme's name to the Keras model that it converts."""
    return lambda name: technique(qk.SCHEMES[name].technique)


@pytest.fixture(scope="module")
def tflite(source, calibration):
    """Return a function from a scheme's name to the file, converted anew and not a stored one."""
    return functools.cache(lambda name: qk.convert(source(name), name, calibration))


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


def several_ends(layers, inputs):
    image, more = inputs((4, 4), name="b"), inputs((3,), name="a")
    hidden = layers.Dense(3, name="hidden")(layers.Flatten()(image))
    return [image, more], [layers.Add(name="z")([hidden, more]), layers.Softmax(name="y")(hidden)]


def fixed_batch(layers, inputs):
    image = inputs((8,), batch_size=4)
    return image, layers.Dense(3)(image)


def differs_in_training(layers, inputs):
    image = inputs((8,))
    return image, layers.BatchNormalization()(layers.Dropout(0.5)(layers.Dense(3)(image)))


def unrolled(layers, inputs):
    image = inputs((5, 4))
    return image, layers.LSTM(3, unroll=True)(image)


def trains_unless_told(layers, inputs):
    class Loud(layers.Layer):
        def call(self, x, training=True):
            return 1000 * x if training else x

    image = inputs((8,))
    return image, layers.Dense(3)(Loud()(image))


KINDS = [several_ends, fixed_batch, differs_in_training, trains_unless_told, unrolled]


@pytest.mark.parametrize("ends", KINDS)
def test_same_bytes_whatever_goes_in_and_out(ends, tf):
    model = tf.keras.Model(*ends(tf.keras.layers, tf.keras.Input))
    with qk.quiet():
        plain = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    if len(model.inputs) > 1:
        plain = with_inputs_in_order(plain, dict.fromkeys(model.input_names))
    assert qk.convert(model, "float32") == plain


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
    expected = source(name)(x).numpy()
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


@pytest.mark.slow
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


@pytest.fixture(scope="module")
def convolution(tflite):
    """Return what the float file calls the output of the convolution."""
    operators = inspect(tflite("float32")).operators
    return next(op.outputs[0].name for op in operators if op.name == "CONV_2D")


@pytest.fixture(scope="module")
def mixed(trained, calibration, convolution):
    return qk.convert(trained, "full_integer", calibration, left_in_float=(convolution,))


def test_the_operation_named_is_in_float_and_no_other(mixed, convolution):
    file = inspect(mixed)
    assert [op.outputs[0].name for op in file.float_operators] == [convolution]
    kernel = file.float_operators[0].inputs[1]
    assert kernel.dtype == "float32"
    assert {t.dtype for t in file.activations} == {"int8", "float32"}


def test_scores_are_those_of_the_network(mixed, tflite, digits):
    x = digits.x_test[:200]
    exact = scores(tflite("float32"), x)
    error = {
        name: np.sqrt(np.mean((scores(file, x) - exact) ** 2))
        for name, file in {"mixed": mixed, "int8": tflite("full_integer")}.items()
    }
    assert error["mixed"] < 0.05 * exact.std()
    assert error["mixed"] != error["int8"]


def test_without_names_the_file_is_the_plain_one(trained, calibration, tflite):
    again = qk.convert(trained, "full_integer", calibration, left_in_float=())
    assert again == tflite("full_integer")


def test_operators_in_float_that_were_not_named_are_an_error(mixed):
    with pytest.raises(PromiseError, match="1 operators are left in float: CONV_2D"):
        check_promise(mixed, qk.SCHEMES["full_integer"])


def test_named_operator_that_was_quantized_is_an_error(tflite, convolution):
    with pytest.raises(PromiseError, match=r"was to be left in float, is on the grid"):
        check_promise(tflite("full_integer"), qk.SCHEMES["full_integer"], (convolution,))


def test_operation_that_the_converter_keeps_on_the_grid_is_told(trained, calibration):
    pool = "walkthrough_cnn/pool/MaxPool"
    with pytest.raises(PromiseError, match=rf"'{pool}'.*such as MAX_POOL_2D"):
        qk.convert(trained, "full_integer", calibration, left_in_float=(pool,))


def test_unknown_name_is_refused_with_the_nearest(trained, calibration, monkeypatch):
    from qkit.toolchain import convert as module

    def plain(converter, left_in_float):
        assert not left_in_float, "nothing is quantized before the check"
        return converter.convert()

    monkeypatch.setattr(module, "_written", plain)
    with pytest.raises(ValueError, match=r"names 'pool/MaxPool'.*'walkthrough_cnn/pool/MaxPool'"):
        qk.convert(trained, "full_integer", calibration, left_in_float=("pool/MaxPool",))


def test_constant_is_no_operation(trained, calibration, tflite):
    constant = inspect(tflite("float32")).weights[0].name
    with pytest.raises(ValueError, match="no operation of the float file gives"):
        qk.convert(trained, "full_integer", calibration, left_in_float=(constant,))


@pytest.mark.parametrize("name", ["float32", "dynamic_range", "int16_activations", "qat"])
def test_scheme_without_a_denylist_is_refused(name, trained, calibration):
    with pytest.raises(ValueError, match=f"'full_integer' alone, got '{name}'"):
        qk.convert(trained, name, calibration, left_in_float=("x",))


def test_int8_ends_are_refused(trained, calibration):
    ends = dataclasses.replace(qk.SCHEMES["full_integer"], io="int8")
    with pytest.raises(ValueError, match="between float ends"):
        qk.convert(trained, ends, calibration, left_in_float=("x",))


@pytest.mark.parametrize("names", ["one", [1]])
def test_names_that_are_none_are_refused(names, trained, calibration):
    with pytest.raises(TypeError, match=r"tuple of names.*\(name,\)"):
        qk.convert(trained, "full_integer", calibration, left_in_float=names)


@pytest.mark.slow
def test_saved_model_leaves_the_same_in_float(saved, calibration):
    float_file = inspect(qk.convert(saved("trained"), "float32"))
    name = next(op.outputs[0].name for op in float_file.operators if op.name == "CONV_2D")
    file = qk.convert(saved("trained"), "full_integer", calibration, left_in_float=(name,))
    assert [op.outputs[0].name for op in inspect(file).float_operators] == [name]


def test_converter_that_stops_is_quoted(tf):
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.InputLayer((4, 4)),
            layers.Lambda(lambda x: tf.math.floormod(x, 0.3)),
            layers.Flatten(),
            layers.Dense(40),
        ]
    )
    x = np.random.default_rng(0).random((8, 4, 4), np.float32)
    with pytest.raises(ValueError, match="'int16_activations' makes the converter stop: "):
        qk.convert(model, "int16_activations", x)
    comparison = qk.compare(model, schemes=["int16_activations"], calibration=x)
    assert comparison.not_measured["int16_activations"].startswith("not possible: convert:")


def test_one_conversion_at_a_time(toy_model, monkeypatch):
    at_once, most, write = [], [], conversion._written

    def counted(*given):
        at_once.append(1)
        most.append(len(at_once))
        tflite = write(*given)
        at_once.pop()
        return tflite

    monkeypatch.setattr(conversion, "_written", counted)
    model = toy_model()
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(qk.convert, [model] * 4, ["float32"] * 4))
    assert most == [1] * 4
    assert len(set(found)) == 1


def network_of(function):
    def build(tf):
        layers = tf.keras.layers
        given = tf.keras.Input((8, 8))
        flat = layers.Flatten()(layers.Lambda(lambda x: function(tf, x))(given))
        return tf.keras.Model(given, layers.Dense(3)(flat))

    return build


# By what the network computes: the scheme that is refused, the cause in our words, the way out.
TOLD = {
    "an operation that LiteRT lacks": (
        lambda tf, x: tf.linalg.svd(x, compute_uv=False), "float32", "no operator for Svd", None,
    ),
    "none in int16": (
        lambda tf, x: tf.cumsum(x, axis=1), "int16_activations",
        "no int16 activations for CUMSUM", "litert_int16_activations",
    ),
    "several of none in int16": (
        lambda tf, x: tf.where(x > 0.5, x, 0.0), "int16_activations",
        "for GREATER, SELECT_V2", "litert_int16_activations",
    ),
    "a kernel that fails in int16": (
        lambda tf, x: tf.math.squared_difference(x, tf.reduce_mean(x, axis=1, keepdims=True)),
        "int16_activations", "SquaredDifference only supports", "litert_int16_activations",
    ),
    "none in int8": (
        lambda tf, x: tf.sin(x), "full_integer", "left in float: SIN", "litert_full_integer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", TOLD)
def test_what_the_converter_says_is_told_with_a_way_out_that_works(why, tf):
    function, scheme, cause, instead = TOLD[why]
    model = network_of(function)(tf)
    x = np.random.default_rng(0).random((20, 8, 8)).astype(np.float32)
    with pytest.raises(ValueError, match=cause) as error:
        qk.convert(model, scheme, x)
    assert len(str(error.value)) < 500
    if instead is None:  # the network that ends where the operation starts
        assert "tf.keras.Model(model.input, layer.output) ends where it starts" in str(error.value)
        kept = tf.keras.Model(model.input, tf.keras.layers.Flatten()(model.input))
        assert qk.convert(kept, scheme)
        return
    assert f"Take {instead!r}" in str(error.value)
    made = qk.convert(model, instead, x)
    float32 = qk.convert(model, "float32")
    np.testing.assert_allclose(qk.outputs(made, x), qk.outputs(float32, x), atol=0.1)
    in_float = {op.name for op in qk.inspect(made).float_operators}
    assert bool(in_float) == (why != "several of none in int16"), "that engine has kernels for both"


def test_what_is_not_known_is_told_shortly_and_whole_behind_it(trained, monkeypatch):
    def fail(*_):
        raise RuntimeError("something new" + 1000 * "." + "\nand a trace")

    monkeypatch.setattr(conversion, "_written", fail)
    with pytest.raises(ValueError, match="makes the converter stop: something new") as error:
        qk.convert(trained, "dynamic_range")
    assert len(str(error.value)) < 400
    assert "and a trace" in str(error.value.__cause__)
