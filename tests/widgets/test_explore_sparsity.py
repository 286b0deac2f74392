"""The explorer of sparsity: every control moved, the readout held against the measurement."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk

IMAGES = 100


@pytest.fixture(scope="module")
def effect(float_file, digits):
    x, y = digits.x_test[:IMAGES], digits.y_test[:IMAGES]

    def measure(**values):
        return qk.effect(float_file, qk.prune_once(float_file, **values), x, y)

    return measure


@pytest.fixture
def explorer(float_file, digits):
    return qk.explore_sparsity(float_file, digits, images=IMAGES)


def set_to_0(effect):
    kept = sum(np.count_nonzero(mask) for mask in effect.change.masks.values())
    return f"{12 * 9 + 20280 - kept:,} of 20,388 weights are set to 0"


@pytest.mark.parametrize(
    ("word", "pattern"), [("each weight", None), ("2:4", "2:4"), ("blocks of 1 × 4", (1, 4))]
)
def test_the_readout_is_the_measurement(explorer, effect, word, pattern):
    explorer.controls["pattern"].value = word
    for sparsity, storage in ((0, "int8"), (98, "float32"), (1, "int8"), (80, "float32")):
        explorer.controls["sparsity"].value = sparsity
        explorer.controls["storage"].value = storage
        explorer.wait()
        expected = effect(sparsity=sparsity / 100, pattern=pattern, storage=storage)
        size = expected.change.size
        assert set_to_0(expected) in explorer.readout
        assert f"→ {size.deflated_bytes / 1000:.1f} kB; entropy" in explorer.readout or (
            size.deflated_bytes < 1000
        )
        assert f"raw {size.raw_bytes / 1000:.1f} kB as before" in explorer.readout
        assert f"Accuracy {expected.paired.b.summary()}" in explorer.readout
        assert expected.paired.summary() in explorer.readout
        assert "One-shot pruning, without fine-tuning" in explorer.readout


def test_every_control_moves_the_picture(explorer):
    for name, value in [
        ("sparsity", 90),
        ("pattern", "blocks of 1 × 4"),
        ("storage", "int8"),
        ("layer", "conv"),
    ]:
        before = explorer.png()
        explorer.controls[name].value = value
        explorer.wait()
        assert explorer.png() != before, name
    assert explorer.readout.startswith("layer: logits → conv.")
    assert "Not pruned: conv (no dense layer, which blocks are for)." in explorer.readout


def test_two_of_four_takes_no_notice_of_the_slider(explorer):
    explorer.controls["pattern"].value = "2:4"
    explorer.wait()
    assert "2:4 sets half to 0, whatever the slider says" in explorer.readout
    picture = explorer.png()
    explorer.controls["sparsity"].value = 97
    explorer.wait()
    assert explorer.png() == picture


def test_the_bytes_are_there_at_once_and_the_accuracy_follows(explorer):
    explorer.controls["sparsity"].value = 77
    assert f"{20388 - 4689:,} of 20,388" in explorer.readout  # 25 and 4,664 are kept
    explorer.wait()
    assert explorer.settled
    settled = explorer.readout
    explorer.controls["sparsity"].value = 50
    explorer.controls["sparsity"].value = 77  # was measured before
    assert explorer.settled
    assert explorer.readout.partition(".")[2] == settled.partition(".")[2]


def test_a_quick_drag_ends_where_the_hand_does_and_leaks_no_figure(explorer, effect):
    before = plt.get_fignums()
    for sparsity in [*range(0, 99, 14), *range(98, 0, -18), 65]:
        explorer.controls["sparsity"].value = sparsity
        explorer.controls["storage"].value = ("float32", "int8")[sparsity % 2]
    explorer.wait()
    assert explorer.settled
    expected = effect(sparsity=0.65, storage="int8")
    assert set_to_0(expected) in explorer.readout
    assert f"Accuracy {expected.paired.b.summary()}" in explorer.readout
    assert plt.get_fignums() == before


def test_only_patterns_that_fit_are_offered(toy_tflite, toy_data):
    explorer = qk.explore_sparsity(toy_tflite, toy_data, images=10)
    fitting = {
        word
        for word, pattern in {"each weight": None, "2:4": "2:4", "blocks of 1 × 4": (1, 4)}.items()
        if any(
            pattern is None
            or (pattern == "2:4" and layer.weights.shape[-1] > 2)
            or (pattern == (1, 4) and layer.weights.ndim == 2)
            for layer in qk.simulation.layers(toy_tflite)
        )
    }
    assert set(explorer.controls["pattern"].options) == fitting


def test_the_still_picture_is_drawn_by_the_same_hand(effect, figures):
    measured = effect(sparsity=0.8)
    kernel, bars, values, rates = qk.plot_effect(measured).axes
    assert kernel.texts[0].get_text() == "logits (shown: 10 × 96 of 10 × 2,028): 80.0 % set to 0"
    weights, mask = measured.change.layers[1].weights, measured.change.masks["logits"]
    drawn = np.asarray(kernel.images[0].get_array())
    assert np.array_equal(np.any(drawn < 1, axis=2), mask[:, :96])
    bluer = drawn[..., 2] > drawn[..., 0]
    assert np.array_equal(bluer, (weights > 0)[:, :96] & mask[:, :96])
    size = measured.change.size
    widths = [bar.get_width() for bar in bars.patches]
    assert np.allclose(
        1000 * np.array(widths), [size.raw_bytes, size.deflated_bytes, size.entropy_bytes]
    )
    threshold = np.abs(weights[mask]).min()
    assert f"threshold {threshold:.3g}" in values.texts[0].get_text()
    lines = sorted(line.get_xdata()[0] for line in values.lines)
    assert np.allclose(lines, np.array([-threshold, threshold]) / np.abs(weights).max())
    assert rates.lines[-1].get_xydata().tolist() == [
        [100 * measured.change.pruned_share, 1 - measured.paired.b.accuracy]
    ]
