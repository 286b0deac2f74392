"""Times of models side by side: structure exactly, values as far as any machine allows."""

import numpy as np
import pytest

import qkit as qk


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


def test_numbers_fit_together(measured):
    assert list(measured.median_us) == ["first", "again", "int8", "int16"]
    assert (measured.threads, measured.cpu) == (1, qk.environment().cpu)
    assert measured.ratio["first"] == 1
    assert measured.ratio_interval["first"] == (1, 1)
    for name, samples in measured.samples_us.items():
        assert samples.shape == (6, 7)
        assert (samples > 0).all()
        times = np.median(samples, axis=1)
        assert measured.median_us[name] == np.median(times)
        ratios = times / np.median(measured.samples_us["first"], axis=1)
        assert measured.ratio[name] == np.median(ratios)
        for (low, high), values in (
            (measured.interval_us[name], times),
            (measured.ratio_interval[name], ratios),
        ):
            assert values.min() <= low <= np.median(values) <= high <= values.max()
        assert 0 < measured.overhead_us[name] < 1_000


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
    with pytest.raises(ValueError, match="rounds must be a whole number of 1 or more, got 0"):
        qk.latency({"toy": toy_tflite}, toy_data.x_test, rounds=0)
