"""Schemes are complete, and say what the official guide says."""

import dataclasses

import pytest

import qkit as qk
from qkit.toolchain.schemes import ENGINES, PUBLISHED_SOURCE, find_scheme

NEEDS = ("nothing", "unlabelled sample", "labelled training data")

# Size cut, accuracy, hardware: https://ai.google.dev/edge/litert/models/model_optimization
PUBLISHED = {
    "float16": ("up to 50 %", "insignificant loss", "CPU, GPU"),
    "dynamic_range": ("up to 75 %", "smallest loss", "CPU, GPU (Android)"),
    "full_integer": ("up to 75 %", "small loss", "CPU, GPU (Android), EdgeTPU, Hexagon DSP"),
    "qat": ("up to 75 %", "smallest loss", "CPU, GPU (Android), EdgeTPU, Hexagon DSP"),
}


@pytest.mark.parametrize("name", qk.SCHEMES)
def test_scheme_is_complete(name, tf):
    scheme = qk.SCHEMES[name]
    assert scheme.name == name
    assert scheme.title
    assert scheme.needs in NEEDS
    assert scheme.engine in ENGINES
    assert (scheme.calibrated, bool(scheme.technique)) == tuple(
        scheme.needs == n for n in NEEDS[1:]
    )
    assert scheme.technique in ("", name)
    assert all(hasattr(tf.lite.Optimize, option) for option in scheme.optimizations)
    assert all(hasattr(tf.lite.OpsSet, ops) for ops in scheme.supported_ops)
    assert all(hasattr(tf, dtype) for dtype in scheme.supported_types)
    for dtype in (scheme.weights, scheme.activations, scheme.io):
        assert tf.as_dtype(dtype).name == dtype
    published = scheme.published_size_cut, scheme.published_accuracy, scheme.published_hardware
    assert all(published) or not any(published)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_fields_are_the_official_guides(name):
    scheme = qk.SCHEMES[name]
    published = scheme.published_size_cut, scheme.published_accuracy, scheme.published_hardware
    assert published == PUBLISHED[name]
    assert PUBLISHED_SOURCE.endswith("/model_optimization")


def test_the_tutorials_schemes_are_there_and_titles_differ():
    assert {*PUBLISHED, "float32", "full_integer_int8_io", "int16_activations"} <= set(qk.SCHEMES)
    assert len({scheme.title for scheme in qk.SCHEMES.values()}) == len(qk.SCHEMES)


def test_schemes_cannot_be_changed_by_accident():
    with pytest.raises(TypeError):
        qk.SCHEMES["mine"] = qk.SCHEMES["qat"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        qk.SCHEMES["qat"].io = "int8"


def test_find_scheme_takes_a_name_or_a_scheme_of_ones_own():
    own = dataclasses.replace(qk.SCHEMES["dynamic_range"], name="mine", per_channel=False)
    assert find_scheme(own) is own
    assert find_scheme("qat") is qk.SCHEMES["qat"]


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("float_16", "float16"),
        ("dynamic", "dynamic_range"),
        ("int16", "int16_activations"),
        ("full_int", "full_integer"),
        ("QAT", "qat"),
        (["qat"], "qat"),
        (None, None),
    ],
    ids=str,
)
def test_unknown_scheme_names_the_nearest(typed, near):
    with pytest.raises(ValueError, match="unknown scheme") as error:
        find_scheme(typed)
    assert repr(typed) in str(error.value)
    assert f"There are: {', '.join(qk.SCHEMES)};" in str(error.value)
    assert (f"Did you mean {near!r}?" in str(error.value)) == (near is not None)


@pytest.mark.parametrize("then", [name for name, s in qk.SCHEMES.items() if not s.technique])
@pytest.mark.parametrize("first", ["pruned", "clustered", "pruned_clustered"])
def test_what_the_weights_went_through_goes_with_every_conversion(first, then):
    found, plain = find_scheme(f"{first}+{then}"), qk.SCHEMES[then]
    assert (found.name, found.technique) == (f"{first}+{then}", first)
    assert (found.weights, found.activations, found.io) == (
        plain.weights, plain.activations, plain.io,
    )  # fmt: skip
    assert found.calibrated == plain.calibrated
    assert "labelled training data" in found.needs
    assert found.published_size_cut is None
    assert find_scheme(f"{first} + {then}") == found


def test_trained_through_the_grid_only_the_ends_can_be_chosen():
    assert find_scheme("pqat+full_integer_int8_io").io == "int8"
    assert find_scheme("pqat+full_integer_int8_io").technique == "pqat"
    for then in ("float32", "float16", "dynamic_range", "int16_activations"):
        with pytest.raises(ValueError, match=f"'pqat.{then}'.*int8 weights and activations"):
            find_scheme(f"pqat+{then}")


@pytest.mark.parametrize("wrong", ["full_integer+pruned", "pruned+qat", "float16+float32"])
def test_the_order_of_a_combination_is_explained(wrong):
    with pytest.raises(ValueError, match="before the plus stands what the model goes through"):
        find_scheme(wrong)
