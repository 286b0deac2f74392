"""What relatives of published networks learn on the genuine MNIST."""

import pytest

import qkit as qk
from qkit.data import DataNotFoundError
from qkit.published import RELATIVES, int16_effect


@pytest.fixture
def on_mnist(lessons_cache):
    """Return a function from the name of a relative to its values on MNIST."""
    try:
        mnist = qk.load_data("mnist")
    except DataNotFoundError as error:
        pytest.skip(str(error))
    return lambda name: {k: s.value for k, s in int16_effect(RELATIVES[name], mnist).scores.items()}
