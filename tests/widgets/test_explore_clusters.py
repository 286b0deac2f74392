"""The explorer of clusters: every control moved, the readout held against the measurement."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk

IMAGES = 100


@pytest.fixture(scope="module")
def effect(float_file, digits):
    x, y = digits.x_test[:IMAGES], digits.y_test[:IMAGES]

    def measure(**values):
        return qk.effect(float_file, qk.cluster_once(float_file, **values), x, y)

    return measure


@pytest.fixture
def explorer(float_file, digits):
    return qk.explore_clusters(float_file, digits, images=IMAGES)


@pytest.mark.parametrize("init", ["linear", "random", "density", "kmeans++"])
def test_the_readout_is_the_measurement(explorer, effect, init):
    explorer.controls["init"].value = init
    for clusters, steps in ((2, 20), (64, 1), (5, 0)):
        explorer.controls["clusters"].value = clusters
        explorer.controls["steps"].value = steps
        explorer.wait()
        expected = effect(clusters=clusters, init=init, steps=steps)
        clustered = expected.change
        in_use = np.unique(clustered.values["logits"]).size
        assert f"logits: {in_use} of {clusters} values in use" in explorer.readout
        assert f"SQNR {clustered.sqnr_db('logits'):.1f} dB" in explorer.readout
        assert f"index and table {clustered.table_bytes / 1000:.1f} kB" in explorer.readout
        assert f"→ {clustered.size.deflated_bytes / 1000:.1f} kB; as index" in explorer.readout
        assert f"Accuracy {expected.paired.b.summary()}" in explorer.readout
        assert expected.paired.summary() in explorer.readout
        assert "One-shot clustering, without fine-tuning" in explorer.readout


def test_every_control_moves_the_picture(explorer):
    for name, value in [("clusters", 7), ("init", "kmeans++"), ("steps", 9), ("layer", "conv")]:
        before = explorer.png()
        explorer.controls[name].value = value
        explorer.wait()
        assert explorer.png() != before, name
    assert explorer.readout.startswith("layer: logits → conv.")
    assert "conv: 7 of 7 values in use" in explorer.readout


@pytest.mark.slow
def test_a_quick_drag_ends_where_the_hand_does_and_leaks_no_figure(explorer, effect):
    before = plt.get_fignums()
    for clusters in [*range(2, 65, 8), *range(64, 2, -8), 9]:
        explorer.controls["clusters"].value = clusters
        explorer.controls["steps"].value = clusters % 21
    explorer.wait()
    assert explorer.settled
    expected = effect(clusters=9, init="linear", steps=9)
    assert f"Accuracy {expected.paired.b.summary()}" in explorer.readout
    assert plt.get_fignums() == before


def test_the_still_picture_is_drawn_by_the_same_hand(effect, figures):
    measured = effect(clusters=32, init="density", steps=4)
    values, bars, paths, rates = qk.plot_effect(measured).axes
    clustered = measured.change
    weights, path = clustered.layers[1].weights, clustered.paths["logits"]
    unit, counts = np.abs(weights).max(), clustered.counts["logits"]
    heads, unused = values.lines[:2]
    assert np.allclose(heads.get_xdata(), path[-1][counts > 0] / unit)
    assert np.allclose(heads.get_ydata(), counts[counts > 0] / weights.size)
    assert np.allclose(unused.get_xdata(), path[-1][counts == 0] / unit)
    traces = np.array(paths.collections[0].get_segments())
    assert np.allclose(traces[..., 0].T, path / unit)
    assert traces[0, :, 1].tolist() == [0, 1, 2, 3, 4]
    widths = 1000 * np.array([bar.get_width() for bar in bars.patches])
    size = clustered.size
    expected = [size.raw_bytes, size.deflated_bytes, clustered.table_bytes, size.entropy_bytes]
    assert np.allclose(widths, expected)
    assert rates.lines[-1].get_xydata().tolist() == [[32, 1 - measured.paired.b.accuracy]]


def test_centroids_without_weights_are_marked(effect, figures):
    measured = effect(clusters=32, init="density")  # which starts with equal centroids
    empty = np.count_nonzero(measured.change.counts["logits"] == 0)
    values = qk.plot_effect(measured).axes[0]
    assert len(values.lines[1].get_xdata()) == empty > 0
    assert f"{32 - empty} of 32 values in use" in values.texts[0].get_text()
