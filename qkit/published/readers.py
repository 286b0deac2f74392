"""Two readers of strips of digits: one of convolutions, and one with a recurrent layer."""

from qkit._tensorflow import tensorflow


def strip_cnn(*, seed=0):
    """Return a small relative of Wav2letter: convolutions along a strip, a symbol's score a step.

    Columns of the strip take the place of frames of sound, and their pixels that of frequencies. A
    first convolution halves the number of steps, three wide ones follow, then two of width 1, each
    with ReLU; the last gives the logits.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Sequential
        Input float32 of shape (n, 96, 14); output logits of shape (n, 48, 12). Not compiled.

    Notes
    -----
    After Collobert et al., "Wav2Letter: an end-to-end ConvNet-based speech recognition system"
    (2016).

    Examples
    --------
    >>> strip_cnn().output_shape
    (None, 48, 12)
    """
    keras = tensorflow().keras
    layers = keras.layers

    def convolution(number, channels, width, stride=1, activation="relu", name=None):
        return layers.Conv1D(
            channels, width, stride, "same", activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(100 * seed + number),
            name=name or f"conv{number}",
        )  # fmt: skip

    return keras.Sequential(
        [
            layers.InputLayer((96, 14), name="strip"),
            convolution(1, 48, 7, stride=2),
            convolution(2, 48, 5),
            convolution(3, 48, 5),
            convolution(4, 48, 5),
            convolution(5, 96, 1),
            convolution(6, 12, 1, activation=None, name="logits"),
        ],
        name="strip_cnn",
    )


def unrolled_rnn(*, cell="lstm", units=64, seed=0):
    """Return a small relative of DeepSpeech: a recurrent layer between dense ones, step by step.

    A step is a window of nine columns, taken every other column. Two dense layers with ReLU see it
    alone, the recurrent layer what came before it too, and two more dense layers give its logits.
    The recurrent layer is unrolled: the file holds its operators once for each of the 48 steps.

    Parameters
    ----------
    cell : {"lstm", "gru", "simple"}
        Kind of the recurrent layer; DeepSpeech's is an LSTM.
    units : int
        Of each layer but the last.
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Sequential
        Input float32 of shape (n, 96, 14); output logits of shape (n, 48, 12). Not compiled.

    Raises
    ------
    ValueError
        If there is no such cell.

    Notes
    -----
    After Hannun et al., "Deep Speech: scaling up end-to-end speech recognition" (2014), in the form
    of Mozilla's DeepSpeech 0.5.1: one direction, one LSTM. Their ReLU is clipped at 20.

    Examples
    --------
    >>> unrolled_rnn(cell="simple").output_shape
    (None, 48, 12)
    """
    keras = tensorflow().keras
    layers = keras.layers
    cells = {"lstm": layers.LSTM, "gru": layers.GRU, "simple": layers.SimpleRNN}
    if cell not in cells:
        raise ValueError(f"unrolled_rnn: cell must be one of {', '.join(cells)}, got {cell!r}.")
    seeds = iter(range(100 * seed, 100 * seed + 100))

    def glorot():
        return keras.initializers.GlorotUniform(next(seeds))

    def dense(name, size=units, activation="relu"):
        return layers.Dense(size, activation=activation, kernel_initializer=glorot(), name=name)

    window = layers.Conv1D(  # a dense layer over nine columns, at every other one
        units, 9, 2, "same", activation="relu", kernel_initializer=glorot(), name="window"
    )
    recurrent = cells[cell](
        units,
        return_sequences=True,
        unroll=True,
        kernel_initializer=glorot(),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        name=cell,
    )
    return keras.Sequential(
        [
            layers.InputLayer((96, 14), name="strip"),
            window,
            dense("dense1"),
            recurrent,
            dense("dense2"),
            dense("logits", 12, None),
        ],
        name=f"unrolled_{cell}",
    )
