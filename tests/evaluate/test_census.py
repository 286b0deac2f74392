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


def test_quantization_aware_model_is_counted_on_its_grid(aware, tflite):
    model, file = qk.weight_census(aware), qk.weight_census(tflite("qat"))
    assert [k.name for k in model.kernels] == [k.name for k in file.kernels] == ["conv", "logits"]
    logits, stored = model.kernels[1], file.kernels[1]
    assert logits.distinct_values <= 255
    assert (logits.sparsity, logits.distinct_values) == (stored.sparsity, stored.distinct_stored)
    assert logits.entropy_bits == pytest.approx(stored.entropy_bits)
    assert (logits.dtype, stored.dtype) == ("float32", "int8")
    assert model.left_out_values == 12 + 10


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
