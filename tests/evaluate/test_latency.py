"""Times of models side by side: structure exactly, values as far as any machine allows."""

from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import latency as timing

FILES = Path(__file__).parent.parent / "files"


@pytest.fixture(scope="module")
def measured(tflite, digits):
    files = {"first": tflite("float32"), "again": tflite("float32")}
    files["int8"], files["int16"] = tflite("full_integer"), tflite("int16_activations")
    return qk.latency(files, digits.x_test, instances=6)


def test_a_file_beside_itself_takes_the_same_time(measured):
    assert 0.6 < measured.ratio["again"] < 1.6


def test_delegate_is_named(measured):
    assert measured.delegates["int8"] == "XNNPACK"
    assert measured.delegates["int16"] in ("XNNPACK", "built-in kernels")


def test_every_block_is_there_and_the_words_around_it(measured):
    assert list(measured.median_us) == ["first", "again", "int8", "int16"]
    assert (measured.threads, measured.cpu) == (1, qk.environment().cpu)
    for name, samples in measured.samples_us.items():
        assert samples.shape == (6, 7)
        assert (samples > 0).all()
        assert 0 < measured.overhead_us[name] < 1_000


def test_numbers_are_those_worked_out_by_hand(toy_tflite, toy_data, monkeypatch):
    """Blocks of 1 µs, but for one slow round and one slow instance; the other takes twice that."""
    times = {
        "one": [[1, 1, 9], [2, 2, 2], [1, 1, 1]],  # medians 1, 2, 1: an instance is one place
        "two": [[2, 2, 2], [2, 2, 2], [2, 2, 8]],  # ratios 2, 1, 2: of the same instance
    }
    opened = iter([(name, i) for i in range(3) for name in times])

    class Scripted(timing._Runner):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            name, instance = next(opened)
            self.times_us = iter([(us, 3 * us) for us in times[name][instance]]).__next__

    monkeypatch.setattr(timing, "_Runner", Scripted)
    files = {"one": toy_tflite, "two": toy_tflite}
    found = qk.latency(files, toy_data.x_test, instances=3, rounds=3)
    assert found.median_us == {"one": 1, "two": 2}
    assert found.ratio == {"one": 1, "two": 2}
    assert found.ratio_interval["one"] == (1, 1)
    assert found.overhead_us == {"one": 3, "two": 6}
    # logarithms 0, ln 2, 0: mean ln 2 / 3, standard error the same; 4.30 of them at two degrees
    low, high = np.exp(np.log(2) / 3 * np.array([1 - 4.302653, 1 + 4.302653]))
    assert found.interval_us["one"] == pytest.approx((low, high), rel=1e-6)
    assert found.interval_us["two"] == (2, 2)
    assert found.ratio_interval["two"] == pytest.approx((2 / high, 2 / low), rel=1e-6)


def test_interpreters_run_in_an_order_drawn_anew(toy_tflite, toy_data, monkeypatch):
    """A spy on the real interpreters: each block ends in what Python adds, which fetches scores."""
    events, opened, at_lengths = [], iter("abc" * 4), timing.at_lengths

    class Spy:
        def __init__(self, interpreter):
            self._interpreter, self._name = interpreter, next(opened)

        def __getattr__(self, name):
            if name in ("invoke", "get_tensor") and events[-1:] != [(self._name, name)]:
                events.append((self._name, name))
            return getattr(self._interpreter, name)

        def invoke(self):
            self.__getattr__("invoke")()

    def spied(*given, **how):
        tflite, interpreter, *rest = at_lengths(*given, **how)
        return tflite, Spy(interpreter), *rest

    monkeypatch.setattr(timing, "at_lengths", spied)
    files = dict.fromkeys("abc", toy_tflite)
    qk.latency(files, toy_data.x_test, instances=4, rounds=5)
    blocks = "".join(name for name, event in events if event == "get_tensor")
    rounds = [blocks[i : i + 3] for i in range(0, len(blocks), 3)]
    assert len(rounds) == 20
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) >= 4


def test_table_and_line(measured):
    frame = measured.to_frame()
    assert frame.index.tolist() == list(measured.median_us)
    assert frame.columns.tolist() == [
        "latency_us",
        "latency_low_us",
        "latency_high_us",
        "latency_ratio",
        "latency_ratio_low",
        "latency_ratio_high",
        "python_overhead_us",
        "delegate",
    ]
    assert str(measured).startswith(f"first {measured.median_us['first']:.1f} µs; again ")
    assert f"int8 {measured.ratio['int8']:.2f} times that (" in str(measured)
    assert str(measured).endswith(f"(1 thread, {measured.cpu})")
    assert "delegate" in measured._repr_html_()


def test_threads_and_integer_input(tflite, digits):
    found = qk.latency(
        {"int8": tflite("full_integer_int8_io")}, digits.x_test[:1], threads=2, instances=2
    )
    assert "(2 threads, " in str(found)
    assert found.median_us["int8"] > 0


def test_rounds_are_as_many_as_asked_for(toy_tflite, toy_data):
    found = qk.latency({"toy": toy_tflite}, toy_data.x_test, instances=3, rounds=2)
    assert found.samples_us["toy"].shape == (3, 2)
    with pytest.raises(ValueError, match="rounds must be a whole number from 1 to 1000000, got 0"):
        qk.latency({"toy": toy_tflite}, toy_data.x_test, rounds=0)


def test_time_of_a_fixed_batch_is_shared_out(built, monkeypatch):
    tensors = {"x": ((4, 8), "float32"), "y": ((4, 8), "float32")}
    batch = built((tensors, [("ABS", "x", "y", "AbsOptions")], "x", "y"))
    monkeypatch.setattr(timing, "_time_us", lambda call, repeats: 400.0)
    found = qk.latency({"a": batch}, np.ones((1, 8), np.float32), instances=2, rounds=1)
    assert (found.median_us["a"], found.overhead_us["a"]) == (100, 400)


@pytest.mark.slow
def test_a_file_with_a_state_has_a_time(run_python):
    state = FILES / "zoo_state_float32.tflite"
    code = f"""
import numpy as np, qkit as qk
tflite = open({str(state)!r}, "rb").read()
print(qk.latency({{"a": tflite}}, np.ones((9, 4), np.float32), instances=2).median_us["a"] > 0)
"""
    assert run_python(code) == "True"
