"""The explorer of one integer: every control moved, each number held against the trace."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.kernels import KERNELS, written
from qkit.quantize.pixel import convolutions, pixel

CONTROLS = ("item", "row", "column", "filter", "channel")


@pytest.fixture(scope="module")
def files(tflite, depthwise_tflite):
    return {"plain": tflite("full_integer"), "depthwise": depthwise_tflite("full_integer")}


@pytest.fixture(scope="module")
def images(digits):
    return digits.x_test[:8]


@pytest.fixture(scope="module")
def expected(files, images):
    """Return a function from a file and a place in it to the readout."""
    traces = {name: qk.run_integer(file, images) for name, file in files.items()}
    theirs = {
        name: {kernels: [found for _, found in written(trace, kernels)] for kernels in KERNELS}
        for name, trace in traces.items()
    }

    def say(name, number, item, row, column, filter):
        trace = traces[name]
        place = {"item": item, "row": row, "column": column, "filter": filter}
        found = pixel(trace, number, **place)
        (out,) = trace.file.operators[number].outputs
        assert found.value == trace[out.index][item, row, column, filter]
        wrote = {
            k: int(v[item][out.index][0, row, column, filter]) for k, v in theirs[name].items()
        }
        assert wrote["reference"] == found.value
        same = ", ".join(k for k, value in wrote.items() if value == found.value)
        others = "".join(f", but {k} {v}" for k, v in wrote.items() if v != found.value)
        return f"{found.summary()}. The interpreter's {same} kernels write the same{others}."

    return say


@pytest.mark.parametrize("name", ["plain", "depthwise"])
def test_every_control_answers_with_what_the_arithmetic_gives(name, files, images, expected):
    explorer = qk.explore_pixel(files[name], images)
    controls, open_before = explorer.controls, plt.get_fignums()
    numbers = convolutions(qk.inspect(files[name]))
    for number in numbers[::-1]:
        if len(numbers) > 1:
            controls["operator"].value = number
        for control in CONTROLS:
            if control not in controls or controls[control].disabled:
                continue
            for value in (0, controls[control].max, controls[control].max // 2):
                old, picture = controls[control].value, explorer.png()
                controls[control].value = value
                place = {c: controls[c].value for c in CONTROLS[:4]}
                assert explorer.readout.endswith(expected(name, number, **place))
                if value != old:
                    assert explorer.readout.startswith(f"{control}: {old} → {value}. sum of ")
                assert (explorer.png() != picture) == (value != old)
    assert plt.get_fignums() == open_before


def test_it_begins_where_kernels_disagree_within_the_ends(files, images, expected):
    explorer = qk.explore_pixel(files["plain"], images)
    assert [*explorer.controls] == ["item", "row", "column", "filter"]  # one operator, one channel
    place = {name: control.value for name, control in explorer.controls.items()}
    assert explorer.readout == expected("plain", 5, **place)
    assert ", but xnnpack " in explorer.readout
    assert "rounded once it would be" in explorer.readout
    value = int(explorer.readout.partition("written ")[2].partition(";")[0])
    assert -128 < value < 127


def test_where_all_agree_it_begins_within_the_ends(tflite, images):
    readout = qk.explore_pixel(tflite("int16_activations"), images).readout
    assert readout.endswith("reference, optimized, xnnpack kernels write the same.")
    assert 0 < int(readout.partition("written ")[2].partition(".")[0]) < 32767


def test_an_operator_brings_its_own_places(files, images):
    explorer = qk.explore_pixel(files["depthwise"], images)
    controls = explorer.controls
    file = qk.inspect(files["depthwise"])
    for _, number in [*controls["operator"].options[::-1], controls["operator"].options[4]]:
        controls["operator"].value = number
        op = file.operators[number]
        shape = op.outputs[0].shape
        assert [controls[c].max + 1 for c in CONTROLS[1:4]] == [*shape[1:]]
        deep = op.name == "CONV_2D" and op.inputs[0].shape[3] > 1
        assert controls["channel"].disabled == (not deep)
        assert controls["channel"].max == (op.inputs[0].shape[3] - 1 if deep else 0)


def test_an_image_of_all_zeros_and_a_single_one_will_do(files):
    explorer = qk.explore_pixel(files["plain"], np.zeros((1, 28, 28), np.float32))
    assert "item" not in explorer.controls
    assert "sum of 9 products 0;" in explorer.readout


def test_a_file_without_convolutions_is_refused(toy_tflite, toy_data):
    int8 = qk.convert(toy_tflite, "litert_full_integer", toy_data.x_train)
    with pytest.raises(ValueError, match="explore_pixel: the file has no CONV_2D and no DEPTHWISE"):
        qk.explore_pixel(int8, toy_data.x_test)
    assert len(qk.run_integer(int8, toy_data.x_test).table)
