"""Each operator by itself, on cases drawn at random: LiteRT's reference kernels have no other bit.

A case is a real .tflite file of one operator. What LiteRT refuses is not drawn, nor what leaves 32
bits where C++ leaves the result to the processor; a comment says so there.
"""

import itertools

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import qkit as qk
from qkit.quantize import integer
from qkit.quantize.integer_kernels import multiplier_and_shift
from qkit.tflite.file import TfliteError

EIGHT, ALL = ("int8", "uint8"), ("int8", "uint8", "int16")
WEIGHTS = {"int8": ["int8", "int8", "int4"], "uint8": ["uint8"], "int16": ["int8"]}
TYPES = {"int32": 2, "int64": 4}  # as the file format numbers them, and these two as well:
PADDING, ACTIVATION = st.integers(0, 1), st.integers(0, 3)
EXPONENTS, FAR = st.floats(-9, 1), st.one_of(st.floats(-9, 1), st.floats(-20, 10))  # of scales
NOTHING = [], [], 0  # the grid of what has none
# The grids that LiteRT wants for what lies between 0 and 1.
PROBABILITY = {"int8": ([2.0**-8], [-128], 0), "uint8": ([2.0**-8], [0], 0),
               "int16": ([2.0**-15], [0], 0)}  # fmt: skip


def cases(count):
    """Let a test draw so many cases, the same ones each time."""
    return settings(
        derandomize=True, database=None, deadline=None, max_examples=count,
        phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    """Return a function from a file to an interpreter with the reference kernels."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    def load(tflite):
        kernels = OpResolverType.BUILTIN_REF
        interpreter = Interpreter(model_content=tflite, experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        return interpreter

    return load


@pytest.fixture(scope="module")
def agree(built, reference):
    """Return a function that holds a file of one operator against the reference kernels."""

    def check(draw, kind, reads, out, options="NONE", **fields):
        """Take (shape and dtype, or constant, scales, zero points, axis) for each tensor."""
        tflite, tensors = one_operator(built, kind, reads, out, options, **fields)
        interpreter = reference(tflite)
        (written,) = interpreter.get_output_details()
        assert (*written["shape"],) == out[0][0]
        rng = np.random.default_rng(draw(st.integers(0, 99)))
        x = {name: values(rng, (3, *shape[1:]), dtype) for name, (shape, dtype) in tensors.items()}
        follow(interpreter, qk.run_integer(tflite, x if len(x) > 1 else next(iter(x.values()))))

    return check


def follow(interpreter, trace):
    """Hold each run of a trace against what the interpreter gives for its inputs."""
    (written,), (given,) = interpreter.get_output_details(), trace.file.outputs
    for run in trace.runs():
        for tensor in trace.file.inputs:
            interpreter.set_tensor(tensor.index, run[tensor.index])
        interpreter.invoke()
        wanted = interpreter.get_tensor(written["index"])
        assert run[given.index].dtype == wanted.dtype
        np.testing.assert_array_equal(run[given.index], wanted)


def one_operator(built, kind, reads, out, options="NONE", **fields):
    """Return a file of one operator; and of each of its inputs, by name, the shape and dtype."""
    tensors = {f"t{number}": tensor for number, tensor in enumerate(reads)}
    free = {name: t[0] for name, t in tensors.items() if not isinstance(t[0], np.ndarray)}
    operator = kind, [*tensors], ["y"], options, fields
    return built((tensors | {"y": out}, [operator], [*free], ["y"])), free


def values(rng, shape, dtype):
    """Return integers of a dtype, spread out or at its ends alone; or real numbers around 0."""
    if dtype == "float32":
        return np.float32(rng.normal(size=shape) * 2.0 ** rng.integers(-6, 12, size=shape))
    limits = ml_dtypes.iinfo(dtype)
    low, high = int(limits.min), int(limits.max)
    spread, ends = rng.integers(low, high + 1, shape), rng.choice([low, high], shape)
    return [spread, spread, ends, np.full(shape, ends.flat[0])][rng.integers(4)].astype(dtype)


def constant(draw, shape, dtype):
    return values(np.random.default_rng(draw(st.integers(0, 99))), shape, dtype)


def zero(draw, dtype):
    """Draw a zero point; int16 has none but 0."""
    limits = np.iinfo(dtype)
    return 0 if dtype == "int16" else draw(st.integers(limits.min, limits.max))


def grid(draw, dtype, exponents=EXPONENTS):
    return [np.float32(2.0 ** draw(exponents))], [zero(draw, dtype)], 0


def grids(draw, dtype, exponents, axis, count):
    """Draw one grid, or one for each index of an axis."""
    each = [grid(draw, dtype, exponents)[:2] for _ in range(count if draw(st.booleans()) else 1)]
    return [scale for (scale,), _ in each], [zero for _, (zero,) in each], axis


def sizes(draw, most, least=0, high=4):
    return (1, *draw(st.lists(st.integers(1, high), min_size=least, max_size=most)))


def window(draw, dilated=True):
    """Draw a window's options, the picture's size, that of what comes out, and its own."""
    padding, sides = draw(PADDING), []
    for _ in "HW":
        own, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 3)) if dilated else 1
        reach = (own - 1) * dilation + 1
        size = draw(st.integers(reach if padding else 1, reach + 6))
        sides.append((own, stride, dilation, size, -(-(size - padding * (reach - 1)) // stride)))
    own, stride, dilation, size, out = zip(*sides, strict=True)
    fields = {"padding": padding, "strideH": stride[0], "strideW": stride[1]}
    if dilated:
        fields |= {"dilationHFactor": dilation[0], "dilationWFactor": dilation[1]}
    return fields | {"fusedActivationFunction": draw(ACTIVATION)}, size, out, own


def multiplied(draw, kind, source, weights, axis, number, channels):
    """Draw the grids of x and y, weights and bias, and the bias's type where it is to be told.

    So many products are summed up. Most multipliers bring their sums about onto the grid of the
    output; others are far off, and up to 2⁹.
    """
    rng, limits = np.random.default_rng(draw(st.integers(0, 2**32))), np.iinfo(source)
    each = channels if source != "uint8" and draw(st.booleans()) else 1
    x, ((by,), _, _) = grid(draw, source), grid(draw, "int16")
    zero_weights = zero(draw, source) if source == "uint8" else 0
    scales = np.float32(by * rng.uniform(0.2, 1, each))
    steps = np.abs(np.int64(weights) - zero_weights)
    usual = np.sqrt(number) * (steps.mean() + 1) * limits.max / 2
    worst = float(number * (steps.max() + 1) * 2 * (limits.max + 1))
    fitting = st.floats(-3, 3).map(lambda e: e + np.log2(limits.max / 2 / usual))
    factor = 2.0 ** draw(st.one_of(fitting, fitting, st.floats(-36, 9)))
    types = ["int64", "int32"] if source == "int16" else ["int32"]
    if kind == "DEPTHWISE_CONV_2D" or weights.dtype == "int16":
        types = types[:1]  # others are refused, or overflow
    bias = draw(st.sampled_from(types + ["none"] * (kind != "CONV_2D")))  # which refuses that
    top = 2.0**31 - 1 - min(worst, 2.0**31 - 2)
    if kind == "FULLY_CONNECTED":  # what leaves 32 bits hangs on the processor
        factor = min(factor, 2.0**30 / worst)
        top = min(top, 2.0**30 / factor)
    y = [np.float32(x[0][0] * by / factor)], [zero(draw, source)], 0
    reads = [(weights, scales, [zero_weights] * each, axis)]
    if bias != "none":
        of_bias = rng.normal(size=channels) * draw(st.sampled_from([min(usual, top), top]))
        of_bias = np.clip(of_bias, -top, top).astype(bias)
        reads.append((of_bias, x[0] * scales, [0] * each, 0))
    told = source == "int16" and kind != "DEPTHWISE_CONV_2D" and bias != "none"
    return x, reads, y, {"quantizedBiasType": TYPES[bias]} if told else {}


@cases(150)
@given(data=st.data())
def test_conv(data, agree):
    draw, source = data.draw, data.draw(st.sampled_from(ALL))
    groups = draw(st.integers(1, 3)) if source == "int8" else 1
    depth, filters = draw(st.integers(1, 4)), draw(st.integers(1, 3)) * groups
    fields, size, out, own = window(draw)
    weights = constant(draw, (filters, *own, depth), draw(st.sampled_from(WEIGHTS[source])))
    x, reads, y, told = multiplied(draw, "CONV_2D", source, weights, 0, weights[0].size, filters)
    x, y = (((1, *size, depth * groups), source), *x), (((1, *out, filters), source), *y)
    agree(draw, "CONV_2D", [x, *reads], y, "Conv2DOptions", **fields, **told)


@cases(120)
@given(data=st.data())
def test_depthwise_conv(data, agree):
    draw, source = data.draw, data.draw(st.sampled_from(ALL))
    depth, times = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    fields, size, out, own = window(draw)
    filters, kind = depth * times, "DEPTHWISE_CONV_2D"
    weights = constant(draw, (1, *own, filters), draw(st.sampled_from(WEIGHTS[source])))
    x, reads, y, told = multiplied(draw, kind, source, weights, 3, np.prod(own), filters)
    x, y = (((1, *size, depth), source), *x), (((1, *out, filters), source), *y)
    agree(draw, kind, [x, *reads], y, "DepthwiseConv2DOptions", depthMultiplier=times,
          **fields, **told)  # fmt: skip


@cases(150)
@given(data=st.data())
def test_fully_connected(data, agree):
    draw, source, kind = data.draw, data.draw(st.sampled_from(ALL)), "FULLY_CONNECTED"
    inputs, outputs = draw(st.integers(1, 40)), draw(st.integers(1, 6))
    ahead, keep = draw(st.sampled_from([(1,), (1, 3), (1, 2, 2)])), draw(st.booleans())
    more = {"int8": [*WEIGHTS["int8"], "int2"], "int16": ["int8", "int8", "int16", "int2"]}
    dtype = draw(st.sampled_from((WEIGHTS | more)[source]))
    weights = constant(draw, (outputs, inputs), dtype)
    x, reads, y, told = multiplied(draw, kind, source, weights, 0, inputs, outputs)
    x, out = (((*ahead, inputs), source), *x), (*(ahead if keep else [np.prod(ahead)]), outputs)
    agree(draw, kind, [x, *reads], ((out, source), *y), "FullyConnectedOptions",
          keepNumDims=keep, fusedActivationFunction=draw(ACTIVATION), **told)  # fmt: skip


@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
@cases(100)
@given(data=st.data())
def test_pool(kind, data, agree):
    draw, dtype, depth = data.draw, data.draw(st.sampled_from(ALL)), data.draw(st.integers(1, 3))
    fields, size, out, own = window(draw, dilated=False)
    on = grid(draw, dtype, st.floats(-12, 0))
    x, y = (((1, *size, depth), dtype), *on), (((1, *out, depth), dtype), *on)
    agree(draw, kind, [x], y, "Pool2DOptions", filterHeight=own[0], filterWidth=own[1], **fields)


@cases(120)
@given(data=st.data())
def test_quantize_and_requantize(data, agree):
    pairs = [*itertools.product(("float32", *EIGHT), EIGHT), ("int16", "int8"),
             ("int16", "int16"), ("float32", "int16")]  # fmt: skip
    draw, (source, out) = data.draw, data.draw(st.sampled_from(pairs))
    x = NOTHING if source == "float32" else grid(draw, source, FAR)
    exponents = EXPONENTS if source == "float32" else FAR  # the cast of the interpreter overflows
    y = grids(draw, out, exponents, 1, 4) if source == "float32" else grid(draw, out, exponents)
    agree(draw, "QUANTIZE", [(((1, 4, 10), source), *x)], (((1, 4, 10), out), *y),
          "QuantizeOptions")  # fmt: skip


@cases(40)
@given(data=st.data())
def test_dequantize(data, agree):
    draw, dtype = data.draw, data.draw(st.sampled_from(ALL))
    on = grid(draw, dtype, FAR) if dtype == "int16" else grids(draw, dtype, FAR, 1, 4)
    x = ((1, 4, 10), dtype), *on  # of int16 no channel has its own
    agree(draw, "DEQUANTIZE", [x], (((1, 4, 10), "float32"), *NOTHING), "DequantizeOptions")


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
@cases(80)
@given(data=st.data())
def test_activation(kind, data, agree):
    draw = data.draw
    dtype = draw(st.sampled_from(EIGHT if kind == "RELU_N1_TO_1" else ALL))  # no int16 there
    x, y = ((((1, 40), dtype), *grid(draw, dtype, FAR)) for _ in "xy")
    agree(draw, kind, [x], y)


@pytest.mark.parametrize("kind", ["ADD", "MUL"])
@cases(100)
@given(data=st.data())
def test_arithmetic(kind, data, agree):
    draw, dtype, shape = data.draw, data.draw(st.sampled_from(ALL)), sizes(data.draw, 4, 1)
    x, other, y = (grid(draw, dtype, FAR) for _ in range(3))
    if kind == "ADD":  # coarser outputs alone: an output's multiplier of 1 or more is refused
        finest = -13 if dtype == "int16" else -18
        y = [np.float32(max(x[0] + other[0]) * 2.0 ** draw(st.floats(finest, 10)))], *y[1:]
    narrow = tuple(n if draw(st.booleans()) else 1 for n in shape[1:])
    narrow = draw(st.sampled_from([((1, *narrow), dtype), constant(draw, (1, *narrow), dtype),
                                   constant(draw, narrow[len(narrow) // 2:], dtype)]))  # fmt: skip
    reads = draw(st.permutations([((shape, dtype), *x), (narrow, *other)]))
    fields = {"potScaleInt16": False} if kind == "ADD" else {}
    agree(draw, kind, reads, ((shape, dtype), *y), f"{kind.title()}Options",
          fusedActivationFunction=draw(ACTIVATION), **fields)  # fmt: skip


@cases(60)
@given(data=st.data())
def test_add_of_int16_by_powers_of_two(data, agree):
    draw, top = data.draw, data.draw(st.integers(-12, 0))
    scales = draw(st.permutations([2.0**top, 2.0 ** (top - draw(st.integers(0, 14)))]))
    a, b, y = ((((1, 40), "int16"), [scale], [0], 0) for scale in (*scales, 2.0**top))
    agree(draw, "ADD", [a, b], y, "AddOptions", potScaleInt16=True,
          fusedActivationFunction=draw(ACTIVATION))  # fmt: skip


@pytest.mark.parametrize("kind", ["PAD", "PADV2"])
@cases(60)
@given(data=st.data())
def test_pad(kind, data, agree):
    draw, dtype, shape = data.draw, data.draw(st.sampled_from(ALL)), sizes(data.draw, 3)
    sides = st.tuples(st.integers(0, 3), st.integers(0, 3))
    around = np.array([(0, 0), *(draw(sides) for _ in shape[1:])], draw(st.sampled_from([*TYPES])))
    on, out = grid(draw, dtype), tuple(np.add(shape, around.sum(1)))
    more = [(constant(draw, (1,), dtype), *on)] if kind == "PADV2" else []
    options = "PadOptions" if kind == "PAD" else "PadV2Options"
    agree(draw, kind, [((shape, dtype), *on), (around, *NOTHING), *more], ((out, dtype), *on),
          options)  # fmt: skip


@cases(120)
@given(data=st.data())
def test_mean(data, agree):
    draw, dtype = data.draw, data.draw(st.sampled_from(ALL))
    shape = draw(st.sampled_from([sizes(draw, 3, 1, 7)] * 9 + [(1, 300, 200)]))
    axes = draw(st.lists(st.integers(1, len(shape) - 1), min_size=1, max_size=4))
    keep, written = draw(st.booleans()), [axis - len(shape) * draw(PADDING) for axis in axes]
    out = tuple(
        1 if axis in axes else n for axis, n in enumerate(shape) if keep or axis not in axes
    )
    x = grid(draw, dtype)
    far = 2.0 ** draw(st.one_of(st.floats(-3, 3), st.floats(-8, 30)))
    agree(draw, "MEAN", [((shape, dtype), *x), (np.int32(written), *NOTHING)],
          ((out, dtype), [np.float32(x[0][0] * far)], [zero(draw, dtype)], 0), "ReducerOptions",
          keepDims=keep)  # fmt: skip


@cases(100)
@given(data=st.data())
def test_concatenation(data, agree):
    draw, dtype, shape = data.draw, data.draw(st.sampled_from(ALL)), sizes(data.draw, 3, 1)
    axis, y = draw(st.integers(1, len(shape) - 1)), grid(draw, dtype)
    lengths, reads = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)), []
    for length in lengths:
        part = (*shape[:axis], length, *shape[axis + 1 :]), dtype
        own = y if dtype == "int8" or draw(st.booleans()) else grid(draw, dtype)  # int8: one grid
        fixed = reads and draw(st.booleans())  # not all of them
        reads.append((constant(draw, *part) if fixed else part, *own))
    out = (*shape[:axis], sum(lengths), *shape[axis + 1 :]), dtype
    agree(draw, "CONCATENATION", reads, (out, *y), "ConcatenationOptions",
          axis=axis - len(shape) * draw(PADDING))  # fmt: skip


@cases(120)
@given(data=st.data())
def test_softmax(data, agree):
    pairs = [(dtype, dtype) for dtype in ALL] + [(dtype, "int16") for dtype in EIGHT]
    draw, (source, out) = data.draw, data.draw(st.sampled_from(pairs))
    shape = *sizes(draw, 2, high=5), draw(st.integers(1, 40))
    beta = draw(st.one_of(st.just(1.0), st.floats(2.0**-8, 16)))
    x = (shape, source), *grid(draw, source, st.floats(-16, 6))
    agree(draw, "SOFTMAX", [x], ((shape, out), *PROBABILITY[out]), "SoftmaxOptions", beta=beta)


@cases(120)
@given(data=st.data())
def test_logistic(data, agree):
    draw, dtype = data.draw, data.draw(st.sampled_from(ALL))
    short = st.one_of(st.floats(-16, 1), st.just(-12.0))  # which is computed in another way
    x = ((1, 256), dtype), *grid(draw, dtype, short if dtype == "int16" else st.floats(-16, 6))
    agree(draw, "LOGISTIC", [x], (((1, 256), dtype), *PROBABILITY[dtype]))


@cases(120)
@given(data=st.data())
def test_strided_slice(data, agree):
    draw, dtype, shape = data.draw, data.draw(st.sampled_from(ALL)), sizes(data.draw, 3, 1, 6)
    ends, chosen, masks, on = [(0, 1, 1)], [slice(None)], [1, 1, 0], grid(draw, dtype)
    for axis, n in enumerate(shape[1 : draw(st.integers(1, len(shape)))], 1):
        anywhere, step = st.integers(-n - 3, n + 3), draw(st.sampled_from([1, 2, 3, -1, -2]))
        start, stop, bits = draw(anywhere), draw(anywhere), [*draw(st.tuples(*[PADDING] * 3))]
        if bits[2]:  # one place, which has to be there
            start, stop, step = draw(st.integers(-n, n - 1)), n, 1
        open_start, open_stop, shrunk = bits
        one = slice(None if open_start else start, None if open_stop else stop, step)
        chosen.append(0 if shrunk else one)
        ends.append((start, stop, step))
        masks = [mask | bit << axis for mask, bit in zip(masks, bits, strict=True)]
    out = np.empty(shape)[tuple(chosen)].shape
    agree(draw, "STRIDED_SLICE",
          [((shape, dtype), *on), *((np.int32(end), *NOTHING) for end in zip(*ends, strict=True))],
          ((out, dtype), *on), "StridedSliceOptions", beginMask=masks[0], endMask=masks[1],
          shrinkAxisMask=masks[2])  # fmt: skip


@pytest.mark.parametrize("kind", ["RESHAPE", "SHAPE", "PACK", "EXPAND_DIMS", "SQUEEZE",
                                  "TRANSPOSE"])  # fmt: skip
@cases(25)
@given(data=st.data())
def test_what_is_only_moved(kind, data, agree):
    draw, dtype, shape = data.draw, data.draw(st.sampled_from(ALL)), sizes(data.draw, 3, 1)
    on, axis, times = grid(draw, dtype), draw(st.integers(1, len(shape))), draw(st.integers(1, 3))
    x, size, type_ = ((shape, dtype), *on), int(np.prod(shape)), draw(st.sampled_from([*TYPES]))
    at, by_tensor = axis - (len(shape) + 1) * draw(PADDING), draw(PADDING)
    to = draw(st.sampled_from([(1, size), (1, -1), (1, *shape[:0:-1], 1)]))
    ones = [n for n, length in enumerate(shape) if length == 1]
    gone = [n for n in ones if n and draw(PADDING)]
    order = [0, *draw(st.permutations(range(1, len(shape))))]
    reads, out, fields = {
        "RESHAPE": ([x, (np.int32(to), *NOTHING)][: 1 + by_tensor],
                    np.empty(size).reshape(to).shape, {} if by_tensor else {"newShape": to}),
        "SHAPE": ([x], (len(shape),), {"outType": TYPES[type_]}),
        "PACK": ([x] * times, (*shape[:axis], times, *shape[axis:]),
                 {"valuesCount": times, "axis": at}),
        "EXPAND_DIMS": ([x, (np.array(at, type_), *NOTHING)],
                        (*shape[:axis], 1, *shape[axis:]), {}),
        "SQUEEZE": ([x], tuple(n for i, n in enumerate(shape) if i not in (gone or ones)),
                    {"squeezeDims": gone}),
        "TRANSPOSE": ([x, (np.int32(order), *NOTHING)], tuple(shape[n] for n in order), {}),
    }[kind]  # fmt: skip
    y = ((out, type_), *NOTHING) if kind == "SHAPE" else ((out, dtype), *on)
    agree(draw, kind, reads, y, f"{kind.title().replace('_', '')}Options", **fields)


@cases(100)
@given(real=st.floats(2.0**-32, 2.0**30))
def test_multiplier_is_the_nearest(real):
    multiplier, shift = map(int, multiplier_and_shift(real))
    assert 2**30 <= multiplier < 2**31
    assert abs(multiplier - np.ldexp(real, 31 - shift)) <= 0.5
    assert multiplier_and_shift(2.0**-33)[0] == 0  # as is 2⁻³² with its shift of −31 not
    assert multiplier_and_shift(2.0**-32)[0] == 2**30


def test_short_bias_that_the_interpreter_would_read_beyond_is_refused(built):
    on = [1.0], [0], 0
    reads = [(((1, 2), "int16"), *on), (np.int8([[1, 2]]), *on), (np.int32([3]), *on)]
    y, x = (((1, 1), "int16"), *on), np.int16([[4, 5]])
    parts = "FULLY_CONNECTED", reads, y, "FullyConnectedOptions"
    tflite, _ = one_operator(built, *parts)
    with pytest.raises(
        TfliteError, match="on int16 has biases of int32, and options that do not say so"
    ):
        qk.run_integer(tflite, x)
    told, _ = one_operator(built, *parts, quantizedBiasType=TYPES["int32"])
    assert qk.run_integer(told, x).output == 4 + 10 + 3
    reads[2] = np.int64([3]), *on
    assert qk.run_integer(one_operator(built, *parts)[0], x).output == 4 + 10 + 3


ON = [1.0], [0], 0
WINDOW = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
PADDINGS = np.int32([[[0, 0], [0, 3]], [[0, 0], [2, 1]], [[0, 0], [1, 2]]])
ORDERS = np.int32([[0, 1, 2], [0, 2, 1], [0, 1, 2]])


@pytest.mark.parametrize(
    ("kind", "reads", "out", "options", "fields"),
    [
        ("FULLY_CONNECTED", [(1, 4), (3, 4)], (1, 3), "FullyConnected", {}),
        ("FULLY_CONNECTED", [np.int8([[9, -8, 7, 6]]), (3, 4)], (1, 3), "FullyConnected", {}),
        ("FULLY_CONNECTED", [(1, 2), np.int8([[1, -2]]), np.int32([[700], [0], [-900]])], (1, 1),
         "FullyConnected", {}),
        ("CONV_2D", [(1, 4, 3, 2), (3, 2, 2, 2), np.int32([[1, 2, 3]] * 3)], (1, 4, 3, 3),
         "Conv2D", WINDOW),
        ("DEPTHWISE_CONV_2D", [(1, 4, 3, 2), (1, 2, 2, 2)], (1, 4, 3, 2), "DepthwiseConv2D",
         {**WINDOW, "depthMultiplier": 1}),
        ("PAD", [(1, 3), PADDINGS], (1, 6), "Pad", {}),
        ("TRANSPOSE", [(1, 2, 2), ORDERS], (1, 2, 2), "Transpose", {}),
    ],
)  # fmt: skip
def test_weights_and_the_like_that_are_no_constants_are_each_items_own(
    kind, reads, out, options, fields, built, reference
):
    """A shape stands for numbers to draw; int32 has three items; int8 is a constant."""
    rng, tensors, x = np.random.default_rng(0), [], {}
    for name, read in zip(("t0", "t1", "t2"), reads, strict=False):
        if isinstance(read, tuple) or read.dtype == "int32":
            drawn = isinstance(read, tuple)
            x[name] = rng.integers(-127, 128, (3, *read), np.int8) if drawn else read
            read = x[name].shape[1:], str(x[name].dtype)
        tensors.append((read, *ON))
    if all(len(items[0]) == 1 for items in x.values()):  # which is the axis of items then
        x = {name: items[:, 0] for name, items in x.items()}
    sums = options in ("FullyConnected", "Conv2D", "DepthwiseConv2D")
    y = (out, "int8"), [99.0 if sums else 1.0], [0], 0
    tflite, _ = one_operator(built, kind, tensors, y, f"{options}Options", **fields)
    trace = qk.run_integer(tflite, x)
    follow(reference(tflite), trace)
    if sums:
        last = qk.run_integer(tflite, {name: items[2:] for name, items in x.items()})
        np.testing.assert_array_equal(trace.accumulators(0)[2:], last.accumulators(0))


@pytest.mark.parametrize("scales", [[0.0], [0.0, 1.0]])
def test_weights_of_scale_0_add_nothing(scales, built, reference):
    weights = np.int8([[9, -8], [7, 6]]), scales, [0] * len(scales), 0
    reads = [(((1, 2), "int8"), *ON), weights]
    tflite, _ = one_operator(built, "FULLY_CONNECTED", reads, (((1, 2), "int8"), [9.0], [0], 0),
                             "FullyConnectedOptions")  # fmt: skip
    trace = qk.run_integer(tflite, np.int8([[5, 4], [-3, 2]]))
    assert not trace.output[:, 0].any()
    follow(reference(tflite), trace)


def test_items_that_come_out_in_other_shapes_are_refused(built, monkeypatch):
    reads = [(((1, 3), "int8"), *ON), (((2, 2), "int32"), *NOTHING)]
    tflite, _ = one_operator(built, "PAD", reads, (((1, 5), "int8"), *ON), "PadOptions")
    x = {"t0": np.zeros((2, 1, 3), np.int8), "t1": np.int32([[[0, 0], [0, 2]], [[0, 0], [1, 2]]])}
    for block in (integer._BLOCK, 1):
        monkeypatch.setattr(integer, "_BLOCK", block)
        with pytest.raises(TfliteError, match=r"'y' comes out .* such as \(1, 5\) and \(1, 6\)"):
            qk.run_integer(tflite, x)


REFUSED = {
    "of RELU is int8 and has 2 scales along axis 1: its integer kernel takes 1": (
        "RELU", [(((1, 2), "int8"), [1, 2], [0, 0], 1)], (((1, 2), "int8"), *ON)),
    "of QUANTIZE is int8 and has 2 scales": (
        "QUANTIZE", [(((1, 2), "int8"), [1, 2], [0, 0], 1)], (((1, 2), "int8"), *ON)),
    "of DEQUANTIZE is int8 and has a scale of 0: no grid": (
        "DEQUANTIZE", [(((1, 2), "int8"), [0, 1], [0, 0], 1)], (((1, 2), "float32"), *NOTHING)),
    "of DEQUANTIZE is int8 and has 2 scales along axis 0: its integer kernel takes 1 or 3": (
        "DEQUANTIZE", [(((3, 2), "int8"), [1, 2], [0, 0], 0)], (((3, 2), "float32"), *NOTHING)),
    "of MUL is int8 and has no scale": (
        "MUL", [(((1, 2), "int8"), *ON)] * 2, (((1, 2), "int8"), *NOTHING)),
    "x: the model takes int8 and names no grid": (
        "RESHAPE", [(((1, 2), "int8"), [0], [0], 0)], (((1, 2), "int8"), [0], [0], 0)),
    "is int2: its integer kernel takes int4, int8, uint8, int16": (
        "CONV_2D", [(((1, 1, 1, 2), "int8"), *ON), (np.ones((1, 1, 1, 2), "int2"), *ON)],
        (((1, 1, 1, 1), "int8"), *ON), "Conv2DOptions", WINDOW),
    "its bias is int32 and LiteRT's kernel takes int64 alone": (
        "DEPTHWISE_CONV_2D",
        [(((1, 1, 1, 1), "int16"), *ON), (np.int8([[[[1]]]]), *ON), (np.int32([3]), *ON)],
        (((1, 1, 1, 1), "int16"), *ON), "DepthwiseConv2DOptions", {**WINDOW, "depthMultiplier": 1}),
    "its ends count from its starts": (
        "STRIDED_SLICE",
        [(((1, 6), "int8"), *ON), *((np.int32(v), *NOTHING) for v in ([0, 2], [1, 3], [1, 1]))],
        (((1, 3), "int8"), *ON), "StridedSliceOptions", {"offset": True}),
}  # fmt: skip


@pytest.mark.parametrize("told", REFUSED)
def test_what_the_reference_kernels_do_otherwise_or_not_at_all_is_refused(told, built):
    kind, reads, y, options, fields = (*REFUSED[told], "NONE", {})[:5]
    tflite, free = one_operator(built, kind, reads, y, options, **fields)
    x = {name: np.float32(np.ones((3, *shape[1:]))) for name, (shape, _) in free.items()}
    with pytest.raises((TfliteError, TypeError), match=f"run_integer: .*{told}"):
        qk.run_integer(tflite, x)
