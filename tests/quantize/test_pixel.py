"""One integer of a convolution, taken apart: each number on the way is the trace's."""

from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.quantize.pixel import convolutions, pixel

FILES = Path(__file__).parents[1] / "files"
NAMES = ("trained_full_integer", "trained_qat", "trained_int16_activations",
         "depthwise_full_integer", "zoo_conv1d_full_integer", "zoo_separable_full_integer",
         "zoo_backbone_full_integer", "ties_inception_full_integer")  # fmt: skip


def traced(tflite, items=2):
    (image,) = qk.inspect(tflite).inputs
    return qk.run_integer(tflite, np.random.default_rng(0).random((items, *image.shape[1:]), "f"))


def places(trace, number, some):
    """Yield corners and others of what an operator writes, with the integer there."""
    (out,) = trace.file.operators[number].outputs
    written = trace[out.index]
    sums = trace.accumulators(number).reshape(-1, *written.shape[-3:])
    written = written.reshape(sums.shape)
    rng, size = np.random.default_rng(1), np.array(written.shape)
    for place in (0 * size, size - 1, *rng.integers(size, size=(some, 4))):
        yield (
            dict(zip(("item", "row", "column", "filter"), map(int, place), strict=True)),
            (
                written[tuple(place)],
                sums[tuple(place)],
            ),
        )


def by_pencil(found):
    """Return what the steps give where each is done from the one before, in whole numbers."""
    first, second = found.shifts
    total = (
        sum(
            (int(value) - found.source_zero) * int(weight)
            for (row, column, channel), weight in np.ndenumerate(found.weights)
            if 0 <= (y := found.rows[row]) < len(found.source)
            and 0 <= (x := found.columns[column]) < found.source.shape[1]
            for value in [found.source[y, x, channel]]
        )
        + found.bias
    )
    finer = (total * found.multiplier + (1 << (first - 1))) >> first
    whole = abs(finer) + ((1 << second) >> 1) >> second
    back = (whole if finer > 0 else -whole) + found.zero_point
    return total, min(max(back, found.ends[0]), found.ends[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_the_traces(name):
    trace = traced((FILES / f"{name}.tflite").read_bytes())
    numbers = convolutions(trace.file)
    assert numbers
    for number in numbers:
        for place, (written, accumulator) in places(trace, number, 40):
            found = pixel(trace, number, **place)
            assert (found.accumulator, found.value) == (accumulator, written) == by_pencil(found)
            assert found.products.sum() + found.bias == accumulator
            assert [*found.steps.values()][-1] == written
            assert found.table["integer"].tolist() == [*found.steps.values()]


@pytest.fixture
def one_operator(built, edited):
    """Return a function that makes an int8 file of one convolution."""

    def make(kind, shape, weights, written, options, **fields):
        rng = np.random.default_rng(2)
        weights, filters = rng.integers(-127, 128, weights, np.int8), written[3]
        bias = np.int32(rng.integers(-900, 900, filters))
        tensors = {"x": (shape, "int8"), "w": weights, "b": bias, "y": (written, "int8")}
        op = (kind, ["x", "w", "b"], ["y"], options, fields)
        scales, axis = rng.uniform(0.001, 0.03, filters), 0 if kind == "CONV_2D" else 3
        grids = {b"x": ([0.02], 7, 0), b"y": ([0.1], -20, 0), b"b": ([0.0002], 0, 0),
                 b"w": (scales, 0, axis)}  # fmt: skip

        def on_grids(model):
            from ai_edge_litert import schema_py_generated as schema

            for tensor in model.subgraphs[0].tensors:
                scale, zero, at = grids[tensor.name]
                tensor.quantization = schema.QuantizationParametersT()
                tensor.quantization.scale = np.float32(scale)
                tensor.quantization.zeroPoint = np.full(len(scale), zero, np.int64)
                tensor.quantization.quantizedDimension = at

        return edited(built((tensors, [op], ["x"], ["y"])), on_grids)

    return make


STEPS = {"strideH": 2, "strideW": 1, "padding": 0, "dilationHFactor": 1, "dilationWFactor": 3}


@pytest.mark.parametrize(
    ("kind", "weights", "more"),
    [
        ("CONV_2D", (6, 3, 2, 4), {}),
        ("CONV_2D", (6, 3, 2, 2), {}),  # two groups
        ("DEPTHWISE_CONV_2D", (1, 3, 2, 8), {"depthMultiplier": 2}),
    ],
)
def test_strides_dilations_padding_and_groups_are_those_of_the_kernels(
    kind, weights, more, one_operator
):
    filters = weights[0] if kind == "CONV_2D" else weights[3]
    options = "Conv2DOptions" if kind == "CONV_2D" else "DepthwiseConv2DOptions"
    fields = STEPS | {"fusedActivationFunction": 2} | more
    tflite = one_operator(kind, (1, 9, 8, 4), weights, (1, 5, 8, filters), options, **fields)
    trace = traced(tflite, 3)
    assert qk.kernel_differences(trace).differing == 0
    values = set()
    for place, (written, accumulator) in places(trace, 0, 200):
        found = pixel(trace, 0, **place)
        assert (found.accumulator, found.value) == (accumulator, written) == by_pencil(found)
        assert (found.x[(found.rows < 0) | (found.rows > 8)] == 0).all()
        values.add(found.value)
    assert {-30, -10} <= values  # the ends that are left, −1 and 1


@pytest.mark.parametrize(("bias", "number"), [("int32", 2), ("int64", 4)])
def test_sums_behind_int16_are_as_wide_as_their_bias(bias, number, built):
    rng, grid = np.random.default_rng(0), ([1.0], [0], 0)
    tensors = {"x": (((1, 4, 4, 4), "int16"), *grid),
               "w": (rng.integers(-127, 128, (6, 3, 3, 4), np.int8), *grid),
               "b": (rng.integers(-999, 999, 6).astype(bias), *grid),
               "y": (((1, 4, 4, 6), "int16"), [70.0], [0], 0)}  # fmt: skip
    fields = STEPS | {"strideH": 1, "dilationWFactor": 1, "quantizedBiasType": number}
    op = "CONV_2D", ["x", "w", "b"], ["y"], "Conv2DOptions", fields
    tflite = built((tensors, [op], ["x"], ["y"]))
    trace = qk.run_integer(tflite, rng.integers(-3000, 3000, (3, 4, 4, 4), np.int16))
    for place, (written, accumulator) in places(trace, 0, 200):
        found = pixel(trace, 0, **place)
        assert (found.accumulator, found.value) == (accumulator, written) == by_pencil(found)
        assert (found.shifts[1] > 0) == (bias == "int32")  # which is rounded twice


def test_convolution_whose_bias_is_computed_is_none_of_those_taken_apart(built):
    shape, grid = (1, 2, 2, 1), ([1.0], [0], 0)
    tensors = {"x": ((shape, "int8"), *grid), "w": (np.int8([[[[3]]]]), *grid),
               "b": (((1,), "int32"), *grid), "y": ((shape, "int8"), *grid)}  # fmt: skip
    fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    op = "CONV_2D", ["x", "w", "b"], ["y"], "Conv2DOptions", fields
    assert convolutions(qk.inspect(built((tensors, [op], ["x", "b"], ["y"])))) == ()


def test_it_says_the_arithmetic_in_a_line(tflite, digits):
    trace = qk.run_integer(tflite("full_integer"), digits.x_test[:3])
    (number,) = convolutions(trace.file)
    found = pixel(trace, number, item=2, row=12, column=9, filter=3)
    total, (first, second) = int(found.products.sum()), found.shifts
    assert found.summary().startswith(
        f"sum of 9 products {total}; + bias {found.bias}; = accumulator {total + found.bias}; "
        f"× {found.multiplier:,} / 2^{first}, rounded {found.finer}; / 2^{second}, rounded again "
        f"{found.rounded}; + zero point -128; = on the output's grid {found.rounded - 128}; "
        f"within -128 to 127, written {found.value}"
    )


def test_two_roundings_are_told_where_one_gives_another_integer(tflite, digits):
    trace = qk.run_integer(tflite("full_integer"), digits.x_test[:20])
    (number,) = convolutions(trace.file)
    told = 0
    for place, _ in places(trace, number, 3000):
        found = pixel(trace, number, **place)
        low, high = found.rounded - found.exact, found.rounded_once - found.exact
        assert abs(high) <= 0.5
        assert ("rounded once it would be" in found.summary()) == (low != high)
        told += low != high
    assert told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"operator": 0}, "pixel: operator, of convolutions, must be one of 5; got 0"),
        ({"item": 3}, "pixel: item must be a whole number from 0 to 2, got 3"),
        ({"filter": 12}, "pixel: filter must be a whole number from 0 to 11, got 12"),
        ({"row": -1}, "pixel: row must be a whole number from 0 to 25"),
    ],
)
def test_what_is_not_there_is_refused(given, said, tflite, digits):
    trace = qk.run_integer(tflite("full_integer"), digits.x_test[:3])
    with pytest.raises(ValueError, match=said):
        pixel(trace, **{"operator": 5, **given})
    with pytest.raises(TypeError, match="pixel: trace must be a IntegerTrace"):
        pixel(tflite("full_integer"), 5)
