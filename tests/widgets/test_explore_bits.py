"""The explorer of bits: every slider moved, the readout held against the measurement."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk


@pytest.fixture
def explorer(float_file, digits):
    return qk.explore_bits(float_file, digits, images=100)


def test_every_slider_changes_its_own_layer(explorer, float_file, digits):
    draw = np.random.default_rng(0).permutation(len(digits.x_train))[:100]
    ranges = qk.simulation.calibrated_ranges(float_file, digits.x_train[draw])
    weight_bits = {"conv": 8, "logits": 8}
    activation_bits = {"input": 8, "conv": 8, "logits": 8}
    for label, control in explorer.controls.items():
        kind, _, layer = label.partition(" bits, ")
        if layer == "all":
            continue
        chosen = weight_bits if kind == "weight" else activation_bits
        for bits in (2, 32, 5):
            before = explorer.png()
            control.value = chosen[layer] = bits
            explorer.wait()
            change = qk.simulation.bits(
                float_file, ranges, weight_bits=weight_bits, activation_bits=activation_bits
            )
            expected = qk.effect(float_file, change, digits.x_test[:100], digits.y_test[:100])
            assert f"Accuracy {expected.paired.b.summary()}" in explorer.readout
            assert f"{change.size_bytes / 1000:.1f} kB" in explorer.readout
            assert explorer.png() != before
    assert explorer.readout.startswith("activation bits, input: float → 5.")


def test_one_slider_takes_all_layers_along_in_one_answer(explorer):
    shown = []
    explorer.children[1].observe(lambda change: shown.append(change["new"]), names="value")
    explorer.controls["weight bits, all"].value = 3
    explorer.wait()
    assert {c.value for n, c in explorer.controls.items() if n.startswith("weight")} == {3}
    assert {c.value for n, c in explorer.controls.items() if n.startswith("activation")} == {8}
    assert len(shown) <= 2  # at once, and when the accuracy is there
    assert explorer.readout.startswith("weight bits, all: 8 → 3.")


def test_a_quick_drag_ends_where_the_hand_does_and_leaks_no_figure(explorer):
    before = plt.get_fignums()
    options = [value for _, value in explorer.controls["activation bits, all"].options]
    for bits in [*options, *reversed(options)]:
        explorer.controls["activation bits, all"].value = bits
    explorer.wait()
    assert explorer.settled
    assert explorer.controls["activation bits, conv"].value == 2
    assert plt.get_fignums() == before


def test_a_keras_model_is_converted(trained, digits):
    explorer = qk.explore_bits(trained, digits, images=20, calibration=digits.x_train[:5])
    assert "n = 20" in explorer.readout


def test_the_still_picture_is_drawn_by_the_same_hand(float_file, digits, figures):
    ranges = qk.simulation.calibrated_ranges(float_file, digits.x_train[:5])
    x, y = digits.x_test[:50], digits.y_test[:50]
    bits = qk.simulation.bits(float_file, ranges, weight_bits=4, activation_bits=None)
    effect = qk.effect(float_file, bits, x, y)
    bars, rates, _ = qk.plot_effect(effect).axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["input", "conv", "logits"]
    assert bars.lines[0].get_xdata() == [4, 4]
    drawn = [np.ravel(line.get_xdata()).tolist() for line in rates.lines]
    assert [bits.size_bytes / 1000] in drawn
