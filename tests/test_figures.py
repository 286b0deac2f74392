"""The lines that figures hang on, against numbers worked out by hand; no network, no TensorFlow.

Each test here is the quick witness of one or more mutations in `mutants.py`.
"""

import dataclasses
import math
import zlib
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import latency as timing
from qkit.evaluate.tradeoff import QUANTITIES, pareto_front
from qkit.quantize import coding
from qkit.quantize.histogram import histogram
from qkit.tflite import values
from qkit.tflite.edit import opened
from qkit.widgets.explorer import Explorer

FILES = Path(__file__).parent / "files"


def of(right, wrong):
    """Return the accuracy of so many right and wrong predictions."""
    labels = np.zeros(right + wrong, int)
    return qk.accuracy_of(np.r_[np.zeros(right, int), np.ones(wrong, int)], labels)


def zoo(name, scheme="float32"):
    return (FILES / f"zoo_{name}_{scheme}.tflite").read_bytes()


def test_wilson_interval_by_its_formula():
    n, share, z = 50, 0.9, 1.959963984540054
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert of(45, 5).interval == pytest.approx((centre - half, centre + half), abs=1e-12)


def test_mcnemar_is_exact_and_counts_both_sides():
    labels = np.zeros(100, int)
    a, b = labels.copy(), labels.copy()
    a[:1], b[10:17] = 1, 1  # one gained, seven lost
    make = qk.accuracy_of
    found = qk.paired(make(a, labels), make(b, labels))
    assert found.p_value == pytest.approx(2 * (1 + 8) / 2**8)
    assert found.difference_pp == pytest.approx(-6)
    assert (len(found.lost), len(found.gained)) == (7, 1)
    up, down, z = 2 / 102, 8 / 102, 1.959963984540054
    half = z * math.sqrt((up + down - (up - down) ** 2) / 102)
    ends = (100 * (up - down - half), 100 * (up - down + half))
    assert found.interval_pp == pytest.approx(ends)
    assert found.verdict == "within the noise"
    turned = qk.paired(make(b, labels), make(a, labels))
    assert (turned.p_value, turned.difference_pp) == (found.p_value, pytest.approx(6))


def test_front_keeps_what_nothing_beats_and_twins():
    points = {"best": (1, 9), "twin": (1, 9), "beaten": (2, 9), "also": (1, 8), "far": (3, 10)}
    points = {name: ((x,), (y,)) for name, (x, y) in points.items()}
    size, right = QUANTITIES["file size, kB"], QUANTITIES["accuracy, %"]
    assert pareto_front(points, size, right) == ["best", "twin", "far"]
    assert pareto_front(points, size, size) == ["also"]
    assert pareto_front(points, right, right) == ["far"]


def test_bytes_by_zlib_at_the_level_that_is_named():
    tflite = zoo("lstm")
    ledger = qk.size(tflite)
    assert ledger.deflated_bytes == len(zlib.compress(tflite, 9)) != len(zlib.compress(tflite, 6))
    stored = {t.buffer: t.size_bytes for t in qk.inspect(tflite).tensors}
    assert sum(ledger.constants_bytes.values()) == sum(stored.values())
    rng = np.random.default_rng(0)
    weights = np.where(rng.random(20_000) < 0.8, 0, rng.normal(size=20_000)).astype(np.float32)
    raw = weights.tobytes()
    found = coding.stored_bytes([weights])
    assert found.raw_bytes == 80_000
    assert found.deflated_bytes == len(zlib.compress(raw, 6)) != len(zlib.compress(raw, 9))


def test_table_of_an_entropy_code_is_paid_for():
    # four symbols, equally often: two bits each, and the table says which four and how often
    stored = np.repeat(np.int8([3, 5, 7, 9]), 250)
    table = math.log2(math.comb(256, 4)) + math.log2(math.comb(999, 3))
    none_is_zero = math.log2(math.comb(1001, 1))
    expected = (2 * 1000 + table + none_is_zero) / 8
    assert coding.entropy_coded_bytes(stored) == pytest.approx(expected)


def test_rounding_error_of_a_step_is_a_twelfth_of_its_square():
    # bins far wider than a step: each value's error is the mean over a step
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, 10_000)
    found = histogram([x])
    step = 2 / 65_535
    assert step < found.width / 4
    cost = qk.calibration._squared_error(found, 0.0, 2.0, bits=16)
    assert cost == pytest.approx(10_000 * step**2 / 12)


def test_percentile_cuts_half_of_the_rest_off_on_either_side():
    low, high = qk.calibration.percentile([np.linspace(0, 1, 100_001)], 90)
    assert (low, high) == pytest.approx((0.05, 0.95), abs=1e-3)


def test_moving_average_goes_a_thousandth_of_the_way():
    low, high = qk.calibration.moving_average([np.float32([1.0, 10.0])])
    assert (low, high) == pytest.approx((-6 + 0.006, 6 + 0.004))


def test_grid_by_hand():
    found = qk.grid.choose_qparams(np.float32([-1.0, 3.0]))
    assert found.scale == np.float32(4) / np.float32(255)
    assert (found.zero_point, found.qmin, found.qmax) == (-64, -128, 127)
    # 0.5 is added before the floor: 63.75 steps are 64
    assert qk.grid.quantize(np.float32([-1.0, 0.0, 3.0]), found).tolist() == [-128, -64, 127]
    symmetric = qk.grid.choose_qparams(np.float32([-1.0, 3.0]), symmetric=True)
    assert (symmetric.zero_point, symmetric.qmin, symmetric.qmax) == (0, -127, 127)
    assert symmetric.scale == np.float32(6) / np.float32(254)
    above = qk.grid.choose_qparams(np.float32([2.0, 3.0]))  # 0 is on the grid in any case
    assert (above.low, above.high) == (0, pytest.approx(3))
    assert qk.grid.quantize(np.float32([0.3]), symmetric).tolist() == [13]  # 12.7 steps
    assert qk.grid.dequantize(np.int8([13]), symmetric) == 13 * symmetric.scale


def test_scale_is_worked_out_in_single_precision():
    low, high = -0.1234567891234, 0.7654321987654
    found = qk.grid.choose_qparams(np.float32([0.0]), range=(low, high))
    assert found.scale.dtype == np.float32
    assert found.scale == (np.float32(high) - np.float32(low)) / np.float32(255)


def test_decibels_and_clipping():
    assert qk.sqnr_db(np.float32([10.0]), np.float32([9.0])) == pytest.approx(20)
    found = qk.quantization_error(
        np.float32([0.0, 1.0, 1.001, 5.0]),
        qk.grid.choose_qparams(np.float32([1.0]), range=(0.0, 1.0)),
    )
    assert found.clipped_share == 0.25  # 1.001 is within half a step of the end


def test_masks_keep_the_largest():
    weights = np.float32([[4, -3, 2, 1], [1, 1, 1, 1]])
    mask = qk.magnitude_mask
    assert mask(weights, 0.75).sum() == 2
    assert mask(weights, 0.25)[1].all()  # equal magnitudes stay together
    assert mask(weights, 0, "2:4").sum(axis=1).tolist() == [2, 2]
    assert coding.two_of_four_share(np.float32([[1, 0, 0, 2], [0, 1, 2, 3]])) == 0.5
    assert coding.entropy_bits([0, 0, 1, 2]) == 1.5


def test_table_of_clusters_takes_as_many_bits_as_it_needs():
    layers = qk.simulation.layers(zoo("uint8_input"))
    weights = sum(layer.weights.size for layer in layers)
    found = qk.cluster_once(layers, 5)
    assert found.table_bytes == pytest.approx(
        weights * 3 / 8 + len(layers) * 5 * 4, abs=len(layers)
    )


def test_real_values_are_counted_from_the_zero_point():
    weights = qk.inspect(zoo("conv1d", "full_integer")).weights
    tensor = next(t for t in weights if t.dtype == "int8" and t.scale.size)
    moved = dataclasses.replace(tensor, zero_point=tensor.zero_point + 5)
    apart = values.real_values(tensor) - values.real_values(moved)
    assert np.unique(apart.round(5)).size <= tensor.scale.size
    assert apart.max() == pytest.approx(5 * tensor.scale.max(), rel=1e-3)


def test_nibbles_come_with_the_lower_four_bits_first():
    assert values._unpacked(
        SimpleNamespace(data=np.uint8([0x21, 0xF7]), dtype="int4"), 4
    ).tolist() == [1, 2, 7, -1]


def grids_in(tflite):
    """Return (low, high, bits) of every FAKE_QUANT, by the tensor that it rounds."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    graph = model.subgraphs[0]
    return {
        graph.tensors[op.inputs[0]].name.decode(): (
            op.builtinOptions.min,
            op.builtinOptions.max,
            op.builtinOptions.numBits,
        )
        for op in graph.operators
        if model.operatorCodes[op.opcodeIndex].builtinCode == schema.BuiltinOperator.FAKE_QUANT
    }


def test_simulated_activations_of_16_bits_are_symmetric():
    tflite = zoo("conv1d")
    name = qk.inspect(tflite).inputs[0].name
    for bits, symmetric in ((16, True), (8, False)):
        found = grids_in(qk.simulation.at_bits(tflite, {name: (-1.0, 3.0)}, activation_bits=bits))
        low, high, _ = found[name]
        assert (abs(low + high) < 1e-3) == symmetric


def test_simulated_weights_are_symmetric_and_by_channel():
    tflite = zoo("conv1d")
    before, after = qk.simulation.layers(tflite)[0], None
    after = qk.simulation.layers(
        qk.simulation.at_bits(tflite, {}, weight_bits=4, activation_bits=None)
    )[0]
    for was, given in zip(before.weights, after.weights, strict=True):
        step = np.float32(np.abs(was).max()) / np.float32(7)
        np.testing.assert_allclose(given / step, np.rint(given / step), atol=1e-4)
        np.testing.assert_allclose(given, was, atol=0.5001 * step)


@pytest.mark.parametrize(
    ("name", "ranges", "passing"),
    [
        ("concat", 3, "CONCATENATION"),
        ("uint8_input", 3, "RESHAPE"),
        ("lstm", 3, "STRIDED_SLICE"),
    ],
)
def test_what_is_passed_on_or_joined_shares_a_range_in_8_bits(name, ranges, passing):
    file = opened(zoo(name))
    of = file.in_8_bits.of
    found = [
        {of[t.index] for t in (*op.inputs, *op.outputs) if t.dtype == "float32"}
        for op in file.operators
        if op.name == passing
    ]
    assert found
    assert all(len(sources) == 1 for sources in found)
    assert len(set(of.values())) == ranges


def test_models_are_timed_in_an_order_drawn_anew(monkeypatch):
    order = []

    class Runner:
        delegate = "none"

        def __init__(self, tflite, x, threads):
            self.name = tflite

        def times_us(self):
            order.append(self.name)
            return 1.0, 1.0

    monkeypatch.setattr(timing, "_Runner", Runner)
    found = qk.latency({"a": "a", "b": "b", "c": "c"}, None, instances=2, rounds=10)
    rounds = ["".join(order[i : i + 3]) for i in range(0, 60, 3)]
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 2
    assert found.median_us == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_interval_of_latency_is_of_the_ranks_that_hold_the_median_in_95_percent():
    values = np.random.default_rng(0).permutation(np.arange(1.0, 21))
    assert timing._intervals(values[None]) == [(6, 15)]  # 1 − 2·P(B ≤ 5) = 0.959, B of 20 throws
    outside = sum(math.comb(20, k) for k in range(6)) / 2**20
    assert 2 * outside < 0.05 < 2 * (outside + math.comb(20, 6) / 2**20)


def test_interval_of_two_latencies_is_students():
    (low, high), same = timing._intervals(np.float64([[1, math.e], [3, 3]]))
    # of 0 and 1: mean ½, standard error ½, and 12.7 of them on either side at one degree of freedom
    assert np.log([low, high]) == pytest.approx([0.5 - 12.7062 / 2, 0.5 + 12.7062 / 2], abs=1e-4)
    assert same == (3, 3)


def test_gain_is_no_loss_in_the_summary(hand_made):
    rows = {
        "float32": (range(60), 80, 10),
        "better": (range(20), 40, 9),
        "worse": (range(99), 20, 8),
    }
    said = hand_made(rows).summary()
    assert said.startswith("1 of 2 schemes lose no accuracy against float32")
    assert "(worse do)" in said
    frame = hand_made(rows).to_frame()
    assert frame["size_ratio"].tolist() == [1, 2, 4]


def test_readout_of_an_explorer_is_escaped(figures):
    """Layers and schemes are named by the reader, and a name may hold what a browser takes up."""
    bad = "<img src=x onerror=alert(1)>"
    explorer = Explorer(
        {},
        plt.figure(),
        lambda: (bad, 1),
        compute=lambda asked: asked,
        draw=lambda found: None,
        say=lambda found: bad,
        alt=bad,
    )
    explorer.tell(bad)
    explorer.wait()
    shown = "".join(box.value for box in explorer.children if hasattr(box, "value"))
    assert shown.count("&lt;img") >= 3
    assert bad not in shown
