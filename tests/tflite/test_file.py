"""The tables of a file are read as TensorFlow's own interpreter reads them."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit.tflite.bounds import _READ
from qkit.tflite.file import _MULTIPLYING, _RECURRENT, TfliteError, inspect

BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]


@pytest.fixture(scope="module")
def interpreter():
    """Return a function that opens a file without a delegate, which would hide operators."""

    def open_plain(tflite):
        opened = Interpreter(
            model_content=tflite,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        opened.allocate_tensors()
        return opened

    return open_plain


@pytest.mark.parametrize("name", BY_CONVERTER)
def test_tensors_are_the_interpreters(name, tflite, interpreter):
    file = inspect(tflite(name))
    details = interpreter(tflite(name)).get_tensor_details()
    for tensor, detail in zip(file.tensors, details, strict=False):
        grid = detail["quantization_parameters"]
        assert (tensor.index, tensor.name) == (detail["index"], detail["name"])
        assert np.dtype(tensor.dtype) == detail["dtype"]
        assert tensor.shape == tuple(detail["shape"])
        np.testing.assert_array_equal(tensor.scale, grid["scales"])
        np.testing.assert_array_equal(tensor.zero_point, grid["zero_points"])
        assert tensor.axis == grid["quantized_dimension"]


@pytest.mark.parametrize("name", BY_CONVERTER)
def test_operators_and_ends_are_the_interpreters(name, tflite, interpreter):
    file, opened = inspect(tflite(name)), interpreter(tflite(name))
    ops = opened._get_ops_details()
    assert [op.name for op in file.operators] == [op["op_name"] for op in ops]
    for op, other in zip(file.operators, ops, strict=True):
        assert [file.tensors.index(t) for t in op.outputs] == list(other["outputs"])
    assert [t.name for t in file.inputs] == [d["name"] for d in opened.get_input_details()]
    assert [t.name for t in file.outputs] == [d["name"] for d in opened.get_output_details()]


def test_weights_are_stored_and_activations_are_not(tflite):
    file = inspect(tflite("full_integer"))
    kernels = {t.shape: t for t in file.weights}
    assert set(kernels) == {(12, 3, 3, 1), (10, 2028)}
    assert kernels[12, 3, 3, 1].scale.size == 12
    assert kernels[12, 3, 3, 1].size_bytes == 12 * 3 * 3
    assert {t.dtype for t in file.activations} == {"int8", "float32"}
    assert not any(t.constant for t in file.activations)
    assert file.float_operators == ()


def test_operators_in_float_are_found(tflite):
    names = {op.name for op in inspect(tflite("float32")).float_operators}
    assert {"CONV_2D", "FULLY_CONNECTED"} <= names
    aside = {op.name for op in inspect(tflite("float16")).float_operators}
    assert "DEQUANTIZE" not in aside


def test_table_has_a_row_a_tensor(tflite):
    table = qk.inspect(tflite("full_integer")).to_frame()
    assert table.columns.tolist() == [
        "name",
        "dtype",
        "shape",
        "scale",
        "zero_point",
        "channels",
        "size_bytes",
        "granularity",
        "kind",
        "memory_bytes",
        "first_operator",
        "last_operator",
    ]
    assert len(table) == len(inspect(tflite("full_integer")).tensors)
    kernel = table[(table["channels"] == 12) & (table["dtype"] == "int8")].iloc[0]
    assert (kernel["shape"], kernel["zero_point"]) == ((12, 3, 3, 1), 0)
    assert kernel["scale"] > 0
    without_grid = table[table["channels"] == 0]
    assert without_grid["scale"].isna().all()
    assert {*without_grid["granularity"]} == {""}
    assert kernel["granularity"] == "per channel"
    assert {*table[table["channels"] == 1]["granularity"]} == {"per tensor"}


def test_table_says_of_activations_what_they_take_and_when(tflite):
    file = qk.inspect(tflite("full_integer"))
    table = file.to_frame()
    constant = table["kind"] == "constant"
    assert constant.tolist() == [tensor.constant for tensor in file.tensors]
    ends = ["memory_bytes", "first_operator", "last_operator"]
    assert table[constant][ends].isna().all(axis=None)
    assert {*table[ends].dtypes.astype(str)} == {"Int64"}
    conv = table[table["shape"] == (1, 26, 26, 12)].iloc[0]
    names = [op.name for op in file.operators]
    assert conv[ends].tolist() == [26 * 26 * 12, names.index("CONV_2D"), names.index("MAX_POOL_2D")]


def test_table_of_operators_is_in_the_order_of_the_run(tflite):
    file = qk.inspect(tflite("dynamic_range"))
    table = file.operator_table
    assert table["operator"].tolist() == [op.name for op in file.operators]
    dense = table.iloc[-1]
    assert dense["writes"] == "StatefulPartitionedCall:0 float32 1×10"
    assert dense["reads"].endswith("int8 10×2028, walkthrough_cnn/logits/BiasAdd float32 10")
    assert (dense["weights"], dense["granularity"]) == ("int8", "per channel")
    assert (dense["multiply_accumulates"], dense["written_bytes"]) == (2028 * 10, 4 * 10)
    assert table["multiply_accumulates"].sum() == file.multiply_accumulates
    assert table["alive_bytes"].tolist() == [*file.memory_plan.alive_bytes]
    assert file.operators[0].multiply_accumulates is None
    assert table["multiply_accumulates"].isna()[0]


def test_scales_by_blocks_are_told(toy_tflite, edited):
    from ai_edge_litert import schema_py_generated as schema

    def change(details):
        def kernel(content):
            tensor = next(t for t in content.subgraphs[0].tensors if len(t.shape) == 2 and t.buffer)
            tensor.quantization = schema.QuantizationParametersT(
                detailsType=getattr(schema.QuantizationDetails, details),
                details=getattr(schema, f"{details}T")(),
            )

        return {*qk.inspect(edited(toy_tflite, kernel)).to_frame()["granularity"]}

    assert change("BlockwiseQuantization") == {"", "in blocks"}
    assert change("CustomQuantization") == {"", "of another kind"}


@pytest.mark.parametrize(
    ("dtype", "shape", "size"),
    [
        ("float32", (1, 3), 12), ("int4", (1, 3), 2), ("int2", (5,), 2), ("bool", (2, 2), 4),
        ("bfloat16", (3,), 6), ("float8_e4m3fn", (3,), 3), ("complex64", (), 8), ("int8", (0,), 0),
        ("int8", (-1, 4), None), ("string", (3,), None), ("resource", (1,), None),
        ("variant", (), None), ("unknown", (2,), None), ("int32", (2**31 - 1,) * 4, None),
    ],
)  # fmt: skip
def test_bytes_in_memory_are_told_where_the_file_tells_them(dtype, shape, size, tflite):
    tensor = dataclasses.replace(inspect(tflite("float32")).inputs[0], dtype=dtype, shape=shape)
    assert tensor.memory_bytes == size
    if not shape:
        assert dataclasses.replace(tensor, ranked=False).memory_bytes is None


def test_line_counts_what_is_there(tflite):
    file = inspect(tflite("float32"))
    said = f"{len(file.operators)} operators, {len(file.float_operators)} of them in float; "
    assert file.summary().startswith(said)
    assert file.summary().endswith("whose constants take 81,660 bytes")  # one is of two tensors
    assert "<table" in file._repr_html_()


def test_values_behind_the_tables_are_found(tflite):
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.convert_bytearray_to_object(tflite("float32"))
    number = max(range(len(model.buffers)), key=lambda i: np.size(model.buffers[i].data))
    buffer = model.buffers[number]
    values = bytes(buffer.data)
    buffer.data, buffer.offset, buffer.size = None, 2**40, len(values)
    tables = len(flatbuffer_utils.convert_object_to_bytearray(model))
    buffer.offset = tables
    large = bytes(flatbuffer_utils.convert_object_to_bytearray(model)) + values
    (tensor,) = (t for t in inspect(large).tensors if t.buffer == number)
    assert tensor.data.tobytes() == values
    buffer.offset = 2 * len(large)  # beyond the end of the file
    with pytest.raises(TfliteError, match="damaged"):
        inspect(bytes(flatbuffer_utils.convert_object_to_bytearray(model)))


def test_half_a_file_is_told_as_damaged(toy_tflite):
    with pytest.raises(TfliteError, match="damaged"):
        qk.inspect(toy_tflite[: len(toy_tflite) // 2])


def test_names_inputs_and_outputs_may_lack(toy_tflite, edited):
    from ai_edge_litert import schema_py_generated as schema

    def change(content):
        graph = content.subgraphs[0]
        for tensor in graph.tensors:
            tensor.name = None
        content.operatorCodes.append(schema.OperatorCodeT(builtinCode=129))  # CALL_ONCE
        once = schema.OperatorT(opcodeIndex=len(content.operatorCodes) - 1)
        once.inputs, once.outputs = None, None
        graph.operators = [once, *graph.operators]

    file = inspect(edited(toy_tflite, change))
    assert {tensor.name for tensor in file.tensors} == {""}
    assert (file.operators[0].name, file.operators[0].inputs) == ("CALL_ONCE", ())


def first_operator(content):
    """Return the first that has a place for a bias."""
    return next(op for op in content.subgraphs[0].operators if len(op.inputs) == 3)


def test_an_input_that_is_left_out_keeps_its_place(toy_tflite, edited):
    def change(content):
        op = first_operator(content)
        op.inputs = np.int32([*op.inputs[:2], -1, op.inputs[0]])

    op = next(o for o in inspect(edited(toy_tflite, change)).operators if len(o.inputs) == 3)
    assert op.slots == (0, 1, 3)
    assert (op.input(2), op.input(3), op.input(9)) == (None, op.inputs[2], None)


def test_what_the_schema_does_not_know_is_told_as_unknown(toy_tflite, edited):
    def change(content):
        content.subgraphs[0].tensors[0].type = 99
        content.operatorCodes[0].builtinCode = 30_000

    file = inspect(edited(toy_tflite, change))
    assert file.tensors[0].dtype == "unknown"
    assert "UNKNOWN" in {op.name for op in file.operators}


def grid_with(scales, zeros):
    from ai_edge_litert.schema_py_generated import QuantizationParametersT

    return QuantizationParametersT(scale=np.float32(scales), zeroPoint=np.int64(zeros))


def test_zero_points_are_as_many_as_scales(toy_tflite, edited):
    def give(zeros):
        def change(content):
            content.subgraphs[0].tensors[0].quantization = grid_with([1, 2, 3], zeros)

        return inspect(edited(toy_tflite, change)).tensors[0].zero_point.tolist()

    assert (give([]), give([7]), give([7, 8, 9])) == ([0, 0, 0], [7, 7, 7], [7, 8, 9])
    with pytest.raises(TfliteError, match="damaged"):
        give([7, 8])


def wrong_input(content):
    first_operator(content).inputs = np.int32([0, -2, 1])


def output_beyond(content):
    first_operator(content).outputs = np.int32([1000])


def end_beyond(content):
    content.subgraphs[0].outputs = np.int32([1000])


def buffer_beyond(content):
    content.subgraphs[0].tensors[0].buffer = 1000


def operator_beyond(content):
    first_operator(content).opcodeIndex = 1000


def no_weights(content):
    first_operator(content).inputs = np.int32([0])


def no_input(content):
    content.subgraphs[0].operators[0].inputs = np.int32([-1, 1])


def no_output(content):
    first_operator(content).outputs = np.int32([-1])


def no_graph(content):
    content.subgraphs = []


def unknown_other_file(content):
    content.subgraphs[0].tensors[0].externalBuffer = 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wrong_input, "there is no tensor -2 among"),
        (output_beyond, "there is no tensor 1000 among"),
        (end_beyond, "there is no tensor 1000 among"),
        (buffer_beyond, ""),
        (operator_beyond, ""),
        (no_weights, "a FULLY_CONNECTED has no output, or lacks one of its first 2 inputs"),
        (no_input, "a RESHAPE leaves out a tensor that it needs"),
        (no_output, "a FULLY_CONNECTED leaves out a tensor that it needs"),
        (no_graph, ""),
        (unknown_other_file, ""),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_numbers_that_lead_nowhere_are_damage(change, message, toy_tflite, edited):
    with pytest.raises(TfliteError, match=f"the .tflite file is damaged: {message}"):
        inspect(edited(toy_tflite, change))


@pytest.mark.parametrize(("name", "read"), _READ.items())
def test_what_would_be_read_beyond_an_operators_inputs_is_damage(name, read, built):
    tensors = {"x": ((2, 2), "float32"), "y": ((2, 2), "float32")}
    ends = [("x" * (read - 1), "y")] * (read > 0) + [("x" * read, "")] * (name != "ASSIGN_VARIABLE")
    for reads, writes in ends:
        tflite = built((tensors, [(name, reads, writes, "AbsOptions")], "x", "y"))
        with pytest.raises(TfliteError, match=f"{name} .* lacks one of its first {read} inputs"):
            inspect(tflite)


def test_what_counts_products_is_held_to_the_inputs_that_it_reads():
    own_words = {*_RECURRENT, "TRANSPOSE_CONV"}  # with fewer, they count what there is, or none
    assert {*_MULTIPLYING} - own_words <= {*_READ}


def test_a_transposed_convolution_without_its_third_input_has_no_count(built):
    tensors = {"x": ((1, 2), "float32"), "w": np.zeros((1, 2), "float32"), "y": ((1, 2), "float32")}
    graph = tensors, [("TRANSPOSE_CONV", "xw", "y", "AbsOptions")], "x", "y"
    assert inspect(built(graph)).multiply_accumulates is None


def test_axes_that_would_be_read_beyond_a_shape_are_damage(built):
    tensors = {"x": ((2, 2), "float32"), "b": np.float32([1, 2]), "y": ((2,), "float32")}
    with pytest.raises(TfliteError, match="BATCH_MATMUL has an input of fewer than two axes"):
        inspect(built((tensors, [("BATCH_MATMUL", "xb", "y", "AbsOptions")], "x", "y")))


def test_weights_of_another_shape_than_stored_are_damage(tflite, edited):
    def longer(content):
        kernel = content.subgraphs[0].operators[2].outputs[0]
        content.subgraphs[0].tensors[kernel].shape = np.int32([12, 45_315, 3, 1])

    with pytest.raises(
        TfliteError, match="DEQUANTIZE makes float32 12×45315×3×1 of float16 12×3×3×1"
    ):
        inspect(edited(tflite("float16"), longer))


@pytest.mark.parametrize(
    ("name", "reads", "made"),
    [
        ("RESHAPE", "x", "int16 of float32"),
        ("SOFTMAX", "x", "int16 of float32"),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", "zx", "int16 of int16"),  # of float weights
        ("VAR_HANDLE", "", "int16"),
    ],
)
def test_what_does_not_fit_an_output_is_damage(name, reads, made, built):
    tensors = dict(
        zip("xyz", [((2, 2), kind) for kind in ("float32", "int16", "int16")], strict=True)
    )
    with pytest.raises(TfliteError, match=f"a {name} makes {made}"):
        inspect(built((tensors, [(name, reads, "y", "AbsOptions")], "x", "y")))


def test_short_biases_that_the_options_do_not_tell_are_damage(built):
    """LiteRT would read 64 bits of each, and compute with what lies behind them."""
    tensors = {
        "x": (((1, 4), "int16"), [0.1], [0], 0),
        "w": (np.int8([[1, 2, 3, 4]] * 2), [0.1], [0], 0),
        "b": (np.int32([1, 2]), [0.01], [0], 0),
        "y": (((1, 2), "int16"), [0.1], [0], 0),
    }
    for told in ({}, {"quantizedBiasType": schema.TensorType.INT32}):
        dense = ("FULLY_CONNECTED", "xwb", "y", "FullyConnectedOptions", told)
        tflite = built((tensors, [dense], "x", "y"))
        if told:
            assert qk.outputs(tflite, np.float32([[1, 2, 3, 4]])).shape == (1, 2)
        else:
            with pytest.raises(TfliteError, match="FULLY_CONNECTED on int16 has biases of int32"):
                inspect(tflite)


def test_softmax_may_give_wider_integers_than_it_takes(built):
    tensors = {"x": ((2, 2), "int8"), "y": ((2, 2), "int16")}
    tflite = built((tensors, [("SOFTMAX", "x", "y", "SoftmaxOptions")], "x", "y"))
    assert inspect(tflite).operators[0].outputs[0].dtype == "int16"


def test_buffers_that_mean_nothing_hold_nothing(toy_tflite, edited):
    def change(content):
        content.buffers[0].data = np.arange(4, dtype=np.uint8)  # number 0 stands for none
        content.subgraphs[0].tensors[0].buffer = len(content.buffers)
        content.buffers.append(type(content.buffers[0])(offset=1, size=1))  # as converters write

    before, after = inspect(toy_tflite), inspect(edited(toy_tflite, change))
    assert [t.constant for t in after.tensors] == [t.constant for t in before.tensors]


def test_values_in_another_file_are_told(toy_tflite, in_another_file):
    file = inspect(in_another_file(toy_tflite))
    (tensor,) = (t for t in file.tensors if t.elsewhere)
    assert (tensor.elsewhere, tensor.elsewhere_bytes) == ("weights.bin", 320)
    assert (tensor.size_bytes, tensor.constant) == (0, True)
    assert tensor in file.weights


def test_a_number_of_another_file_is_none_of_this_one(toy_tflite, in_another_file, edited):
    def number_alike(content):
        (tensor,) = (t for t in content.subgraphs[0].tensors if t.externalBuffer)
        here = [t.buffer for t in content.subgraphs[0].tensors if t is not tensor]
        tensor.externalBuffer = content.externalBuffers[0].id = max(here)

    moved = in_another_file(toy_tflite)
    alike = edited(moved, number_alike)
    assert qk.inspect(alike).summary() == qk.inspect(moved).summary()
    assert qk.size(alike).elsewhere_bytes == 320


# ---- multiply–accumulates, by hand ----

KERNELS = {
    # 3³ places, 3 channels, each of 2³ × 2 weights
    "CONV_3D": ([(1, 4, 4, 4, 2)], [(2, 2, 2, 2, 3)], [], (1, 3, 3, 3, 3), 27 * 3 * 8 * 2),
    # 8 filters, each over 4 features and 3 steps
    "SVDF": ([(1, 4)], [(8, 4), (8, 3), (4,)], [(1, 24)], (1, 4), 8 * (4 + 3)),
    # 5 steps, 4 gates of 8 units from 4 inputs and 3 states, and a projection onto these
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (
        [(1, 5, 4)], 4 * [(8, 4)] + 4 * [(8, 3)] + 4 * [(8,)] + [(3, 8)], [(1, 3), (1, 8)],
        (1, 5, 3), 5 * (4 * 8 * (4 + 3) + 3 * 8),
    ),
    "RNN": ([(2, 4)], [(6, 4), (6, 6), (6,)], [(2, 6)], (2, 6), 2 * 6 * (4 + 6)),
}  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_multiply_accumulates_of_rarer_kinds(name, built, edited):
    given, constants, states, out, by_hand = KERNELS[name]
    tensors = {f"x{i}": (shape, "float32") for i, shape in enumerate(given)}
    tensors |= {f"w{i}": np.zeros(shape, np.float32) for i, shape in enumerate(constants)}
    tensors |= {f"s{i}": (shape, "float32") for i, shape in enumerate(states)}
    operator = (name, [*tensors], ["y"], "AbsOptions")
    tflite = built((tensors | {"y": (out, "float32")}, [operator], ["x0"], ["y"]))

    def keep(model):
        for tensor in model.subgraphs[0].tensors:
            tensor.isVariable = tensor.name.startswith(b"s")

    assert inspect(edited(tflite, keep)).multiply_accumulates == by_hand


def test_shapes_that_are_not_told_give_no_count(toy_tflite, edited):
    def untold(model):
        graph = model.subgraphs[0]
        out = graph.tensors[graph.operators[-1].outputs[0]]
        out.shape, out.hasRank = None, False

    file = inspect(edited(toy_tflite, untold))
    assert file.operators[-1].multiply_accumulates is None
    assert file.multiply_accumulates is None  # and not that of the others


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("build", "shape", "by_hand"),
    [
        # 6 × 6 places, 4 channels, each of 3 × 3 × 2 weights
        (lambda layers: layers.Conv2D(4, 3), (8, 8, 2), 6 * 6 * 4 * 3 * 3 * 2),
        (lambda layers: layers.Conv2D(4, 3, strides=2, groups=2), (9, 9, 2), 4 * 4 * 4 * 3 * 3),
        (lambda layers: layers.DepthwiseConv2D(3), (8, 8, 2), 6 * 6 * 2 * 3 * 3),
        (lambda layers: layers.Dense(5), (7,), 7 * 5),
        # each of 4 × 4 × 3 values goes into 2 × 2 × 6 places
        (lambda layers: layers.Conv2DTranspose(6, 2, strides=2), (4, 4, 3), 4 * 4 * 3 * 2 * 2 * 6),
        (lambda layers: layers.Dot(axes=(2, 2)), (4, 5), 4 * 4 * 5),
        # 6 steps, 4 gates of 3 units, each from 2 inputs and 3 states
        (lambda layers: layers.LSTM(3), (6, 2), 6 * 4 * 3 * (2 + 3)),
        (lambda layers: layers.ReLU(), (8,), 0),
    ],
)
def test_multiply_accumulates_are_those_counted_by_hand(build, shape, by_hand, tf):
    given, layer = tf.keras.Input(shape), build(tf.keras.layers)
    out = layer([given, given]) if isinstance(layer, tf.keras.layers.Dot) else layer(given)
    file = inspect(qk.convert(tf.keras.Model(given, out), "float32"))
    assert file.multiply_accumulates == by_hand
    (operator,) = (op for op in file.operators if op.multiply_accumulates) if by_hand else (None,)
    assert by_hand == 0 or operator.multiply_accumulates == by_hand


@pytest.mark.parametrize("scheme", ["full_integer", "dynamic_range", "int16_activations"])
def test_multiply_accumulates_are_the_same_under_every_scheme(scheme, tflite):
    by_hand = 26 * 26 * 12 * 9 + 2028 * 10
    assert inspect(tflite(scheme)).multiply_accumulates == by_hand


@pytest.mark.slow
@pytest.mark.parametrize(("name", "published"), [("MobileNet", 569e6), ("MobileNetV2", 300e6)])
def test_multiply_accumulates_of_mobilenets_are_the_published_ones(name, published, tf):
    # A. Howard et al., 2017, table 8; M. Sandler et al., 2018, table 4
    model = getattr(tf.keras.applications, name)(weights=None)
    found = inspect(qk.convert(model, "float32")).multiply_accumulates
    assert found == pytest.approx(published, rel=0.01)
