"""What a calibration sample does: held against the real converter, and shares by hand."""

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.calibration_effect import (
    IMAGES,
    OBSERVERS,
    activation_histograms,
    calibration_effect,
    calibration_sample,
)
from qkit.interpreter.run import intermediate
from qkit.tflite.file import inspect


@pytest.fixture(scope="module")
def effect(tflite, digits):
    seen = activation_histograms(tflite("float32"), digits.x_test[:100])
    reference = qk.accuracy(tflite("float32"), digits.x_test[:100], digits.y_test[:100])

    def measure(**asked):
        return calibration_effect(
            tflite("float32"), digits, test_images=100, seen=seen, reference=reference, **asked
        )

    return measure


def ends(effect, name):
    """Return the smallest and the largest number of an activation's grid."""
    return tuple(effect.table.loc[name, ["low", "high"]])


@pytest.mark.parametrize("images", ["random", "noise", "0…255"])
def test_it_is_the_real_converter_on_the_very_same_images(images, trained, tflite, digits):
    sample = calibration_sample(digits, images=images, size=30)
    real = qk.convert(trained, "full_integer", sample)
    found = calibration_effect(tflite("float32"), digits, images=images, sample_size=30)
    predicted = qk.accuracy(real, digits.x_test, digits.y_test).predictions
    assert np.mean(predicted == found.paired.b.predictions) >= 0.99

    on_grids = {t.name: t for t in inspect(real).activations if t.scale.size}
    conv = next(t for name, t in on_grids.items() if "conv/" in name)
    low, high = ends(found, "conv")
    assert conv.scale[0] == pytest.approx((high - low) / 255, rel=1e-6)


def test_clipping_and_levels_are_what_a_count_gives(effect, tflite, digits):
    found = effect(images="one class", one_class=1, sample_size=3, observer="percentile 99")
    file, x = tflite("float32"), digits.x_test[:100]
    tensors = qk.simulation.calibrated_ranges(file, x[:1])  # its keys
    for name, tensor in zip(found.table.index, tensors, strict=True):
        values = np.concatenate([v[tensor].ravel() for v in intermediate(file, x, [tensor])])
        low, high = ends(found, name)
        row = found.table.loc[name]
        step = (high - low) / 255
        beyond = (values < low - step / 2) | (values > high + step / 2)
        assert beyond.any() == (name != "input")  # whose largest value is the commonest
        assert row["clipped_share"] == pytest.approx(beyond.mean(), rel=0.05)
        span = min(values.min(), 0), max(values.max(), 0)
        assert (row["test_low"], row["test_high"]) == pytest.approx(span)
        kept = np.rint(np.clip(span, low, high) / step)
        assert row["levels_used"] == kept[1] - kept[0] + 1


def test_what_spans_the_test_images_clips_nothing(effect):
    found = effect(sample_size=1000, bits=8)
    assert found.table.loc["input", "clipped_share"] == 0
    assert found.table.loc["input", "levels_used"] == 256
    assert "Too coarse" not in found.summary()


def test_larger_samples_contain_the_smaller_ones(effect):
    spans = [np.ptp(ends(effect(sample_size=n), "logits")) for n in (1, 10, 100)]
    assert spans == sorted(spans)


def test_pixels_to_255_leave_two_levels_and_the_summary_says_why(effect):
    found = effect(images="0…255")
    assert found.table.loc["input", "levels_used"] == 2
    assert found.paired.b.accuracy < 0.5
    said = "Too coarse: input has 2 of 256 levels for its test values: its range is 255 times"
    assert found.summary().startswith(said)
    assert "more than noise" in found.summary()


def test_ranges_that_follow_slowly_are_still_about_where_they_start(effect):
    low, high = ends(effect(observer="moving average", sample_size=10), "input")
    assert low == pytest.approx(-6, abs=0.1)
    assert high == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("observer", OBSERVERS)
def test_each_observer_is_the_one_of_its_name(observer, effect, tflite, digits):
    found = effect(observer=observer, sample_size=5, bits=4)
    sample = calibration_sample(digits, size=5)
    chosen = qk.simulation.calibrated_ranges(tflite("float32"), sample, OBSERVERS[observer](4))
    for name, span in zip(found.table.index, chosen.values(), strict=True):
        grid = qk.grid.choose_qparams(np.float32(span), bits=4)
        assert ends(found, name) == (grid.low[0], grid.high[0])


def test_samples_are_what_their_names_say(digits):
    samples = {
        name: calibration_sample(digits, images=name, one_class=3, size=9) for name in IMAGES
    }
    assert all(x.shape == (9, 28, 28) and x.dtype == np.float32 for x in samples.values())
    assert np.array_equal(samples["0…255"], 255 * samples["random"])
    assert np.array_equal(samples["−1…1"], 2 * samples["random"] - 1)
    threes = digits.x_train[digits.y_train == 3]
    assert all((image == threes).all(axis=(1, 2)).any() for image in samples["one class"])
    assert 0.4 < samples["noise"].mean() < 0.6


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"images": "blank"}, "images must be one of 'random'"),
        ({"observer": "max"}, "observer must be one of 'min–max'"),
        ({"sample_size": 2000}, "size must be from 1 to 1,297"),
        ({"images": "one class", "one_class": 2, "sample_size": 900}, "images of class 2, got 900"),
        (
            {"images": "noise", "sample_size": 0},
            "a whole number of 1 or more, got 0",
        ),
    ],
)
def test_what_is_not_there_is_refused(asked, said, effect):
    with pytest.raises(ValueError, match=said):
        effect(**asked)


def test_the_table_has_a_row_for_each_activation(effect):
    frame = effect(sample_size=2).to_frame()
    assert frame.index.tolist() == ["input", "conv", "logits"]
    assert {"low", "test_high", "clipped_share", "levels_used"} <= {*frame.columns}


@pytest.fixture
def counted(monkeypatch):
    """Return how often interpreters are made and run, and files are parsed."""
    from ai_edge_litert import interpreter
    from ai_edge_litert.tools import flatbuffer_utils

    counts = {"interpreters": 0, "invocations": 0, "parses": 0}

    def counting(owner, name, what):
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            counts[what] += 1
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapped)

    counting(interpreter.Interpreter, "__init__", "interpreters")
    counting(interpreter.Interpreter, "invoke", "invocations")
    counting(flatbuffer_utils, "convert_bytearray_to_object", "parses")
    return counts


def test_the_network_runs_once_over_each_sample_and_is_opened_once(tf, digits, counted):
    file = qk.convert(qk.models.depthwise_cnn(), "float32")
    counted.update(dict.fromkeys(counted, 0))
    found = calibration_effect(file, digits, sample_size=10, test_images=16)
    assert len(found.table) == 12
    # before and after on sixteen images: as one batch each, where they fit
    assert counted["interpreters"] <= 8
    assert counted["invocations"] <= 10 + 16 + 2
    assert counted["parses"] <= 2  # once to look, once to change


def test_observers_and_bits_run_no_network_but_the_one_on_the_new_grids(
    effect, tflite, digits, counted
):
    sample = calibration_sample(digits, size=10)
    sampled = activation_histograms(tflite("float32"), sample)
    anew = effect(sample_size=10, observer="MSE", bits=6)
    counted.update(dict.fromkeys(counted, 0))
    found = effect(sample_size=10, observer="MSE", bits=6, sampled=sampled)
    assert counted["invocations"] == 1  # the accuracy on the new grids, all images at once
    assert found.table.equals(anew.table)
