"""A file is tried in a process of its own, which may die without harm and is then replaced."""

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import open_interpreter, outputs
from qkit.tflite import probe
from qkit.tflite.file import TfliteError

FILES = Path(__file__).parent.parent / "files"
NO_FILE = b"\0\0\0\0TFL3 and nothing else"


def varied(tflite, number):
    """Return the same model in other bytes, so that the probe does not know it yet."""
    return tflite + bytes([number]) * 16


def helper():
    """Return the helper that waits for the next file."""
    return probe._helpers[os.getpid()]


def oversized(model):
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 3:  # the image
            tensor.shape = np.array([1, 2**20, 2**17], np.int32)


@pytest.fixture
def endless(built):
    """Return a file that never ends: while true, take the absolute value."""
    row = ((1, 4), "float32")
    where = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    return built(
        ({"x": row, "y": row}, [("WHILE", "x", "y", "WhileOptions", where)], "x", "y"),
        ({"x": row, "r": np.array([True])}, [], "x", "r"),
        ({"x": row, "y": row}, [("ABS", "x", "y", "AbsOptions")], "x", "y"),
    )


# ---- what is run here has run there ----


def test_a_file_is_tried_once_in_each_way(toy_tflite, monkeypatch):
    tflite = varied(toy_tflite, 1)
    for how in ({}, {"batch_size": 4}):
        assert probe.probe(tflite, **how) == probe.Probe(batchable=bool(how))

    def fail(key, request):
        raise AssertionError("asked")

    monkeypatch.setattr(probe, "_asked", fail)
    assert probe.probe(tflite, threads=1, batch_size=4).batchable
    for how in ({"batch_size": 5}, {"threads": 2}, {"experimental_preserve_all_tensors": True}):
        with pytest.raises(AssertionError, match="asked"):
            open_interpreter(tflite, **how)


def test_each_interpreter_was_tried_as_it_is_opened(toy_tflite, toy_data, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    tried, opened = [], []

    def asked(key, request):
        tried.append(pickle.loads(request)[3])
        return probe.Probe(batchable=True)

    def made(self, *, model_content, **how):
        opened.append({"batch_size": None, "threads": how.pop("num_threads"), **how})
        create(self, model_content=model_content, num_threads=opened[-1]["threads"], **how)

    def resized(self, index, shape):
        opened[-1]["batch_size"] = shape[0]
        resize(self, index, shape)

    create, resize = Interpreter.__init__, Interpreter.resize_tensor_input
    monkeypatch.setattr(probe, "_asked", asked)
    monkeypatch.setattr(Interpreter, "__init__", made)
    monkeypatch.setattr(Interpreter, "resize_tensor_input", resized)
    tflite, x = varied(toy_tflite, 2), toy_data.x_test
    qk.accuracy(tflite, x, toy_data.y_test, threads=2)
    list(qk.intermediate(tflite, x[:2], [0]))
    qk.latency({"a": tflite}, x, instances=2, rounds=1)
    qk.digit_answers({"a": tflite}, x[0])
    assert all(how in tried for how in opened)
    assert {how["batch_size"] for how in opened} == {None, 20}
    assert len(tried) == 4  # alone, in a batch, as the converter calibrates, with one thread


# ---- answers, and none ----


def test_one_helper_serves_many_files(toy_tflite):
    assert not probe.probe(varied(toy_tflite, 3)).error
    first = helper()
    assert probe.probe(NO_FILE).error
    assert not probe.probe(varied(toy_tflite, 4)).error
    assert helper() is first
    assert first.pid != os.getpid()


def test_a_helper_that_died_is_replaced_and_no_file_blamed(toy_tflite):
    probe.probe(varied(toy_tflite, 5))
    dead = helper()
    dead.kill()
    dead.wait()
    assert not probe.probe(varied(toy_tflite, 6)).error
    assert helper() is not dead
    assert dead.stdin.closed
    assert dead.stdout.closed


@pytest.fixture
def killed(monkeypatch):
    """Return a function that does to new helpers what a damaged file might."""
    start = probe._started

    def kill(killer):
        def dying():
            started = start()
            os.kill(started.pid, killer)
            started.wait()
            return started

        probe._helpers.clear()
        monkeypatch.setattr(probe, "_started", dying)

    return kill


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("killer", [signal.SIGSEGV, signal.SIGABRT], ids=lambda s: s.name)
def test_a_file_that_kills_a_new_helper_is_told_and_the_next_one_served(
    toy_tflite, killer, killed, monkeypatch
):
    number = 7 + killer.value
    killed(killer)
    told = probe.probe(varied(toy_tflite, number)).error
    assert told == f"running it ended the trial process ({killer.name})"
    monkeypatch.undo()
    with pytest.raises(TfliteError, match=f"is it damaged.*{killer.name}"):
        open_interpreter(varied(toy_tflite, number))
    assert not probe.probe(varied(toy_tflite, number + 1)).error


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_trial_that_was_killed_from_outside_is_no_verdict(toy_tflite, killed, monkeypatch):
    tflite = varied(toy_tflite, 28)
    killed(signal.SIGKILL)
    with pytest.raises(TfliteError, match=r"was not run: .*\(SIGKILL\)"):
        open_interpreter(tflite)
    monkeypatch.undo()
    assert not probe.probe(tflite).error


@pytest.mark.parametrize(
    "line", ["'no answer'", '\'another file\\t{"error": "of another file"}\'', "'ready\\t[1'", "''"]
)
def test_what_is_no_answer_to_this_file_says_nothing_of_it(line, toy_tflite):
    number = 50 + len(line)
    code = f"import sys; sys.stdin.buffer.read(1); print({line}, flush=True); sys.stdin.read()"
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    probe._helpers[os.getpid()] = subprocess.Popen([sys.executable, "-c", code], **pipes)
    assert probe.probe(varied(toy_tflite, number)) == probe.Probe()


def interrupting(step):
    """Return a tracer that interrupts the module at one of its lines, counted from the first."""
    left = iter(range(step))

    def tracer(frame, event, argument):
        if frame.f_code.co_filename != probe.__file__:
            return None
        if event == "line" and next(left, None) is None:
            sys.settrace(None)
            raise KeyboardInterrupt
        return tracer

    return tracer


def interrupted_at(step, tflite):
    """Whether a trial came as far as that line, and was interrupted there."""
    kept = sys.gettrace()
    sys.settrace(interrupting(step))
    try:
        probe.probe(tflite)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(kept)
    return False


@pytest.mark.parametrize("new", [False, True], ids=["waiting helper", "new helper"])
@pytest.mark.parametrize("every", [11, pytest.param(2, marks=pytest.mark.slow)])
def test_after_an_interrupt_at_any_line_the_next_file_gets_its_own_answer(every, new, toy_tflite):
    for step in range(0, 999, every):
        if new:
            probe._helpers.clear()
        damaged = NO_FILE + bytes([every, new]) + step.to_bytes(2, "big")
        good = varied(toy_tflite, 100) + damaged
        if not interrupted_at(step, damaged):
            break
        assert not probe.probe(good).error
        assert probe.probe(damaged).error
    assert step > 2 * every


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
def test_a_trial_that_takes_too_long_is_no_verdict(toy_tflite, monkeypatch):
    tflite = varied(toy_tflite, 30)
    probe.probe(varied(toy_tflite, 29))
    helper().send_signal(signal.SIGSTOP)  # else it might be faster than any limit
    monkeypatch.setattr(probe, "_TIME_LIMIT_S", 0.1)
    told = r"was not run: its trial took longer than 0\.1 s and was ended.*'QKIT_TRIAL_S'\] = '600'"
    with pytest.raises(TfliteError, match=told):
        open_interpreter(tflite)
    monkeypatch.undo()
    assert open_interpreter(tflite).get_input_details()


def test_a_file_that_never_ends_is_given_up_and_the_next_one_served(
    endless, toy_tflite, monkeypatch
):
    probe.probe(varied(toy_tflite, 31))
    monkeypatch.setattr(probe, "_TIME_LIMIT_S", 0.3)
    with pytest.raises(TfliteError, match="longer than"):
        outputs(endless, np.ones((1, 4), np.float32))
    monkeypatch.undo()
    assert not probe.probe(varied(toy_tflite, 32)).error


def test_users_may_allow_more_time(monkeypatch):
    assert probe._time_limit_s() == 60
    monkeypatch.setenv("QKIT_TRIAL_S", "600")
    assert probe._time_limit_s() == 600
    monkeypatch.setenv("QKIT_TRIAL_S", "for ever")
    assert probe._time_limit_s() == 60


def test_two_threads_get_their_own_answers(toy_tflite):
    found = {}

    def ask(start):
        for i in range(start, start + 8):
            tflite = NO_FILE + bytes([i]) if i % 3 else varied(toy_tflite, i)
            found[i] = bool(probe.probe(tflite).error)

    threads = [threading.Thread(target=ask, args=(start,)) for start in (120, 124, 132)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: bool(i % 3) for i in range(120, 140)}


# ---- the helper's own start ----


def test_what_stands_in_the_way_of_a_start_is_told(toy_tflite, tmp_path, monkeypatch):
    (tmp_path / "broken.py").write_text("raise ImportError('no numpy here')\n", encoding="utf-8")
    told = "was not run: the process for its trial does not start: "
    for name, value, reason in (
        ("__file__", str(tmp_path / "broken.py"), "ImportError: no numpy here$"),
        ("sys", type("Sys", (), {"executable": str(tmp_path / "none"), "path": []}), ".*none"),
    ):
        probe._helpers.clear()
        monkeypatch.setattr(probe, name, value)
        with pytest.raises(TfliteError, match=told + reason):
            open_interpreter(varied(toy_tflite, 33))
        monkeypatch.undo()
    assert not probe.probe(varied(toy_tflite, 33)).error


@pytest.mark.parametrize("path", ["", os.curdir])
def test_files_of_the_notebooks_folder_stand_in_for_no_module(path, run_python, toy_tflite):
    code = f"""
import sys
from pathlib import Path
from qkit.interpreter.run import open_interpreter
for name in {[m for m in sorted(sys.stdlib_module_names) if m[0] != "_"] + ["numpy", "qkit"]}:
    Path(name + ".py").write_text("import os; open('hijacked', 'w'); os._exit(3)")
tflite = Path({str(FILES / "toy_float32.tflite")!r}).read_bytes()
print(len(open_interpreter(tflite).get_input_details()), Path("hijacked").exists())
"""
    found = run_python(code, PYTHONPATH=os.pathsep.join([path, os.environ.get("PYTHONPATH", "")]))
    assert found == "1 False"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_has_a_helper_of_its_own(run_python):
    code = f"""
import os
from pathlib import Path
from qkit.tflite import probe
tflite = Path({str(FILES / "toy_float32.tflite")!r}).read_bytes()
probe.probe(tflite)
(parents,) = probe._helpers.values()
child = os.fork()
if child == 0:
    for i in range(3):
        assert not probe.probe(tflite + bytes([i]) * 16).error
        assert probe.probe({NO_FILE!r} + bytes([i])).error
    os._exit(0 if probe._helpers[os.getpid()] is not parents else 1)
print(os.waitpid(child, 0)[1], probe.probe({NO_FILE!r}).error != "", parents.poll())
"""
    assert run_python(code) == "0 True None"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_helper_may_take_half_of_the_memory_only(toy_tflite):
    probe.probe(varied(toy_tflite, 40))
    limits = Path(f"/proc/{helper().pid}/limits").read_text()
    limit = int(re.search(r"Max address space +(\d+)", limits)[1])
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert limit <= 0.5 * memory


def test_a_file_that_wants_more_memory_than_there_is_is_refused(toy_tflite, edited):
    with pytest.raises(TfliteError, match="is it damaged"):
        open_interpreter(edited(toy_tflite, oversized))


# ---- what a trial finds ----


@pytest.mark.parametrize("name", ["state", "lstm"])
def test_a_file_that_keeps_a_state_is_never_resized(name):
    tflite = (FILES / f"zoo_{name}_float32.tflite").read_bytes()
    assert probe.probe(tflite) == probe.Probe(stateful=True)
    with pytest.raises(TfliteError, match="keeps a state"):
        open_interpreter(tflite, batch_size=2)


def test_random_numbers_are_a_state_too(built):
    tensors = {"s": np.int32([1, 4]), "x": ((1, 4), "float32"), "r": ((1, 4), "float32")}
    operators = [
        ("RANDOM_UNIFORM", "s", "r", "RandomOptions", {"seed": 1, "seed2": 2}),
        ("ADD", "xr", "y", "AddOptions"),
    ]
    tflite = built(({**tensors, "y": ((1, 4), "float32")}, operators, "x", "y"))
    assert probe.probe(tflite).stateful
    found = outputs(tflite, np.zeros((3, 4), np.float32))
    np.testing.assert_array_equal(found, found[[0, 0, 0]])


def test_a_file_without_inputs_runs_and_says_what_it_has(built):
    tensors = {"c": np.float32([[1, -2]]), "y": ((1, 2), "float32")}
    tflite = built((tensors, [("ABS", "c", "y", "AbsOptions")], "", "y"))
    assert probe.probe(tflite) == probe.Probe()
    with pytest.raises(TfliteError, match="this one has 0 and 1"):
        outputs(tflite, np.ones((1, 2), np.float32))


def test_outputs_without_an_axis_for_items_are_not_batchable(built):
    axes = {"mean": np.int32([0, 1]), "sum": np.int32([0])}
    for name, shape in (("mean", ()), ("sum", (8,))):
        tensors = {"x": ((1, 8), "float32"), "a": axes[name], "y": (shape, "float32")}
        operator = (name.upper(), "xa", "y", "ReducerOptions")
        tflite = built((tensors, [operator], "x", "y"))
        assert probe.probe(tflite) == probe.Probe()
        assert not probe.probe(tflite, batch_size=2).batchable


def test_integers_that_feel_their_batch_are_not_batchable(built):
    tensors = {
        "x": ((1, 8), "int32"),
        "a": np.int32([0]),
        "m": ((8,), "int32"),
        "y": ((1, 8), "int32"),
    }
    operators = [("SUM", "xa", "m", "ReducerOptions"), ("SUB", "xm", "y", "SubOptions")]
    tflite = built((tensors, operators, "x", "y"))
    assert not probe.probe(tflite).failed
    assert not probe.probe(tflite, batch_size=4).batchable


def test_a_fixed_batch_may_mix_its_items_or_not(built):
    tensors = {"x": ((4, 8), "float32"), "a": np.int32([0]), "m": ((8,), "float32")}
    tensors["y"] = tensors["x"]
    operators = [("SUM", "xa", "m", "ReducerOptions"), ("SUB", "xm", "y", "SubOptions")]
    mixing = built((tensors, operators, "x", "y"))
    assert probe.probe(mixing) == probe.Probe()
    x = np.random.default_rng(0).random((3, 4, 8), np.float32)
    with pytest.raises(TfliteError, match=r"hangs on the others.*shape \(n, 4, …\)"):
        outputs(mixing, x[0])
    by_hand = x - x.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(outputs(mixing, x), by_hand, rtol=1e-5)
    apart = built((tensors, [("ABS", "x", "y", "AbsOptions")], "x", "y"))
    assert probe.probe(apart) == probe.Probe(batchable=True)


def test_an_error_on_invented_inputs_is_no_verdict(built):
    tensors = {"c": np.float32(range(6)), "x": ((2,), "int32"), "y": ((2, 3), "float32")}
    tflite = built((tensors, [("RESHAPE", "cx", "y", "ReshapeOptions")], "x", "y"))
    trial = probe.probe(tflite)
    assert not trial.error
    assert trial.failed
    found = outputs(tflite, np.int32([[2, 3], [2, 3]]))
    np.testing.assert_array_equal(found, [np.arange(6).reshape(2, 3)] * 2)
    with pytest.raises(TfliteError, match="fails while it runs"):
        outputs(tflite, np.int32([[2, 5]]))


def test_what_failed_on_invented_inputs_is_tried_elsewhere_on_the_given_ones(built, monkeypatch):
    from ai_edge_litert.interpreter import Interpreter

    tensors = {"c": np.float32(range(6)), "x": ((2,), "int32"), "y": ((2, 3), "float32")}
    tflite = built((tensors, [("RESHAPE", "cx", "y", "ReshapeOptions")], "x", "y"))
    monkeypatch.setattr(Interpreter, "invoke", lambda self: pytest.fail("it ran here"))
    wrong = np.int32([[2, 5]])
    for call in (
        lambda: outputs(tflite, wrong),
        lambda: next(qk.intermediate(tflite, wrong, ["y"])),
        lambda: qk.latency({"a": tflite}, wrong),
    ):
        with pytest.raises(TfliteError, match="fails while it runs"):
            call()


def test_divisors_may_be_ones(built):
    tensors = {"c": np.int32([[7, 8]]), "x": ((1, 2), "int32"), "y": ((1, 2), "int32")}
    tflite = built((tensors, [("FLOOR_MOD", "cx", "y", "FloorModOptions")], "x", "y"))
    assert probe.probe(tflite) == probe.Probe()
    assert outputs(tflite, np.int32([[4, 3]])).tolist() == [[3, 2]]
    with pytest.raises(TfliteError, match="fails while it runs"):
        outputs(tflite, np.int32([[4, 0]]))


def test_a_name_that_is_no_text_is_told(built):
    row = ((1, 4), "float32")
    tflite = built(({"x": row, "end": row}, [("ABS", ["x"], ["end"], "AbsOptions")], "x", ["end"]))
    with pytest.raises(TfliteError, match=r"is it damaged\? 'utf-8' codec"):
        open_interpreter(tflite.replace(b"end", b"\xff\xff\xff"))


def test_invented_inputs_are_there_at_once_and_differ_from_item_to_item():
    detail = {"dtype": np.float32}
    items = probe._noise(detail, (64, 1024), 0, 1)
    assert len(np.unique(items, axis=0)) == 64
    assert probe._noise(detail, (), 0, 1).shape == ()
    wide = probe._noise({"dtype": np.int8}, (2**25,), 0, 1)  # drawn one by one, a second and more
    assert (wide.dtype, wide.shape, wide.min(), wide.max()) == (np.int8, (2**25,), 0, 126)
    ids = probe._noise({"dtype": np.int64}, (9, 7), 0, 1)
    assert set(ids.ravel().tolist()) == {0, 1}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_what_reads_beyond_its_own_memory_ends_a_helper_that_served_many(toy_tflite):
    code = """
import ctypes, numpy as np
kept = [np.ones(2**16, np.uint8) for _ in range(99)]
address = kept[50].ctypes.data
del kept
ctypes.string_at(address, 2**16)
"""
    command = [sys.executable, "-c", code]
    probe.probe(varied(toy_tflite, 44))
    environ = Path(f"/proc/{helper().pid}/environ").read_bytes().split(b"\0")
    strict = {k: v for k, _, v in (e.decode().partition("=") for e in environ) if k[:6] == "MALLOC"}
    assert strict == probe._STRICT
    assert subprocess.run(command, env={**os.environ, **strict}).returncode == -signal.SIGSEGV


def test_an_operator_that_makes_another_dtype_than_the_file_says_is_damage(built):
    table, rows = np.ones((50, 8), np.int16), np.zeros((1, 6), np.int32)
    tensors = {"t": table, "r": rows, "x": ((1, 6, 8), "float32"), "y": ((1, 6, 8), "float32")}
    operators = [("GATHER", "tr", "x", "GatherOptions"), ("ABS", "x", "y", "AbsOptions")]
    told = probe.probe(built((tensors, operators, "", "y"))).error
    assert told == "'x' is float32, and made int16"
