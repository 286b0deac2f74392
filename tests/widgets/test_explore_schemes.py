"""The explorer of a comparison: its controls, its readout, its files."""

import io
import itertools
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.evaluate.tradeoff import QUANTITIES

ROWS = {
    "float32": (range(20), 80, 10),
    "float16": (range(20), 40, 10),
    "dynamic_range": (range(5, 30), 20, 8),
    "full_integer": (range(40), 21, 5, "unlabelled sample"),
    "int16_activations": (range(18), 22, 300, "unlabelled sample"),
    "mine": (range(900), 1, 1, "–"),
}


@pytest.fixture(scope="module")
def compared(hand_made):
    return hand_made(ROWS, not_measured={"control_float32": "no control model"})


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).random((1000, 8, 8), np.float32)


@pytest.fixture
def explorer(compared):
    return qk.explore_schemes(compared)


def test_every_control_moves_the_picture(compared, x, figures):
    for explorer in (qk.explore_schemes(compared), qk.explore_schemes(compared, x=x)):
        seen = {explorer.png()}
        for name, value in (
            ("scheme", "full_integer"),
            ("against", "dynamic_range"),
            ("x", "latency, µs"),
            ("y", "deflated size, kB"),
            ("schemes", ("float32", "dynamic_range", "full_integer")),
        ):
            explorer.controls[name].value = value
            assert explorer.png() not in seen, name
            seen.add(explorer.png())
    assert set(plt.get_fignums()) == figures


@pytest.mark.parametrize("with_images", [False, True])
def test_every_choice_of_axes_and_schemes_is_answered(compared, x, with_images):
    explorer = qk.explore_schemes(compared, x=x if with_images else None)
    # the axes do not mind the images
    for axes in itertools.product(QUANTITIES, ["latency, µs"] if with_images else QUANTITIES):
        explorer.controls["x"].value, explorer.controls["y"].value = axes
        if axes[0] == axes[1]:
            assert "choose two different ones" in explorer.readout
        else:
            front = ", ".join(qk.tradeoff(compared, *axes).front)
            assert f"among 6 shown: {front}." in explorer.readout
    for name, against in itertools.product(ROWS, repeat=2):
        explorer.controls["scheme"].value, explorer.controls["against"].value = name, against
        assert f"{name}: {100 * compared.accuracies[name].accuracy:.2f} % right" in explorer.readout
    for name in ROWS:
        explorer.controls["schemes"].value = (name,)
        assert f"among 1 shown: {name}." in explorer.readout or "two different" in explorer.readout


def test_front_is_that_of_the_schemes_shown(explorer):
    explorer.controls["schemes"].value = ("float16", "full_integer")
    assert "Pareto front of file size and accuracy among 2 shown: full_integer, float16." in (
        explorer.readout
    )
    assert explorer.readout.startswith("schemes: without float32, without dynamic_range, ")
    explorer.controls["schemes"].value = ("float16", "full_integer", "mine")
    assert explorer.readout.startswith("schemes: with mine.")
    assert "among 3 shown: mine, full_integer, float16." in explorer.readout


def test_picked_scheme_is_held_against_what_beats_it(explorer):
    explorer.controls["scheme"].value = "full_integer"
    assert "By these axes dynamic_range is the better choice." in explorer.readout
    explorer.controls["scheme"].value = "float32"
    assert "By these axes float16 and int16_activations are better choices." in explorer.readout
    explorer.controls["scheme"].value = "mine"
    assert "It is on the front." in explorer.readout
    explorer.controls["schemes"].value = ("float16",)
    assert "mine is not among the schemes shown." in explorer.readout


def test_facts_are_those_of_the_comparison(compared, explorer):
    explorer.controls["scheme"].value = "full_integer"
    row = compared.to_frame().loc["full_integer"]
    assert (
        f"full_integer: 96.00 % right (95 % interval {100 * row['accuracy_low']:.2f} to "
        f"{100 * row['accuracy_high']:.2f}), -2.00 points against float32 (p < 0.001: more than "
        "noise), 21.0 kB (3.81 times smaller; deflated 16.8 kB), 5.0 µs an inference (0.50 times "
        "the time), no float operators; needs an unlabelled sample."
    ) in explorer.readout
    explorer.controls["scheme"].value = "mine"
    assert "made elsewhere." in explorer.readout


def test_flips_against_any_other(compared, explorer):
    explorer.controls["scheme"].value = "full_integer"
    explorer.controls["against"].value = "dynamic_range"
    held = qk.paired(compared.accuracies["dynamic_range"], compared.accuracies["full_integer"])
    assert (len(held.lost), len(held.gained)) == (15, 0)
    assert explorer.readout.endswith(
        "Against dynamic_range: 15 of 1,000 images lost, 0 gained, 0 wrong in another way; "
        f"-1.50 points, p = {held.p_value:.2g}: more than noise."
    )
    explorer.controls["against"].value = "full_integer"
    assert explorer.readout.endswith("Choose another scheme to hold it against.")


def test_at_least_one_scheme_stays(explorer):
    explorer.controls["schemes"].value = ("float16",)
    before = explorer.png()
    explorer.controls["schemes"].value = ()
    assert explorer.controls["schemes"].value == ("float16",)
    assert explorer.readout.startswith("schemes: at least one must stay shown")
    assert explorer.png() == before
    explorer.controls["schemes"].value = ("float32",)
    assert "at least one" not in explorer.readout


def test_what_was_not_measured_is_no_choice(explorer):
    for name in ("schemes", "scheme", "against"):
        assert explorer.controls[name].options == tuple(ROWS)


def test_comparison_of_one(hand_made):
    explorer = qk.explore_schemes(hand_made({"float32": (range(3), 80, 10)}))
    for axes in itertools.product(QUANTITIES, repeat=2):
        explorer.controls["x"].value, explorer.controls["y"].value = axes
    assert "It is on the front. Choose another scheme" in explorer.readout


@pytest.fixture
def save(explorer):
    """Return a function that presses a button, and says what the readout then begins with."""
    folder, *buttons = explorer.children[-1].children

    def press(kind, into):
        folder.value = str(into)
        (button,) = (b for b in buttons if b.description == f"save {kind.upper()}")
        button.click()
        return explorer.readout

    return press


def test_table_is_saved_as_csv(save, compared, tmp_path):
    said = save("csv", tmp_path)
    path = tmp_path / "comparison.csv"
    assert said.startswith(f"Written: {path}, 6 schemes, {path.stat().st_size:,} bytes.")
    read = pd.read_csv(io.BytesIO(path.read_bytes()), index_col="scheme")
    pd.testing.assert_frame_equal(read, compared.to_frame(), check_dtype=False)


def test_report_is_saved_as_html(save, tmp_path):
    save("html", tmp_path)
    assert "Quantization schemes on made up" in (tmp_path / "comparison.html").read_text("utf-8")


@pytest.mark.parametrize("kind", ["csv", "html"])
def test_file_that_exists_stays(save, tmp_path, kind):
    path = tmp_path / f"comparison.{kind}"
    path.write_text("mine")
    assert save(kind, tmp_path).startswith(f"Nothing written: {path} is there already. Remove it")
    assert path.read_text() == "mine"


def test_folder_that_is_not_there_or_closed_is_told(save, tmp_path, monkeypatch, explorer):
    said = save("csv", tmp_path / "new")
    assert said.startswith(f"Nothing written: there is no folder {tmp_path / 'new'}.")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert "cannot be written to (Permission denied)" in save("html", tmp_path)
    assert list(tmp_path.iterdir()) == []
    explorer.controls["x"].value = "latency, µs"
    assert explorer.readout.startswith("x: file size, kB → latency, µs. Pareto front")


def test_bad_input_is_refused(compared, x):
    with pytest.raises(TypeError, match=r"expected a Comparison, got dict\. Pass what qk.compare"):
        qk.explore_schemes({})
    with pytest.raises(ValueError, match=r"measured on 1,000 images; x has shape \(999, 8, 8\)"):
        qk.explore_schemes(compared, x=x[1:])
    with pytest.raises(ValueError, match=r"x has shape \(1000, 64\)"):
        qk.explore_schemes(compared, x=x.reshape(1000, 64))
    with pytest.raises(ValueError, match=r"x has shape \(1, 1\)"):
        qk.explore_schemes(compared, x=[[1]])


@pytest.mark.parametrize("explore", [qk.explore_schemes, qk.explore_decision_tree])
def test_comparison_without_accuracies_is_refused_with_the_remedy(hand_made, explore):
    comparison = hand_made({"float32": ROWS["float32"]}, accuracies={})
    with pytest.raises(ValueError, match=r"needs accuracies.* Pass class numbers"):
        explore(comparison)


def test_row_without_accuracy_is_no_choice(compared):
    accuracies = {name: compared.accuracies[name] for name in ("float32", "full_integer")}
    explorer = qk.explore_schemes(replace(compared, accuracies=accuracies))
    assert explorer.controls["scheme"].options == ("float32", "full_integer")
    for axis in QUANTITIES:
        explorer.controls["x"].value = axis


@pytest.mark.parametrize("shape", [(1000, 8, 8, 1), (1000, 8, 6, 3)])
def test_images_with_channels(compared, shape):
    images = np.random.default_rng(0).random(shape, np.float32)
    explorer = qk.explore_schemes(compared, x=images)
    explorer.controls["scheme"].value = "full_integer"
    assert explorer.png()
