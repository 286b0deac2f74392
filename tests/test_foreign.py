"""Sixty files by the quantizer's own recipes, and odd ones through the schema, are all answered."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.file import parsed

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("foreign", ROOT / "tools" / "foreign.py")
foreign = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(foreign)

NETWORKS = ["attention", "backbone", "concat", "conv1d", "embedding", "lstm"]
NETWORKS += ["repeated", "separable", "state", "transposed", "two_inputs", "uint8_input"]
RECIPES = ["dynamic_wi8_afp32", "dynamic_wi4_afp32", "dynamic_legacy_wi8_afp32"]
RECIPES += ["weight_only_wi8_afp32", "weight_only_wi4_afp32"]


def stored(name):
    return (ROOT / "tests" / "files" / f"zoo_{name}_float32.tflite").read_bytes()


def packed(model):
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    return bytes(convert_object_to_bytearray(model))


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_file_of_every_recipe_is_read_counted_and_timed(network, recipe):
    from litert_quantizer import quantizer
    from litert_quantizer import recipe as recipes

    with qk.quiet():
        made = quantizer.Quantizer(stored(network), getattr(recipes, recipe)())
        tflite = bytes(made.quantize(enable_progress_report=False).quantized_model)
    assert foreign.examined(tflite) == ({}, False)


def custom(model):
    model.operatorCodes[-1].builtinCode = model.operatorCodes[-1].deprecatedBuiltinCode = 32
    model.operatorCodes[-1].customCode = b"edgetpu-custom-op"


def without_names(model):
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b""


def twice_signed(model):
    model.signatureDefs = [*model.signatureDefs, *model.signatureDefs]


ODD = {"custom": custom, "without names": without_names, "twice signed": twice_signed}


@pytest.mark.parametrize("kind", ODD)
def test_odd_files_are_read_and_what_does_not_run_says_why(kind):
    model = parsed(stored("separable"))
    ODD[kind](model)
    said, fault = foreign.examined(packed(model))
    assert not fault
    assert set(said) == ({"latency"} if kind == "custom" else set())
    if said:
        assert "edgetpu-custom-op" in said["latency"]


def test_a_folder_is_told_file_by_file(tmp_path, capsys):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.tflite").write_bytes(stored("concat"))
    (tmp_path / "cut.tflite").write_bytes(stored("concat")[:300])
    assert foreign.main(tmp_path) == 0
    told = capsys.readouterr().out
    assert re.search(r"cut.tflite: inspect, size, weight_census, lint.*damaged", told)
    assert (
        "2 files; answered: inspect 1, size 1, weight_census 1, lint 1, latency 1; faults: 0"
        in told
    )
    assert foreign.main(tmp_path / "deep" / "none") == 1


def test_what_is_none_of_our_words_is_a_fault(tmp_path, monkeypatch, capsys):
    def broken(_):
        raise KeyError("tensor 7")

    monkeypatch.setitem(foreign.STEPS, "size", broken)
    (tmp_path / "a.tflite").write_bytes(stored("concat"))
    assert foreign.main(tmp_path) == 1
    assert "FAULT a.tflite: size: KeyError: 'tensor 7'" in capsys.readouterr().out


def test_inputs_are_invented_for_each_kind():
    assert set(foreign.invented(stored("two_inputs"))) == set(
        foreign.taken(foreign.open_interpreter(stored("two_inputs")))[0]
    )
    assert foreign.invented(stored("embedding")).dtype == np.int32
    assert foreign.invented(stored("concat")).dtype == np.float32
