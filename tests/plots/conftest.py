"""What holds for every test of a picture."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure


@pytest.fixture(autouse=True)
def closed(figures, monkeypatch):
    """Close all figures after a test, and fail where a plot calls show()."""

    def show(*args, **kwargs):
        raise AssertionError("a plot must not call show()")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(Figure, "show", show)
