"""Memory while a file runs: added up by hand, printed by tflite-micro, or why there is none."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import qkit as qk

accounts = importlib.import_module("qkit.tflite.memory")  # the function bears its name
FILES = Path(__file__).parents[1] / "files"


def stored(name):
    return (FILES / f"{name}.tflite").read_bytes()


def test_the_plan_is_what_one_adds_up_by_hand(tflite):
    image, conv, pooled, logits = 28 * 28, 26 * 26 * 12, 13 * 13 * 12, 10
    shape = 4 * (3 + 1 + 4)  # of the image, its first number, and the one to give it
    # the reshape of a free batch is known at the run alone: it gets memory of its own
    in_float = 4 * (2 * image + conv + pooled + logits) + shape
    assert qk.memory(tflite("float32")).activations_bytes == pytest.approx(in_float, abs=16)
    weights = 4 * (12 * 9 + 2028 * 10 + 12 + 10)  # put back to float, and kept
    float16 = qk.memory(tflite("float16")).activations_bytes
    assert float16 == pytest.approx(in_float + weights, abs=64)
    between = conv + pooled + 4 * image + 2 * image  # float at the input, then int8
    assert qk.memory(tflite("full_integer")).activations_bytes < between + 200


def test_int16_takes_twice_as_much_as_int8_between_the_ends(tflite):
    of = {k: qk.memory(tflite(k)).activations_bytes for k in ("full_integer", "int16_activations")}
    ends = 4 * (28 * 28 + 10)
    assert (of["int16_activations"] - ends) / (of["full_integer"] - ends) == pytest.approx(
        2, abs=0.02
    )


def test_what_a_state_or_a_token_takes_is_found_without_a_crash():
    assert qk.memory(stored("zoo_state_float32")).activations_bytes > 0
    assert qk.memory(stored("zoo_embedding_float32")).activations_bytes == 248


def test_memory_that_two_share_counts_once():
    class Of:
        def __init__(self, start, size):
            self.__array_interface__, self.nbytes = {"data": (start, False)}, size

    places = {0: Of(0, 100), 1: Of(50, 100), 2: Of(500, 10), 3: Of(60, 20)}
    interpreter = type("", (), {"tensor": lambda self, i: lambda: places[i]})()
    assert accounts._covered(interpreter, places) == 160


def test_a_file_that_does_not_run_says_why():
    found = qk.memory(stored("ties_around_int16_activations"))
    assert found.activations_bytes is None
    assert "failed to prepare" in found.not_measured["plan"]
    assert "failed to prepare" in str(found)
    with pytest.raises(accounts.TfliteError, match=r"no \.tflite file"):
        qk.memory(b"none at all")


def test_a_trial_that_takes_too_long_is_a_reason(tflite, monkeypatch):
    def probe(*_, **__):
        raise accounts.TfliteError("the .tflite file was not run: its trial took longer")

    monkeypatch.setattr(accounts, "probe", probe)
    assert "took longer" in qk.memory(tflite("float32")).not_measured["plan"]


def test_without_tflite_micro_it_says_how_to_get_it(tflite, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = qk.memory(tflite("float32"))
    assert found.arena_bytes is None
    assert found.not_measured["arena"] == 'not installed: pip install "qkit[micro]"'
    assert found.to_frame()["bytes"].isna().tolist() == [False, True]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tflite-micro has wheels for Linux alone")
def test_tflite_micro_allocates_what_it_prints(tmp_path, monkeypatch, tflite, depthwise_tflite):
    pip = [sys.executable, "-m", "pip", "install", "-q", "--pre", "--no-deps", "--target"]
    subprocess.run([*pip, str(tmp_path), "tflite-micro"], check=True)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("qkit.tflite.probe._helpers", {})  # the next one knows of it
    # a convolution's output and the pooled one; tensors, operators and quantization on top
    conv_and_pooled = 26 * 26 * 12 + 13 * 13 * 12
    for name, size in (("float32", 4), ("full_integer", 1), ("int16_activations", 2)):
        found = qk.memory(tflite(name))
        assert size * conv_and_pooled < found.arena_bytes < size * conv_and_pooled + 4_000
        assert "tflite-micro" in str(found)
    whole, small = (qk.memory(depthwise_tflite(k)) for k in ("float32", "full_integer"))
    assert 2 < whole.arena_bytes / small.arena_bytes < 4
    dynamic = qk.memory(tflite("dynamic_range"))
    assert "filter type: INT8 not supported" in dynamic.not_measured["arena"]
    found = qk.compare(tflite("float32"), qk.load_data("digits").x_test[:50], ["full_integer"])
    assert found.to_frame()["arena_bytes"].notna().all()
    assert "arena, bytes" in found.to_display().columns
