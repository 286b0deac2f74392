"""The explorer of grids: every control moved, every readout held against the arithmetic."""

import itertools
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.quantize.calibration import mse, percentile
from qkit.quantize.errors import grid_fit
from qkit.quantize.grid import PerAxis, PerGroup, PerTensor, choose_qparams

RNG = np.random.default_rng(0)
TENSORS = {
    "kernel": RNG.normal(size=(6, 64)).astype(np.float32),
    "outlier": np.r_[RNG.normal(size=(5, 64)), RNG.normal(size=(1, 64)) * 30].astype(np.float32),
}


@pytest.fixture
def explorer():
    return qk.explore_grid(TENSORS, axis=0)


def test_every_setting_is_what_the_arithmetic_gives(explorer):
    ranges = {
        "min–max": lambda bits, symmetric: None,
        "percentile 99": lambda bits, symmetric: partial(percentile, percent=99),
        "MSE": lambda bits, symmetric: partial(mse, bits=bits, symmetric=symmetric),
    }
    granularities = {
        "per tensor": PerTensor(),
        "per channel": PerAxis(0),
        "per group of 64": PerGroup(64),
    }
    settings = itertools.product(TENSORS, (3,), (False, True), granularities, ranges)
    for tensor, bits, symmetric, granularity, chosen in settings:
        values = {
            "tensor": tensor,
            "bits": bits,
            "symmetric": symmetric,
            "granularity": granularity,
            "range": chosen,
        }
        for name, value in values.items():
            explorer.controls[name].value = value
        explorer.wait()
        expected = grid_fit(
            TENSORS[tensor],
            choose_qparams(
                TENSORS[tensor],
                bits=bits,
                symmetric=symmetric,
                granularity=granularities[granularity],
                range=ranges[chosen](bits, symmetric),
            ),
        )
        assert explorer.readout.endswith(expected.summary())


def test_a_quick_drag_ends_where_the_hand_does(explorer):
    before, shown = plt.get_fignums(), set()
    for bits in [*range(2, 17), *range(16, 1, -1)]:
        explorer.controls["bits"].value = bits
        shown.add(explorer.png())
    assert len(shown) == 15
    assert explorer.readout.startswith("bits: 3 → 2. 2 bits, integers -1 to 1")
    assert plt.get_fignums() == before


def test_what_takes_long_is_veiled_until_it_is_there(explorer):
    explorer.controls["granularity"].value = "per channel"
    clear = explorer.png()
    explorer.controls["range"].value = "MSE"
    if not explorer.settled:  # a fast machine may be done by now
        assert explorer.png() != clear
    explorer.wait()
    assert explorer.settled
    explorer.controls["range"].value = "min–max"
    assert explorer.png() == clear


def test_a_tflite_file_brings_its_layers(tflite):
    explorer = qk.explore_grid(tflite("float32"))
    assert explorer.controls["tensor"].options == ("conv", "logits")
    explorer.controls["tensor"].value = "logits"
    explorer.controls["granularity"].value = "per channel"
    assert "10 scales" in explorer.readout


def test_a_group_that_does_not_fit_is_not_offered():
    explorer = qk.explore_grid(np.ones((3, 7), np.float32))
    assert explorer.controls["granularity"].options == ("per tensor", "per channel")


@pytest.mark.parametrize(
    ("tensors", "axis", "error", "said"),
    [
        ({}, None, ValueError, "no tensors"),
        (np.zeros((0, 3), np.float32), None, ValueError, "no values to choose a range from"),
        (np.array([1, 2]), None, TypeError, "must be floating point, got int64"),
        (np.array([np.nan]), None, ValueError, "NaN or infinite"),
        ("a.tflite", None, TypeError, r"bytes of a \.tflite file, got str\. Read a file with"),
        (Path("a"), None, TypeError, r"bytes of a \.tflite file, got \w+Path\. Read a file with"),
        (np.ones((2, 3), np.float32), 2, ValueError, "has the axes 0 to 1"),
    ],
)
def test_what_cannot_be_explored_is_refused(tensors, axis, error, said):
    with pytest.raises(error, match=said):
        qk.explore_grid(tensors, axis=axis)


@pytest.mark.parametrize("x", [np.zeros(4), np.full(4, 7.0), np.array([-1e-42, 1e30])])
def test_odd_tensors_have_a_picture(x):
    explorer = qk.explore_grid(x)
    for bits in (2, 16):
        explorer.controls["bits"].value = bits
    assert "SQNR" in explorer.readout


@pytest.mark.parametrize(
    ("x", "said"), [(np.zeros(4), "4 values; largest magnitude 0"), ([7.0], "1 value; largest")]
)
def test_the_largest_of_zeros_is_none(x, said):
    fit = grid_fit(x, choose_qparams(x))
    assert qk.plot_grid_fit(fit).axes[0].texts[0].get_text().startswith(said)
