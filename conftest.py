"""What tests and doctests share: no window opens, and the user's cache is left alone."""

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    """Return a cache folder that lives as long as the test session."""
    return tmp_path_factory.mktemp("qkit cache")


@pytest.fixture(autouse=True)
def _own_cache(request, session_cache, monkeypatch):
    # in the browser the notebooks train for minutes: there the user's cache is of use
    if not request.node.get_closest_marker("browser"):
        monkeypatch.setenv("QKIT_CACHE", str(session_cache))


# Doctests are looked for in every module, and two of one name cannot both be imported.
collect_ignore_glob = ["*conftest.py"]
