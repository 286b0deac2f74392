"""Stored numbers are decoded to what the network was, and to what the interpreter sees."""

import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit._tensorflow import quiet
from qkit.tflite.file import Tensor, TfliteError, inspect, layer_name
from qkit.tflite.values import real_values, stored_values


@pytest.fixture(scope="module")
def dense(tf):
    """Return a function from a kernel in the file's layout to a model with that kernel."""

    def build(kernel):
        model = tf.keras.Sequential(
            [tf.keras.layers.InputLayer((kernel.shape[1],)), tf.keras.layers.Dense(len(kernel))]
        )
        model.layers[0].set_weights([kernel.T, np.ones(len(kernel), np.float32)])
        return model

    return build


@pytest.fixture(scope="module")
def sparse(tf):
    """Return a function that converts a model so that zeros are not stored."""

    def convert(model, *more):
        with quiet():
            converter = tf.lite.TFLiteConverter.from_keras_model(model)
            converter.optimizations = [
                getattr(tf.lite.Optimize, name) for name in ("EXPERIMENTAL_SPARSITY", *more)
            ]
            return converter.convert()

    return convert


def only_sparse(tflite):
    (tensor,) = (t for t in inspect(tflite).weights if t.sparsity is not None)
    return tensor


@pytest.fixture(scope="module")
def kernel():
    return np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32)


@pytest.mark.parametrize(
    "name", ["float32", "float16", "dynamic_range", "full_integer", "int16_activations"]
)
def test_values_are_the_interpreters(name, tflite):
    opened = Interpreter(
        model_content=tflite(name),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    opened.allocate_tensors()
    constants = [(n, t) for n, t in enumerate(inspect(tflite(name)).tensors) if t.constant]
    assert len(constants) > 4
    for index, tensor in constants:
        np.testing.assert_array_equal(stored_values(tensor), opened.get_tensor(index), strict=True)


def test_real_values_are_half_a_step_from_the_model(tflite, trained):
    by_layer = {layer_name(t.name): t for t in inspect(tflite("full_integer")).weights}
    for name in ("conv", "logits"):
        tensor, kernel = (
            by_layer[name],
            np.moveaxis(trained.get_layer(name).get_weights()[0], -1, 0),
        )
        step = tensor.scale.reshape(-1, *[1] * (kernel.ndim - 1))
        assert tensor.scale.size > 1
        assert np.max(np.abs(real_values(tensor) - kernel) / step) < 0.5001
        assert real_values(tensor).dtype == np.float32


@pytest.mark.parametrize("block", [(1, 1), (4, 1), (1, 4), (1, 16)])
def test_zeros_that_are_not_stored_are_there_again(block, dense, sparse, kernel):
    rows, columns = block
    blocks = np.random.default_rng(1).random((32 // rows, 64 // columns)) < 0.15
    kernel = kernel * blocks.repeat(rows, axis=0).repeat(columns, axis=1)
    tensor = only_sparse(sparse(dense(kernel)))
    assert tensor.size_bytes < kernel.nbytes / 3
    assert (len(tensor.sparsity.dimMetadata) == 3) == (columns > 1)  # it finds the blocks
    np.testing.assert_array_equal(stored_values(tensor), kernel)
    integers = only_sparse(sparse(dense(kernel), "DEFAULT"))
    assert integers.dtype == "int8"
    step = integers.scale.reshape(-1, 1)
    assert np.max(np.abs(real_values(integers) - kernel) / step) < 0.5001


def test_convolutions_are_encoded_likewise(sparse, edited, tf):
    kernel = np.random.default_rng(0).normal(size=(1, 1, 16, 32)).astype(np.float32)
    kernel[np.abs(kernel) < 1.3] = 0
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((4, 4, 16)), layers.Conv2D(32, 1, use_bias=False)]
    )
    model.set_weights([kernel])
    tflite = sparse(model)
    np.testing.assert_array_equal(
        stored_values(only_sparse(tflite)), np.moveaxis(kernel, -1, 0), strict=True
    )

    def point_outside(content):
        (tensor,) = (t for t in content.subgraphs[0].tensors if t.sparsity is not None)
        indices = tensor.sparsity.dimMetadata[-1].arrayIndices
        indices.values = np.full_like(indices.values, 200)

    with pytest.raises(TfliteError, match="stored without its zeros, and the places"):
        stored_values(only_sparse(edited(tflite, point_outside)))


def handmade(levels, stored, shape=(3, 4), order=(0, 1)):
    """Return a tensor of the numbers 1 to `stored` in a sparse layout: (size,) or segments."""
    vector = SimpleNamespace
    levels = [
        vector(format=0, denseSize=level[0], arraySegments=None, arrayIndices=None)
        if len(level) == 1
        else vector(
            format=1,
            denseSize=0,
            arraySegments=vector(values=np.array(level[0], np.uint8)),
            arrayIndices=vector(values=np.array(level[1], np.int32)),
        )
        for level in levels
    ]
    layout = SimpleNamespace(traversalOrder=order, dimMetadata=levels, blockMap=None)
    data, none = np.arange(1, stored + 1, dtype=np.int8).view(np.uint8), np.empty(0)
    return Tensor(0, "w", "int8", shape, none, none, 0, 1, data, layout)


def test_handmade_layout():
    found = stored_values(handmade([(3,), ([0, 1, 1, 3], [2, 0, 3])], 3))
    np.testing.assert_array_equal(found, [[0, 0, 1, 0], [0, 0, 0, 0], [2, 0, 0, 3]])


@pytest.mark.parametrize(
    ("levels", "stored"),
    [
        ([(3,), ([0, 1, 2, 3], [2])], 3),  # fewer indices than the segments speak of
        ([(3,), ([0, 1], [2])], 1),  # a row alone
        ([(3,), ([2, 5, 5, 5], [0, 1, 2, 3, 0])], 5),  # not from the first index
        ([(3,), ([0, 2, 1, 3], [0, 1, 2])], 3),  # backwards
        ([(3,), ([0, 1, 2, 3], [2, 0, 4])], 3),  # a fifth column
        ([(3,), ([0, 1, 1, 3], [2, 0, 3])], 2),  # a value too few
        ([(200,), ([0] * 200 + [1], [2])], 1),  # more rows than the shape has
        ([(3,), ([0, 1, 1, 3], [2, 0, -1])], 3),  # a column before the first
        ([(2,), ([0, 1, 2], [2, 0])], 2),  # a row less than the shape has
        ([(2**31,), (2**31,)], 1),  # memory
        ([(3,)], 3),  # a dimension too few
    ],
)
def test_damaged_layouts(levels, stored):
    with pytest.raises(TfliteError, match="stored without its zeros, and the places"):
        stored_values(handmade(levels, stored))


def test_four_bits(dense, kernel):
    from litert_quantizer import quantizer, recipe

    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        four = quantizer.Quantizer(bytearray(qk.convert(dense(kernel), "float32")))
        four.load_quantization_recipe(recipe.dynamic_wi4_afp32())
        tflite = bytes(four.quantize().quantized_model)
    (tensor,) = (t for t in inspect(tflite).weights if len(t.shape) > 1)
    assert tensor.dtype == "int4"
    assert tensor.size_bytes == kernel.size / 2
    assert stored_values(tensor).dtype == np.int8
    assert np.ptp(stored_values(tensor)) in (14, 15)
    assert np.max(np.abs(real_values(tensor) - kernel) / tensor.scale.reshape(-1, 1)) < 0.5001


@pytest.mark.parametrize("shape", [(3, 2**30), (2**30, 4), (0, 4), (-3, -4)])
def test_a_shape_without_zeros_asks_for_no_more_memory_than_its_values_are_worth(shape):
    tracemalloc.start()
    with pytest.raises(TfliteError, match="stored without its zeros, and the places"):
        stored_values(handmade([(3,), ([0, 1, 1, 3], [2, 0, 3])], 3, shape))
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def holding(data, dtype, shape, scale=(), zero_point=(), axis=0, **more):
    """Return a tensor made by hand."""
    return Tensor(
        index=0,
        name="w",
        dtype=dtype,
        shape=shape,
        scale=np.float32(scale),
        zero_point=np.int64(zero_point),
        axis=axis,
        buffer=1,
        data=np.asarray(data).view(np.uint8),
        sparsity=None,
        **more,
    )


def test_two_and_four_bits_come_lowest_first():
    two = holding(np.uint8([0b11_10_01_00, 0b00_00_00_01]), "int2", (5,))
    np.testing.assert_array_equal(stored_values(two), np.int8([0, 1, -2, -1, 1]), strict=True)
    unsigned = holding(np.uint8([0xF0, 0x0A]), "uint4", (3,))
    np.testing.assert_array_equal(stored_values(unsigned), np.uint8([0, 15, 10]), strict=True)
    signed = holding(np.uint8([0xF0, 0x0A]), "int4", (3,))
    np.testing.assert_array_equal(stored_values(signed), np.int8([0, -1, -6]), strict=True)


@pytest.mark.parametrize(
    ("dtype", "size_bytes", "shape"),
    [
        ("int4", 2, (5,)),  # a byte too few
        ("int4", 3, (4,)),  # a byte too many
        ("int2", 2, (3,)),
        ("int8", 4, (-2, -2)),
        ("int8", 1, (1,) * 65),
        ("int8", 4, (2**31, 2**31)),
        ("float32", 8, (3,)),
    ],
)
def test_bytes_that_do_not_fit_the_shape(dtype, size_bytes, shape):
    with pytest.raises(TfliteError, match=r"has the shape .* Is the file damaged"):
        stored_values(holding(np.zeros(size_bytes, np.uint8), dtype, shape))


@pytest.mark.parametrize(
    ("scale", "zero_point", "axis", "why"),
    [
        ([1, 2, 3], [0, 0, 0], 0, "3 scales for axis 0"),
        ([1, 2], [0, 0], 2, "2 scales for axis 2"),
        ([1, 2], [0, 0], -2, "2 scales for axis -2"),
        ([np.nan], [0], 0, "not finite"),
        ([1, np.inf], [0, 0], 0, "not finite"),
        ([3e38], [0], 0, "not finite"),
    ],
)
def test_grids_that_mean_nothing(scale, zero_point, axis, why):
    tensor = holding(np.int8([1, -2, 3, 4]), "int8", (2, 2), scale, zero_point, axis)
    assert stored_values(tensor).size == 4
    with pytest.raises(TfliteError, match=f"the grid of the tensor 'w' cannot be read: .*{why}"):
        real_values(tensor)


def test_floats_need_no_grid():
    tensor = holding(np.float32([1, 2]), "float32", (2,), [0.5], [3])
    np.testing.assert_array_equal(real_values(tensor), [1, 2])


def by_block(values, scales, block, zeros=None, **more):
    from ai_edge_litert.schema_py_generated import BlockwiseQuantizationT

    x = holding([], "float32", (1, 4))
    scales = holding(np.float16(scales), "float16", np.shape(scales))
    held = [x, scales] if zeros is None else [x, scales, holding(np.int8(zeros), "int8", (4,))]
    details = BlockwiseQuantizationT(1, -1 if zeros is None else 2, block, **more)
    return holding(np.int8(values), "int8", np.shape(values), details=details, graph=held)


VALUES = [[1, 2, 3, 4], [5, 6, 7, -8]]


def test_a_grid_by_blocks_by_hand():
    found = real_values(by_block(VALUES, [[0.5, 2], [4, 8]], 2))
    np.testing.assert_array_equal(found, [[0.5, 1, 6, 8], [20, 24, 56, -64]])
    assert found.dtype == np.float32
    shifted = real_values(by_block(VALUES, [[0.5, 2], [4, 8]], 2, zeros=[1, 3, -100, 0]))
    np.testing.assert_array_equal(shifted, [[0, 0.5, 0, 2], [420, 424, 56, -64]])
    tall = real_values(by_block(VALUES, [[0.5, 1, 2, 4]], 0, blockShape=[2, 1]))
    np.testing.assert_array_equal(tall, [[0.5, 2, 6, 16], [2.5, 6, 14, -32]])


@pytest.mark.parametrize(
    ("tensor", "why"),
    [
        (by_block(VALUES, [[0.5, 2], [4, 8]], 3), "blocks of .* do not fill"),
        (by_block(VALUES, [[0.5, 2], [4, 8]], 0), "blocks of .* do not fill"),
        (by_block(VALUES, [[0.5, 2], [4, 8]], 2, blockShape=[2]), "blocks of .* do not fill"),
        (by_block(VALUES, [[0.5, 2]], 2), "cannot reshape"),
        (by_block(VALUES, [[0.5, 2], [4, np.inf]], 2), "it is not finite"),
    ],
)
def test_blocks_that_do_not_fit(tensor, why):
    with pytest.raises(TfliteError, match=f"the grid of the tensor 'w' cannot be read: {why}"):
        real_values(tensor)


def test_other_grids_are_refused_by_name():
    from ai_edge_litert import schema_py_generated as schema

    for kind in ("CustomQuantization", "MultiAxisQuantization"):
        tensor = holding(np.int8([1]), "int8", (1,), [2], [0])
        tensor = type(tensor)(**{**vars(tensor), "details": getattr(schema, f"{kind}T")()})
        with pytest.raises(TfliteError, match=f"qkit does not know {kind}"):
            real_values(tensor)
        assert stored_values(tensor) == 1


def test_values_in_another_file_are_refused_by_name():
    with pytest.raises(TfliteError, match=r"'w' are in another file, 'weights\.bin'"):
        stored_values(holding([], "int8", (4,), elsewhere="weights.bin", elsewhere_bytes=4))


def test_blocks_of_a_quantizer(dense):
    from litert_quantizer import quantizer, recipe

    rng = np.random.default_rng(0)
    kernel = (rng.normal(size=(8, 64)) * np.repeat([1, 10], 32)).astype(np.float32)
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        blocks = quantizer.Quantizer(bytearray(qk.convert(dense(kernel), "float32")))
        blocks.load_quantization_recipe(recipe.dynamic_wi4b32_afp32())
        tflite = bytes(blocks.quantize().quantized_model)
    (tensor,) = (t for t in inspect(tflite).weights if t.dtype == "int4")
    (scales,) = (t for t in inspect(tflite).weights if t.dtype == "float16")
    step = np.repeat(stored_values(scales).astype(np.float32), 32, axis=1)
    assert np.max(np.abs(real_values(tensor) - kernel) / step) < 0.51
    opened = Interpreter(model_content=tflite)
    opened.allocate_tensors()
    x = rng.random((1, 64), np.float32)
    opened.set_tensor(opened.get_input_details()[0]["index"], x)
    opened.invoke()
    answer = opened.get_tensor(opened.get_output_details()[0]["index"])
    np.testing.assert_allclose(answer, x @ real_values(tensor).T + 1, rtol=0, atol=0.3)


def test_bfloat16_and_other_sizes(toy_tflite, edited):
    from ai_edge_litert.schema_py_generated import TensorType

    def retyped(name):
        def change(content):
            for tensor in content.subgraphs[0].tensors:
                if tensor.name.endswith(b"/MatMul"):
                    tensor.type = getattr(TensorType, name)

        return next(t for t in inspect(edited(toy_tflite, change)).weights if len(t.shape) == 2)

    as_float = next(t for t in inspect(toy_tflite).weights if len(t.shape) == 2)
    half = retyped("BFLOAT16")
    with pytest.raises(TfliteError, match=r"holds \d+ values. Is the file damaged"):
        stored_values(half)
    upper = stored_values(as_float).view(np.uint32) & 0xFFFF0000
    half = type(half)(**{**vars(half), "data": as_float.data.reshape(-1, 4)[:, 2:].ravel()})
    assert stored_values(half).dtype.name == "bfloat16"
    np.testing.assert_array_equal(stored_values(half).astype(np.float32), upper.view(np.float32))
    with pytest.raises(TfliteError, match="bytes of string, which cannot be read as numbers"):
        stored_values(type(half)(**{**vars(half), "dtype": "string"}))
