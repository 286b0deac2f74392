"""The same grid as TensorFlow's operator, the converter, the interpreter and litert-quantizer."""

import functools

import ml_dtypes
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from litert_quantizer import qtyping
from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as litert

import qkit as qk
from qkit.quantize.grid import (
    PerAxis,
    PerGroup,
    PerTensor,
    QParams,
    choose_qparams,
    fake_quantize,
    quantize,
)
from qkit.tflite.file import inspect
from qkit.toolchain.convert import _converter
from qkit.toolchain.sources import source


def around_ties(rng, scale, bits, count):
    """Return multiples of half a step, within the range and beyond, and their neighbours."""
    halves = (rng.integers(-(2**bits), 2**bits, count) + np.float32(0.5)) * np.float32(scale)
    halves = halves.astype(np.float32)
    infinity = np.float32(np.inf)
    return np.r_[halves, np.nextafter(halves, infinity), np.nextafter(halves, -infinity)]


def assert_same_bits(found, expected):
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


def drawn_range(rng, symmetric):
    """Return a range between 1e-6 and 2e6 wide; it may lie on one side of 0."""
    size = 10.0 ** rng.uniform(-6, 6)
    high = size * rng.uniform(0.5, 1) * rng.choice([0, 1, 1, 1])
    low = -size * rng.uniform(0.5 if high == 0 else 0, 1)
    high, low = (high, low) if rng.random() < 0.5 else (-low, -high)
    if symmetric:
        high = max(high, -low)
        low = -high
    return np.float32(low * 2), np.float32(high * 2)


@pytest.mark.parametrize("symmetric", [False, True])
def test_operator_of_tensorflow_to_the_last_bit(symmetric, tf):
    rng = np.random.default_rng(0)
    for i in range(150):
        bits = 2 + i % 15
        low, high = drawn_range(rng, symmetric)
        grid = choose_qparams(
            0.0, bits=bits, symmetric=symmetric, range=(low, high), rule="fake_quant"
        )
        x = rng.uniform(2 * low - high, 2 * high - low, 1_000).astype(np.float32)
        x = np.r_[x, around_ties(rng, grid.scale, bits, 1_000), low, high, np.float32([0, 1e38])]
        theirs = tf.quantization.fake_quant_with_min_max_vars(
            x, low, high, num_bits=bits, narrow_range=symmetric
        )
        assert_same_bits(fake_quantize(x, grid), theirs.numpy())


@pytest.mark.parametrize("symmetric", [False, True])
def test_operator_per_channel_to_the_last_bit(symmetric, tf):
    rng = np.random.default_rng(1)
    for i in range(45):
        bits, channels = 2 + i % 15, int(rng.integers(1, 9))
        low, high = np.transpose([drawn_range(rng, symmetric) for _ in range(channels)])
        x = np.zeros((40 * 100, channels), np.float32)
        grid = choose_qparams(
            x, bits=bits, symmetric=symmetric, range=(low, high), rule="fake_quant",
            granularity=PerAxis(-1),
        )  # fmt: skip
        ties = [around_ties(rng, scale, bits, 1_000) for scale in grid.scale]
        x[:3_000] = np.transpose(ties)
        x[3_000:] = rng.uniform(2 * low - high, 2 * high - low, (1_000, channels))
        x = x.reshape(40, 10, 10, channels)
        theirs = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            x, low, high, num_bits=bits, narrow_range=symmetric
        )
        assert_same_bits(fake_quantize(x, grid), theirs.numpy())


@pytest.fixture(scope="module")
def depthwise(tf, digits, tmp_path_factory):
    """Return a function from a scheme to a file, and the sample that it is calibrated on.

    Weights are random, and a few channels much larger than others; the images reach below 0. The
    network goes to the converter with its variables frozen, which takes a tenth of the time.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("frozen")
    with qk.quiet():
        model = qk.models.depthwise_cnn(seed=3)
        model.set_weights([scattered(rng, weights) for weights in model.get_weights()])
        image = tf.TensorSpec((None, 28, 28), name="image")
        called = tf.function(model).get_concrete_function(image)
        frozen = convert_variables_to_constants_v2(called)
        tf.saved_model.save(tf.Module(), str(folder), signatures=frozen)
    sample = 1.5 * digits.x_train[:20] - 0.3

    @functools.cache
    def file(scheme):
        with qk.quiet():  # not qk.convert: in int16 the interpreter refuses these weights
            return _converter(source(folder, what="test"), qk.SCHEMES[scheme], sample).convert()

    return file, sample


@pytest.fixture(scope="module", params=["walkthrough", "depthwise"])
def network(request):
    """Return a network's name, a function from a scheme to its file, and the sample."""
    if request.param == "depthwise":
        return request.param, *request.getfixturevalue("depthwise")
    return request.param, *map(request.getfixturevalue, ("tflite", "calibration"))


def scattered(rng, weights):
    """Return weights whose channels differ in size; offsets and statistics as if trained."""
    if weights.ndim == 1:
        return rng.uniform(0.5, 2, weights.shape)
    channels = weights.shape[-2:] if weights.shape[-1] == 1 else weights.shape[-1:]
    return weights * rng.lognormal(0, 1, channels)


def constants(tflite):
    """Return the float32 and int8 values in a file by the names of their tensors."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    dtypes = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.INT8: np.int8}
    return {
        t.name.decode(): np.frombuffer(bytes(model.buffers[t.buffer].data), dtypes[t.type]).reshape(
            t.shape if t.shape is not None else ()
        )
        for t in model.subgraphs[0].tensors
        if t.type in dtypes and model.buffers[t.buffer].data is not None
    }


def computed(tf, tflite, images):
    """Return the values of each tensor over a sample, image by image, and the input's name.

    The interpreter is the converter's own, without a delegate: others sum in another order.
    """
    resolvers = tf.lite.experimental.OpResolverType
    with qk.quiet():
        interpreter = tf.lite.Interpreter(
            model_content=tflite,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    interpreter.allocate_tensors()
    found = {}
    names = {t.name for t in (*inspect(tflite).activations, *inspect(tflite).inputs)}
    details = [d for d in interpreter.get_tensor_details() if d["name"] in names]
    source = interpreter.get_input_details()[0]
    for image in images:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        for detail in details:
            found.setdefault(detail["name"], []).append(interpreter.get_tensor(detail["index"]))
    return found, source["name"]


@pytest.mark.tensorflow
@pytest.mark.parametrize("scheme", ["full_integer", "int16_activations", "dynamic_range"])
def test_weights_of_the_converter(network, scheme):
    _, file, _ = network
    real, integers = constants(file("float32")), constants(file(scheme))
    seen = differing = 0
    for tensor in inspect(file(scheme)).weights:
        if tensor.dtype != "int8":
            continue
        x = real[tensor.name]
        granularity = PerAxis(tensor.axis) if tensor.scale.size > 1 else PerTensor()
        grid = choose_qparams(x, symmetric=True, granularity=granularity)
        np.testing.assert_array_equal(grid.scale, tensor.scale)
        np.testing.assert_array_equal(grid.zero_point, tensor.zero_point)
        apart = np.abs(quantize(x, grid) - integers[tensor.name].astype(np.int32))
        assert apart.max() <= 1
        seen, differing = seen + x.size, differing + np.count_nonzero(apart)
    assert seen > 20_000
    # the converter divides in double precision: another neighbour where a value is nearly halfway
    assert differing <= 1e-4 * seen


@pytest.mark.parametrize("scheme", ["full_integer", "int16_activations"])
def test_activations_of_the_converter(network, scheme, tf):
    name, file, sample = network
    values, source = computed(tf, file("float32"), sample)
    output = inspect(file("float32")).operators[-1].outputs[0].name
    activations = [t for t in inspect(file(scheme)).activations if t.scale.size]
    zero_points = set()
    for tensor in activations:
        key = tensor.name.removesuffix("_int16")
        if key == "tfl.quantize":
            key = source
        elif key not in values:  # the output, under a name of its own in each file
            assert "PartitionedCall" in key
            key = output
        int16 = tensor.dtype == "int16"
        grid = choose_qparams(np.stack(values[key]), bits=16 if int16 else 8, symmetric=int16)
        # the converter calibrates on a file of its own, whose sums may end in another bit
        apart = 1 if name == "depthwise" and key == output else 0
        np.testing.assert_array_max_ulp(grid.scale, tensor.scale, maxulp=apart)
        np.testing.assert_array_equal(grid.zero_point, tensor.zero_point)
        zero_points.add(int(grid.zero_point[0]))
    assert len(activations) >= 5
    assert len(zero_points) >= (2 if scheme == "full_integer" else 1)


def test_ranges_of_many_inputs_zero_points_near_ties_included(tf):
    rng = np.random.default_rng(0)
    count = 40
    # zero falls halfway between two integers, or next to it
    below = rng.integers(0, 255, count) + np.float32(0.5)
    scale = rng.uniform(0.01, 1, count).astype(np.float32)
    low, high = (-below * scale).astype(np.float32), ((255 - below) * scale).astype(np.float32)
    low[::4] = np.nextafter(low[::4], np.float32(0))
    specs = [tf.TensorSpec((1, 1), name=f"input_{i}") for i in range(count)]
    multiplied = tf.function(lambda *inputs: [tf.matmul(x, [[1.0]]) for x in inputs], specs)
    with qk.quiet():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [multiplied.get_concrete_function()], multiplied
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [end.reshape(1, 1) for end in ends] for ends in (low, high)
        )
        operators = inspect(converter.convert()).operators
    entrances = {op.inputs[0].name: op.outputs[0] for op in operators if op.name == "QUANTIZE"}
    chosen = [entrances[f"input_{i}"] for i in range(count)]
    grid = choose_qparams(np.zeros(count), range=(low, high), granularity=PerAxis(0))
    np.testing.assert_array_equal(grid.scale, [t.scale[0] for t in chosen])
    np.testing.assert_array_equal(grid.zero_point, [t.zero_point[0] for t in chosen])


@pytest.fixture(scope="module")
def extreme_file(tf):
    """Return the file of a dense network with inputs of exactly −1 to 1 and odd weights."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((8,), name="x"), layers.Dense(6, name="odd"), layers.Dense(3)]
    )
    rng = np.random.default_rng(0)
    kernel = rng.standard_normal((8, 6)) * [0, 1e-42, 1e-38, 1e-7, 1, 1e30]
    rest = [np.zeros(6), rng.standard_normal((6, 3)), np.zeros(3)]
    model.set_weights([kernel, *rest])
    x = rng.uniform(-1, 1, (50, 8)).astype(np.float32)
    x[:2] = [[-1], [1]]
    return qk.convert(model, "full_integer", x), kernel.astype(np.float32)


def test_zero_point_halfway_goes_away_from_zero(extreme_file):
    entrance = inspect(extreme_file[0]).operators[0].outputs[0]
    grid = choose_qparams(np.float32([-1, 1]))
    # it lies at −0.5, which rounds to 0 the even way and to −1 away from zero
    assert (entrance.scale, entrance.zero_point) == (grid.scale, grid.zero_point)
    assert grid.zero_point == -1


def test_channels_without_values_get_the_narrowest_range(extreme_file):
    tflite, kernel = extreme_file
    weights = next(t for t in inspect(tflite).weights if t.shape == (6, 8))
    grid = choose_qparams(kernel, symmetric=True, granularity=PerAxis(1))
    np.testing.assert_array_equal(grid.scale, weights.scale)
    np.testing.assert_array_equal(grid.scale[:4], [np.float32(1e-6 / 254)] * 4)


@pytest.mark.parametrize(
    ("low", "high"),
    [(-8.4122144e-07, 0), (0, 9e-7), (-2e-7, 7e-7), (0, 1e-6), (0, 1.01e-6), (-1e-6, 1e-6)],
)
def test_activations_hardly_wider_than_nothing_get_the_grid_of_the_converter(tf, low, high):
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.InputLayer((2,)), layers.Dense(1)])
    sample = np.float32([[low, high]] * 100)
    entrance = inspect(qk.convert(model, "full_integer", sample)).operators[0].outputs[0]
    grid = choose_qparams(sample)
    assert entrance.zero_point == grid.zero_point
    np.testing.assert_array_max_ulp(grid.scale, entrance.scale, 1)
    assert (np.abs(fake_quantize(sample, grid) - sample) <= 0.51 * grid.scale).all()


def ai_edge_grid(x, bits, symmetric, granularity):
    """Return the parameters that litert-quantizer chooses, in its own way."""
    axis = granularity.axis if isinstance(granularity, PerAxis) else None
    others = None if axis is None else tuple(i for i in range(x.ndim) if i != axis)
    zero_point, scale = litert.tensor_zp_scale_from_min_max(
        x.min(axis=others, keepdims=True),
        x.max(axis=others, keepdims=True),
        bits,
        symmetric,
        qtyping.QuantGranularity.TENSORWISE
        if axis is None
        else qtyping.QuantGranularity.CHANNELWISE,
    )
    return qtyping.UniformQuantParams(
        num_bits=bits, quantized_dimension=axis, scale=scale,
        zero_point=zero_point.astype(np.int32),  # in int8, its own dequantization would wrap around
        symmetric=symmetric,
    )  # fmt: skip


@pytest.mark.parametrize("granularity", [PerTensor(), PerAxis(0), PerAxis(1)])
@pytest.mark.parametrize(("bits", "symmetric"), [(4, False), (8, False), (8, True), (16, True)])
def test_litert_quantizer_differs_at_ties_alone(bits, symmetric, granularity):
    rng = np.random.default_rng(bits)
    x = rng.normal(0.3, 1, (40, 50)).astype(np.float32)
    ours = choose_qparams(x, bits=bits, symmetric=symmetric, granularity=granularity)
    theirs = ai_edge_grid(x, bits, symmetric, granularity)
    np.testing.assert_array_max_ulp(ours.scale, theirs.scale.ravel(), maxulp=1)  # they: in single
    np.testing.assert_array_equal(ours.zero_point, theirs.zero_point.ravel())
    # values halfway, or nearly so, in every fourth place
    laid_out = ours.granularity.blocks(x.shape)
    scale, zero_point = (v.reshape(1, -1, 1) for v in (ours.scale, ours.zero_point))
    halves = (np.floor(x.reshape(laid_out) / scale) + np.float32(0.5)) * scale
    x = np.where(rng.random(x.shape) < 0.25, halves.reshape(x.shape), x)
    given = quantize(x, ours).astype(np.int32)
    apart = given - litert.uniform_quantize(x, theirs)
    position = (x.reshape(laid_out).astype(np.float64) / scale + zero_point).reshape(x.shape)
    from_half = np.abs(position - np.floor(position) - 0.5)
    # the positions themselves are known to the precision of float32 at the far end of the grid
    assert from_half[apart != 0].max() <= 2.0 ** (bits - 23)
    assert 0.01 < np.mean(apart != 0) < 0.25
    real = fake_quantize(x, ours)
    same = apart == 0
    np.testing.assert_allclose(
        real[same], litert.uniform_dequantize(litert.uniform_quantize(x, theirs), theirs)[same],
        rtol=1e-6,
    )  # fmt: skip


def test_groups_are_the_blocks_of_litert_quantizer():
    x = np.random.default_rng(0).normal(size=(6, 64)).astype(np.float32)
    ours = choose_qparams(x, bits=4, symmetric=True, granularity=PerGroup(32))
    _, scale = litert.tensor_zp_scale_from_min_max(
        *(f(x.reshape(6, 2, 32), axis=2) for f in (np.min, np.max)),
        4,
        True,
        qtyping.QuantGranularity.BLOCKWISE_32,
    )
    # there scales are kept in bfloat16
    expected = ours.scale.astype(ml_dtypes.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(scale.ravel(), expected)


def test_interpreter_quantizes_alike(extreme_file):
    tflite, _ = extreme_file
    interpreter = Interpreter(
        model_content=tflite,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    source = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(source["index"], (1_000, 8))
    interpreter.allocate_tensors()
    entrance = inspect(tflite).operators[0].outputs[0]
    grid = QParams(entrance.scale, entrance.zero_point, -128, 127)
    x = np.random.default_rng(1).uniform(-1.2, 1.2, (1_000, 8)).astype(np.float32)
    interpreter.set_tensor(source["index"], x)
    interpreter.invoke()
    details = interpreter.get_tensor_details()
    index = next(d["index"] for d in details if d["name"] == entrance.name)
    np.testing.assert_array_equal(quantize(x, grid), interpreter.get_tensor(index))
