"""The tables of a file are read as TensorFlow's own interpreter reads them."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit.tflite.file import TfliteError, inspect


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
