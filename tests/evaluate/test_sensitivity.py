"""Sensitivity by layer: the same as one effect after the other, and what all together tell."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.sensitivity import sensitivity
from qkit.interpreter.simulation import bits, calibrated_ranges


@pytest.fixture(scope="module")
def pair(digits):
    return digits.x_test[:100], digits.y_test[:100]


@pytest.fixture(scope="module")
def found(float_file, pair):
    return sensitivity(float_file, pair, bits=[4, 2])


def row_of(found, layer, part, bits, mode):
    table = found.table
    chosen = (table["layer"] == layer) & (table["part"] == part)
    return table[chosen & (table["bits"] == bits) & (table["mode"] == mode)].iloc[0]


@pytest.mark.parametrize(("layer", "part"), [("conv", "weights"), ("logits", "activations")])
def test_a_layer_alone_is_the_effect_of_its_bits_alone(layer, part, found, float_file, pair):
    ranges = calibrated_ranges(float_file, pair[0]) if part == "activations" else {}
    by = {"weight_bits": None, "activation_bits": None, f"{part[:-1]}_bits": {layer: 2}}
    alone = qk.effect(float_file, bits(float_file, ranges, **by), *pair).paired
    row = row_of(found, layer, part, 2, "alone")
    assert row["difference_pp"] == alone.difference_pp
    assert (row["difference_low_pp"], row["difference_high_pp"]) == alone.interval_pp


def test_all_but_one_leaves_that_one_in_float(found, float_file, pair):
    others = bits(float_file, {}, weight_bits={"logits": 2}, activation_bits=None)
    expected = qk.effect(float_file, others, *pair).paired.difference_pp
    assert row_of(found, "conv", "weights", 2, "all but it")["difference_pp"] == expected
    assert row_of(found, "logits", "weights", 2, "alone")["difference_pp"] == expected


def test_fewer_bits_add_noise_and_the_rows_are_those_that_were_asked_for(found):
    for part, layers in (("weights", 2), ("activations", 3)):  # the input, too
        fine, coarse = (
            found.table[(found.table["part"] == part) & (found.table["bits"] == b)]
            .set_index(["layer", "mode"])["output_sqnr_db"] for b in (4, 2)
        )  # fmt: skip
        assert len(fine) == 1 + 2 * layers
        assert (fine > coarse).all()
    ranked = found.ranked(part="weights", bits=2)
    assert ranked["output_sqnr_db"].is_monotonic_increasing
    assert "hurts most of the weights:" in found.summary()


def test_what_was_not_measured_is_not_ranked_as_an_empty_table(found):
    with pytest.raises(ValueError, match=r"bits=3, mode='alone'; there are .*'bits': \[4, 2\]"):
        found.ranked(bits=3)


def test_without_labels_and_for_real_outputs_there_is_a_figure_all_the_same(toy_tflite, toy_data):
    unlabelled = sensitivity(toy_tflite, toy_data.x_test, bits=[2], parts=["weights"])
    assert (unlabelled.table["difference_pp"] <= 0).all()
    y = qk.outputs(toy_tflite, toy_data.x_test)
    real = sensitivity(toy_tflite, (toy_data.x_test, y), bits=[2], parts=["weights"])
    assert (real.table["difference"] > 0).all()  # RMSE against the float outputs themselves
    assert np.isfinite(real.table["output_sqnr_db"]).all()


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"bits": 8}, "bits and parts are lists"),
        ({"bits": [1]}, "from 2 to 16, got 1"),
        ({"parts": ["biases"]}, "one of 'weights', 'activations'"),
        ({"bits": []}, "must name one or more"),
        ({"executor": 2}, "executor must be None"),
    ],
)
def test_what_is_asked_for_is_checked_first(wrong, match, float_file, pair):
    with pytest.raises((TypeError, ValueError), match=match):
        sensitivity(float_file, pair, **wrong)


@pytest.mark.parametrize("pool", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_the_table_is_the_same_on_an_executor(pool, found, float_file, pair):
    how = {"mp_context": get_context("spawn")} if pool is ProcessPoolExecutor else {}
    with pool(2, **how) as executor:
        again = sensitivity(float_file, pair, bits=[4, 2], executor=executor).table
    assert again.equals(found.table)
