"""What tests, doctests and notebooks share: no window opens, and the user's cache is left alone."""

import os

import matplotlib
import pytest

matplotlib.use("Agg")

pytest_plugins = ["tools.notebook_lines"]


def pytest_configure(config):
    """Let workers that share the cores not wait for each other's threads.

    A notebook's kernel has what its worker has: what one trains, another may take.
    """
    if hasattr(config, "workerinput"):
        for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
            os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    """Return a cache folder that lives as long as the test session."""
    return tmp_path_factory.mktemp("qkit cache")


@pytest.fixture(autouse=True)
def _own_cache(request, session_cache, monkeypatch):
    # in the browser the notebooks train for minutes: there the user's cache is of use
    lessons = "lessons_cache" in request.fixturenames or request.node.get_closest_marker("browser")
    if not lessons:
        monkeypatch.setenv("QKIT_CACHE", str(session_cache))


@pytest.fixture
def lessons_cache():
    """Let a test take what the lessons trained, where they ran before: the user's cache."""


# Doctests are looked for in every module, and two of one name cannot both be imported.
collect_ignore_glob = ["*conftest.py"]
