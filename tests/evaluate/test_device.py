"""What a benchmark printed on a device is read as it stands, and what is none is refused."""

import importlib.util
import json
import subprocess
import sys

import pytest

import qkit as qk

TOOL = "ai_edge_litert.tools.benchmark_litert_model"
needs_tool = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert.tools") is None
    or importlib.util.find_spec(TOOL) is None,
    reason="this ai-edge-litert brings no litert-benchmark",
)
# In the form of TensorFlow 2.18; older ones print no median, nor "INFO: ".
PRINTED = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [4]
INFO: Graph: [/data/local/tmp/it.tflite]
INFO: Use gpu: [1]
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
INFO: Explicitly applied XNNPACK delegate, and the model graph will be partially executed by the \
delegate w/ 2 delegate kernels.
INFO: The input model file size (MB): 0.084904
INFO: Initialized session in 3.21ms.
INFO: Running benchmark for at least 1 iterations and at least 0.5 seconds.
INFO: count=7 first=905 curr=60 min=60 max=905 avg=181 std=2 p5=60 median=61 p95=905
INFO: Running benchmark for at least 50 iterations and at least 1 seconds.
INFO: count=1200 first=52 curr=49 min=47 max=99 avg=50.1234 std=3 p5=48 median=49 p95=58

INFO: Inference timings in us: Init: 3210, First inference: 905, Warmup (avg): 181, Inference \
(avg): 50.1234
INFO: Memory footprint delta from the start of the tool (MB): init=1.5 overall=2.25
"""


def litert(**latency):
    """Return what litert-benchmark writes as its result_json."""
    latency = {"median_ms": 1.25, "p5_ms": 1.2, "p95_ms": 1.5, "num_runs": 50} | latency
    return {
        "model": "it.tflite", "model_size_mb": 0.08, "accelerators": ["GPU", "CPU"],
        "num_threads": 2, "fully_accelerated": False, "latency": latency,
    }  # fmt: skip


@needs_tool
def test_what_litert_benchmark_writes_and_prints_here_is_the_same(tflite, tmp_path):
    model, kept = tmp_path / "it.tflite", tmp_path / "it.json"
    model.write_bytes(tflite("int16_activations"))
    done = subprocess.run(
        [sys.executable, "-m", TOOL, f"--model={model}", f"--result_json={kept}", "--num_runs=9"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    written, printed = qk.device_latency(kept, device="here"), qk.device_latency(done.stdout)
    told = json.loads(kept.read_text())["latency"]
    assert written.latency_us == printed.latency_us == pytest.approx(1000 * told["median_ms"])
    assert (written.p5_us, written.p95_us) == (printed.p5_us, printed.p95_us)
    assert (written.runs, printed.runs, written.threads) == (9, 9, 1)
    assert (written.tool, written.statistic, written.delegate) == (
        "litert-benchmark", "median", "CPU",
    )  # fmt: skip
    low, high = written.file_bytes
    assert low <= len(tflite("int16_activations")) <= high
    assert "rounded to 10 µs (here, CPU, 1 thread, litert-benchmark)" in written.summary()


def test_benchmark_model_tells_a_median_of_the_run_and_not_of_the_warm_up():
    found = qk.device_latency(PRINTED, device="a phone")
    assert (found.statistic, found.latency_us, found.p5_us, found.p95_us) == ("median", 49, 48, 58)
    assert (found.runs, found.threads, found.rounded_us) == (1200, 4, 1)
    assert found.delegate == "XNNPACK, partially", "what was applied, not what was asked for"
    assert found.summary() == (
        "49 µs, median of 1200 runs, 5 to 95 % of runs 48 to 58, rounded to 1 µs "
        "(a phone, XNNPACK, partially, 4 threads, benchmark_model)"
    )


def test_an_older_benchmark_model_tells_a_mean():
    old = PRINTED.replace("INFO: ", "").replace(" p5=48 median=49 p95=58", "")
    found = qk.device_latency(old.replace("(avg): 50.1234", "(avg): 2.95034e+06"))
    assert (found.statistic, found.latency_us, found.rounded_us) == ("mean", 2_950_340, 10)
    assert (found.runs, found.p5_us) == (1200, None)
    assert found.row["statistic"] == "mean"


def test_a_path_a_text_and_a_dict_are_read_alike(tmp_path):
    path = tmp_path / "it.json"
    path.write_text(json.dumps(litert()))
    ways = (path, str(path), path.read_text(), litert())
    assert {str(qk.device_latency(way)) for way in ways} == {
        "1,250 µs, median of 50 runs, 5 to 95 % of runs 1,200 to 1,500, rounded to 10 µs "
        "(GPU and CPU, 2 threads, litert-benchmark)"
    }


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("count=50 avg=3", "no benchmark's result. Pass the result_json of litert-benchmark"),
        ({}, "no benchmark's result"),
        ({"latency": 3, "model_size_mb": 1}, "no benchmark's result"),
        (litert(median_ms=None), "no benchmark's result"),
        ('{"latency": {', "cut off or damaged"),
        (PRINTED + PRINTED, "of several runs"),
        (PRINTED.replace("(avg): 50.1234", "(avg): -nan"), "no benchmark's result"),
        (litert(median_ms=float("inf")), "that is no time"),
        (litert(median_ms=0.0), "take benchmark_model, which prints single µs"),
    ],
)
def test_what_tells_no_time_is_refused(printed, said):
    with pytest.raises(ValueError, match=said):
        qk.device_latency(printed)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        qk.device_latency(tmp_path / "gone.json")


def test_a_column_bears_its_provenance(hand_made):
    found = hand_made({"float32": (range(5), 80, 10), "mine": (range(5), 20, 5)})
    there = found.with_device_latency({"mine": qk.device_latency(litert() | {"model_size_mb": 0})})
    assert there.to_frame()["device_latency_us"].to_dict() == {
        "float32": pytest.approx(float("nan"), nan_ok=True), "mine": 1250,
    }  # fmt: skip
    assert there.to_display()["on the device, µs"].tolist() == ["–", "1,250"]
    assert sum("mine on the device: 1,250 µs, median of 50 runs" in n for n in there.notes()) == 1
    assert "on the device, µs" in there._repr_html_()
    assert "device_latency_us" not in found.to_frame(), "the first one stays as it was"


def test_what_another_file_took_is_refused(hand_made, tflite):
    found = hand_made({"float32": (range(5), 80, 10)}, models={"float32": tflite("float32")})
    assert found.with_device_latency({"float32": qk.device_latency(PRINTED)}).device
    other = qk.device_latency(PRINTED.replace("0.084904", "0.024904"))
    with pytest.raises(ValueError, match=r"84,904 bytes, and the one .* 24,904 to 24,904"):
        found.with_device_latency({"float32": other})
    with pytest.raises(ValueError, match="a scheme must be one of 'float32'"):
        found.with_device_latency({"qat": other})
    with pytest.raises(TypeError, match="must be a DeviceLatency, got float"):
        found.with_device_latency({"float32": 3.0})
