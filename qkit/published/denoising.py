"""Cleaning waveforms that are loud or quiet: images read row by row, with noise added."""

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.evaluate.task import Task, TaskData

_TRAIN_WAVEFORMS, _TEST_WAVEFORMS = 20_000, 2000
_QUIETEST_DB = -40  # the loudest is at 0 dB
_NOISY_DB = 5  # signal to noise before anything is done


def data(images):
    """Return noisy waveforms and the clean ones.

    A waveform is an image read row by row, as a fax machine sends it. Its level is drawn evenly
    from 40 dB, as sources near and far have it, and white noise is added 5 dB below the signal of
    each. Training waveforms are made of training images alone, test waveforms of test images alone.

    Parameters
    ----------
    images : Dataset

    Returns
    -------
    TaskData
        Inputs and targets of shape (n, height · width): 20,000 to train on, where images come again
        with new levels and noise if they are fewer; and 2,000 to test on, or as many as there are.

    Examples
    --------
    >>> import qkit as qk
    >>> waveforms = data(qk.load_data("digits"))
    >>> waveforms.x_train.shape, waveforms.x_test.shape
    ((20000, 784), (500, 784))
    """
    rng = np.random.default_rng(0)
    n = len(images.x_train)
    rounds = -(-_TRAIN_WAVEFORMS // n)
    order = np.concatenate([rng.permutation(n) for _ in range(rounds)])[:_TRAIN_WAVEFORMS]
    train = _waveforms(images.x_train[order], rng)
    order = rng.permutation(len(images.x_test))[:_TEST_WAVEFORMS]
    test = _waveforms(images.x_test[order], rng)
    return TaskData(*train, *test, f"images of {images.name} as noisy waveforms")


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
    """Return, for each waveform, the energy of the signal and of what is wrong.

    Parameters
    ----------
    outputs, clean : ndarray of shape (n, samples)

    Returns
    -------
    ndarray of shape (n, 2), float64

    Examples
    --------
    >>> tallies(np.array([[0.0, 2.0]]), np.array([[0.0, 3.0]])).tolist()
    [[9.0, 1.0]]
    """
    clean = clean.astype(np.float64)
    return np.stack([(wave**2).sum(axis=1) for wave in (clean, outputs - clean)], axis=1)


def snr_db(tallies):
    """Return the signal-to-noise ratio of each waveform.

    Parameters
    ----------
    tallies : ndarray of shape (n, 2)
        Energies of the signal and of what is wrong.

    Returns
    -------
    ndarray of shape (n,), dB

    Examples
    --------
    >>> snr_db(np.array([[100.0, 1.0], [3.0, 3.0]])).tolist()
    [20.0, 0.0]
    """
    signal, wrong = tallies.T
    return 10 * np.log10(signal / wrong)


def mean_snr_db(tallies, weights):
    """Return the mean of the signal-to-noise ratios of all waveforms.

    Parameters
    ----------
    tallies : ndarray of shape (n, 2)
    weights : ndarray of shape (n,)

    Returns
    -------
    float
        In dB.

    Notes
    -----
    Decibels are averaged, not energies: the segmental SNR of speech coding. The ratio of summed
    energies is the loudest waveforms' alone: what becomes of a waveform 30 dB quieter changes it by
    a thousandth.

    Examples
    --------
    >>> mean_snr_db(np.array([[100.0, 1.0], [3.0, 3.0]]), np.ones(2))
    10.0
    """
    return float(np.average(snr_db(tallies), weights=weights))


def _waveforms(images, rng):
    """Return noisy and clean waveforms, both float32."""
    clean = images.reshape(len(images), -1).astype(np.float64)
    clean *= 10 ** (rng.uniform(_QUIETEST_DB, 0, (len(clean), 1)) / 20)
    power = (clean**2).mean(axis=1, keepdims=True)
    noise = rng.standard_normal(clean.shape) * np.sqrt(power) * 10 ** (-_NOISY_DB / 20)
    return (clean + noise).astype(np.float32), clean.astype(np.float32)


DENOISING = Task(
    name="denoising",
    metric="SNR",
    unit="dB",
    higher_is_better=True,
    data=data,
    loss=loss,
    tallies=tallies,
    score=mean_snr_db,
)
