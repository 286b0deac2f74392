"""What the explorers of bits, sparsity and clusters have in common."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.edit import opened
from qkit.widgets.effects import _said_of_others

FILES = Path(__file__).parents[1] / "files"
EXPLORERS = {
    # the function, a control, and two of its values
    "bits": (qk.explore_bits, "weight bits, all", (2, 8)),
    "sparsity": (qk.explore_sparsity, "sparsity", (98, 0)),
    "clusters": (qk.explore_clusters, "clusters", (2, 64)),
}


@pytest.fixture(scope="module", params=EXPLORERS)
def explore(request):
    return EXPLORERS[request.param][0]


@pytest.mark.parametrize(
    "show", [qk.explore_bits, qk.explore_sparsity, qk.explore_clusters, qk.explore_calibration]
)
def test_labelled_items_are_data_too(show, tflite, digits):
    pair = digits.x_test[:60], digits.y_test[:60]
    assert show(tflite("float32"), pair).readout
    with pytest.raises(TypeError, match=r"a qk\.Dataset, or \(x, y\)"):
        show(tflite("float32"), digits.x_test)
    with pytest.raises(ValueError, match=r"of 60 items data\.y_test has the shape \(3,\)"):
        show(tflite("float32"), (pair[0], pair[1][:3]))


@pytest.mark.parametrize("show", [qk.explore_bits, qk.explore_sparsity, qk.explore_layers])
def test_several_inputs_and_lists_are_items_as_elsewhere(show):
    file = (FILES / "zoo_two_inputs_float32.tflite").read_bytes()
    rng = np.random.default_rng(0)
    x, z = (rng.random((12, width), np.float32) for width in (8, 4))
    named = SimpleNamespace(
        x_train={"x": x, "z": z}, x_test={"x": x, "z": z}, y_test=rng.integers(3, size=12)
    )
    expected = show(file, named, images=10).readout
    assert "n = 10" in expected
    assert show(file, ([x, z], named.y_test.tolist()), images=10).readout == expected
    with pytest.raises(ValueError, match=r"data\.x_test: the model takes 'x' \('n', 8\), 'z'"):
        show(file, (x, named.y_test))


@pytest.mark.parametrize("name", EXPLORERS)
def test_nothing_of_an_earlier_picture_stays_below_a_later_one(name, float_file, digits):
    explore, control, values = EXPLORERS[name]
    explorer, shown = explore(float_file, digits, images=100), []
    for value in 2 * values + values[:1]:  # the first two leave their points in the trail
        explorer.controls[control].value = value
        explorer.wait()
        shown.append(explorer.png())
    assert shown[4] == shown[2] != shown[3]


@pytest.mark.parametrize("images", [0, -1, 2.5, "all", True])
def test_no_images_are_refused(images, explore, float_file, digits):
    with pytest.raises(ValueError, match="whole number of 1 or more, got"):
        explore(float_file, digits, images=images)


def test_files_that_do_not_fit_are_refused(explore, tflite, digits):
    with pytest.raises(ValueError, match="Pass the float file"):
        explore(tflite("full_integer"), digits)
    with pytest.raises(ValueError, match="these 100 bytes are no"):
        explore(b"x" * 100, digits)


@pytest.mark.parametrize(
    ("name", "done", "does", "value"),
    [("sparsity", "pruned", "prunes", 98), ("clusters", "clustered", "clusters", 2)],
)
def test_what_is_done_otherwise_than_in_training_is_said(
    name, done, does, value, float_file, depthwise_tflite, digits
):
    explore, control, _ = EXPLORERS[name]
    explorer = explore(depthwise_tflite("float32"), digits, images=20)
    named = f"Not {done}: block1_dw, block2_dw, block3_dw, block4_dw (depthwise"
    folded = (
        f"into the kernels here; tensorflow-model-optimization {does} those before the folding."
    )
    assert named in explorer.readout
    assert folded in explorer.readout
    assert "Batch normalisation" not in explore(float_file, digits, images=20).readout
    assert explorer.controls["layer"].value == "block4_pw"
    explorer.controls["layer"].value = "block2_dw"
    explorer.controls[control].value = value
    explorer.wait()
    if name == "clusters":
        assert "block2_dw is left as it is" in explorer.readout
    assert explorer.settled
    assert "n = 20" in explorer.readout


def test_explorers_of_one_file_side_by_side_and_a_cell_give_what_each_gives_alone(
    float_file, digits
):
    x, y = digits.x_test[:100], digits.y_test[:100]
    alone = qk.accuracy(float_file, x, y)
    expected = [
        qk.effect(float_file, qk.prune_once(float_file, 0.9), x, y),
        qk.effect(float_file, qk.prune_once(float_file, 0.2), x, y),
        qk.effect(float_file, qk.cluster_once(float_file, 3, init="linear", steps=0), x, y),
    ]
    explorers = [
        qk.explore_sparsity(float_file, digits, images=100),
        qk.explore_sparsity(float_file, digits, images=100),
        qk.explore_clusters(float_file, digits, images=100),
    ]
    ends = ("sparsity", 90), ("sparsity", 20), ("clusters", 3)
    for step in (2, 1, 0):  # a drag of each, in turn, with a cell that runs meanwhile
        for explorer, (control, end) in zip(explorers, ends, strict=True):
            explorer.controls[control].value = end + step
        found = qk.accuracy(float_file, x, y)
        assert found.predictions.tolist() == alone.predictions.tolist()
    for explorer, effect in zip(explorers, expected, strict=True):
        explorer.wait()
        assert f"Accuracy {effect.paired.b.summary()}" in explorer.readout
        assert explorer.settled


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("embedding", "left as they are: 400 of GATHER (94% of all)."),
        ("transposed", "left as they are: 72 of TRANSPOSE_CONV (50% of all)."),
        ("concat", ""),
    ],
)
def test_weights_that_no_layer_has_are_said_to_be_left_out(network, said):
    file = opened((FILES / f"zoo_{network}_float32.tflite").read_bytes())
    assert _said_of_others(file).endswith(said)
    assert bool(_said_of_others(file)) == bool(said)
