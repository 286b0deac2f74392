"""Damaged files give a result or one error of qkit's own; `make mutants-of-files` tries more."""

import os

import mutants_of_files as mutants
import numpy as np
import pytest

import qkit as qk
from qkit.tflite.file import parsed
from qkit.tflite.probe import probe
from qkit.tflite.values import stored_values

posix = pytest.mark.skipif(os.name != "posix", reason="a limit of memory")


def test_a_number_stands_for_the_same_damage_each_time():
    names, files = zip(*map(mutants.mutant, range(60)), strict=True)
    assert files == tuple(mutants.mutant(number)[1] for number in range(60))
    assert len(set(names)) == len(set(files)) == 60
    kinds = [f"({kind}, {damage.__name__})" for kind in mutants.WHOLE for damage in mutants.DAMAGES]
    assert all(any(kind in name for name in names) for kind in kinds)


@pytest.mark.parametrize("kind", mutants.WHOLE)
def test_whole_files_are_read_and_run(kind):
    for tflite in mutants.WHOLE[kind]:
        for call in (*mutants.READING, mutants.measured):
            assert mutants.raw_error(call, tflite) == ""
    dtypes = {t.dtype for t in qk.inspect(tflite).weights}
    assert ("int4" in dtypes) == (kind == "four bits")
    sparse = [t for t in qk.inspect(tflite).weights if t.sparsity is not None]
    assert len(sparse) == (2 if kind == "sparse" else 0)
    for tensor in sparse:
        assert np.mean(stored_values(tensor) == 0) == pytest.approx(0.5, abs=0.1)


def test_errors_of_others_are_told():
    def raw(shape):
        return np.zeros(3).reshape(shape)

    assert mutants.raw_error(qk.inspect, b"none") == ""
    assert mutants.raw_error(raw, (2, 2)).startswith("ValueError: cannot reshape")
    assert mutants.raw_error(raw, "a").startswith("TypeError")


@posix
def test_what_ends_the_process_is_told_and_the_next_one_tried(monkeypatch):
    monkeypatch.setattr(mutants, "CALLS", "[lambda tflite: sys.exit(3)]")
    first, second = mutants.findings(2)
    assert first.startswith("0 (float, flip_bits) ended it with 3")
    assert second.startswith("1 (int8, flip_bits) ended it with 3")


@posix
def test_damaged_files_are_read_or_refused():
    assert mutants.findings(100) == []


@posix
def test_damaged_files_are_run_or_refused():
    assert mutants.findings(30, run=True) == []


def test_a_sparse_layout_of_another_shape_is_not_run():
    """It has three rows, and the shape more: the kernel would look for them behind the data."""
    model = parsed(mutants.WHOLE["sparse"][0])
    sparse = [tensor for tensor in model.subgraphs[0].tensors if tensor.sparsity is not None]
    assert not probe(mutants.WHOLE["sparse"][0]).error
    sparse[-1].shape = np.int32([59_139, sparse[-1].shape[1]])
    assert "stored without its zeros, and the places" in probe(mutants.packed(model)).error
