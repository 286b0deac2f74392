"""Cleaning waveforms that are loud or quiet: the waveforms, a network, its loss, its SNR."""

from functools import partial

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.data import Dataset
from qkit.evaluate.tasks import Metric

_SAMPLES = 784  # an image of 28×28


def data(images):
    """Return noisy waveforms and the clean ones: images read row by row, as a fax machine does."""
    rng = np.random.default_rng(0)
    n = len(images.x_train)  # a small data set is read more than once
    order = np.concatenate([rng.permutation(n) for _ in range(0, 20_000, n)])
    train = _waveforms(images.x_train[order[:20_000]], rng)
    test = _waveforms(images.x_test[rng.permutation(len(images.x_test))[:2000]], rng)
    return Dataset(*train, *test, f"images of {images.name} as noisy waveforms", images.source)


def denoiser(*, seed=0):
    """Return four convolutions along the samples; each output sees a row of the image both ways."""
    keras = tensorflow().keras
    layers = keras.layers
    glorot = [keras.initializers.GlorotUniform(100 * seed + number) for number in range(5)]
    convolution = partial(layers.Conv1D, kernel_size=15, padding="same")
    return keras.Sequential(
        [
            layers.InputLayer((_SAMPLES,), name="noisy"),
            layers.Reshape((_SAMPLES, 1), name="samples"),
            convolution(16, activation="relu", kernel_initializer=glorot[1], name="conv1"),
            convolution(16, activation="relu", kernel_initializer=glorot[2], name="conv2"),
            convolution(16, activation="relu", kernel_initializer=glorot[3], name="conv3"),
            convolution(1, kernel_initializer=glorot[4], name="clean"),
            layers.Reshape((_SAMPLES,), name="waveform"),
        ],
        name="denoiser",
    )


def loss(clean, outputs):
    """Return the energy of what is wrong against that of the signal, in dB: minus the SNR.

    A loud waveform then counts no more than a quiet one; of squares, the loudest would be all.

    Parameters
    ----------
    clean, outputs : tensor of shape (n, samples)

    Returns
    -------
    tensor of shape (n,)
    """
    tf = tensorflow()
    signal, wrong = (tf.reduce_sum(wave**2, axis=1) for wave in (clean, outputs - clean))
    return 10 / np.log(10) * (tf.math.log(wrong) - tf.math.log(signal))


def tallies(outputs, clean):
    """Return, for each waveform, the energy of the signal and of what is wrong."""
    clean = clean.astype(np.float64)
    return np.stack([(wave**2).sum(axis=1) for wave in (clean, outputs - clean)], axis=1)


def snr_db(tallies):
    """Return the signal-to-noise ratio of each waveform."""
    signal, wrong = tallies.T
    return 10 * np.log10(signal / wrong)


def mean_snr_db(tallies, weights):
    """Return the mean of the decibels, as speech coding does: energies are the loudest ones'."""
    return float(np.average(snr_db(tallies), weights=weights))


def _waveforms(images, rng):
    """Return waveforms whose levels fill 40 dB evenly, with noise 5 dB below each, and without."""
    clean = images.reshape(len(images), -1).astype(np.float64)
    clean *= 10 ** (rng.uniform(-40, 0, (len(clean), 1)) / 20)
    power = (clean**2).mean(axis=1, keepdims=True)
    noise = rng.standard_normal(clean.shape) * np.sqrt(power) * 10 ** (-5 / 20)
    return (clean + noise).astype(np.float32), clean.astype(np.float32)


SNR = Metric("SNR", "dB", True, tallies, mean_snr_db)
