"""A denoiser of waveforms: convolutions along the samples."""

from qkit._tensorflow import tensorflow

_SAMPLES = 784  # an image of 28×28


def denoiser(*, seed=0):
    """Return a stack of one-dimensional convolutions that gives a cleaner waveform.

    Three convolutions of 16 channels with ReLU and one that gives the waveform, each over 15
    samples: a sample depends on the 28 before and after it, a row of an image.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Sequential
        Input and output float32 of shape (n, 784). Not compiled.

    Examples
    --------
    >>> denoiser().output_shape
    (None, 784)
    """
    keras = tensorflow().keras
    layers = keras.layers

    def convolution(number, channels, activation, name):
        return layers.Conv1D(
            channels, 15, padding="same", activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(100 * seed + number), name=name,
        )  # fmt: skip

    return keras.Sequential(
        [
            layers.InputLayer((_SAMPLES,), name="noisy"),
            layers.Reshape((_SAMPLES, 1), name="samples"),
            *(convolution(number, 16, "relu", f"conv{number}") for number in (1, 2, 3)),
            convolution(4, 1, None, "clean"),
            layers.Reshape((_SAMPLES,), name="waveform"),
        ],
        name="denoiser",
    )
