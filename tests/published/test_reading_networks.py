"""The two readers of strips: built as they say, seeded, and able to read."""

import numpy as np
import pytest

import qkit as qk
from qkit.data import DataNotFoundError
from qkit.published.reading import (
    CHARACTER_ERROR_RATE,
    WORD_ERROR_RATE,
    data,
    loss,
    strip_cnn,
    unrolled_rnn,
)

CELLS = {"lstm": "LSTM", "gru": "GRU", "simple": "SimpleRNN"}
BUILDERS = [strip_cnn, unrolled_rnn]


@pytest.mark.parametrize("build", BUILDERS)
def test_gives_a_score_for_each_symbol_and_none_at_every_other_column(build):
    assert build().input_shape == (None, 96, 14)
    assert build().output_shape == (None, 48, 12)


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_layer_is_of_its_kind_and_unrolled(cell):
    layer = unrolled_rnn(cell=cell).get_layer(cell)
    assert type(layer).__name__ == CELLS[cell]
    assert (layer.unroll, layer.units) == (True, 64)


def test_a_step_knows_nothing_of_what_comes_later(tf):
    strip = np.random.default_rng(0).random((96, 14), np.float32)
    x = np.stack([strip, np.where(np.arange(96)[:, None] < 60, strip, 0)])
    first, second = unrolled_rnn()(x).numpy()
    np.testing.assert_array_equal(first[:27], second[:27])  # a window reaches four columns ahead
    assert not np.allclose(first[30:], second[30:])


@pytest.fixture(scope="module")
def strips():
    try:
        return data(qk.load_data("mnist"))
    except DataNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "batch_size", "metric", "limit"),
    [(strip_cnn, 32, WORD_ERROR_RATE, 0.13), (unrolled_rnn, 64, CHARACTER_ERROR_RATE, 0.07)],
)
def test_learns_to_read(build, batch_size, metric, limit, strips, lessons_cache):
    model = build()
    how = {"epochs": 8, "batch_size": batch_size, "learning_rate": 3e-3}
    qk.fit(model, strips, loss=loss, **how)
    tflite = qk.convert(model, "float32")
    assert qk.accuracy(tflite, strips.x_test, strips.y_test, metric=metric).value < limit
