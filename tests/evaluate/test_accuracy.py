"""Accuracy is what one counts by hand, whatever the file takes, gives, and runs at once."""

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.accuracy import accuracy_of
from qkit.evaluate.digit import scores
from qkit.interpreter.run import open_interpreter
from qkit.tflite.probe import probe

BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]


def test_hand_worked():
    found = accuracy_of(np.array([0, 1, 2, 2, 1]), np.array([0, 1, 2, 0, 0]))
    assert (found.accuracy, found.n) == (0.6, 5)
    # by hand: (0.6 + 1.92/5 ± 1.96·√(0.24/5 + 0.9604/25)) / (1 + 3.8415/5)
    assert found.interval == pytest.approx((0.2307, 0.8824), abs=1e-4)
    assert str(found) == "0.6000 (95 % interval 0.2307 to 0.8824, n = 5)"
    assert repr(found) == f"Accuracy({found})"
    row = found.to_frame().iloc[0]
    assert (row["accuracy"], row["n"]) == (0.6, 5)
    assert (row["accuracy_low"], row["accuracy_high"]) == found.interval


@pytest.mark.parametrize(("right", "n"), [(0, 7), (7, 7), (1, 2), (9_816, 10_000), (450, 500)])
def test_interval_is_wilsons(right, n):
    labels = np.zeros(n, np.int64)
    predictions = (np.arange(n) >= right).astype(np.int64)
    z, p = 1.959963984540054, right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = accuracy_of(predictions, labels)
    assert found.accuracy == p
    assert found.interval == pytest.approx((middle - half, middle + half), abs=1e-9)


@pytest.mark.parametrize("name", BY_CONVERTER)
def test_batched_and_one_by_one_give_the_same_predictions(name, tflite, digits):
    assert probe(tflite(name), batch_size=167).batchable
    # two full batches and a part of one
    x, y = digits.x_test[:350], digits.y_test[:350]
    batched = qk.accuracy(tflite(name), x, y)
    alone = qk.accuracy(tflite(name), x, y, batched=False, threads=1)
    np.testing.assert_array_equal(batched.predictions, alone.predictions)
    np.testing.assert_array_equal(batched.labels, y)
    assert batched.accuracy == np.mean(batched.predictions == y)


def test_keras_model_and_its_float_file_agree(trained, tflite, digits):
    keras = qk.accuracy(trained, digits.x_test, digits.y_test)
    file = qk.accuracy(tflite("float32"), digits.x_test, digits.y_test)
    np.testing.assert_array_equal(keras.predictions, file.predictions)
    expected = trained(digits.x_test).numpy().argmax(axis=1)
    np.testing.assert_array_equal(keras.predictions, expected)
    assert keras.accuracy > 0.85


def test_every_image_counts_once_whatever_their_number(tflite, digits):
    every = scores(tflite("float32"), digits.x_test)
    for n in (1, 2, 166, 167, 168):
        np.testing.assert_allclose(
            scores(tflite("float32"), digits.x_test[:n]), every[:n], atol=1e-4
        )


def test_integer_input_and_output_go_through_the_files_own_grids(tflite, digits):
    interpreter = open_interpreter(tflite("full_integer_int8_io"))
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    (scale, zero_point), (out_scale, out_zero) = source["quantization"], target["quantization"]
    expected = []
    for image in digits.x_test[:20]:
        # halves go up
        whole = np.clip(np.floor(image / np.float32(scale) + 0.5) + zero_point, -128, 127)
        interpreter.set_tensor(source["index"], whole[None].astype(np.int8))
        interpreter.invoke()
        expected.append(interpreter.get_tensor(target["index"])[0].astype(float) - out_zero)
    given = scores(tflite("full_integer_int8_io"), digits.x_test[:20])
    np.testing.assert_allclose(given, np.array(expected) * out_scale, rtol=1e-5)
    # the file with float ends does the same inside
    inside = scores(tflite("full_integer"), digits.x_test[:20])
    np.testing.assert_allclose(given, inside, atol=1.01 * out_scale)


def test_values_beyond_the_grid_are_clipped_and_do_not_wrap(tflite, digits):
    x = digits.x_test[:20]
    inked = x > 0.5
    bright, capped = np.where(inked, 1000.0, x), np.where(inked, 1.0, x)
    name = "full_integer_int8_io"
    np.testing.assert_array_equal(
        scores(tflite(name), bright.astype(np.float32)),
        scores(tflite(name), capped.astype(np.float32)),
    )


def fixed_reshape(tf):
    """Return a network whose reshape knows of one image only, so that a batch cannot run."""
    image = tf.keras.Input((4, 4), batch_size=1)
    flat = tf.keras.layers.Lambda(lambda x: tf.reshape(x, (1, 16)))(image)
    return tf.keras.Model(image, tf.keras.layers.Dense(3, name="logits")(flat))


def mixed_batch(tf):
    """Return a network whose answer for an image depends on the others in its batch."""
    image = tf.keras.Input((4, 4))
    scaled = tf.keras.layers.Lambda(lambda x: x / tf.reduce_max(x))(image)
    flat = tf.keras.layers.Flatten()(scaled)
    return tf.keras.Model(image, tf.keras.layers.Dense(3, name="logits")(flat))


@pytest.mark.parametrize("build", [fixed_reshape, mixed_batch])
def test_file_that_cannot_be_batched_runs_one_by_one(build, tf, toy_data):
    model = build(tf)
    tflite = qk.convert(model, "float32")
    assert not probe(tflite, batch_size=20).batchable
    found = qk.accuracy(tflite, toy_data.x_test, toy_data.y_test)
    alone = np.concatenate([model(image[None]).numpy() for image in toy_data.x_test])
    np.testing.assert_array_equal(found.predictions, alone.argmax(axis=1))


@pytest.mark.parametrize("metric", [None, qk.Metric("sum", "", True, np.subtract, np.mean)])
def test_a_score_that_is_no_number_is_no_prediction(toy_tflite, edited, toy_data, metric):
    def lose(model):
        (kernel,) = (t.buffer for t in model.subgraphs[0].tensors if tuple(t.shape) == (3, 5))
        model.buffers[kernel].data = np.full(15, np.nan, np.float32).view(np.uint8)

    lost, x = edited(toy_tflite, lose), toy_data.x_test
    with pytest.raises(ValueError, match="gives NaN for 20 of 20 items, first for item 0"):
        qk.accuracy(lost, x, toy_data.y_test, metric=metric)


def test_float64_images_and_other_integer_labels_are_taken(toy_tflite, toy_data):
    plain = qk.accuracy(toy_tflite, toy_data.x_test, toy_data.y_test)
    other = qk.accuracy(
        bytearray(toy_tflite),
        toy_data.x_test.astype(np.float64),
        toy_data.y_test.astype(np.uint8).tolist(),
    )
    np.testing.assert_array_equal(plain.predictions, other.predictions)
    assert other.labels.dtype == np.int64


def test_measuring_is_silent(toy_tflite, toy_data, capfd):
    qk.accuracy(toy_tflite, toy_data.x_test, toy_data.y_test)
    assert capfd.readouterr() == ("", "")


def test_the_first_images_alone():  # notebooks 04 and 08 ask for it
    found = accuracy_of(np.array([0, 1, 2, 2, 1]), np.array([0, 1, 2, 0, 0])).first(3)
    assert (found.accuracy, found.n) == (1.0, 3)


def test_predictions_may_be_lists_and_must_be_one_a_label():
    assert qk.accuracy_of([1, 2, 3], [1, 2, 0]).accuracy == pytest.approx(2 / 3)
    with pytest.raises(
        ValueError,
        match=r"one prediction a label, and one or more, got the shapes \(2,\) and \(3,\)",
    ):
        qk.accuracy_of([1, 2], [1, 2, 3])
