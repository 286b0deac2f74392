"""A float file is opened once, by names that do not repeat, and put together again."""

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.digit import scores
from qkit.interpreter.alone import with_given
from qkit.tflite.edit import layers, opened, with_weights
from qkit.tflite.file import TfliteError, parsed


@pytest.fixture
def nameless(float_file, edited):
    """Return a file all of whose tensors have the same name."""

    def rename(model):
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b"it"

    return edited(float_file, rename)


def test_taken_apart_and_put_together_it_is_the_same(tflite):
    for name in ("float32", "full_integer", "dynamic_range"):
        assert with_weights(tflite(name), {}) == tflite(name)


def test_what_is_open_is_taken_as_it_is(float_file):
    file = opened(float_file)
    assert opened(file) is file
    assert layers(file) is file.layers
    assert with_weights(file, {}) == with_weights(float_file, {})


def test_names_that_repeat_are_told_apart(nameless, float_file, digits):
    file, named = opened(nameless), opened(float_file)
    assert len(file.names) == len(qk.inspect(nameless).tensors)
    assert len({layer.name for layer in file.layers}) == 2
    x = digits.x_train[:5]
    ranges = qk.simulation.calibrated_ranges(file, x)
    same = qk.simulation.calibrated_ranges(named, x)
    assert list(ranges.values()) == list(same.values())
    simulated = [qk.simulation.at_bits(f, r) for f, r in ((file, ranges), (named, same))]
    assert np.array_equal(*(scores(f, digits.x_test[:20]) for f in simulated))
    small = qk.prune_once(file, 0.9)
    assert small.size.by_way == qk.prune_once(named, 0.9).size.by_way
    changed = [c.applied(f) for c, f in ((small, file), (qk.prune_once(named, 0.9), named))]
    assert np.array_equal(*(scores(f, digits.x_test[:20]) for f in changed))


def test_loops_and_branches_are_refused(float_file, edited):
    twice = edited(float_file, lambda model: model.subgraphs.append(model.subgraphs[0]))
    assert qk.inspect(twice).graphs == 2
    with pytest.raises(TfliteError, match="the file has 2 graphs: loops and branches"):
        opened(twice)


def test_a_number_that_stands_behind_a_name_already_is_not_given_again(float_file, edited):
    def rename(model):
        for index, tensor in enumerate(model.subgraphs[0].tensors):
            tensor.name = (b"it", b"it #3", b"")[index % 3]

    file = opened(edited(float_file, rename))
    assert len(file.names) == len(qk.inspect(float_file).tensors)
    assert file.names["it #3"].index == 1  # which is its own name
    assert [tensor.index for tensor in file.names.values()] == list(range(len(file.names)))


def test_layers_keep_clear_of_the_words_for_the_input_and_for_all(float_file, edited, digits):
    def rename(model):
        graph = model.subgraphs[0]
        weights = [op.inputs[1] for op in graph.operators if len(op.inputs) == 3]
        for index, name in zip(weights, (b"input", b"all"), strict=True):
            graph.tensors[index].name = name

    file, plain = opened(edited(float_file, rename)), opened(float_file)
    assert not {"input", "all"} & {layer.name for layer in file.layers}
    x = digits.x_train[:5]
    found, expected = (
        qk.outputs(qk.simulation.at_bits(f, qk.simulation.calibrated_ranges(f, x)), x)
        for f in (file, plain)
    )
    assert np.array_equal(found, expected)
    change = qk.simulation.bits(file, {}, activation_bits={"input": 4})
    assert list(change.activation_bits.values()) == [4, 32, 32]


@pytest.fixture
def twice():
    """Return a file of two dense layers: one weight tensor, or two tensors with one buffer."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    def make(tensors):
        weights = np.float32([[1, 2], [3, -5]])
        buffers = [schema.BufferT(), schema.BufferT(data=weights.view(np.uint8).ravel())]
        names = [b"x", b"a/MatMul", b"b/MatMul", b"h", b"y"]
        held = [0, 1, 1, 0, 0]
        graph = schema.SubGraphT(
            tensors=[
                schema.TensorT(shape=[1 + (buffer > 0), 2], buffer=buffer, name=name)
                for buffer, name in zip(held, names, strict=True)
            ],
            inputs=[0],
            outputs=[4],
            operators=[
                schema.OperatorT(
                    inputs=[read, weights, -1],
                    outputs=[given],
                    builtinOptionsType=schema.BuiltinOptions.FullyConnectedOptions,
                    builtinOptions=schema.FullyConnectedOptionsT(),
                )
                for read, weights, given in ((0, 1, 3), (3, tensors, 4))
            ],
        )
        code = schema.BuiltinOperator.FULLY_CONNECTED
        codes = [schema.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code)]
        model = schema.ModelT(3, codes, [graph], b"", buffers)
        return bytes(convert_object_to_bytearray(model))

    return make


@pytest.mark.parametrize("second", [1, 2], ids=["one tensor", "one buffer"])
def test_weights_that_two_operators_read_are_those_of_one_layer(twice, second):
    tflite, x = twice(second), np.float32([[1, 1], [2, 0]])
    weights = np.float32([[1, 2], [3, -5]])
    np.testing.assert_allclose(qk.outputs(tflite, x), x @ weights.T @ weights.T)
    assert [layer.name for layer in layers(tflite)] == ["a"]
    pruned = qk.prune_once(tflite, 0.5)
    assert (pruned.total, pruned.set_to_0, pruned.pruned_share) == (4, 2, 0.5)
    assert pruned.size.raw_bytes == 16
    left = np.float32([[0, 0], [3, -5]])
    np.testing.assert_allclose(qk.outputs(pruned.applied(tflite), x), x @ left.T @ left.T)
    ranges = qk.simulation.calibrated_ranges(tflite, x)
    change = qk.simulation.bits(tflite, ranges, weight_bits=None, activation_bits={"a": 2})
    assert change.size_bytes == 16
    # both of what it gives take its bits, and the input does not
    assert [len(qparams) for qparams in change.grids(tflite).values()] == [1, 1]
    assert np.unique(qk.outputs(change.applied(tflite), x)).size <= 4


def test_given_values_go_to_the_readers_that_are_named_and_to_no_others(built):
    tensors = {name: ((1, 2), "float32") for name in "xabcy"}
    one_by_one = ("ABS", "x", "a", "AbsOptions"), ("NEG", "a", "b", "NegOptions")
    joined = ("NEG", "a", "c", "NegOptions"), ("ADD", "bc", "y", "AddOptions")
    model = parsed(built((tensors, [*one_by_one, *joined], "x", "y")))
    x, given = np.float32([[1, -2]]), np.float32([[10, 20]])
    for readers, expected in (
        (None, -2 * given),
        ({(1, 0)}, -given - abs(x)),
        (set(), -2 * abs(x)),
    ):
        tflite = with_given(model, {1: given}, readers)
        np.testing.assert_array_equal(qk.outputs(tflite, [x, given]), expected)


def test_what_others_read_of_a_shared_buffer_stays_as_it_is(built, edited):
    """Converters join equal constants, of a kernel and of an addition too."""
    weights, x = np.float32([[1, 0.1, 2, 0.2], [3, 0.3, 1, 1]]), np.ones((1, 4), np.float32)
    tensors = {
        "x": ((1, 4), "float32"),
        "w": weights,
        "c": weights,
        "s": ((2, 4), "float32"),
        "y": ((2, 2), "float32"),
    }
    operators = [
        ("ADD", "xc", "s", "AddOptions"),
        ("FULLY_CONNECTED", "sw", "y", "FullyConnectedOptions"),
    ]

    def join(model):
        graph = model.subgraphs[0]
        graph.tensors[2].buffer = graph.tensors[1].buffer

    tflite = edited(built((tensors, operators, "x", "y")), join)
    pruned = qk.prune_once(tflite, 0.5)
    (kernel,) = pruned.values.values()
    assert np.count_nonzero(kernel) < 8
    found = qk.outputs(pruned.applied(tflite), x)
    np.testing.assert_allclose(found.reshape(2, 2), (x + weights) @ kernel.T, rtol=1e-6)
