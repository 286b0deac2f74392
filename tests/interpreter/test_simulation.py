"""The simulation answers as the converted file does, and only what was asked for is on a grid."""

import numpy as np
import pytest

import qkit as qk
from qkit import simulation
from qkit.evaluate.digit import scores
from qkit.quantize.grid import PerAxis, PerTensor, choose_qparams, fake_quantize
from qkit.tflite.edit import with_weights
from qkit.tflite.file import TfliteError, inspect


@pytest.fixture(scope="module")
def ranges(float_file, calibration):
    return simulation.calibrated_ranges(float_file, calibration)


def steps_apart(simulated, converted, x):
    """Return by how many steps of the output's grid two files differ at most, and how often."""
    output = next(t for t in reversed(inspect(converted).activations) if t.scale.size)
    difference = np.abs(scores(simulated, x) - scores(converted, x)) / output.scale[0]
    return np.rint(difference).max(), (difference > 0.5).mean()


def test_int8_is_simulated_to_within_a_step(float_file, ranges, tflite, digits):
    simulated = simulation.at_bits(float_file, ranges)
    most, often = steps_apart(simulated, tflite("full_integer"), digits.x_test)
    assert most <= 1
    assert often < 0.02


def test_int16_activations_are_simulated(float_file, ranges, tflite, digits):
    simulated = simulation.at_bits(float_file, ranges, activation_bits=16)
    ours, theirs = (scores(f, digits.x_test[:50]) for f in (simulated, tflite("int16_activations")))
    assert np.abs(ours - theirs).max() < 2e-3 * np.abs(theirs).max()


def test_a_network_with_folded_batch_norm_is_simulated(depthwise_tflite, digits, calibration):
    float_file, converted = depthwise_tflite("float32"), depthwise_tflite("full_integer")
    names = [layer.name for layer in simulation.layers(float_file)]
    assert names[:3] == ["stem", "block1_dw", "block1_pw"]
    assert names[-1] == "logits"
    ranges = simulation.calibrated_ranges(float_file, calibration)
    simulated = simulation.at_bits(float_file, ranges)
    most, often = steps_apart(simulated, converted, digits.x_test[:200])
    assert most <= 3
    assert often < 0.3
    agree = scores(simulated, digits.x_test).argmax(1) == scores(converted, digits.x_test).argmax(1)
    assert agree.mean() > 0.98


def test_ranges_are_those_of_the_converter(ranges, tflite):
    logits = list(ranges)[-1]
    output = next(t for t in reversed(inspect(tflite("full_integer")).activations) if t.scale.size)
    ours = choose_qparams(np.float32(ranges[logits]))
    # sums of 2,028 products: the converter's own build adds them in another order
    np.testing.assert_array_max_ulp(ours.scale, output.scale, maxulp=4)
    assert ours.zero_point == output.zero_point
    assert next(iter(ranges.values())) == (0.0, 1.0)


def test_nothing_asked_for_is_nothing_changed(float_file, ranges, digits):
    for same in (
        simulation.simulate(float_file),
        simulation.at_bits(float_file, ranges, weight_bits=None, activation_bits=None),
    ):
        assert np.array_equal(
            scores(same, digits.x_test[:20]), scores(float_file, digits.x_test[:20])
        )


@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_weights_are_on_the_grid_that_was_chosen(float_file, ranges, bits):
    coarse = simulation.at_bits(float_file, ranges, weight_bits={"logits": bits})
    before, after = simulation.layers(float_file), simulation.layers(coarse)
    assert np.array_equal(before[0].weights, after[0].weights)
    qparams = choose_qparams(
        before[1].weights, bits=bits, symmetric=True, granularity=PerAxis(before[1].axis)
    )
    assert np.array_equal(after[1].weights, fake_quantize(before[1].weights, qparams))


def test_granularity_is_a_choice(float_file, ranges):
    coarse = simulation.at_bits(float_file, ranges, granularity=lambda axis: PerTensor())
    assert len(np.unique(simulation.layers(coarse)[0].weights)) <= 108


def test_activations_take_no_more_values_than_their_bits_allow(float_file, ranges, digits):
    coarse = simulation.at_bits(float_file, ranges, weight_bits=None, activation_bits=3)
    assert len(np.unique(scores(coarse, digits.x_test[:50]))) <= 8
    only_input = simulation.at_bits(
        float_file, ranges, weight_bits=None, activation_bits={"input": 2}
    )
    assert len(np.unique(scores(only_input, digits.x_test[:50]))) > 8
    assert not np.array_equal(
        scores(only_input, digits.x_test[:5]), scores(float_file, digits.x_test[:5])
    )


def test_the_file_stays_fit_for_batches(float_file, ranges, digits):
    simulated = simulation.at_bits(float_file, ranges)
    one_by_one = scores(simulated, digits.x_test[:20], batched=False)
    assert np.allclose(scores(simulated, digits.x_test[:20]), one_by_one, atol=0.2)


def test_an_observer_chooses_the_ranges(float_file, calibration):
    narrow = simulation.calibrated_ranges(
        float_file, calibration, lambda batches: qk.calibration.percentile(batches, 90)
    )
    wide = simulation.calibrated_ranges(float_file, calibration)
    for name, (low, high) in narrow.items():
        assert wide[name][0] <= low
        assert high <= wide[name][1]
    assert narrow != wide


def test_wrong_names_and_files_are_refused(float_file, tflite, calibration):
    grid = choose_qparams(np.float32([0, 1]))
    with pytest.raises(ValueError, match="weights names 'conv', which is not in the file"):
        simulation.simulate(float_file, weights={"conv": grid})
    with pytest.raises(ValueError, match="activations names 'pool'"):
        simulation.simulate(float_file, activations={"pool": grid})
    with pytest.raises(ValueError, match="bits: ranges names 'pool', which is no activation"):
        simulation.bits(float_file, {"pool": (0.0, 1.0)})
    logits = list(simulation.calibrated_ranges(float_file, calibration[:1]))[-1]
    per_channel = choose_qparams(np.eye(3, dtype=np.float32), granularity=PerAxis(0))
    with pytest.raises(ValueError, match="must have one scale, got 3"):
        simulation.simulate(float_file, activations={logits: per_channel})
    with pytest.raises(TfliteError, match="Pass the float file"):
        simulation.layers(tflite("full_integer"))


def test_grids_of_another_file_are_refused(float_file, depthwise_tflite, ranges):
    for options in ({}, {"weight_bits": None}):
        change = simulation.bits(float_file, ranges, **options)
        with pytest.raises(ValueError, match=r"no weights .* the change is of another file"):
            change.applied(depthwise_tflite("float32"))


def test_given_weights_take_the_place_of_those_in_the_file(float_file, digits):
    conv, logits = simulation.layers(float_file)
    changed = with_weights(float_file, {logits.weights_name: 2 * logits.weights})
    after = simulation.layers(changed)
    assert np.array_equal(after[0].weights, conv.weights)
    assert np.array_equal(after[1].weights, 2 * logits.weights)
    none = np.zeros_like(logits.weights)
    blind = scores(with_weights(float_file, {logits.weights_name: none}), digits.x_test[:5])
    assert np.all(blind == blind[0])  # only the bias is left
    assert not np.array_equal(scores(changed, digits.x_test[:5]), blind)
