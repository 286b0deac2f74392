"""Errors by operator: another tool's figures, arithmetic by hand, and faults planted on purpose."""

import dataclasses
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.evaluate.layers import LayerErrors, layer_errors
from qkit.interpreter.run import intermediate
from qkit.quantize.grid import fake_quantize
from qkit.quantize.integer_operators import grid_of
from qkit.tflite.edit import layers, with_weights
from qkit.tflite.file import inspect
from qkit.tflite.match import matched
from qkit.tflite.values import real_values
from qkit.toolchain import recipes

FILES = Path(__file__).parents[1] / "files"
INT8 = qk.SCHEMES["litert_full_integer"]


def float_of(path):
    """Return the float file that a stored one was made of."""
    stem = path.stem
    while not (found := FILES / f"{stem}_float32.tflite").exists():
        stem = stem.rpartition("_")[0]
    return found


ALL = sorted(p for p in FILES.glob("*.tflite") if not p.stem.endswith("float32"))


@pytest.mark.parametrize("path", ALL, ids=lambda p: p.stem)
def test_each_operator_finds_its_counterpart_and_what_it_reads(path):
    file, original = inspect(path.read_bytes()), inspect(float_of(path).read_bytes())
    pairs, stand = matched(file, original)
    moved = ("QUANTIZE", "DEQUANTIZE")
    assert [k for k, op in enumerate(file.operators) if op.name not in moved] == [
        a for a, _ in pairs
    ]
    assert sorted(b for _, b in pairs) == [*range(len(original.operators))]
    for tensor in file.outputs:
        assert stand[tensor.index] in {t.index for t in original.outputs}


@pytest.mark.parametrize(("network", "scheme"), [("depthwise", "full_integer"),
                                                 ("trained", "int16_activations"),
                                                 ("trained", "full_integer_int8_io")])  # fmt: skip
def test_accumulated_errors_are_those_of_litert_quantizer(network, scheme, digits):
    from litert_quantizer import model_validator
    from litert_quantizer.utils.validation_utils import ValidationErrorMetric as Metric

    in_float, tflite = ((FILES / f"{network}_{s}.tflite").read_bytes() for s in ("float32", scheme))
    x = digits.x_test[:20]
    theirs = model_validator.compare_model(
        in_float, tflite, {"serving_default": [{"image": item[None]} for item in x]},
        [Metric.MSE], use_xnnpack=False, num_threads=1,
    ).get_all_tensor_results()  # fmt: skip
    ours, held = layer_errors(in_float, tflite, x), 0
    for number, row in ours.table.iterrows():
        tensor = inspect(tflite).operators[number].outputs[0]
        if tensor.name in theirs and row["sqnr_db"] < np.inf:
            mse = (row["rmse_steps"] * tensor.scale[0]) ** 2
            assert mse == pytest.approx(theirs[tensor.name]["mse"], rel=0.03), tensor.name
            held += 1
    assert held >= 3


def test_an_operators_own_error_is_that_of_its_weights_and_its_grid(tflite, digits):
    """The last layer by hand: what the float file feeds it, on the grid, in real arithmetic."""
    in_float, quantized, x = tflite("float32"), tflite("full_integer"), digits.x_test[:50]
    op = next(op for op in inspect(quantized).operators if op.name == "FULLY_CONNECTED")
    own = next(op for op in inspect(in_float).operators if op.name == "FULLY_CONNECTED")
    name = own.inputs[0].name
    fed = np.concatenate([item[name] for item in intermediate(in_float, x, [name])])
    fed = fake_quantize(fed.reshape(len(x), -1), grid_of(op.inputs[0]))
    weights, bias = (real_values(t) for t in op.inputs[1:])
    exact_weights, exact_bias = (real_values(t) for t in own.inputs[1:])
    given = fake_quantize(fed @ weights.T + bias, grid_of(op.outputs[0]))
    error = given - (fed @ exact_weights.T + exact_bias)
    row = layer_errors(in_float, quantized, x).table.iloc[-1]
    steps = np.sqrt(np.mean(error**2)) / op.outputs[0].scale[0]
    assert row["alone_rmse_steps"] == pytest.approx(steps, rel=0.01)


def test_the_first_rounding_is_the_same_alone_and_among_all(depthwise_tflite, digits):
    found = layer_errors(depthwise_tflite("float32"), depthwise_tflite("full_integer"),
                         digits.x_test[:10])  # fmt: skip
    first, passed_on = found.table.iloc[0], found.table[found.table["operator"] == "RESHAPE"]
    assert first["sqnr_db"] == first["alone_sqnr_db"]
    assert (passed_on["alone_sqnr_db"] == np.inf).all()
    assert (passed_on["output_sqnr_db"] == np.inf).all()
    assert (found.table["sqnr_db"] <= found.table["alone_sqnr_db"] + 0.1).all()


def test_one_error_alone_changes_the_output_as_that_rounding_in_float_does(tflite, digits):
    """The input's rounding, made by hand, in front of the float file."""
    in_float, x = tflite("float32"), digits.x_test[:60]
    tensor = inspect(tflite("full_integer")).operators[0].outputs[0]
    by_hand = qk.outputs(in_float, fake_quantize(x, grid_of(tensor)))
    row = layer_errors(in_float, tflite("full_integer"), x).table.iloc[0]
    expected = qk.sqnr_db(qk.outputs(in_float, x), by_hand)
    assert row["output_sqnr_db"] == pytest.approx(expected, abs=0.3)


def test_labels_tell_what_each_error_costs(tflite, digits):
    in_float, quantized = tflite("float32"), tflite("full_integer")
    x, y = digits.x_test[:100], digits.y_test[:100]
    found = layer_errors(in_float, quantized, x, y)
    assert found.paired[8].a.accuracy == qk.accuracy(in_float, x, y).accuracy
    assert found.table.loc[8, "difference_pp"] == found.paired[8].difference_pp
    agreement = layer_errors(in_float, quantized, x)
    assert agreement.paired[8].a.accuracy == 1
    assert agreement.worst == found.worst
    assert "points (95 % interval" in found.summary()


@pytest.mark.parametrize("name", ["block2_pw", "block3_dw"])
def test_a_range_that_misses_one_layer_is_found(name, depthwise_tflite, digits):
    in_float = depthwise_tflite("float32")
    seen = recipes.statistics(in_float, INT8, digits.x_train[:20])
    (layer,) = (layer for layer in layers(in_float) if layer.name == name)
    seen[layer.activation_name] = {
        end: value * np.float32(0.1) for end, value in seen[layer.activation_name].items()
    }
    tflite = recipes.quantized(in_float, INT8, seen=seen)
    found = layer_errors(in_float, tflite, digits.x_test[:30])
    row = found.table.loc[found.worst]
    assert row["name"] == name
    assert row["saturated_share"] > 0.1
    assert found.table["alone_sqnr_db"].idxmin() == found.worst
    assert f"{name} (" in found.summary()


def test_an_outlier_among_the_weights_of_one_channel_is_found(depthwise_tflite, digits):
    in_float = depthwise_tflite("float32")
    (layer,) = (layer for layer in layers(in_float) if layer.name == "block2_pw")
    weights = layer.weights.copy()
    weights[3, 0, 0, 0] = 10 * np.abs(weights).max()
    planted = with_weights(in_float, {layer.weights_name: weights})
    one_scale = dataclasses.replace(INT8, per_channel=False)
    before, after = (
        layer_errors(
            file, qk.convert(file, one_scale, digits.x_train[:20]), digits.x_test[:30]
        ).table.query("operator.str.contains('CONV')").set_index("name")["alone_sqnr_db"]
        for file in (in_float, planted)
    )  # fmt: skip
    assert (before - after).idxmax() == "block2_pw"
    assert (before - after).max() > 5


@pytest.mark.slow
def test_the_addition_of_a_mask_is_found_and_not_what_reads_it(tf, digits):
    in_float = qk.convert(qk.models.masked_transformer(mask=-10_000.0, seed=1), "float32")
    x = digits.x_test[:20].copy()
    x[:, :14] = 0  # blank patches, which the mask hides
    tflite = qk.convert(in_float, INT8, x)
    found = layer_errors(in_float, tflite, x)
    row = found.table.loc[found.worst]
    assert row["operator"] == "ADD"
    assert "masked" in row["name"]
    assert found.unmatched == ()


def test_where_nothing_is_lost_nothing_hurts_most():
    lossless = {"name": "a", "operator": "ADD", "output_sqnr_db": np.inf, "sqnr_db": np.inf}
    found = LayerErrors(pd.DataFrame([lossless]), (), MappingProxyType({}), 7)
    assert found.summary() == "no operator's own error changes the output, on 7 items"


def test_a_file_of_another_model_is_told_so(depthwise_tflite, tflite, digits):
    with pytest.raises(ValueError, match="is the file of another model"):
        layer_errors(depthwise_tflite("float32"), tflite("full_integer"), digits.x_test[:3])


def test_what_is_not_matched_is_listed_and_the_rest_measured(tflite, edited, digits):
    """A layer whose weights are others: its own row is missing, those behind go by their names."""

    def change(model):
        graph = model.subgraphs[0]
        (conv,) = (
            op for op in graph.operators if len(op.inputs) == 3 and op.builtinOptionsType == 1
        )
        buffer = model.buffers[graph.tensors[conv.inputs[1]].buffer]
        buffer.data = np.asarray(buffer.data)[::-1].copy() ^ 0x80

    file = edited(tflite("full_integer"), change)
    found = layer_errors(tflite("float32"), file, digits.x_test[:10])
    assert found.unmatched == ("conv",)
    assert "Not matched: conv" in found.summary()
    assert {"pool/MaxPool", "logits"} <= {*found.table["name"]}


@pytest.mark.parametrize(
    "path", [p for p in ALL if p.stem.startswith("zoo_")], ids=lambda p: p.stem
)
def test_whatever_network_it_is_each_operator_has_its_figures(path):
    """Attention, recurrence, ids, several inputs, integers that come in: two items each."""
    in_float, rng = float_of(path).read_bytes(), np.random.default_rng(0)
    x = [
        rng.random((2, *t.shape[1:])).astype(np.float32)
        if t.dtype == "float32"
        else rng.integers(0, 5, (2, *t.shape[1:])).astype(t.dtype)
        for t in inspect(in_float).inputs
    ]
    found = layer_errors(in_float, path.read_bytes(), x if len(x) > 1 else x[0])
    assert found.unmatched == ()
    assert found.table["output_sqnr_db"].notna().all()
    assert np.isfinite(found.table.loc[found.worst, "output_sqnr_db"])
    assert found.table.iloc[-1]["sqnr_db"] < np.inf


# What comes in, as steps of time, what a dense layer makes of each, and what goes out.
SHARED = (1, 8), (1, 2, 4), (1, 2, 3), (1, 6)
ODD = {
    "steps come first": ((1, 8), (2, 4), (2, 3), (1, 6)),
    "a batch of two": ((2, 8), (4, 4), (4, 3), (2, 6)),
    "no axis of items": ((8,), (2, 4), (2, 3), (1, 6)),
}


@pytest.fixture
def figures_of(built):
    """Return a function from four shapes, and outputs, to the table of a dense layer over steps."""
    weights, x = (np.random.default_rng(0).uniform(-2, 2, s).astype("f") for s in [(3, 4), (5, 8)])
    in_int8 = np.rint(weights / 0.02).astype(np.int8), [0.02], [0], 0

    def figures(shapes, outputs=("y",), **how):
        grids = {"x": 0.02, "steps": 0.02, "made": 0.1, "y": 0.1}
        _, steps, made, gone = shapes
        kept = {"keepNumDims": len(made) > 2}
        operators = [
            ("RESHAPE", ["x", "as steps"], ["steps"], "ReshapeOptions"),
            ("FULLY_CONNECTED", ["steps", "w", None], ["made"], "FullyConnectedOptions", kept),
            ("RESHAPE", ["made", "as y"], ["y"], "ReshapeOptions"),
        ]
        shapes = dict(zip(grids, shapes, strict=True))
        both = (
            {n: (s, "float32") for n, s in shapes.items()} | {"w": weights},
            {n: ((s, "int8"), [grids[n]], [0], 0) for n, s in shapes.items()} | {"w": in_int8},
        )
        more = {"as steps": np.int32(steps), "as y": np.int32(gone)}
        files = (built((tensors | more, operators, ["x"], outputs)) for tensors in both)
        return layer_errors(*files, x, **how).table

    return figures


@pytest.mark.parametrize("kind", ODD)
def test_figures_are_the_same_where_items_share_no_first_axis(kind, figures_of):
    expected, given = figures_of(SHARED), figures_of(ODD[kind])
    assert np.isfinite(expected.loc[1, ["alone_sqnr_db", "output_sqnr_db"]].tolist()).all()
    pd.testing.assert_frame_equal(given, expected, rtol=1e-5)


@pytest.mark.parametrize("shapes", [SHARED, ODD["steps come first"]], ids=["at once", "one by one"])
def test_of_several_outputs_one_is_judged(shapes, figures_of):
    of_both = figures_of(shapes, ("made", "y"), metric={"y": None})
    pd.testing.assert_frame_equal(of_both, figures_of(shapes), rtol=1e-5)
