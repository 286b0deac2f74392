"""Each mistake is found in a file that has it and not in its mended twin; tools say the same."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

import qkit as qk
from qkit.evaluate.operators import SOURCES, TARGETS, WITHOUT_INT16, operators
from qkit.evaluate.target_rules import RULES
from qkit.tflite.faults import FAULTS, known_faults
from qkit.tflite.file import TfliteError
from qkit.tflite.probe import probe
from qkit.tflite.values import stored_values

FILES = Path(__file__).parents[1] / "files"
STORED = sorted(path.stem for path in FILES.glob("*.tflite"))
INTEGER = [n for n in STORED if "integer" in n or "int16" in n or n.endswith("qat")]
BUILTIN = [n for n in vars(schema.BuiltinOperator) if n.isupper()]
# What fuses into one line of a table which layers a file has: where a planted mistake sits.
CONV, DENSE = "CONV_2D", "FULLY_CONNECTED"


def stored(name):
    return (FILES / f"{name}.tflite").read_bytes()


def codes(tflite, target="cpu"):
    return [finding.code for finding in qk.lint(tflite, target).findings]


def graph_of(model):
    """Return the main graph's tensors, and its operators with their names."""
    graph, names = model.subgraphs[0], dict(map(reversed, vars(schema.BuiltinOperator).items()))
    kinds = [names[model.operatorCodes[op.opcodeIndex].builtinCode] for op in graph.operators]
    return graph.tensors, [*zip(kinds, graph.operators, strict=True)]


def on_grid(tensor, scale, zero_point=0):
    tensor.quantization = schema.QuantizationParametersT(
        scale=np.atleast_1d(np.float32(scale)), zeroPoint=np.atleast_1d(np.int64(zero_point))
    )


@pytest.fixture(scope="module")
def good(tflite, edited):
    """Return an int8 file with int8 ends, a fixed batch of 1, and one scale in the dense layer."""
    source = tflite("full_integer_int8_io")
    dense = qk.inspect(source).operators[-1].inputs[1]

    def mend(model):
        tensors, operators = graph_of(model)
        shaping = ("SHAPE", "STRIDED_SLICE", "PACK")
        model.subgraphs[0].operators = [op for kind, op in operators if kind not in shaping]
        first = next(op for kind, op in operators if kind == "RESHAPE")
        model.buffers.append(schema.BufferT(data=np.int32([1, 28, 28, 1]).view(np.uint8)))
        tensors[first.inputs[1]].buffer = len(model.buffers) - 1
        for tensor in tensors:
            tensor.shapeSignature = None
        x, weights, bias = (tensors[index] for index in operators[-1][1].inputs)
        one = dense.scale.max()
        values = np.round(stored_values(dense) * dense.scale[:, None] / one).astype(np.int8)
        model.buffers[weights.buffer].data = values.view(np.uint8).ravel()
        on_grid(weights, one)
        on_grid(bias, one * x.quantization.scale[0])

    return edited(source, mend)


@pytest.fixture(scope="module")
def single(built, edited):
    """Return a function that makes a file of one operator of a kind, on a grid where it can be."""

    def make(kind, dtype="float32", reads=1, shape=(1, 4)):
        names = [f"x{number}" for number in range(reads)]
        tensors = {name: (shape, dtype) for name in (*names, "y")}
        tensors["y"] = (shape, "bool" if kind == "GREATER" else dtype)
        operator = (kind, names, ["y"], "AddOptions")
        return edited(built((tensors, [operator], names, ["y"])), finish)

    def finish(model):
        code = model.operatorCodes[0]
        code.version = 2 if code.builtinCode == schema.BuiltinOperator.BROADCAST_TO else 1
        model.subgraphs[0].operators[0].builtinOptionsType = 0
        model.subgraphs[0].operators[0].builtinOptions = None
        for tensor in model.subgraphs[0].tensors:
            if tensor.type in (schema.TensorType.INT8, schema.TensorType.INT16):
                on_grid(tensor, 0.1)

    return make


# ---- planted mistakes: by code a target, and what is done to the good file ----


def kind_of(model, wanted):
    tensors, operators = graph_of(model)
    return tensors, next(op for kind, op in operators if kind == wanted)


def given(model, wanted):
    tensors, operator = kind_of(model, wanted)
    return tensors[operator.outputs[0]]


def weights_of(model, wanted):
    tensors, operator = kind_of(model, wanted)
    return tensors[operator.inputs[1]]


def values_of(model, wanted):
    return model.buffers[weights_of(model, wanted).buffer]


def end(model):
    return model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]


def wide_weights(model):
    weights = weights_of(model, CONV)
    on_grid(weights, np.full(12, np.inf))


def uint8_end(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].type = schema.TensorType.UINT8


def uint8_layer(model):
    given(model, CONV).type = schema.TensorType.UINT8


def many_scales(model):
    on_grid(weights_of(model, DENSE), np.full(10, 0.01), np.zeros(10))


def int16_layer(model):
    given(model, DENSE).type = schema.TensorType.INT16
    kind_of(model, DENSE)[1].builtinOptions.quantizedBiasType = schema.TensorType.INT32


def two_bits(model):
    weights_of(model, CONV).type = schema.TensorType.INT2


def free_axis(model):
    end(model).shapeSignature = np.int32([1, -1, 28])


def batch_of_8(model):
    for tensor in model.subgraphs[0].tensors:
        if model.buffers[tensor.buffer].data is None:
            tensor.shape = np.int32([8, *tensor.shape[1:]])


def custom(model):
    code = model.operatorCodes[model.subgraphs[0].operators[-1].opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"FlexErf"


def fused(model):
    kind_of(model, "MAX_POOL_2D")[1].builtinOptions.fusedActivationFunction = 1


def start(model):
    on_grid(given(model, CONV), 12 / 255 * 0.998, -1)


def nothing_seen(model):
    on_grid(end(model), 1e-6 / 255, -1)


def clipped(model):
    values = np.int16(3) * values_of(model, DENSE).data.view(np.int8)
    values_of(model, DENSE).data = values.clip(-127, 127).astype(np.int8).view(np.uint8)


def dead(model):
    values_of(model, CONV).data = np.where(np.arange(108) < 9, 0, values_of(model, CONV).data)


def kept(model):
    end(model).isVariable = True


def cut_off(model):
    tensors, operator = kind_of(model, DENSE)
    buffer = model.buffers[tensors[operator.inputs[2]].buffer]
    buffer.data = np.int32([-(2**31), *buffer.data.view(np.int32)[1:]]).view(np.uint8)


def without_zeros(model):
    weights = weights_of(model, DENSE)
    rows, columns = (schema.DimensionMetadataT(denseSize=n) for n in weights.shape)
    weights.sparsity = schema.SparsityParametersT(
        traversalOrder=np.int32([0, 1]), blockMap=None, dimMetadata=[rows, columns]
    )


def joined(model):
    """Let the last operator add two of a small range, on a grid for a large one."""
    tensors, operator = kind_of(model, DENSE)
    model.operatorCodes[operator.opcodeIndex].builtinCode = schema.BuiltinOperator.ADD
    model.operatorCodes[operator.opcodeIndex].deprecatedBuiltinCode = 0
    operator.inputs = np.int32([operator.inputs[0]] * 2)
    on_grid(tensors[operator.outputs[0]], 1000)


def softened(model):
    tensors, operator = kind_of(model, DENSE)
    code = model.operatorCodes[operator.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SOFTMAX
    operator.inputs = operator.inputs[:1]
    on_grid(tensors[operator.inputs[0]], 4e6)


def ids(model):
    tensors, operator = kind_of(model, DENSE)
    code = model.operatorCodes[operator.opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.EMBEDDING_LOOKUP
    on_grid(tensors[operator.inputs[0]], 4)


EVERYWHERE = ("cpu", "edgetpu", "microcontroller")
PLANTED = [
    ("scale-not-finite", EVERYWHERE, wide_weights),
    ("int2-convolution", EVERYWHERE, two_bits),
    ("huge-step", EVERYWHERE, softened),
    ("ids-on-a-grid", EVERYWHERE, ids),
    ("bias-cut-off", EVERYWHERE, cut_off),
    ("uint8", ("cpu", "microcontroller"), uint8_layer),
    ("uint8-ends", ("microcontroller", "ethos-u"), uint8_end),
    ("per-axis-dense", ("edgetpu", "microcontroller"), many_scales),
    ("int16-activations", ("cpu", "gpu", "edgetpu"), int16_layer),
    ("sparse-integers", ("cpu", "microcontroller"), without_zeros),
    ("dynamic-shape", TARGETS, free_axis),
    ("batch", TARGETS, batch_of_8),
    ("unsupported-operator", TARGETS, custom),
    ("edgetpu-condition", ("edgetpu",), fused),
    ("default-range", EVERYWHERE, start),
    ("default-range", EVERYWHERE, nothing_seen),
    ("swallowed", EVERYWHERE, joined),
    ("clipped-weights", EVERYWHERE, clipped),
    ("dead-channels", EVERYWHERE, dead),
    ("keeps-state", EVERYWHERE, kept),
]
# By code, target and names of stored files: one that has it, and one that has not.
TWINS = [
    ("float-operators", "edgetpu", "trained_dynamic_range", "trained_full_integer"),
    ("float-operators", "ethos-u", "trained_float32", "trained_full_integer"),
    ("float-operators", "cpu", "ties_fixed_int16_activations", "ties_fixed_full_integer"),
    ("float-ends", "edgetpu", "trained_full_integer", "trained_full_integer_int8_io"),
    ("weights-alone", "microcontroller", "trained_dynamic_range", "trained_full_integer"),
    ("weights-alone", "microcontroller", "trained_float16", "trained_float32"),
    ("no-int16-kernel", "cpu", "ties_around_int16_activations", "ties_around_full_integer"),
    ("shape-at-run-time", "gpu", "trained_qat", "zoo_separable_full_integer"),
    ("dead-channels", "cpu", "trained_pruned", "trained_float32"),
    ("keeps-state", "cpu", "zoo_lstm_full_integer", "zoo_conv1d_full_integer"),
    ("unsupported-operator", "microcontroller", "ties_moved_full_integer", "trained_qat"),
]
# By fixture of a test below that makes the file with the converter itself.
BY_CONVERTER = {"qat-without-optimizations", "wrapped", "depthwise-one-scale", "weights-widened"}


@pytest.mark.parametrize("target", TARGETS)
def test_a_good_file_gets_nothing(target, good):
    assert probe(good).error == probe(good).failed == ""
    found = qk.lint(good, target)
    assert found.findings == ()
    assert str(found).startswith(f"no findings for {target}")


@pytest.mark.parametrize("name", [name for name in STORED if name.startswith("trained")])
def test_what_convert_makes_gets_nothing_on_a_processor(name):
    slow = {"int16-activations"} if name.endswith("int16_activations") else set()
    assert set(codes(stored(name))) - {"dead-channels"} == slow  # pruning leaves some


@pytest.mark.parametrize(("code", "targets", "plant"), PLANTED)
def test_a_planted_mistake_is_found(code, targets, plant, good, edited):
    for target in targets:
        assert code in codes(edited(good, plant), target), target


@pytest.mark.parametrize(("code", "target", "wrong", "mended"), TWINS)
def test_of_two_stored_files_the_one_with_the_mistake_is_named(code, target, wrong, mended):
    assert code in codes(stored(wrong), target)
    assert code not in codes(stored(mended), target)


def test_operators_of_one_kind_are_one_finding():
    found = qk.lint(stored("trained_float16"), "microcontroller").findings
    (weights,) = (f for f in found if f.code == "weights-alone")
    assert weights.place.startswith("4 × DEQUANTIZE ")


def test_every_rule_has_a_file_that_has_it():
    planted = {code for code, *_ in (*PLANTED, *TWINS)} | BY_CONVERTER
    assert planted == {code for code, *_ in RULES}


def test_every_rule_names_a_severity_for_targets_and_a_source():
    for code, severity, _, source in RULES:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code)
        assert set(severity) <= set(TARGETS)
        assert set(severity.values()) <= {"fatal", "costly", "note"}
        assert source.startswith(("https://", "measured with LiteRT "))


def test_depthwise_weights_with_one_scale_in_float_are_found(built):
    def file(scales):
        tensors = {
            "x": ((1, 4, 4, 2), "float32"),
            "kernel": np.ones((1, 3, 3, 2), np.int8),
            "y": ((1, 2, 2, 2), "float32"),
        }
        layer = ("DEPTHWISE_CONV_2D", ["x", "kernel"], ["y"], "DepthwiseConv2DOptions")
        return built((tensors, [layer], ["x"], ["y"])), scales

    tflite, _ = file(1)
    assert codes(tflite) == ["depthwise-one-scale"]


@pytest.mark.parametrize(
    ("recipe", "found"), [("weight_only_wi8_afp32", 1), ("dynamic_wi8_afp32", 0)]
)
def test_weights_that_are_widened_first_are_found_for_a_gpu(recipe, found):
    from litert_quantizer import quantizer
    from litert_quantizer import recipe as recipes

    with qk.quiet():
        made = quantizer.Quantizer(stored("zoo_concat_float32"), getattr(recipes, recipe)())
        tflite = bytes(made.quantize(enable_progress_report=False).quantized_model)
    assert codes(tflite, "gpu").count("weights-widened") == found
    assert "weights-widened" not in codes(tflite)


def test_findings_say_place_consequence_remedy_and_source(tflite):
    found = qk.lint(tflite("dynamic_range"), "edgetpu")
    first = found.findings[0]
    assert first.code == "float-operators"
    assert first.severity == "fatal"
    assert "RESHAPE" in first.place
    assert "computes in float" in first.consequence
    assert "full_integer" in first.remedy
    assert first.source.startswith("https://")
    frame = found.to_frame()
    assert frame["code"].tolist() == [finding.code for finding in found.findings]
    order = ["fatal", "costly", "note"]
    assert frame["severity"].tolist() == sorted(frame["severity"], key=order.index)
    assert re.match(r"6 findings for edgetpu, 5 fatal: float-operators, per-axis", str(found))
    assert "Coral" in str(found)


def test_a_target_that_is_none_is_told(tflite):
    with pytest.raises(ValueError, match=r"lint: target must be one of 'cpu', 'gpu'.*got 'tpu'"):
        qk.lint(tflite("float32"), "tpu")
    with pytest.raises(TfliteError, match="TFL3"):
        qk.lint(b"none at all")


def test_what_convert_refuses_is_what_lint_finds(good, edited):
    for code, _, plant in PLANTED[:5]:
        file = edited(good, plant)
        assert code in FAULTS
        (fault,) = (fault for fault in known_faults(qk.inspect(file)) if fault[0] == code)
        (found,) = (f for f in qk.lint(file).findings if f.code == code)
        assert (found.code, found.place, found.consequence, found.remedy) == fault


def test_a_circle_of_operators_ends(good, edited):
    def circle(model):
        passing = kind_of(model, "RESHAPE")[1]
        ids(model)
        lookup = kind_of(model, "EMBEDDING_LOOKUP")[1]
        shape = passing.inputs[1]
        passing.inputs = np.int32([passing.outputs[0], shape])
        lookup.inputs = np.int32([passing.outputs[0], *lookup.inputs[1:]])

    assert "ids-on-a-grid" not in codes(edited(good, circle))


def test_weights_in_another_file_are_passed_over(tflite, in_another_file):
    assert codes(in_another_file(tflite("float32"))) == []


def test_twenty_megabytes_take_less_than_a_second(built):
    weights = np.random.default_rng(0).normal(0, 40, (10, 1024, 2048))
    tensors = {"y0": ((1, 2048), "int8")}
    for number, values in enumerate(weights.clip(-127, 127).astype(np.int8)):
        tensors |= {f"w{number}": values.reshape(2048, 1024), f"y{number + 1}": ((1, 2048), "int8")}
    layers = [
        (DENSE, [f"y{n}", f"w{n}"], [f"y{n + 1}"], "FullyConnectedOptions") for n in range(10)
    ]
    tflite = built((tensors, layers, ["y0"], ["y10"]))
    assert len(tflite) > 20_000_000
    for target in ("cpu", "edgetpu"):
        began = time.perf_counter()
        qk.lint(tflite, target)
        assert time.perf_counter() - began < 1


# ---- as the converter itself makes them ----


@pytest.fixture(scope="module")
def converted(tf):
    """Return a function from a Keras model to a file, by the converter and its words alone."""

    def convert(model, x=None, *, ops=None, io="float32", optimizations=("DEFAULT",)):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [getattr(tf.lite.Optimize, name) for name in optimizations]
        if x is not None:
            converter.representative_dataset = lambda: ([item[None]] for item in x)
        if ops:
            converter.target_spec.supported_ops = [getattr(tf.lite.OpsSet, ops)]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)
        with qk.quiet():
            return converter.convert()

    return convert


@pytest.fixture(scope="module")
def aware_file(converted, aware):
    return converted(aware)


INT16 = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"


def test_an_aware_model_without_optimizations_is_found(converted, aware, aware_file):
    assert "qat-without-optimizations" in codes(converted(aware, optimizations=()))
    assert codes(aware_file) == []


def test_ranges_that_no_data_have_moved_are_found(converted, toy_model, toy_data, aware_file):
    import tensorflow_model_optimization as tfmot

    fresh = tfmot.quantization.keras.quantize_model(toy_model())
    assert set(codes(converted(fresh))) == {"default-range"}
    fresh.compile("adam", loss="sparse_categorical_crossentropy")
    fresh.fit(toy_data.x_train[:64], toy_data.y_train[:64], epochs=1, verbose=0)  # two steps
    assert set(codes(converted(fresh))) == {"default-range"}
    assert "default-range" not in codes(aware_file)


def test_wrappers_that_were_not_taken_off_are_found(converted, toy_model):
    import tensorflow_model_optimization as tfmot

    cluster, prune = tfmot.clustering.keras, tfmot.sparsity.keras
    clustered = cluster.cluster_weights(toy_model(), 8, cluster.CentroidInitialization.LINEAR)
    pruned = prune.prune_low_magnitude(toy_model())
    assert "wrapped" in codes(converted(clustered))
    assert "wrapped" in codes(converted(pruned))
    assert codes(converted(cluster.strip_clustering(clustered))) == []
    assert codes(converted(prune.strip_pruning(pruned))) == []


def test_int16_without_calibration_is_found_where_float_is_fatal(converted, trained, calibration):
    assert "float-operators" in codes(converted(trained, ops=INT16), "edgetpu")
    whole = codes(converted(trained, calibration, ops=INT16), "edgetpu")
    assert "float-operators" not in whole
    assert "int16-activations" in whole


def test_zeros_that_are_not_stored_are_found(converted, tf, trained, kept_weights):
    model = tf.keras.models.clone_model(trained)
    model.set_weights(kept_weights("trained_pruned"))
    sparse = converted(model, optimizations=("DEFAULT", "EXPERIMENTAL_SPARSITY"))
    assert "sparse-integers" in codes(sparse)
    assert "failed to prepare" in probe(sparse).failed
    assert "sparse-integers" not in codes(converted(model))


@pytest.mark.parametrize(
    ("mask", "code"), [(-1e9, "huge-step"), (-1e4, "swallowed"), (-10.0, None)]
)
def test_a_mask_that_buries_what_it_is_added_to_is_found(mask, code, converted, tf, calibration):
    layers = tf.keras.layers
    image = tf.keras.Input((28, 28))
    masked = layers.Softmax()(layers.Add()([image, layers.Rescaling(-mask, mask)(image)]))
    model = tf.keras.Model(image, layers.Dense(9)(layers.Flatten()(masked)))
    found = codes(converted(model, calibration, ops="TFLITE_BUILTINS_INT8"))
    assert (code in found) if code else ({"huge-step", "swallowed"}.isdisjoint(found))


def test_token_numbers_on_a_grid_are_found(converted, tf):
    def tokens(dtype):
        ids = tf.keras.Input((6,), dtype=dtype)
        rows = tf.keras.layers.Embedding(1000, 8)(ids)
        return tf.keras.Model(ids, tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(rows)))

    x, ops = np.random.default_rng(0).integers(0, 1000, (60, 6)), "TFLITE_BUILTINS_INT8"
    wrong = converted(tokens("float32"), x.astype(np.float32), ops=ops, io="int8")
    assert codes(wrong) == ["ids-on-a-grid"]
    assert codes(converted(tokens("float32"), x.astype(np.float32), ops=ops)) == []
    assert codes(converted(tokens("int32"), x.astype(np.int32), ops=ops)) == []


def test_an_unrolled_layer_that_starts_from_zeros_is_found(converted, tf, toy_data):
    gru = tf.keras.layers.GRU(8, unroll=True, bias_initializer="random_normal")
    model = tf.keras.Sequential([tf.keras.layers.InputLayer((4, 4)), gru])
    assert "scale-not-finite" in codes(converted(model, toy_data.x_train, ops=INT16))
    assert "scale-not-finite" not in codes(qk.convert(model, "int16_activations", toy_data.x_train))


# ---- tools' own words ----


def refused(tflite):
    from ai_edge_litert.interpreter import Interpreter

    try:
        Interpreter(model_content=tflite)
    except (RuntimeError, ValueError) as error:
        return "Didn't find op" in str(error)
    return False


def test_litert_has_a_kernel_for_what_is_on_the_list_and_for_nothing_else(single):
    asked = [kind for kind in BUILTIN if kind != "CUSTOM"]  # those are looked for when they run
    assert len(asked) > 200
    lacking = {kind for kind in asked if refused(single(kind))}
    assert lacking == set(asked) - operators("cpu")[0]


UNARY = ["CEIL", "COS", "ELU", "FLOOR", "HARD_SWISH", "LOG_SOFTMAX", "RELU_N1_TO_1", "SIGN", "SIN"]
BINARY = ["ADD_N", "POW", "SQUARED_DIFFERENCE"]
WITH_INT16 = {"ABS": 1, "RELU": 1, "EXP": 1, "ADD": 2, "MUL": 2, "MAXIMUM": 2, "GREATER": 2}


@pytest.mark.parametrize(("kind", "reads"), [*((k, 1) for k in UNARY), *((k, 2) for k in BINARY)])
def test_litert_refuses_int16_where_the_list_says_so(kind, reads, single):
    assert kind in WITHOUT_INT16
    in_float, in_int16 = (probe(single(kind, dtype, reads)) for dtype in ("float32", "int16"))
    assert not in_float.error
    assert not in_float.failed
    assert in_int16.error or in_int16.failed
    assert "no-int16-kernel" in codes(single(kind, "int16", reads))


@pytest.mark.parametrize("kind", WITH_INT16)
def test_litert_takes_int16_where_the_list_is_silent(kind, single):
    tried = probe(single(kind, "int16", WITH_INT16[kind]))
    assert not tried.error + tried.failed
    assert "no-int16-kernel" not in codes(single(kind, "int16", WITH_INT16[kind]))


def test_tensorflows_analyzer_warns_of_nothing_so_that_its_word_counts_for_nothing(tf, single):
    from tensorflow.lite.python import analyzer

    said = analyzer._analyzer_wrapper.ModelAnalyzer(single("LSH_PROJECTION"), False, True)
    assert "looks compatible with GPU delegate" in said
    assert codes(single("LSH_PROJECTION"), "gpu") == ["unsupported-operator"]


def kinds_named(found):
    """Return the kinds of operators that findings say run on the processor."""
    kinds = set()
    for finding in found.findings:
        if finding.code in ("unsupported-operator", "float-operators"):
            kinds.add(re.sub(r"^\d+ × ", "", finding.place).split()[0])
        if finding.code == "shape-at-run-time":  # and the arithmetic with shapes behind it
            kinds |= {"SHAPE", "STRIDED_SLICE", "PACK"}
    return kinds


@pytest.mark.parametrize("name", INTEGER)
def test_vela_leaves_to_the_processor_what_lint_names(name, tmp_path):
    pytest.importorskip("ethosu.vela")
    command = [sys.executable, "-m", "ethosu.vela", FILES / f"{name}.tflite"]
    done = subprocess.run(
        [*command, "--output-dir", tmp_path], capture_output=True, text=True, check=True
    )
    said = re.findall(r"supported operators\) operator: (\w+), ofm", done.stdout + done.stderr)
    found = qk.lint(stored(name), "ethos-u")
    at_ends = {"QUANTIZE", "DEQUANTIZE"} if "float-ends" in str(found) else set()
    # of the layout of a reversed axis, vela knows more
    assert set(said) - at_ends - {"REVERSE_V2"} == kinds_named(found)


def test_vela_reports_the_operators_on_the_list():
    pytest.importorskip("ethosu.vela")
    from qkit.evaluate import operators as lists

    assert lists._reported() | {"ETHOS-U"} == set(lists._ETHOS_U.split())
    assert "as installed" in str(qk.lint(stored("trained_qat"), "ethos-u"))


@pytest.mark.parametrize("name", STORED)
def test_tflite_micro_refuses_what_lint_finds_fatal(name):
    pytest.importorskip("tflite_micro")
    found = qk.lint(stored(name), "microcontroller")
    own = {f.code for f in found.findings if f.severity == "fatal" and f.code != "arena"}
    refusal = [finding.consequence for finding in found.findings if finding.code == "arena"]
    assert bool(refusal) == bool(own) == (found.arena_bytes is None)
    if found.arena_bytes:
        assert f"arena {found.arena_bytes:,} bytes" in str(found)


def test_tflite_micro_as_installed_knows_better_than_the_list(monkeypatch):
    pytest.importorskip("tflite_micro")
    assert "TILE" not in operators("microcontroller")[0]
    nothing = frozenset(), "a list of none"
    monkeypatch.setattr("qkit.evaluate.target_rules.operators", lambda target: nothing)
    assert "unsupported-operator" not in codes(stored("trained_qat"), "microcontroller")
    assert "unsupported-operator" in codes(stored("ties_moved_full_integer"), "microcontroller")


def test_tflite_micro_registers_the_operators_on_the_list(single):
    pytest.importorskip("tflite_micro")
    asked = [kind for kind in BUILTIN if kind != "CUSTOM" and not kind.startswith("STABLEHLO")]
    lacking = {k for k in asked if "Didn't find op" in probe(single(k), account="arena").error}
    assert lacking == set(asked) - operators("microcontroller")[0]


@pytest.mark.parametrize("name", STORED)
def test_edge_compat_reads_the_same_operators(name):
    """What its delegates take stands in a matrix, which the package does not bring along."""
    parser = pytest.importorskip("litert_compat.parser")
    nodes = [node for graph in parser.parse_tflite(stored(name)).subgraphs for node in graph.nodes]
    names = [op.name for op in qk.inspect(stored(name)).operators]
    assert [node.op for node in nodes] == names


def test_without_tools_it_says_whose_list_it_went_by(tflite, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    operators.cache_clear()  # what another test was told
    assert "ethos-u-vela 5.2" in str(qk.lint(tflite("qat"), "ethos-u"))
    assert "tflite-micro of October 2026" in str(qk.lint(tflite("qat"), "microcontroller"))
    operators.cache_clear()
    assert set(SOURCES) == set(TARGETS)


def test_a_tool_that_fails_is_gone_without(tflite, monkeypatch):
    def failing(*_, **__):
        raise TfliteError("its trial took longer")

    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    monkeypatch.setattr("qkit.evaluate.lint.probe", failing)
    operators.cache_clear()
    assert "ethos-u-vela 5.2" in str(qk.lint(tflite("qat"), "ethos-u"))
    found = qk.lint(tflite("qat"), "microcontroller")
    assert "its trial took longer" in found.findings[0].consequence
    assert found.arena_bytes is None
    operators.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tflite-micro has wheels for Linux alone")
def test_the_tools_say_the_same_where_they_are_installed(tmp_path):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--pre", "--no-deps", "--target", tmp_path]
    subprocess.run([*pip, "tflite-micro", "ethos-u-vela", "edge-compat"], check=True)
    asked = [
        __file__,
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "test_vela or test_tflite or test_edge",
    ]
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *asked],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout
