"""Real values go on a tensor's own grid and come back from it, to the last bit."""

from types import SimpleNamespace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from hypothesis import given
from hypothesis import strategies as st

import qkit as qk
from qkit.evaluate.digit import classifier_shapes, scores
from qkit.interpreter.run import (
    fed,
    from_grid,
    open_interpreter,
    outputs,
    taken,
)
from qkit.tflite.file import TfliteError

ROWS = np.random.default_rng(0).random((11, 8), np.float32)
WEIGHTS = np.float32([range(8), [1] * 8, [0] * 8])


def detail(dtype, scale=(), zero_point=0, axis=0):
    grid = {"scales": np.float32(scale).reshape(-1), "quantized_dimension": axis}
    grid["zero_points"] = np.full(grid["scales"].shape, zero_point, np.int32)
    return {"name": "image", "index": 0, "dtype": dtype, "quantization_parameters": grid}


def to_grid(values, detail):
    """Feed values, item by item, to an input of which all is known but the shape."""
    detail["shape"] = (1, *values.shape[1:])
    interpreter = SimpleNamespace(get_input_details=lambda: [detail], get_output_details=lambda: [])
    (fed_values,), _ = fed(interpreter, values, "f")
    return fed_values


def dense(built, inside, rows):
    """Return a file of one matrix, from rows of eight to rows of three, which it reshapes first."""
    tensors = {
        "x": (inside, "float32"),
        "s": np.int32([rows, 8]),
        "r": ((rows, 8), "float32"),
        "w": WEIGHTS,
        "b": np.zeros(3, np.float32),
        "y": ((rows, 3), "float32"),
    }
    operators = [
        ("RESHAPE", "xs", "r", "ReshapeOptions"),
        ("FULLY_CONNECTED", "rwb", "y", "FullyConnectedOptions"),
    ]
    return built((tensors, operators, "x", "y"))


def expected(rows):
    return rows @ WEIGHTS.T


def test_integers_are_scaled_rounded_and_clipped():
    values = np.array([-100, -0.75, -0.2, 0, 0.24, 0.26, 0.74, 1.5, 100], np.float32)
    given = to_grid(values, detail(np.int8, scale=0.5, zero_point=-3))
    # by the arithmetic of qkit.quantize.grid: halves go up
    assert given.tolist() == [-128, -4, -3, -3, -3, -2, -2, 0, 127]
    assert given.dtype == np.int8


def test_unsigned_integers_are_clipped_at_zero():
    values = np.array([-1, 0.6, 2], np.float32)
    assert to_grid(values, detail(np.uint8, 1 / 255, 0)).tolist() == [0, 153, 255]


def test_grid_values_come_back_as_real_numbers():
    given = from_grid(np.array([-128, -3, 127], np.int8), detail(np.int8, 0.5, -3))
    assert given.tolist() == [-62.5, 0, 65]
    assert given.dtype == np.float32


@given(st.integers(-128, 127), st.floats(1e-6, 1e3), st.integers(-128, 127))
def test_what_comes_from_a_grid_goes_back_to_the_same_place(q, scale, zero_point):
    grid = detail(np.int8, scale, zero_point)
    assert to_grid(from_grid(np.array([q], np.int8), grid), grid)[0] == q


def test_floats_pass_through():
    values = np.array([0.1, 2], np.float32)
    assert to_grid(values, detail(np.float32)) is values
    assert to_grid(values, detail(np.float16)).dtype == np.float16
    assert from_grid(values.astype(np.float16), detail(np.float16)).dtype == np.float32


def test_each_channel_may_have_its_own_grid():
    grid = detail(np.int8, scale=[0.5, 2], zero_point=1, axis=1)
    values = np.float32([[1, 4], [-1, -2]])
    assert to_grid(values, grid).tolist() == [[3, 3], [-1, 0]]
    np.testing.assert_array_equal(from_grid(to_grid(values, grid), grid), values)


def test_integers_without_a_grid_come_out_as_they_are():
    values = np.int64([2**40 + 1, 0])
    assert from_grid(values, detail(np.int64)) is values


def test_shapes_of_a_classifier(tflite):
    assert classifier_shapes(open_interpreter(tflite("float32"))) == ((28, 28), 10)


@pytest.mark.parametrize("scheme", ["float32", "full_integer_int8_io"])
def test_outputs_of_any_shape_are_those_of_the_model(tf, digits, scheme):
    conv = tf.keras.Sequential(
        [tf.keras.layers.InputLayer((28, 28)), tf.keras.layers.Conv1D(3, 5, 2, name="conv")]
    )
    x = digits.x_test[:7]
    tflite = qk.convert(conv, scheme, x)
    for batched in (True, False):
        given = outputs(tflite, x, batched=batched)
        assert given.dtype == np.float32
        tolerance = 1e-5 if scheme == "float32" else 0.05
        np.testing.assert_allclose(given, conv(x), atol=tolerance)
    with pytest.raises(TfliteError, match="gives a score for each"):
        scores(tflite, x)


def test_batch_size_and_threads_reach_the_interpreter(tflite):
    opened = open_interpreter(tflite("float32"), threads=2, batch_size=5)
    assert opened.get_input_details()[0]["shape"].tolist() == [5, 28, 28]


@pytest.mark.slow
def test_every_image_starts_from_the_same_state(tf):
    # a fused LSTM keeps its state between calls: an image must not feel the one before it
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((6, 4), batch_size=1), layers.LSTM(5), layers.Dense(3)]
    )
    tflite = qk.convert(model, "float32")
    x = np.random.default_rng(0).random((4, 6, 4)).astype(np.float32)
    forward, backward = scores(tflite, x), scores(tflite, x[::-1])[::-1]
    np.testing.assert_array_equal(forward, backward)
    expected = np.concatenate([model(image[None]).numpy() for image in x])
    np.testing.assert_allclose(forward, expected, atol=1e-5)


def test_failure_on_some_image_is_told(toy_tflite, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    def fail(self):
        raise RuntimeError("tensor.data.raw != nullptr was not true")

    monkeypatch.setattr(Interpreter, "invoke", fail)
    with pytest.raises(TfliteError, match=r"fails while it runs: tensor.data.raw .*other inputs"):
        scores(toy_tflite, np.zeros((2, 4, 4), np.float32))


# ---- whatever takes a place for the batch ----


@pytest.mark.parametrize("count", [1, 3, 4, 11])
@pytest.mark.parametrize("batched", [True, False])
def test_a_fixed_batch_is_filled_up(built, count, batched):
    tflite = dense(built, (4, 8), 4)
    assert taken(open_interpreter(tflite)) == ({"x": ((8,), np.float32)}, 4)
    found = outputs(tflite, ROWS[:count], batched=batched)
    np.testing.assert_allclose(found, expected(ROWS[:count]), rtol=1e-5)
    (*steps,) = qk.intermediate(tflite, ROWS[:count], ["y"])
    for row, step in zip(expected(ROWS), steps, strict=False):
        np.testing.assert_allclose(step["y"], [row] * 4, rtol=1e-5)  # of that item alone
    assert len(steps) == count
    labels = expected(ROWS[:count]).argmax(axis=1)
    assert qk.accuracy(tflite, ROWS[:count], labels).accuracy == 1
    assert qk.latency({"a": tflite}, ROWS[:count], instances=2, rounds=1).median_us["a"] > 0


def test_x_says_what_the_first_axis_is_where_it_may_be_either(built):
    tflite = dense(built, (4, 8), 4)
    sequences = ROWS[:8].reshape(2, 4, 8)
    found = outputs(tflite, sequences)
    np.testing.assert_allclose(found, expected(sequences), rtol=1e-5)
    with pytest.raises(ValueError, match=r"shape \(n, 8\), got \(2, 5, 8\)"):
        outputs(tflite, np.zeros((2, 5, 8), np.float32))


@pytest.mark.parametrize("inside", [(8,), (2, 4), (8, 1)])
def test_an_input_without_an_axis_for_items_takes_one_as_it_is(built, inside):
    tflite = dense(built, inside, 1)
    x = ROWS.reshape(-1, *inside)
    assert classifier_shapes(open_interpreter(tflite)) == (inside, 3)
    np.testing.assert_allclose(outputs(tflite, x), expected(ROWS), rtol=1e-5)
    np.testing.assert_allclose(
        [step["y"][0] for step in qk.intermediate(tflite, x, ["y"])], expected(ROWS), rtol=1e-5
    )
    labels = expected(ROWS).argmax(axis=1)
    assert qk.accuracy(tflite, x, labels).accuracy == 1
    assert qk.latency({"a": tflite}, x, instances=2, rounds=1).median_us["a"] > 0
    with pytest.raises(ValueError, match=r"That is a single image: pass x\[None\]"):
        outputs(tflite, x[0])


@pytest.mark.parametrize(
    ("inside", "outside", "axes", "shape", "item"),
    [
        ((1, 8), (), (0, 1), (11, 8), ()),  # an energy
        ((1, 2, 4), (2, 4), (0,), (11, 2, 4), (2, 4)),
        ((), (), (), (88,), ()),
        ((1,), (1,), (), (88,), ()),
        ((1,), (1,), (), (88, 1), ()),
        ((4, 2), (2,), (0,), (11, 4, 2), (2,)),
    ],
)
def test_outputs_and_inputs_of_any_rank(built, inside, outside, axes, shape, item):
    tensors = {
        "x": (inside, "float32"),
        "a": np.int32(axes),
        "y": (outside, "float32"),
    }
    tflite = built((tensors, [("SUM", "xa", "y", "ReducerOptions")], "x", "y"))
    x = ROWS.reshape(shape)
    by_hand = x.reshape(len(x), *inside).sum(axis=tuple(axis + 1 for axis in axes))
    found = outputs(tflite, x)
    assert found.shape == (len(x), *item)
    np.testing.assert_allclose(found, by_hand.reshape(found.shape), rtol=1e-5)
    with pytest.raises(ValueError, match=r"shape|empty"):
        outputs(tflite, np.float32(3))


def test_free_axes_take_the_lengths_of_the_items(built, edited):
    tensors = {"x": ((1, 1, 8), "float32"), "w": WEIGHTS, "y": ((1, 1, 3), "float32")}
    dense = ("FULLY_CONNECTED", "xw", "y", "FullyConnectedOptions", {"keepNumDims": True})

    def free(model):
        for tensor in (model.subgraphs[0].tensors[i] for i in (0, 2)):
            tensor.shapeSignature = [-1, -1, tensor.shape[2]]

    tflite = edited(built((tensors, [dense], "x", "y")), free)
    for length in (1, 5):
        x = np.random.default_rng(length).random((7, length, 8), np.float32)
        for batched in (True, False):
            np.testing.assert_allclose(
                outputs(tflite, x, batched=batched), x @ WEIGHTS.T, rtol=1e-5
            )
        (first, *_) = qk.intermediate(tflite, x, ["y"])
        np.testing.assert_allclose(first["y"], x[:1] @ WEIGHTS.T, rtol=1e-5)
        assert qk.latency({"a": tflite}, x, instances=2, rounds=1).median_us["a"] > 0
        int8 = qk.convert(tflite, "litert_full_integer", x)
        np.testing.assert_allclose(outputs(int8, x), x @ WEIGHTS.T, atol=0.5)
    with pytest.raises(ValueError, match=r"must have the shape \(n, None, 8\), got \(7, 5, 6\)"):
        outputs(tflite, x[..., :6])


# ---- whatever numbers go in ----


def passing_on(built, dtype, shape=(1, 4)):
    tensors = {"x": (shape, dtype), "s": np.int32(shape), "y": (shape, dtype)}
    return built((tensors, [("RESHAPE", "xs", "y", "ReshapeOptions")], "x", "y"))


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("int32", -(2**31), 2**31 - 1),
        ("int64", -(2**63), 2**63 - 1),
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("bool", 0, 1),
    ],
)
def test_integers_on_no_grid_are_fed_as_they_are(built, dtype, low, high):
    tflite = passing_on(built, dtype)
    x = np.array([[low, high, 0, 1], [1, 0, low, high]])
    found = outputs(tflite, x)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, x)
    (first, *_) = qk.intermediate(tflite, x, ["y"])
    np.testing.assert_array_equal(first["y"], x[:1])
    with pytest.raises(TypeError, match=rf"takes {dtype} and names no grid.*got float32.*whole"):
        outputs(tflite, ROWS[:, :4])
    if dtype != "int64":
        with pytest.raises(ValueError, match=rf"holds 0 to {high + 1}, .*: {low} to {high}"):
            outputs(tflite, [[0, high + 1, 0, 1]])
    assert qk.latency({"a": tflite}, x, instances=2, rounds=1).median_us["a"] > 0


def test_real_values_go_on_a_grid_of_32_bits(built):
    tensors = {"x": (((1, 2), "int32"), [0.5], [0], 0), "y": (((1, 2), "int16"), [0.5], [0], 0)}
    tflite = built((tensors, [("QUANTIZE", "x", "y", "QuantizeOptions")], "x", "y"))
    assert outputs(tflite, np.float32([[1, -2.5]])).tolist() == [[1, -2.5]]
    fine = qk.grid.QParams(np.float32([2.0**-30]), np.int32([0]), -(2**31), 2**31 - 1)
    assert qk.grid.quantize(np.array([1 + 2.0**-30]), fine).tolist() == [2**30 + 1]  # in float64


def test_truth_values_stand_for_themselves_whatever_scale_is_written_there(built):
    tensors = {name: (((1, 2), "bool"), [1.0], [0], 0) for name in "xy"}
    tflite = built((tensors, [("LOGICAL_NOT", "x", "y", "LogicalNotOptions")], "x", "y"))
    assert outputs(tflite, np.array([[True, False]])).tolist() == [[False, True]]


def test_what_no_array_of_numbers_is_fed_to_says_so(built):
    tensors = {"x": ((1, 2), "complex64"), "y": ((1, 2), "float32")}
    tflite = built((tensors, [("REAL", "x", "y", "NONE")], "x", "y"))
    for x in (np.ones((1, 2), np.complex64), np.ones((1, 2), int)):
        with pytest.raises(TypeError, match="takes complex64, and what goes in here are real"):
            outputs(tflite, x)


def test_finite_values_beyond_what_is_taken_are_told(built):
    tensors = {"x": ((1, 2), "float16"), "y": ((1, 2), "float32")}
    tflite = built((tensors, [("CAST", "x", "y", "CastOptions")], "x", "y"))
    with pytest.raises(ValueError, match="1 values that are beyond 65504, the largest float16"):
        outputs(tflite, np.float32([[1, 1e6]]))


def test_weights_in_another_file_are_the_reason(toy_tflite, in_another_file, toy_data):
    tflite, x = in_another_file(toy_tflite), toy_data.x_test
    for ask in (qk.outputs, qk.simulation.calibrated_ranges):
        with pytest.raises(TfliteError, match=r"are in another file, 'weights\.bin'"):
            ask(tflite, x)


def test_a_row_that_does_not_fit_is_told(toy_tflite):
    with pytest.raises(ValueError, match="outputs: x must be an array, and its parts do not fit"):
        outputs(toy_tflite, [[1.0], [1.0, 2.0]])


def test_an_output_whose_shape_follows_the_values_is_told(built):
    tensors = {"x": ((1, 4), "bool"), "y": ((1, 2), "int64")}
    tflite = built((tensors, [("WHERE", "x", "y", "WhereOptions")], "x", "y"))
    assert outputs(tflite, [[0, 1, 1, 0]]).tolist() == [[[0, 1], [0, 2]]]
    with pytest.raises(TfliteError, match="shape changes from item to item"):
        outputs(tflite, [[0, 1, 1, 0], [1, 1, 1, 0]])


@pytest.mark.parametrize("threads", [-1, 10**9])  # of so many the process ended
def test_threads_are_a_whole_number(toy_tflite, threads):
    with pytest.raises(
        ValueError, match=f"threads must be a whole .* from 1 to 1024, got {threads}"
    ):
        outputs(toy_tflite, np.zeros((1, 4, 4), np.float32), threads=threads)


def test_a_name_that_two_tensors_have_names_neither(built):
    row = ((1, 4), "float32")
    operators = [("ABS", ["x"], ["one"], "AbsOptions"), ("NEG", ["one"], ["two"], "NegOptions")]
    tflite = built(({"x": row, "one": row, "two": row}, operators, "x", ["two"]))
    alike, x = tflite.replace(b"one", b"two"), np.ones((1, 4), np.float32)
    with pytest.raises(ValueError, match=r"has 2 tensors, \[1, 2\], of the name 'two'"):
        next(qk.intermediate(alike, x, ["two"]))
    (found,) = qk.intermediate(alike, x, [2, 1])
    np.testing.assert_array_equal([found[1], found[2]], [x, -x])


@pytest.mark.parametrize("names", [["none"], [99]])
def test_intermediate_names_what_is_not_there(names, toy_tflite):
    with pytest.raises(ValueError, match="intermediate: the file has no tensor"):
        next(qk.intermediate(toy_tflite, np.zeros((1, 4, 4), np.float32), names))


# ---- by name ----


@pytest.mark.parametrize(
    "names", [("a", "b"), ("x:0", "x:1"), ("serving_default_x", "x"), ("", "")]
)
def test_inputs_whose_names_are_alike_are_two(names, built, edited):
    tensors = {name: ((1, 2), "float32") for name in "aby"}
    tflite = built((tensors, [("SUB", "ab", "y", "SubOptions")], "ab", "y"))

    def rename(model):
        for tensor, name in zip(model.subgraphs[0].tensors, names, strict=False):
            tensor.name = name.encode()

    tflite, x = edited(tflite, rename), [np.full((3, 2), value, np.float32) for value in (3, 1)]
    assert outputs(tflite, x).tolist() == [[2, 2]] * 3


def test_outputs_bear_the_names_of_their_own_graph(built, edited):
    """Another graph's signature may stand first, and its tensors have the same numbers."""

    def graph(step):
        tensors = {"x": ((1, 2), "float32"), "n": ((1, 2), "float32")}
        tensors |= {name: (((1, 2), "int8"), [step], [0], 0) for name in "pq"}
        operators = [("NEG", "x", "n", "NegOptions")]
        operators += [("QUANTIZE", given, made, "QuantizeOptions") for given, made in ("xp", "nq")]
        return tensors, operators, "x", "pq"

    def sign(model):
        for number, ends in ((1, ("minus", "plus")), (0, ("plus", "minus"))):
            signature = schema.SignatureDefT()
            signature.signatureKey, signature.subgraphIndex = b"%d" % number, number
            signature.inputs = [schema.TensorMapT(b"x", 0)]
            signature.outputs = [schema.TensorMapT(n.encode(), i) for i, n in enumerate(ends, 2)]
            model.signatureDefs = [*(model.signatureDefs or []), signature]

    tflite = edited(built(graph(0.5), graph(1.0)), sign)
    found = outputs(tflite, np.float32([[1, 2.5]]))
    assert {name: values.tolist() for name, values in found.items()} == {
        "plus": [[1, 2.5]],
        "minus": [[-1, -2.5]],
    }
