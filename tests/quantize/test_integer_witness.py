"""A second witness: tflite-micro runs the same files on kernels of another build.

It rounds a dense layer as convolutions are rounded, by an integer multiplier; LiteRT multiplies in
double precision there. With the one rule in place of the other no tensor has another bit.
"""

from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.quantize import integer_kernels as kernels

FILES = Path(__file__).parents[1] / "files"
EIGHT = ("trained_full_integer", "trained_qat", "depthwise_full_integer")
NETWORKS = (*EIGHT, "trained_int16_activations")


@pytest.fixture(scope="module")
def micro():
    """Return a function from a trace to what each tensor holds after tflite-micro ran the file."""
    runtime = pytest.importorskip("tflite_micro.python.tflite_micro.runtime")

    def run(trace):
        keeping = runtime.InterpreterConfig.kPreserveAllTensors
        interpreter = runtime.Interpreter.from_bytes(
            trace.tflite, arena_size=2_000_000, intrepreter_config=keeping
        )
        (source,), written = trace.file.inputs, [op.outputs[0] for op in trace.file.operators]
        for held in trace.runs():
            interpreter.set_input(held[source.index], 0)
            interpreter.invoke()
            yield held, {t.index: interpreter.GetTensor(t.index, 0)["tensor_data"] for t in written}

    return run


@pytest.fixture
def round_as_micro(monkeypatch):
    """Return a function that has dense layers rounded as tflite-micro does; int16 ones if wide."""

    def change(wide):
        by = kernels.requantize_wide if wide else kernels.requantize
        monkeypatch.setattr(
            kernels, "rescale", lambda sums, f: by(sums, *kernels.multiplier_and_shift(f))
        )

    return change


def differing(micro, trace):
    """Return how many values differ, and by how many steps at most, by operators that differ."""
    found = {}
    for held, theirs in micro(trace):
        for op in trace.file.operators:
            (out,) = op.outputs
            steps = op.inputs[0].scale[0] if op.name == "DEQUANTIZE" else 1
            off = np.abs(np.subtract(held[out.index], theirs[out.index], dtype=np.float64)) / steps
            if off.any():
                count, most = found.get(op.name, (0, 0))
                found[op.name] = count + np.count_nonzero(off), max(most, off.max())
    return found


def traced(name, digits):
    return qk.run_integer((FILES / f"{name}.tflite").read_bytes(), digits.x_test[:300])


@pytest.mark.parametrize("name", NETWORKS)
def test_each_tensor_is_that_of_tflite_micro(name, micro, digits, round_as_micro):
    round_as_micro(wide="int16" in name)
    assert differing(micro, traced(name, digits)) == {}


@pytest.mark.parametrize("name", EIGHT)
def test_in_eight_bits_few_outputs_of_dense_layers_differ(name, micro, digits):
    found = differing(micro, traced(name, digits))
    assert found.keys() <= {"FULLY_CONNECTED", "DEQUANTIZE"}
    assert all(count <= 3 and most < 1.01 for count, most in found.values())  # of 3,000


def test_in_sixteen_bits_one_output_in_ten_differs_as_its_multiplier_is_shorter(micro, digits):
    found = differing(micro, traced("trained_int16_activations", digits))
    assert found.keys() == {"FULLY_CONNECTED", "DEQUANTIZE"}
    count, most = found["FULLY_CONNECTED"]
    assert 150 < count < 600  # of 3,000
    assert most == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count"), [("full_integer", 4), ("qat", 8), ("int16_activations", 10_326)]
)
def test_of_a_hundred_thousand_outputs_so_many_differ_as_notebook_10_has_it(
    name, count, micro, mnist
):
    trace = qk.run_integer((FILES / f"trained_{name}.tflite").read_bytes(), mnist.x_test)
    assert differing(micro, trace)["FULLY_CONNECTED"] == (count, 1)


def test_sum_that_is_rounded_twice_shows_the_two_rules(micro, built, round_as_micro):
    """8 · 0.3 is 2.4: rounded to halves first it is 2.5, and 3 in the end."""
    x, weights = (((1, 1), "int8"), [1.0], [0], 0), (np.int8([[1]]), [1.0], [0], 0)
    bias, y = (np.int32([0]), [1.0], [0], 0), (((1, 1), "int8"), [1 / 0.3], [0], 0)
    dense = "FULLY_CONNECTED", "xwb", "y", "FullyConnectedOptions"
    tflite = built(({"x": x, "w": weights, "b": bias, "y": y}, [dense], "x", "y"))
    every = np.arange(-128, 128, dtype=np.int8)[:, None]
    trace = qk.run_integer(tflite, every)
    assert trace.output[every == 8] == 2
    assert differing(micro, trace) == {"FULLY_CONNECTED": (51, 1)}  # of 256
    round_as_micro(wide=False)
    trace = qk.run_integer(tflite, every)
    assert trace.output[every == 8] == 3
    assert differing(micro, trace) == {}
