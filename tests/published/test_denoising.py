"""Waveforms: as noisy and as loud as they say, and judged in decibels."""

import dataclasses

import numpy as np
import pytest

from qkit.published.denoising import data, denoiser, loss, mean_snr_db, snr_db, tallies


@pytest.fixture(scope="module")
def waveforms(digits):
    return data(digits)


@pytest.mark.slow
def test_noise_is_5_db_below_the_signal_at_every_level(waveforms):
    noisy = snr_db(tallies(waveforms.x_test, waveforms.y_test))
    assert noisy == pytest.approx(np.full(500, 5), abs=1)  # 784 samples: ±0.22 at one sigma
    assert noisy.mean() == pytest.approx(5, abs=0.05)


def test_levels_fill_40_db(waveforms):
    peak_db = 20 * np.log10(waveforms.y_train.max(axis=1))
    assert -41.5 < peak_db.min() < -39.5  # some images are not bright all the way
    assert -0.5 < peak_db.max() <= 0
    counts, _ = np.histogram(peak_db, bins=4, range=(-40, 0))
    assert counts == pytest.approx(np.full(4, 5000), rel=0.1)


def test_waveforms_are_the_rows_of_images_of_their_own_part(waveforms, digits):
    train, test = waveforms.y_train[:300], waveforms.y_test
    assert nearest(train, digits.x_train).min() > 0.999999
    assert nearest(test, digits.x_test).min() > 0.999999
    assert nearest(train, digits.x_test).max() < 0.9999


def nearest(waves, images):
    """Return how like each wave is to the image most like it, whatever their levels; at most 1."""
    unit = [
        rows / np.linalg.norm(rows, axis=1, keepdims=True)
        for rows in (waves.astype(float), images.reshape(len(images), -1).astype(float))
    ]
    return (unit[0] @ unit[1].T).max(axis=1)


def test_data_are_the_same_each_time(waveforms, digits):
    again = data(digits)
    for field in dataclasses.fields(again):
        np.testing.assert_array_equal(getattr(waveforms, field.name), getattr(again, field.name))


def test_loss_is_minus_the_snr(waveforms, tf):
    clean, noisy = waveforms.y_test, waveforms.x_test
    np.testing.assert_allclose(-loss(clean, noisy), snr_db(tallies(noisy, clean)), atol=1e-3)


def test_level_does_not_matter():
    rng = np.random.default_rng(0)
    clean, outputs = rng.normal(size=(2, 5, 100))
    first, quieter = (snr_db(tallies(f * outputs, f * clean)) for f in (1, 0.01))
    np.testing.assert_allclose(first, quieter)


def test_weight_two_is_the_waveform_twice():
    energies = np.array([[4.0, 1.0], [9.0, 3.0], [5.0, 5.0]])
    twice = mean_snr_db(energies[[0, 0, 2]], np.ones(3))
    assert mean_snr_db(energies, np.array([2, 0, 1])) == pytest.approx(twice)


def test_energies_and_decibels_by_hand():
    assert tallies(np.array([[0.0, 2.0]]), np.array([[0.0, 3.0]])).tolist() == [[9.0, 1.0]]
    assert snr_db(np.array([[100.0, 1.0], [3.0, 3.0]])).tolist() == [20.0, 0.0]
    assert mean_snr_db(np.array([[100.0, 1.0], [3.0, 3.0]]), np.ones(2)) == 10.0


def test_denoiser_keeps_the_length_and_sees_a_row_before_and_after():
    model = denoiser()
    assert model.input_shape == model.output_shape == (None, 784)
    wave = np.random.default_rng(0).random((2, 784), np.float32)
    wave[1] = wave[0]
    wave[1, 400] += 1
    first, second = model(wave).numpy()
    # two equal rows of a batch may differ in the last bit, by the kernels of a processor
    assert np.flatnonzero(~np.isclose(first, second, atol=1e-5))[[0, -1]].tolist() == [372, 428]
