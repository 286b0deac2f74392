"""Whole files run in integers: each tensor is that of the reference kernels, to the last bit."""

from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.quantize import integer
from qkit.tflite.file import TfliteError

FILES = Path(__file__).parents[1] / "files"
WALKTHROUGH = ("full_integer", "full_integer_int8_io", "qat", "pqat", "cqat", "pcqat",
               "int16_activations")  # fmt: skip
# Files of other networks whose operators are all covered.
OTHERS = ("depthwise_full_integer", "ties_inception_full_integer",
          "ties_inception_int16_activations", "ties_joined_full_integer",
          "ties_joined_int16_activations", "ties_residual_full_integer",
          "ties_residual_int16_activations", "zoo_backbone_full_integer", "zoo_concat_full_integer",
          "zoo_conv1d_full_integer", "zoo_repeated_full_integer", "zoo_separable_full_integer",
          "zoo_two_inputs_full_integer")  # fmt: skip


def stored(name):
    return (FILES / f"{name}.tflite").read_bytes()


def some(tflite, count):
    """Return numbers for each input of a file, by name."""
    rng, inputs = np.random.default_rng(0), qk.inspect(tflite).inputs
    found = {t.name: rng.random((count, *t.shape[1:]), np.float32) for t in inputs}
    found = {name.removeprefix("serving_default_")[:-2]: x for name, x in found.items()}
    return found if len(found) > 1 else next(iter(found.values()))


def reference(tflite, trace):
    """Yield for each run what each tensor holds after the reference kernels ran the whole file."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=tflite,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    for run in trace.runs():
        for tensor in trace.file.inputs:
            interpreter.set_tensor(tensor.index, run[tensor.index])
        interpreter.invoke()
        written = (t.index for op in trace.file.operators for t in op.outputs)
        yield run, {index: interpreter.get_tensor(index) for index in written}


@pytest.mark.parametrize("name", [*(f"trained_{name}" for name in WALKTHROUGH), *OTHERS])
def test_each_tensor_is_that_of_the_reference_kernels(name, digits):
    tflite = stored(name)
    plain = name.startswith("trained")
    trace = qk.run_integer(tflite, digits.x_test[:60] if plain else some(tflite, 20))
    for run, theirs in reference(tflite, trace):
        for index, wanted in theirs.items():
            assert run[index].dtype == wanted.dtype
            np.testing.assert_array_equal(run[index], wanted)
    assert qk.kernel_differences(trace).differing == 0


# Notebook 10 asks as much of files of its own.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("trained_full_integer", "trained_qat", "trained_int16_activations"),
        "depthwise_full_integer",
    ],
)
def test_thousands_of_images_have_no_other_bit(name, mnist):
    trace = qk.run_integer(stored(name), mnist.x_test[:2000])
    found = qk.kernel_differences(trace)
    assert found.differing == 0
    assert found.items == 2000


@pytest.mark.slow
def test_nor_has_the_depthwise_network_behind_the_grid_of_training(mnist, kept_weights, tf):
    model = qk.models.depthwise_cnn()
    model.set_weights(kept_weights("depthwise"))
    aware = qk.quantization_aware(model, calibration=mnist.x_train[:300])
    trace = qk.run_integer(qk.convert(aware, "qat"), mnist.x_test[:2000])
    assert qk.kernel_differences(trace).differing == 0


def test_fault_in_one_weight_is_seen_in_each_tensor_behind_it(digits, monkeypatch):
    real = integer.stored_values

    def wrong(tensor):
        values = real(tensor).copy()
        values.flat[0] += tensor.shape[1:3] == (3, 3)
        return values

    monkeypatch.setattr(integer, "stored_values", wrong)
    trace = qk.run_integer(stored("trained_full_integer"), digits.x_test[:20])
    table = qk.kernel_differences(trace).table
    assert [*table["operator"][table["differing"] > 0]] == ["CONV_2D"]  # the rest is fed alike


def test_what_is_computed_does_not_hang_on_how_many_items_come_at_once(digits, monkeypatch):
    tflite, x = stored("trained_full_integer"), digits.x_test[:30]
    whole = qk.run_integer(tflite, x)
    monkeypatch.setattr(integer, "_BLOCK", 1)
    for number, values in qk.run_integer(tflite, x).tensors.items():
        np.testing.assert_array_equal(values, whole.tensors[number])


def test_integers_on_the_inputs_grid_are_taken_as_they_are(digits):
    tflite, x = stored("trained_full_integer_int8_io"), digits.x_test[:10]
    trace = qk.run_integer(tflite, x)
    (tensor,) = trace.file.inputs
    again = qk.run_integer(tflite, trace.tensors[tensor.index])
    np.testing.assert_array_equal(trace.output, again.output)
    assert trace.tensors[tensor.index].dtype == np.int8


def test_trace_names_its_tensors_and_gives_their_real_numbers(digits):
    trace = qk.run_integer(stored("trained_full_integer"), digits.x_test[:10])
    table = trace.table
    conv = table[table["operator"] == "CONV_2D"].iloc[0]
    assert trace[conv["tensor"]] is trace[conv["index"]]
    assert trace[conv["index"]].shape == (10, 26, 26, 12)
    assert trace.real(conv["index"]).min() == 0  # after a ReLU
    assert trace.real(trace.file.outputs[0].index) is trace.output  # float already
    kernel = trace.file.operators[conv["number"]].inputs[1]
    np.testing.assert_allclose(
        trace.real(kernel.index), trace[kernel.index] * kernel.scale[:, None, None, None]
    )
    assert trace.output.shape == (10, 10)
    with pytest.raises(KeyError, match="0 tensors are called 'nothing'"):
        trace["nothing"]


def test_fixed_batch_is_filled_up_and_the_filling_is_not_given_back(tf, digits):
    layers = [tf.keras.layers.InputLayer((28, 28), batch_size=4), tf.keras.layers.Flatten(),
              tf.keras.layers.Dense(10)]  # fmt: skip
    tflite = qk.convert(tf.keras.Sequential(layers), "full_integer", digits.x_train[:8])
    trace = qk.run_integer(tflite, digits.x_test[:6])
    assert trace.output.shape == (6, 10)
    two_more = qk.run_integer(tflite, digits.x_test[:8])
    np.testing.assert_array_equal(trace.output, two_more.output[:6])
    for few in (two_more, trace, qk.run_integer(tflite, digits.x_test[:2])):  # two runs, or one
        assert len([*few.runs()]) == -(-few.items // 4)
        assert qk.kernel_differences(few).differing == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("trained_float32", "tensor .* of CONV_2D is float32: this operator computes in floating"),
        ("trained_dynamic_range", "of CONV_2D is float32"),
        ("zoo_attention_full_integer", "BATCH_MATMUL is not covered. Covered: QUANT"),
        ("zoo_state_float32", "the file has 2 graphs"),
    ],
)
def test_what_is_not_covered_is_refused_by_name(name, told):
    with pytest.raises(TfliteError, match=f"run_integer: .*{told}"):
        qk.run_integer(tflite := stored(name), some(tflite, 2))


@pytest.mark.parametrize("kernels", ["optimized", "xnnpack"])
def test_other_kernels_are_within_a_step(kernels, digits):
    trace = qk.run_integer(stored("trained_full_integer"), digits.x_test[:100])
    found = qk.kernel_differences(trace, kernels)
    assert found.table["largest_difference_steps"].max() <= 1


def test_floats_that_are_moved_and_grids_by_channel_are_held_against_kernels_too(built):
    scales, shape = np.float32([0.1, 0.5, 2]), (1, 2, 3)
    tensors = {"x": ((1, 6), "float32"), "to": np.int32(shape), "moved": (shape, "float32"),
               "q": ((shape, "int8"), scales, [0, -9, 5], 2), "y": (shape, "float32")}  # fmt: skip
    operators = [("RESHAPE", ["x", "to"], ["moved"], "ReshapeOptions"),
                 ("QUANTIZE", ["moved"], ["q"], "QuantizeOptions"),
                 ("DEQUANTIZE", ["q"], ["y"], "DequantizeOptions")]  # fmt: skip
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    trace = qk.run_integer(built((tensors, operators, ["x"], ["y"])), x)
    table = qk.kernel_differences(trace).table
    assert [*table["differing"]] == [*table["largest_difference_steps"]] == [0, 0, 0]
    np.testing.assert_array_equal(trace.real("q"), trace.output)
    trace.held[trace.file.outputs[0].index] += 2 * scales  # in the steps of each channel
    steps = qk.kernel_differences(trace).table["largest_difference_steps"]
    np.testing.assert_allclose(steps, [0, 0, 2], rtol=1e-5)


def test_sums_are_what_was_rounded(digits):
    trace = qk.run_integer(stored("trained_full_integer"), digits.x_test[:5])
    number = [op.name for op in trace.file.operators].index("CONV_2D")
    source, weights, bias = (
        trace[t.index].astype(np.int64) for t in trace.file.operators[number].inputs
    )
    by_hand = ((source[0, :3, :3] + 128) * weights[7]).sum() + bias[7]
    assert trace.accumulators(number)[0, 0, 0, 7] == by_hand
    with pytest.raises(ValueError, match="MAX_POOL_2D, has no sums"):
        trace.accumulators(number + 1)


def test_unknown_kernels_are_refused(digits):
    trace = qk.run_integer(stored("trained_full_integer"), digits.x_test[:2])
    with pytest.raises(ValueError, match="kernels must be"):
        qk.kernel_differences(trace, "BUILTIN_REF")
    with pytest.raises(TypeError, match="kernel_differences: trace must be"):
        qk.kernel_differences(trace.tensors)
