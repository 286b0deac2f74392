"""The tables of a file are read as TensorFlow's own interpreter reads them."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit.tflite.file import _READ, TfliteError, inspect


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


@pytest.mark.parametrize("name", qk.SCHEMES)
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


@pytest.mark.parametrize("name", qk.SCHEMES)
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
    ]
    assert len(table) == len(inspect(tflite("full_integer")).tensors)
    kernel = table[(table["channels"] == 12) & (table["dtype"] == "int8")].iloc[0]
    assert (kernel["shape"], kernel["zero_point"]) == ((12, 3, 3, 1), 0)
    assert kernel["scale"] > 0
    without_grid = table[table["channels"] == 0]
    assert without_grid["scale"].isna().all()


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


def test_axes_that_would_be_read_beyond_a_shape_are_damage(built):
    tensors = {"x": ((2, 2), "float32"), "b": np.float32([1, 2]), "y": ((2,), "float32")}
    with pytest.raises(TfliteError, match="BATCH_MATMUL has an input of fewer than two axes"):
        inspect(built((tensors, [("BATCH_MATMUL", "xb", "y", "AbsOptions")], "x", "y")))


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
