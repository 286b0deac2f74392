"""Mixed precision: real files within what was asked for, by an interval; and the way there."""

from dataclasses import replace

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.mixed_precision import mixed_precision
from qkit.tflite.file import inspect


@pytest.fixture(scope="module")
def within(float_file, digits):
    return mixed_precision(float_file, digits, max_drop_pp=3)


def test_the_file_is_as_small_as_the_loss_allows_and_is_what_the_table_says(
    within, float_file, digits
):
    row = within.table.loc[within.chosen]
    against = qk.paired(
        qk.accuracy(float_file, digits.x_test, digits.y_test),
        qk.accuracy(within.tflite, digits.x_test, digits.y_test),
    )
    assert row["drop_pp"] == -against.difference_pp
    assert row["drop_high_pp"] == -against.interval_pp[0] <= 3
    assert row["size_bytes"] == len(within.tflite)
    ok = within.table[within.table["drop_high_pp"] <= 3]
    assert row["size_bytes"] == ok["size_bytes"].min()
    assert within.met
    assert row["size_share"] < 0.7  # int4 weights in the large layer
    dtypes = {t.dtype for t in inspect(within.tflite).weights}
    assert "int4" in dtypes


def test_the_way_starts_with_all_in_int8_and_its_effort_is_told(within, float_file, digits):
    first = within.table.loc[0]
    assert first["size_share"] == 1
    assert first["float_operators"] == 0
    assert within.evaluations == len(within.table) <= 8
    assert f"{within.evaluations} files tried on {len(digits.x_test):,} items" in within.summary()
    front = within.front
    assert front["size_bytes"].is_monotonic_increasing
    assert front["drop_pp"].is_monotonic_decreasing


def test_a_budget_of_bytes_is_kept_with_the_least_loss(float_file, digits):
    smallest = mixed_precision(float_file, digits, budget_bytes=1)
    assert not smallest.met
    assert smallest.table.loc[smallest.chosen, "size_bytes"] == smallest.table["size_bytes"].min()
    assert "not met by any file that was tried" in smallest.summary()
    in_volts = replace(smallest, unit="", table=smallest.table.assign(drop_pp=1.23e-4))
    assert "lost +0.000123 (" in in_volts.summary()
    budget = int(smallest.table["size_bytes"].median())
    found = mixed_precision(float_file, digits, budget_bytes=budget)
    assert found.met
    assert len(found.tflite) <= budget
    ok = found.table[found.table["size_bytes"] <= budget]
    assert found.table.loc[found.chosen, "drop_pp"] == ok["drop_pp"].min()


def test_what_int8_ruins_is_repaired_in_float_first(tf, trained, digits):
    """Five classes are masked out by −10,000: no int8 step is left for the other five."""
    mask = tf.constant([0.0] * 5 + [-10_000.0] * 5)
    masked = tf.keras.layers.Lambda(lambda x: x + mask, name="masked")(trained.output)
    model = tf.keras.Model(trained.input, tf.keras.layers.Softmax()(masked))
    x = digits.x_test[:200]
    found = mixed_precision(model, x, max_drop_pp=6, calibration=digits.x_train[:30])
    assert found.table.loc[0, "drop_low_pp"] > 6
    assert found.met
    in_float = [name for name, part in found.parts.items() if part == "float32"]
    assert any("masked/" in name for name in in_float)
    count = found.table.loc[found.chosen, "float_operators"]
    assert 0 < count <= 2


def test_few_items_cannot_show_a_small_loss_and_that_is_said_at_once(float_file, digits):
    few = digits.x_test[:100], digits.y_test[:100]
    with pytest.raises(ValueError, match=r"on 100 items .* agree on all may differ by .* points"):
        mixed_precision(float_file, few, max_drop_pp=0.5)


@pytest.mark.parametrize("given", [{}, {"max_drop_pp": 1, "budget_bytes": 9}])
def test_one_limit_is_asked_for(given, float_file, digits):
    with pytest.raises(ValueError, match="name one of max_drop_pp=… and budget_bytes=…"):
        mixed_precision(float_file, digits, **given)


def test_points_are_for_shares(toy_tflite, toy_data):
    y = qk.outputs(toy_tflite, toy_data.x_test)
    with pytest.raises(ValueError, match="is in points, and what is counted is RMSE"):
        mixed_precision(toy_tflite, (toy_data.x_test, y), max_drop_pp=1)
    found = mixed_precision(toy_tflite, (toy_data.x_test, y), budget_bytes=10**6)
    assert found.met
    assert "loss" in found.table
    assert np.isfinite(found.table["loss"]).all()


def test_repair_is_of_the_output_that_is_judged_though_names_repeat(built, edited):
    from ai_edge_litert.schema_py_generated import SignatureDefT, TensorMapT

    def change(model):
        outputs = [TensorMapT(b"one", 3), TensorMapT(b"two", 4)]
        model.signatureDefs = [SignatureDefT([TensorMapT(b"x", 0)], outputs, b"serving_default")]
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b"same"

    rng, end = np.random.default_rng(0), ((1, 3), "float32")
    v, w, x = (rng.uniform(-1, 1, s).astype(np.float32) for s in ((3, 8), (3, 8), (50, 8)))
    x[0] *= 3000  # too wide for the others to be told apart in int8
    tensors = {"x": ((1, 8), "float32"), "v": v, "w": w, "one": end, "two": end}
    operators = [
        ("FULLY_CONNECTED", ["x", weights, None], [given], "FullyConnectedOptions")
        for weights, given in (("v", "one"), ("w", "two"))
    ]
    tflite = edited(built((tensors, operators, ["x"], ["one", "two"])), change)
    found = mixed_precision(tflite, x, max_drop_pp=20, metric={"two": None}, calibration=x)
    assert found.met
    assert found.table.loc[0, "drop_pp"] > 20
    assert found.parts == dict.fromkeys(("same #4", "same #3"), "float32")
