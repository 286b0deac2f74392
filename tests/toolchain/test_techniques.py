"""Techniques are made in the right order, once, and from what is given where it is given."""

import pytest

import qkit as qk
from qkit.networks import network
from qkit.quantize.coding import distinct_values, sparsity
from qkit.toolchain import techniques
from qkit.toolchain.schemes import SCHEMES
from qkit.toolchain.techniques import TECHNIQUES, train_missing


@pytest.fixture
def made(monkeypatch):
    """Let each technique note what it starts from, in place of training."""
    notes = []

    def pretend(name):
        def train(model, data, calibration):
            notes.append((name, model))
            return {"": f"{name} of {model}", **({"control": "control"} if name == "qat" else {})}

        return train

    pretended = {name: (start, pretend(name)) for name, (start, _) in TECHNIQUES.items()}
    monkeypatch.setattr(techniques, "TECHNIQUES", pretended)
    monkeypatch.setattr(techniques, "network", lambda model, what: None)
    return notes


def test_every_scheme_with_a_technique_has_its_training():
    assert {scheme.technique for scheme in SCHEMES.values()} - {""} == set(TECHNIQUES)
    assert {start for start, _ in TECHNIQUES.values()} - {""} <= set(TECHNIQUES)


def test_prune_then_cluster_then_quantize_each_once(made):
    found = {}
    for technique in ("pcqat", "pqat", ""):
        train_missing(technique, "net", None, found, None)
    assert made == [
        ("pruned", "net"),
        ("pruned_clustered", "pruned of net"),
        ("pcqat", "pruned_clustered of pruned of net"),
        ("pqat", "pruned of net"),
    ]
    assert found["pcqat"] == "pcqat of pruned_clustered of pruned of net"
    assert "control" not in found


def test_what_is_given_is_taken(made):
    found = {"clustered": "mine", "qat": "aware"}
    for technique in ("cqat", "qat"):
        train_missing(technique, "net", None, found, None)
    assert made == [("cqat", "mine")]
    assert found == {"clustered": "mine", "qat": "aware", "cqat": "cqat of mine"}


@pytest.mark.parametrize("given", [{}, {"control": "mine"}])
def test_qat_that_is_trained_here_has_its_control(made, given):
    found = dict(given)
    train_missing("qat", "net", None, found, None)
    assert found == {"qat": "qat of net", "control": "control", **given}


@pytest.mark.slow
def test_all_of_it_for_real(few_digits, trained):
    found, again = {}, {}
    train_missing("pcqat", trained, few_digits, found, few_digits.x_train[:300])
    assert set(found) == {"pruned", "pruned_clustered", "pcqat"}
    dense = network(found["pcqat"]).kernels["logits"]
    assert sparsity(dense) > 0.79
    assert distinct_values(dense) <= 16
    train_missing("pcqat", trained, few_digits, again, few_digits.x_train[:300])
    assert (network(again["pcqat"]).kernels["logits"] == dense).all()


def test_a_folder_is_not_trained(few_digits):
    with pytest.raises(TypeError, match="technique 'pruned'"):
        train_missing("pruned", "a folder", few_digits, {}, None)


def test_compare_trains_what_it_was_not_given(trained, few_digits):
    comparison = qk.compare(trained, few_digits, ["pruned", "pruned + full_integer"])
    assert list(comparison.models) == ["float32", "pruned", "pruned+full_integer"]
    assert set(comparison.needs.values()) == {"nothing", "labelled training data"}
    assert comparison.sizes["pruned"].deflated_bytes < comparison.sizes["float32"].deflated_bytes
