"""litert-quantizer as a second engine: its own files, on the converter's grids, from any file."""

import dataclasses
import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.file import parsed
from qkit.toolchain.promise import PromiseError, check_promise
from qkit.toolchain.schemes import find_scheme

SECOND = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "litert_quantizer"]
FILES = Path(__file__).parents[1] / "files"
X = np.random.default_rng(0).random((60, 8, 8, 2)).astype(np.float32)


def stored(name):
    return (FILES / f"{name}_float32.tflite").read_bytes()


@pytest.fixture(scope="module")
def model(tf):
    """Return a network of a convolution and two dense layers, of 64 and of 33 inputs."""
    tf.keras.utils.set_random_seed(1)
    layers = tf.keras.layers
    inside = [layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"), layers.Flatten()]
    ends = [layers.Dense(33, activation="relu", name="wide"), layers.Dense(3, name="odd")]
    return tf.keras.Sequential([tf.keras.Input((8, 8, 2)), *inside, *ends])


@pytest.fixture(scope="module")
def float_file(model):
    return qk.convert(model, "float32")


def sqnr_db(tflite, reference):
    wanted, given = qk.outputs(reference, X), qk.outputs(tflite, X)
    return 10 * np.log10(np.sum(wanted**2) / np.sum((wanted - given) ** 2))


# Of a grid with `bits`, what its rounding costs these weights at least leaves; measured.
LEAST_DB = {"int8": 35, "int4": 10, "int2": 1}


@pytest.mark.parametrize("name", SECOND)
def test_each_scheme_is_what_it_says(name, model, float_file):
    scheme, tflite = qk.SCHEMES[name], qk.convert(model, name, X)
    file = qk.inspect(tflite)
    kernels = {t.dtype for t in file.weights if t.dtype.startswith("int")}
    assert kernels == ({"int2", "int4"} if name == "int2" else {scheme.weights})
    assert {t.dtype for t in (*file.inputs, *file.outputs)} == {"float32"}
    assert bool(file.float_operators) == (scheme.activations == "float32")
    assert sqnr_db(tflite, float_file) > LEAST_DB[scheme.weights]
    assert qk.convert(float_file, name, X) == tflite, "from the model and from its file alike"
    sizes = qk.size(tflite)
    assert sizes.metadata_bytes + sum(sizes.constants_bytes.values()) == len(tflite)
    if name != "int4_hadamard":  # which brings a matrix of 64×64 floats along
        assert len(tflite) < len(float_file)


OWN = {
    "litert_dynamic_range": "dynamic_wi8_afp32",
    "weight_only_int8": "weight_only_wi8_afp32",
    "weight_only_int4": "weight_only_wi4_afp32",
    "int4": "dynamic_wi4_afp32",
}


@pytest.mark.parametrize("name", OWN)
def test_same_bytes_as_the_engines_own_recipe(name, float_file):
    from litert_quantizer import quantizer, recipe

    with qk.quiet():
        plain = quantizer.Quantizer(float_file, getattr(recipe, OWN[name])())
        expected = bytes(plain.quantize().quantized_model)
    assert qk.convert(float_file, name) == expected


def grids(tflite):
    """Return scale and zero point by the end of a tensor's name, of all that has a grid."""
    return {
        (re.sub(r":\d+.*|_int16$|_quantized$", "", t.name), t.shape): (t.scale, t.zero_point)
        for t in qk.inspect(tflite).tensors
        if t.scale.size
    }


@pytest.mark.parametrize("name", ["full_integer_int8_io", "int16_activations"])
@pytest.mark.parametrize("network", ["trained", "depthwise"])
def test_both_engines_choose_the_same_grids(name, network, tf, kept_weights, calibration):
    build = {"trained": qk.models.walkthrough_cnn, "depthwise": qk.models.depthwise_cnn}
    model = build[network]()
    model.set_weights(kept_weights(network))
    ours = grids(qk.convert(model, name, calibration))
    theirs = grids(qk.convert(qk.convert(model, "float32"), name, calibration))
    shared = [key for key in ours if key in theirs]
    assert len(shared) > 0.8 * len(ours)
    for key in shared:
        np.testing.assert_allclose(ours[key][0], theirs[key][0], rtol=2e-6, err_msg=str(key))
        np.testing.assert_array_equal(ours[key][1], theirs[key][1], err_msg=str(key))


def test_ranges_hold_every_item_and_no_moving_average_of_them(float_file):
    items = X.copy()
    items[0] *= 4  # the engine's own way of 60 items forgets nearly all of it
    file = qk.inspect(qk.convert(float_file, "litert_full_integer", items))
    scale = next(op for op in file.operators if op.name == "QUANTIZE").outputs[0].scale
    np.testing.assert_allclose(scale, items.max() / 255, rtol=1e-3)


def test_a_float_file_is_a_model(model, float_file, tmp_path):
    path = tmp_path / "mine.tflite"
    path.write_bytes(float_file)
    y = qk.outputs(float_file, X).argmax(axis=1)
    schemes = ["float16", "dynamic_range", "full_integer", "full_integer_int8_io", "int4"]
    found = [qk.compare(given, (X, y), schemes) for given in (float_file, path, str(path))]
    for each in found:
        assert [*each.models] == ["float32", *schemes]
        assert each.models["float32"] == float_file
        assert each.accuracies["float32"].accuracy == 1
        assert not each.not_measured
    assert {t.dtype for t in qk.inspect(each.models["full_integer_int8_io"]).inputs} == {"int8"}
    assert [*qk.compare(float_file, X).models] == [
        *("float32", "float16", "dynamic_range", "full_integer", "full_integer_int8_io"),
        "int16_activations",
    ]


def test_compare_converts_a_model_once_for_all_that_start_from_its_float_file(model, monkeypatch):
    conversion, asked = importlib.import_module("qkit.toolchain.convert"), []
    written = conversion._converted

    def counted(opened, scheme, *more):
        asked.append(scheme.name)
        return written(opened, scheme, *more)

    monkeypatch.setattr(conversion, "_converted", counted)
    found = qk.compare(model, X, ["int4", "int4_octav", "weight_only_int8"])
    assert len(found.models) == 4
    assert asked == ["float32"]


def without_signature(tflite):
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    bare = parsed(tflite)
    bare.signatureDefs = None
    return bytes(convert_object_to_bytearray(bare))


def test_an_old_file_without_a_signature(float_file):
    bare = without_signature(float_file)
    assert not parsed(bare).signatureDefs
    given, wanted = (grids(qk.convert(f, "full_integer", X)) for f in (bare, float_file))
    for key, (scale, _) in wanted.items():
        np.testing.assert_array_equal(given[key][0], scale)


@pytest.mark.parametrize("alike", [False, True])
def test_outputs_of_a_file_without_a_signature_keep_their_names(alike, built, edited):
    def change(model):
        for tensor in model.subgraphs[0].tensors if alike else ():
            tensor.name = b"same"

    end, fields = ((1, 3), "float32"), "FullyConnectedOptions"
    tensors = {"x": ((1, 8), "float32"), "w": np.eye(3, 8, dtype=np.float32), "a": end, "b": end}
    operators = [("FULLY_CONNECTED", ["x", "w", None], [given], fields) for given in "ab"]
    tflite = edited(built((tensors, operators, ["x"], ["a", "b"])), change)
    x = np.random.default_rng(0).random((9, 8)).astype(np.float32)
    names = ["2", "3"] if alike else ["a", "b"]
    for file in (tflite, qk.convert(tflite, "full_integer", x)):
        assert [*qk.outputs(file, x)] == names


@pytest.mark.parametrize("name", ["dynamic_range", "full_integer", "int4_gptq"])
def test_names_that_are_missing_or_repeat_stay_the_users(name, toy_tflite, toy_data, edited):
    def change(model):
        for tensor in model.subgraphs[0].tensors[1:]:
            tensor.name = None if tensor.buffer % 2 else b"mine"

    tflite, x = edited(toy_tflite, change), toy_data.x_test
    made, expected = (qk.convert(f, name, toy_data.x_train) for f in (tflite, toy_tflite))
    np.testing.assert_array_equal(qk.outputs(made, x), qk.outputs(expected, x))
    given, names = ([t.name for t in qk.inspect(f).tensors] for f in (tflite, made))
    assert names[: len(given)] == given
    assert {"", "mine"} <= {*given}


@pytest.mark.parametrize("tiny", [0.0, 1e-12])
def test_a_channel_without_weights_keeps_its_bias(tiny, tf):
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    inside = [layers.Conv2D(4, 3, activation="relu"), layers.DepthwiseConv2D(3), layers.Flatten()]
    dead = tf.keras.Sequential([tf.keras.Input((8, 8, 2)), *inside, layers.Dense(3)])
    for layer in (dead.layers[0], dead.layers[1], dead.layers[3]):
        kernel, bias = layer.get_weights()
        axis = 2 if layer is dead.layers[1] else kernel.ndim - 1
        np.moveaxis(kernel, axis, 0)[1] = tiny
        layer.set_weights([kernel, np.linspace(0.5, 2, bias.size)])
    tflite = qk.convert(dead, "float32")
    made = qk.convert(tflite, "full_integer", X)
    assert sqnr_db(made, tflite) > 30


@pytest.mark.parametrize("name", ["litert_full_integer", "litert_int16_activations"])
def test_a_bias_behind_an_input_that_is_never_but_zero_is_kept(name, tf):
    given = tf.keras.Input((2,))
    ones, biases = (tf.keras.initializers.Constant(value) for value in (1.0, [0.5, 1, 2]))
    dead = tf.keras.layers.Dense(4, "relu", bias_initializer=tf.keras.initializers.Constant(-100))
    last = tf.keras.layers.Dense(3, kernel_initializer=ones, bias_initializer=biases)
    model = tf.keras.Model(given, last(dead(given)))
    x = X[:, 0, 0]
    assert np.abs(qk.outputs(qk.convert(model, name, x), x) - [0.5, 1, 2]).max() < 0.02


def test_a_bias_that_is_cut_off_in_int64_too_is_refused_and_the_way_out_works(tf):
    # what comes in is small beside the bias, and litert-quantizer writes no more than int32
    biases = tf.keras.initializers.Constant([0.5, 1, 2])
    last = tf.keras.layers.Dense(3, bias_initializer=biases)
    model, x = tf.keras.Sequential([tf.keras.Input((2,)), last]), X[:, 0, 0] / 10_000
    with pytest.raises(PromiseError, match=r"a bias in .* is cut off.*'int16_activations'"):
        qk.convert(model, "litert_int16_activations", x)
    given = qk.outputs(qk.convert(model, "int16_activations", x), x)
    assert np.abs(given - [0.5, 1, 2]).max() < 0.01


ZOO = ["concat", "conv1d", "embedding", "separable", "state", "transposed", "two_inputs", "lstm"]


@pytest.mark.parametrize("name", ZOO)
def test_other_networks_files(name):
    from qkit.interpreter.run import open_interpreter, taken

    tflite, random = stored(f"zoo_{name}"), np.random.default_rng(0)
    inputs, _ = taken(open_interpreter(tflite))
    x = {
        key: random.random((20, *shape)).astype(dtype)
        if np.issubdtype(dtype, np.floating)
        else random.integers(0, 4, (20, *shape)).astype(dtype)
        for key, (shape, dtype) in inputs.items()
    }
    found = qk.compare(tflite, x, ["dynamic_range", "full_integer", "int16_activations"])
    assert len(found.models) == 4, found.not_measured
    for row in found.accuracies.values():
        assert (row.accuracy if hasattr(row, "accuracy") else row.value / 50) > 0.75


def test_what_a_kernel_is_missing_for_is_counted_as_float():
    made = qk.convert(stored("zoo_conv1d"), "litert_full_integer", items_of("zoo_conv1d"))
    assert {op.name for op in qk.inspect(made).float_operators} == {"EXPAND_DIMS"}


def items_of(name):
    from qkit.interpreter.run import open_interpreter, taken

    inputs, _ = taken(open_interpreter(stored(name)))
    ((shape, _),) = inputs.values()
    return np.random.default_rng(0).random((20, *shape)).astype(np.float32)


def own(name, **changes):
    return dataclasses.replace(qk.SCHEMES[name], name="mine", **changes)


# What cannot be had: the call's scheme, what the message says, and the scheme it leads to.
REFUSED = {
    "an unknown engine": (own("int4", engine="mine"), "engine.*'litert_quantizer'", "int4"),
    "an unknown algorithm": (own("int4", algorithm="best"), "'hadamard'", "int4_hadamard"),
    "blocks of another size": (own("int4", block_size=16), "0, 32, 64", "int4_blocks_32"),
    "blocks of int2": (own("int2", block_size=32), "and no other. Take block_size=0", "int2"),
    "blocks of int8": (
        own("litert_dynamic_range", block_size=32), "Take block_size=0", "litert_dynamic_range",
    ),
    "ranges from nothing": (
        own("litert_full_integer", needs="nothing"), "needs='unlabelled sample'", "full_integer",
    ),
    "GPTQ from nothing": (own("int4_gptq", needs="nothing"), "needs='unlabelled s", "int4_gptq"),
    "int16 ends of int8": (own("litert_full_integer", io="int16"), "io='int16'", "full_integer"),
    "float weights, int8 between": (
        own("litert_full_integer", weights="float16"), "float16 weights", "full_integer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_what_the_engine_passes_over_is_refused_and_the_way_out_works(why, float_file):
    asked, said, instead = REFUSED[why]
    with pytest.raises(ValueError, match=said):
        qk.convert(float_file, asked, X)
    assert qk.convert(float_file, instead, X)[4:8] == b"TFL3"


@pytest.mark.parametrize("name", ["int4_blocks_32", "int4_hadamard", "int4_gptq", "int2"])
def test_schemes_of_dense_layers_say_what_they_found(name):
    given = stored("zoo_transposed")
    with pytest.raises(ValueError, match=r"the network has none\. Take 'int4'"):
        qk.convert(given, name, items_of("zoo_transposed"))
    assert qk.convert(given, "int4")


def test_blocks_that_no_layer_fits(trained):
    with pytest.raises(ValueError, match=r"a multiple of 32 inputs, .* those of \[2028\]"):
        qk.convert(trained, "int4_blocks_32")


def test_two_bits_in_a_convolution_give_nonsense_and_are_refused(float_file):
    from litert_quantizer import quantizer, recipe

    with qk.quiet():
        plain = quantizer.Quantizer(float_file, recipe.dynamic_wi2c_afp32())
        broken = bytes(plain.quantize().quantized_model)
    given = qk.outputs(broken, X)
    assert not np.abs(given).max() < 1e6, "LiteRT has learnt it: lift the refusal"
    with pytest.raises(PromiseError, match="Keep int4 for convolutions"):
        check_promise(broken, qk.SCHEMES["int2"])


def test_a_quantized_file_is_no_model_to_quantize(float_file):
    for name in ("int4", "full_integer", "float16"):
        made = qk.convert(float_file, name, X)
        with pytest.raises(ValueError, match=r"quantized already.*extra=\{'mine': tflite\}"):
            qk.convert(made, "int4")
        assert "mine" in qk.compare(float_file, X, [], extra={"mine": made}).models


def test_nothing_is_trained_in_a_file(float_file):
    for name in ("qat", "pruned", "pruned+int4"):
        with pytest.raises(ValueError, match=r"nothing can be trained in a \.tflite file"):
            qk.convert(float_file, name)
    with pytest.raises(TypeError, match=r"prune: .*nothing can be trained in a \.tflite file"):
        qk.prune(float_file, None, epochs=1)
    found = qk.compare(float_file, X, ["qat", "int4"])
    assert "nothing can be trained" in found.not_measured["qat"]
    assert "int4" in found.models


def test_left_in_float_is_the_converters(float_file):
    with pytest.raises(ValueError, match="left_in_float is for the converter"):
        qk.convert(float_file, "full_integer", X, left_in_float=("wide/MatMul",))


def test_combined_with_what_the_weights_went_through(tf, technique):
    tflite = qk.convert(technique("pruned"), "pruned+int4")
    assert (
        qk.size(tflite).deflated_bytes < qk.size(qk.convert(technique(""), "int4")).deflated_bytes
    )
    assert find_scheme("pruned+int4").engine == "litert_quantizer"
    with pytest.raises(ValueError, match=r"'qat\+litert_full_integer'.*int8 weights and act"):
        find_scheme("qat+litert_full_integer")


def test_without_the_package_it_says_how_to_get_it(float_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "litert_quantizer", None)
    with pytest.raises(ImportError, match=r'pip install "qkit\[quantizer\]"'):
        qk.convert(float_file, "int4")
    found = qk.compare(float_file, X)
    assert [*found.models] == ["float32"]
    assert "qkit[quantizer]" in found.not_measured["full_integer"]
