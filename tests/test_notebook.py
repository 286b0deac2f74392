"""What notebooks lean on: answers checked, progress in one line, TensorFlow's chatter kept in."""

import os
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.plots.style import mark
from qkit.progress import progress_line


@pytest.mark.parametrize(
    ("answer", "is_right", "said"),
    [
        (..., 3, "not answered yet"),
        (..., lambda a: a > 1, "not answered yet"),
        (3, 3, "right"),
        (3.0, 3, "right"),
        (4, 3, "not yet: count again"),
        (None, 3, "not yet: count again"),
        ("int8", lambda a: a in ("int8", "uint8"), "right"),
        ("int4", lambda a: a in ("int8", "uint8"), "not yet: count again"),
    ],
)
def test_check(answer, is_right, said, capsys):
    qk.check(answer, is_right, "count again")
    assert capsys.readouterr().out == said + "\n"


def test_check_without_a_hint(capsys):
    qk.check(4, 3)
    assert capsys.readouterr().out == "not yet\n"


def test_setup_notebook_makes_figures_and_tables_legible(tf, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    with mpl.rc_context(), pd.option_context("display.precision", 6), warnings.catch_warnings():
        qk.setup_notebook()
        assert mpl.rcParams["figure.constrained_layout.use"]
        assert (mpl.rcParams["figure.dpi"], mpl.rcParams["font.size"]) == (110, 10)
        colours = [entry["color"] for entry in mpl.rcParams["axes.prop_cycle"]]
        assert colours == [mark(row)[0] for row in range(len(colours))], "as in qkit's pictures"
        assert pd.get_option("display.precision") == 4
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_progress_writes_nothing_into_a_pipe(capfd):
    with progress_line() as show:
        show("half way")
    assert capfd.readouterr() == ("", "")


def test_progress_is_one_line_that_rewrites_itself_in_a_terminal(tmp_path, monkeypatch):
    with open(tmp_path / "terminal", "w", newline="") as terminal:
        monkeypatch.setattr(sys, "stdout", Terminal(terminal))
        monkeypatch.setattr(sys, "__stdout__", sys.stdout)
        with progress_line() as show, qk.quiet():
            show("half way")
            show("done")
    assert (tmp_path / "terminal").read_bytes() == b"\r\x1b[Khalf way\r\x1b[Kdone\n"


class Terminal:
    """A file that says that it is a terminal."""

    def __init__(self, file):
        self._file = file

    def isatty(self):
        return True

    def __getattr__(self, name):
        return getattr(self._file, name)


def test_progress_is_one_display_that_updates_in_a_kernel(monkeypatch):
    import IPython
    import IPython.display

    shown = []

    class Handle:
        def display(self, bundle, raw):
            shown.append(("display", bundle["text/plain"]))

        def update(self, bundle, raw):
            shown.append(("update", bundle["text/plain"]))

    class Shell:
        kernel = "here"

    monkeypatch.setattr(IPython, "get_ipython", Shell)
    monkeypatch.setattr(IPython.display, "DisplayHandle", Handle)
    with progress_line() as show:
        for text in ("one", "two", "three"):
            show(text)
    assert shown == [("display", "one"), ("update", "two"), ("update", "three")]


def test_quiet_swallows_streams_descriptors_and_warnings(capfd):
    with qk.quiet():
        print("from Python")
        print("from Python", file=sys.stderr)
        os.write(1, b"from C")
        os.write(2, b"from C")
        warnings.warn("a warning", stacklevel=1)
    assert capfd.readouterr() == ("", "")
    print("afterwards")
    os.write(2, b"as before")
    assert capfd.readouterr() == ("afterwards\n", "as before")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_quiet_attaches_what_was_said_to_the_error():
    @qk.quiet()
    def fail():
        print("the Python side")
        os.write(2, b"the C++ side")
        return 1 / 0

    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    (note,) = caught.value.__notes__
    assert "the Python side" in note
    assert "the C++ side" in note


def test_quiet_leaves_a_silent_error_as_it_is():
    with pytest.raises(ZeroDivisionError) as caught, qk.quiet():
        _ = 1 / 0
    assert not hasattr(caught.value, "__notes__")


def test_quiet_gives_the_descriptors_back_after_an_error(capfd):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), qk.quiet():
            _ = np.int64(1) // 1 and 1 / 0
    os.write(1, b"heard")
    assert capfd.readouterr().out == "heard"
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_environment_names_machine_and_versions():
    found = qk.environment()
    assert found.python == sys.version.split()[0]
    assert found.cores == os.cpu_count()
    assert found.cpu
    assert found.missing == ()
    assert found.versions["numpy"] == np.__version__
    table = found.to_frame()["found"]
    assert table["cpu"] == found.cpu
    assert table["numpy"] == np.__version__
    for text in (found.cpu, f"Python {found.python}", found.versions["tensorflow"]):
        assert text in str(found)
    assert found.cpu in found._repr_html_()


def test_missing_package_is_named(monkeypatch):
    from qkit import machine

    monkeypatch.setattr(machine, "_PACKAGES", (*machine._PACKAGES, "no-such-package-anywhere"))
    assert qk.environment().missing == ("no-such-package-anywhere",)
