"""A file is tried in a process of its own, which may die without harm and is then replaced."""

import os
import pickle
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import open_interpreter
from qkit.tflite import probe
from qkit.tflite.file import TfliteError


def varied(tflite, number):
    """Return the same model in other bytes, so that the probe does not know it yet."""
    return tflite + bytes([number]) * 16


def oversized(model):
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 3:  # the image
            tensor.shape = np.array([1, 2**20, 2**17], np.int32)


def test_a_good_file_is_run_once(toy_tflite, monkeypatch):
    tflite = varied(toy_tflite, 1)
    assert probe.probe(tflite) == probe.Probe(error="", batchable=True)

    def fail(tflite):
        raise AssertionError("asked again")

    monkeypatch.setattr(probe, "_ask", fail)
    assert probe.probe(tflite).batchable


def test_one_helper_serves_many_files(toy_tflite):
    assert not probe.probe(varied(toy_tflite, 2)).error
    helper = probe._helper
    assert probe.probe(b"\0\0\0\0TFL3 and nothing else").error
    assert not probe.probe(varied(toy_tflite, 3)).error
    assert probe._helper is helper
    assert helper.pid != os.getpid()


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("killer", [signal.SIGSEGV, signal.SIGKILL], ids=lambda s: s.name)
def test_a_file_that_kills_the_helper_is_told_and_the_next_one_served(
    toy_tflite, killer, monkeypatch
):
    assert not probe.probe(varied(toy_tflite, 4)).error
    dying = probe._helper
    # what a damaged file would do to the helper, done to it while it waits for one
    monkeypatch.setattr(probe, "_running_helper", lambda: dying)
    os.kill(dying.pid, killer)
    dying.wait()
    number = 5 + killer.value
    told = probe.probe(varied(toy_tflite, number)).error
    assert told == f"running it ended the trial process ({killer.name})"
    with pytest.raises(TfliteError, match=f"is it damaged.*{killer.name}"):
        open_interpreter(varied(toy_tflite, number))
    monkeypatch.undo()
    assert not probe.probe(varied(toy_tflite, number + 1)).error
    assert probe._helper is not dying


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_a_file_that_takes_too_long_is_given_up(toy_tflite, monkeypatch):
    probe.probe(varied(toy_tflite, 29))
    probe._helper.send_signal(signal.SIGSTOP)  # else it might be faster than any limit
    monkeypatch.setattr(probe, "_TIME_LIMIT_S", 0.1)
    assert "ended the trial process" in probe.probe(varied(toy_tflite, 30)).error


def test_an_answer_that_is_none_is_the_end_of_its_trial_alone(toy_tflite, monkeypatch):
    probe.probe(varied(toy_tflite, 42))
    garbled = probe._helper

    def no_pickle(file):
        raise pickle.UnpicklingError("invalid load key")

    monkeypatch.setattr(probe.pickle, "load", no_pickle)
    assert "ended the trial process" in probe.probe(b"\0\0\0\0TFL3 and no more").error
    monkeypatch.undo()
    assert not probe.probe(varied(toy_tflite, 43)).error
    assert probe._helper is not garbled


def test_after_an_interrupt_the_next_file_gets_its_own_answer(toy_tflite, monkeypatch):
    def interrupted(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(probe.pickle, "load", interrupted)
    with pytest.raises(KeyboardInterrupt):
        probe.probe(b"\0\0\0\0TFL3 and nothing else, again")
    monkeypatch.undo()
    assert not probe.probe(varied(toy_tflite, 41)).error


def test_a_file_that_wants_more_memory_than_there_is_is_refused(toy_tflite, edited):
    with pytest.raises(TfliteError, match="is it damaged"):
        qk.size(edited(toy_tflite, oversized))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_helper_may_take_half_of_the_memory_only(toy_tflite):
    probe.probe(varied(toy_tflite, 40))
    limits = Path(f"/proc/{probe._helper.pid}/limits").read_text()
    limit = int(re.search(r"Max address space +(\d+)", limits)[1])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limit <= 0.5 * memory


def test_helper_starts_from_any_folder(run_python, tmp_path, toy_tflite):
    (tmp_path / "a.tflite").write_bytes(toy_tflite)
    code = "import qkit as qk; print(qk.size(open('a.tflite', 'rb').read()).size_bytes)"
    assert run_python(code) == str(len(toy_tflite))
