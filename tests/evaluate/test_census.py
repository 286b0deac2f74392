"""The census, on kernels made by hand and on what the converter makes of them."""

import numpy as np
import pytest

import qkit as qk
from qkit._tensorflow import quiet
from qkit.tflite.file import TfliteError

SCHEMES = ("float32", "float16", "dynamic_range", "full_integer")


@pytest.fixture(scope="module")
def changed_kernels():
    """Return a function that copies a model and changes its kernels, but for the depthwise ones."""
    from qkit.toolchain.wrapping import copy_of

    def change(model, rule):
        copy = copy_of(model)
        for layer in copy.layers:
            weights = layer.get_weights()
            if weights and weights[0].ndim > 1 and not type(layer).__name__.startswith("Depth"):
                layer.set_weights([rule(weights[0]), *weights[1:]])
        return copy

    return change


def to_zero(share):
    def rule(kernel):
        kernel[np.abs(kernel) <= np.quantile(np.abs(kernel), share)] = 0
        return kernel

    return rule


def two_of_four(kernel):
    along = np.moveaxis(kernel, -2, -1)
    if along.shape[-1] % 4 == 0:
        kept = qk.magnitude_mask(along, 0.5, "2:4")
        kernel = np.moveaxis(along * kept, -1, -2)
    return kernel


def clustered(kernel):
    levels = np.linspace(kernel.min(), kernel.max(), 16, dtype=np.float32)
    return levels[np.abs(kernel[..., None] - levels).argmin(axis=-1)]


@pytest.fixture(scope="module")
def depthwise(tf):
    return qk.models.depthwise_cnn(seed=1)


def test_a_model_by_hand(toy_model):
    model = toy_model()
    hidden, logits = model.get_layer("hidden"), model.get_layer("logits")
    kernel = np.zeros((16, 5), np.float32)
    kernel[[0, 1, 4, 5], 0] = [1, 2, 1, -2]  # 2:4 along the inputs
    kernel[:4, 1] = 3, 1, 1, 0  # three of the first four: one group of twenty breaks it
    hidden.set_weights([kernel, hidden.get_weights()[1]])
    census = qk.weight_census(model)
    first, second = census.kernels
    assert (first.name, first.shape, first.dtype) == ("hidden", (16, 5), "float32")
    assert first.size_bytes == 4 * first.count == 320
    assert first.sparsity == pytest.approx(73 / 80)
    assert first.two_of_four_share == 19 / 20
    assert (first.distinct_stored, first.distinct_values) == (5, 5)  # 0, 1, 2, −2, 3
    assert first.distinct_per_channel == 4
    counts = np.array([73, 4, 1, 1, 1])
    assert first.entropy_bits == pytest.approx(-(counts / 80) @ np.log2(counts / 80))
    assert second.two_of_four_share == 0.5  # of five inputs the last counts as with three zeros
    assert census.left_out_values == 5 + 3
    assert census.count == 95
    assert census.to_frame()["size_bytes"].sum() == 380
    assert census.sparsity == pytest.approx(73 / 95)
    assert logits.get_weights()[0].shape == second.shape


@pytest.mark.parametrize("scheme", SCHEMES)
def test_names_and_zeros_survive_conversion(scheme, depthwise, changed_kernels, calibration):
    pruned = changed_kernels(depthwise, to_zero(0.8))
    before = qk.weight_census(pruned).to_frame()
    after = qk.weight_census(qk.convert(pruned, scheme, calibration)).to_frame()
    assert before.index.tolist() == after.index.tolist()  # and in one order
    assert before.loc["block4_pw", "sparsity"] == pytest.approx(0.8, abs=1e-3)
    assert before.loc["block4_dw", "sparsity"] == 0
    assert (after["sparsity"] >= before["sparsity"]).all()
    assert (after["sparsity"] < before["sparsity"] + 0.02).all()  # small ones that round to zero
    for found in (before, after):  # a depthwise kernel of 3×3 has nine weights a channel
        assert found.loc["block4_dw", "distinct_per_channel"] <= 9
    unchanged = before["two_of_four_share"].isna()
    assert unchanged[["stem", "block1_dw"]].all()
    assert not unchanged[["block1_pw", "logits"]].any()
    assert (after["two_of_four_share"].isna() == unchanged).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_of_four_survives_conversion(scheme, depthwise, changed_kernels, calibration):
    regular = changed_kernels(depthwise, two_of_four)
    for found in (
        qk.weight_census(regular),
        qk.weight_census(qk.convert(regular, scheme, calibration)),
    ):
        shares = found.to_frame()["two_of_four_share"].dropna()
        assert shares.tolist() == [1] * 5
        assert "2:4 in 5 of 5" in found.summary()
    assert "2:4 in 0 of 5" in qk.weight_census(depthwise).summary()


def test_scales_per_channel_multiply_clusters(trained, changed_kernels, calibration):
    model = changed_kernels(trained, clustered)
    in_float = qk.weight_census(model).to_frame().loc["logits"]
    row = qk.weight_census(qk.convert(model, "full_integer", calibration)).to_frame().loc["logits"]
    assert in_float["distinct_stored"] == in_float["distinct_values"] == 16
    assert 16 < row["distinct_stored"] < row["distinct_values"] <= 16 * 10
    assert row["distinct_per_channel"] <= 16
    assert row["distinct_stored"] > 1.2 * 16
    assert row["entropy_bits"] <= np.log2(row["distinct_stored"])  # of what is stored
    # the float file and the 16-bit one keep the clusters as they were
    for scheme in ("float32", "float16"):
        kept = qk.weight_census(qk.convert(model, scheme)).to_frame().loc["logits"]
        assert kept["distinct_values"] == 16
        assert kept["entropy_bits"] == pytest.approx(in_float["entropy_bits"])


@pytest.mark.slow
def test_quantization_aware_model_is_counted_on_its_grid(aware, tflite):
    model, file = qk.weight_census(aware), qk.weight_census(tflite("qat"))
    assert [k.name for k in model.kernels] == [k.name for k in file.kernels] == ["conv", "logits"]
    logits, stored = model.kernels[1], file.kernels[1]
    assert logits.distinct_values <= 255
    assert (logits.sparsity, logits.distinct_values) == (stored.sparsity, stored.distinct_stored)
    assert logits.entropy_bits == pytest.approx(stored.entropy_bits)
    assert (logits.dtype, stored.dtype) == ("float32", "int8")
    assert model.left_out_values == 12 + 10


@pytest.mark.slow
def test_wrapped_models_are_counted_as_they_compute(tf, toy_model):
    with quiet():
        import tensorflow_model_optimization as tfmot

        schedule = tfmot.sparsity.keras.ConstantSparsity(0.5, 0)
        pruned = tfmot.sparsity.keras.prune_low_magnitude(toy_model(), schedule)
        clusters = tfmot.clustering.keras.CentroidInitialization.LINEAR
        shared = tfmot.clustering.keras.cluster_weights(toy_model(), 3, clusters)
    plain = qk.weight_census(toy_model())
    for wrapped in (pruned, shared):
        found = qk.weight_census(wrapped)
        assert [(k.name, k.shape) for k in found.kernels] == [
            (k.name, k.shape) for k in plain.kernels
        ]
        assert found.left_out_values == plain.left_out_values == 8
    assert max(k.distinct_values for k in qk.weight_census(shared).kernels) <= 3
    mask = next(w for w in pruned.layers[1].weights if "mask" in w.name)
    mask.assign(np.eye(16, 5))
    assert qk.weight_census(pruned).kernels[0].sparsity == pytest.approx(75 / 80)


def test_sparse_encoding_is_decoded_and_said(tf, trained, changed_kernels):
    pruned = changed_kernels(trained, to_zero(0.8))
    with quiet():
        converter = tf.lite.TFLiteConverter.from_keras_model(pruned)
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
        census = qk.weight_census(converter.convert())
    plain = qk.weight_census(qk.convert(pruned, "float32"))
    row, same = (c.kernels[-1] for c in (census, plain))
    assert row.sparse_encoded
    assert not same.sparse_encoded
    assert (row.sparsity, row.distinct_values) == (same.sparsity, same.distinct_values)
    assert row.size_bytes == 4 * round(20280 * (1 - row.sparsity))


def test_table_line_and_html(tflite):
    found = qk.weight_census(tflite("full_integer"))
    frame = found.to_frame()
    assert frame.index.name == "name"
    assert frame["size_bytes"].sum() == 20388
    assert found.left_out_values == 22  # biases, and no shapes
    assert str(found).startswith("20,388 weights in 20,388 bytes: ")
    assert f"which stand for {frame['distinct_values'].min():,} to" in str(found)
    assert "left out: 22 values of one axis" in str(found)
    assert "logits" in found._repr_html_()
    assert "NaN" not in found._repr_html_()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (b"no file at all", TfliteError, "no .tflite file"),
        ("model.tflite", TypeError, r"expected the bytes of .* got str\. .*qk\.convert"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_other_things_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        qk.weight_census(given)


def test_model_without_kernels_is_refused(tf):
    model = tf.keras.Sequential([tf.keras.layers.InputLayer((4, 4)), tf.keras.layers.Flatten()])
    with pytest.raises(ValueError, match="there is no kernel"):
        qk.weight_census(model)


class Parts:
    """What a test adds to the first graph of a file."""

    def __init__(self, content):
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.content, self.graph = schema, content, content.subgraphs[0]

    def tensor(self, name, values=None, *, shape=None, kind="FLOAT32", **more):
        """Add a tensor, with values if it is a constant; return its number."""
        content, schema, number = self.content, self.schema, 0
        if values is not None:
            shape, data = np.shape(values), np.frombuffer(np.asarray(values).tobytes(), np.uint8)
            number = len(content.buffers)
            content.buffers.append(schema.BufferT(data=data))
        kind = getattr(schema.TensorType, kind)
        tensor = schema.TensorT(np.int32(shape), kind, number, name, **more)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def run(self, name, inputs, *outputs, **more):
        """Add an operator."""
        code = getattr(self.schema.BuiltinOperator, name)
        self.content.operatorCodes.append(self.schema.OperatorCodeT(builtinCode=code))
        number = len(self.content.operatorCodes) - 1
        op = self.schema.OperatorT(number, np.int32(inputs), np.int32(outputs), **more)
        self.graph.operators.append(op)


@pytest.fixture
def with_parts(toy_tflite, edited):
    """Return a function that has others add parts to the small file, of which x is the input."""

    def build(add):
        def change(content):
            parts = Parts(content)
            add(parts, parts.graph.inputs[0])

        return edited(toy_tflite, change)

    return build


TOY = 16 * 5 + 5 * 3
FOUR = np.float32([[1, 0], [0, 4]])


@pytest.mark.parametrize(
    ("reader", "place"),
    [("ASSIGN_VARIABLE", 1), ("ADD", 1), ("MUL", 1), ("MUL", 0), ("SELECT_V2", 2), ("CUSTOM", 1),
     ("CONCATENATION", 1), ("CONV_2D", 2), ("WHILE", 1), ("GATHER", 1), ("LSTM", 18)],
)  # fmt: skip
def test_what_no_layer_multiplies_with_is_no_kernel(reader, place, with_parts):
    def add(parts, x):
        # places before it that are left out do not move it
        inputs = [x, *[-1 if reader == "LSTM" else x] * place]
        inputs[place] = parts.tensor("other", FOUR)
        parts.run(reader, inputs, parts.tensor("y", shape=(2, 2)))

    census = qk.weight_census(with_parts(add))
    assert (census.count, census.sparsity) == (TOY, 0)
    assert (census.left_out_values, census.other_values) == (0, 4)
    assert str(census).endswith("0 values of one axis, and 4 of other constants")


@pytest.mark.parametrize(
    ("reader", "place"),
    [("CONV_2D", 1), ("TRANSPOSE_CONV", 1), ("FULLY_CONNECTED", 1), ("BATCH_MATMUL", 0),
     ("BATCH_MATMUL", 1), ("GATHER", 0), ("EMBEDDING_LOOKUP", 1), ("SVDF", 2), ("RNN", 1),
     ("UNIDIRECTIONAL_SEQUENCE_LSTM", 16), ("BIDIRECTIONAL_SEQUENCE_LSTM", 25)],
)  # fmt: skip
def test_what_a_layer_multiplies_with_is_a_kernel(reader, place, with_parts):
    def add(parts, x):
        inputs = [x, *[x if reader == "SVDF" else -1] * place]  # those before may be left out
        inputs[place] = parts.tensor("w", FOUR)
        inputs += [x] * (not place)  # what takes weights first takes two
        inputs[0] = x if place else inputs[0]
        if reader in ("CONV_2D", "FULLY_CONNECTED"):
            inputs[1] = inputs[place]
        parts.run(reader, inputs, parts.tensor("y", shape=(2, 2)))
        parts.run("ADD", [x, inputs[place]], parts.tensor("z", shape=(2, 2)))  # beside it

    census = qk.weight_census(with_parts(add))
    assert (census.count, census.other_values) == (TOY + 4, 0)
    assert census.kernels[-1].name == "w"
    assert census.kernels[-1].sparsity == 0.5


def test_kernels_are_followed_through_what_lays_them_out(with_parts):
    kernel = np.arange(1, 13, dtype=np.float16).reshape(2, 6)

    def add(parts, x):
        half = parts.tensor("half", kernel, kind="FLOAT16")
        whole, square, turned = (
            parts.tensor("made", shape=shape) for shape in ((2, 6), (3, 4), (4, 3))
        )
        parts.run("DEQUANTIZE", [half], whole)
        parts.run("RESHAPE", [whole, parts.tensor("to", np.int32([3, 4]), kind="INT32")], square)
        parts.run("TRANSPOSE", [square, parts.tensor("by", np.int32([1, 0]), kind="INT32")], turned)
        parts.run("FULLY_CONNECTED", [x, turned, -1], parts.tensor("y", shape=(1, 4)))

    row = qk.weight_census(with_parts(add)).kernels[-1]
    assert (row.name, row.shape, row.dtype, row.size_bytes) == ("half", (4, 3), "float16", 24)
    assert row.distinct_per_channel == 3


def test_constants_that_are_laid_out_in_circles_or_to_nothing_are_told(with_parts):
    def circle(parts, x):
        one, two = (parts.tensor(name, shape=(2, 2)) for name in "ab")
        parts.run("DEQUANTIZE", [one], two)
        parts.run("DEQUANTIZE", [two], one)
        parts.run("FULLY_CONNECTED", [x, one], parts.tensor("y", shape=(1, 2)))

    def to_nothing(parts, x):
        made = parts.tensor("made", shape=(3, 3))
        parts.run("RESHAPE", [parts.tensor("w", FOUR)], made)
        parts.run("FULLY_CONNECTED", [x, made], parts.tensor("y", shape=(1, 2)))

    assert qk.weight_census(with_parts(circle)).count == TOY
    with pytest.raises(TfliteError, match="a RESHAPE of constants cannot be followed"):
        qk.weight_census(with_parts(to_nothing))


@pytest.mark.parametrize(("place", "turned"), [(1, False), (1, True), (0, False), (0, True)])
def test_output_channels_of_matrix_products(place, turned, with_parts):
    by_output = np.float32([[1, 2, 3, 4], [5, 5, 5, 5], [6, 6, 6, 6]])  # three outputs

    def add(parts, x):
        # of the first input rows are the outputs, of the second columns
        kernel = by_output if turned == bool(place) else by_output.T
        inputs = [x, x]
        inputs[place] = parts.tensor("w", np.ascontiguousarray(kernel)[None])
        options = parts.schema.BatchMatMulOptionsT(adjX=turned, adjY=turned)
        parts.run(
            "BATCH_MATMUL",
            inputs,
            parts.tensor("y", shape=(1, 3, 3)),
            builtinOptionsType=parts.schema.BuiltinOptions.BatchMatMulOptions,
            builtinOptions=options,
        )

    row = qk.weight_census(with_parts(add)).kernels[-1]
    assert (row.distinct_values, row.distinct_per_channel) == (6, 4)
    assert row.two_of_four_share == 0  # groups of four inputs


def test_names_are_labels_and_each_stands_once(with_parts):
    def add(parts, x):
        for name in ("a/b/dense/MatMul", "a/c/dense/MatMul", "a/c/dense/MatMul", "", ""):
            kernel = parts.tensor(name, FOUR)
            parts.run("FULLY_CONNECTED", [x, kernel, -1], parts.tensor("y", shape=(1, 2)))

    tflite = with_parts(add)
    names = qk.weight_census(tflite).to_frame().index
    first = len(qk.inspect(tflite).tensors) - 10
    assert names[-5:].tolist() == [
        *("dense", "a/c/dense/MatMul", f"a/c/dense/MatMul #{first + 4}"),
        *(f"#{first + 6}", f"#{first + 8}"),
    ]
    assert names.is_unique


def test_a_kernel_that_two_layers_share_counts_once(with_parts):
    def add(parts, x):
        table = parts.tensor("table", FOUR)
        parts.run("GATHER", [table, x], parts.tensor("y", shape=(1, 2)))
        parts.run("FULLY_CONNECTED", [x, table, -1], parts.tensor("z", shape=(1, 2)))

    assert qk.weight_census(with_parts(add)).count == TOY + 4


def test_weights_in_another_file_are_refused_by_name(toy_tflite, in_another_file):
    with pytest.raises(TfliteError, match=r"are in another file, 'weights\.bin'"):
        qk.weight_census(in_another_file(toy_tflite))
