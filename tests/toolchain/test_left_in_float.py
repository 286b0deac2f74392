"""Operations named are left in float, those and no others; what cannot be is refused at once."""

import dataclasses

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import scores
from qkit.tflite.file import read_tflite
from qkit.toolchain.promise import PromiseError, check_promise


@pytest.fixture(scope="module")
def convolution(tflite):
    """Return what the float file calls the output of the convolution."""
    operators = read_tflite(tflite("float32")).operators
    return next(op.outputs[0].name for op in operators if op.name == "CONV_2D")


@pytest.fixture(scope="module")
def mixed(trained, calibration, convolution):
    return qk.convert(trained, "full_integer", calibration, left_in_float=(convolution,))


def test_the_operation_named_is_in_float_and_no_other(mixed, convolution):
    file = read_tflite(mixed)
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

    monkeypatch.setattr(module, "quantized_but", None)  # nothing is quantized before the check
    with pytest.raises(ValueError, match=r"names 'pool/MaxPool'.*'walkthrough_cnn/pool/MaxPool'"):
        qk.convert(trained, "full_integer", calibration, left_in_float=("pool/MaxPool",))


def test_constant_is_no_operation(trained, calibration, tflite):
    constant = read_tflite(tflite("float32")).weights[0].name
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


def test_saved_model_leaves_the_same_in_float(saved, calibration, convolution):
    float_file = read_tflite(qk.convert(saved("trained"), "float32"))
    name = next(op.outputs[0].name for op in float_file.operators if op.name == "CONV_2D")
    file = qk.convert(saved("trained"), "full_integer", calibration, left_in_float=(name,))
    assert [op.outputs[0].name for op in read_tflite(file).float_operators] == [name]
