"""Plain training through the grid undoes zeros and clusters; the preserving kinds keep them."""

import functools

import numpy as np
import pytest

import qkit as qk
from qkit.networks import network
from qkit.quantize.coding import distinct_values, sparsity
from qkit.tflite.file import inspect


def trained_on(model, data, preserve):
    aware = qk.quantization_aware(model, calibration=data.x_train[:300], preserve=preserve)
    return aware, qk.weight_history(aware, data)


@pytest.fixture(scope="module")
def trained_as(compressed, digits, tmp_path_factory):
    """Return a function that trains a compressed model through the grid, in each way once."""
    folder = tmp_path_factory.mktemp("trainings of this module")

    @functools.cache
    def train(start, preserve):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QKIT_CACHE", str(folder))
            return trained_on(compressed[start], digits, preserve)

    train.folder = folder
    return train


@pytest.fixture(scope="module")
def file_as(trained_as):
    """Return a function from the same to the integers in the file of what was trained."""
    return functools.cache(lambda *how: integers(qk.convert(trained_as(*how)[0], "qat")))


def logits(model):
    return network(model).kernels["logits"]


def integers(tflite):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite, experimental_preserve_all_tensors=True)
    names = {t.name for t in inspect(tflite).weights if len(t.shape) > 1}
    return {
        d["shape"].size: interpreter.get_tensor(d["index"])
        for d in interpreter.get_tensor_details()
        if d["name"] in names
    }


@pytest.mark.slow
def test_plain_training_undoes_zeros_and_clusters(trained_as, file_as):
    _, history = trained_as("pruned_clustered", None)
    zeros, values = history.sparsity["logits"], history.distinct_values["logits"]
    assert zeros[0] > 0.75
    assert zeros[-1] < zeros[0] - 0.1
    assert values[0] <= 16 < 50 < values[-1]
    dense = file_as("pruned_clustered", None)[2]
    assert np.mean(dense == 0) == pytest.approx(zeros[-1], abs=1e-9)
    assert distinct_values(dense) == values[-1]


@pytest.mark.parametrize(
    ("start", "preserve"), [("pruned", "sparsity"), ("pruned_clustered", "both")]
)
def test_sparsity_is_not_below_what_it_was(start, preserve, compressed, trained_as, file_as):
    model, file = compressed[start], file_as(start, preserve)
    _, history = trained_as(start, preserve)
    for name, before in network(model).kernels.items():
        assert (history.sparsity[name] >= sparsity(before)).all()
        assert np.mean(file[before.ndim] == 0) >= sparsity(before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "preserve"), [("clustered", "clusters"), ("pruned_clustered", "both")]
)
def test_clusters_are_not_above_what_they_were(start, preserve, compressed, trained_as, file_as):
    _, history = trained_as(start, preserve)
    dense = logits(compressed[start])
    assert history.distinct_values["logits"].max() <= distinct_values(dense) <= 16
    assert distinct_values(file_as(start, preserve)[2]) <= distinct_values(dense)


def test_preserving_both_trains_something(trained_as, compressed):
    aware, history = trained_as("pruned_clustered", "both")
    before, after = (
        logits(compressed["pruned_clustered"]),
        logits(aware),
    )
    assert len(history.steps) > 5
    assert np.abs(before - after).max() > 2 * np.abs(after).max() / 127


@pytest.mark.slow
def test_each_kind_has_its_own_place_in_the_cache(compressed, digits, trained_as, monkeypatch):
    """The library writes the same JSON for models that preserve and models that do not."""
    plain, first = trained_as("pruned", None)
    preserving, second = trained_as("pruned", "sparsity")
    assert not first.from_cache
    assert not second.from_cache
    assert sparsity(logits(preserving)) > sparsity(logits(plain)) + 0.1
    monkeypatch.setenv("QKIT_CACHE", str(trained_as.folder))
    again, third = trained_on(compressed["pruned"], digits, "sparsity")
    assert third.from_cache
    np.testing.assert_array_equal(logits(again), logits(preserving))


@pytest.mark.slow
def test_recording_does_not_change_the_training(toy_model, toy_data):
    recorded, alone = (
        qk.quantization_aware(toy_model(), calibration=toy_data.x_train) for _ in range(2)
    )
    qk.weight_history(recorded, toy_data, cache=False)
    qk.fit(alone, toy_data, epochs=1, cache=False)
    for weight, other in zip(recorded.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)


def test_clusters_that_are_not_there_are_not_preserved():
    with pytest.raises(ValueError, match=r"more than 256 distinct values.*qk\.cluster"):
        qk.quantization_aware(qk.models.depthwise_cnn(), preserve="clusters")
