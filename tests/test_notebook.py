"""What notebooks lean on: progress in one line, TensorFlow's chatter kept in."""

import contextlib
import gc
import io
import os
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.plots.style import mark
from qkit.progress import progress_line


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


def test_what_is_loaded_is_no_garbage_and_what_a_notebook_makes_may_be(tf):
    with mpl.rc_context(), pd.option_context("display.precision", 6), warnings.catch_warnings():
        gc.unfreeze()
        qk.setup_notebook()
        loaded = gc.get_freeze_count()
        assert loaded > 100_000  # of TensorFlow
        made = [[] for _ in range(5000)]
        qk.setup_notebook()  # the first cell runs again
        assert gc.get_freeze_count() < loaded + len(made)


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


def test_progress_without_any_stdout_is_silent(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "__stdout__", None)  # as pythonw starts
    with progress_line() as show:
        show("half way")


def test_progress_in_a_terminal_that_knows_few_letters(tmp_path, monkeypatch):
    with open(tmp_path / "terminal", "w", encoding="latin-1") as terminal:
        monkeypatch.setattr(sys, "stdout", Terminal(terminal))
        monkeypatch.setattr(sys, "__stdout__", sys.stdout)
        with progress_line() as show:
            show("µs …")
    assert (tmp_path / "terminal").read_bytes().startswith(b"\r\x1b[K\xb5s ?")


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


OVERLAPPING = """
import os, sys, threading, warnings
import qkit as qk

inside, outside = threading.Barrier(3), threading.Barrier(3)
streams = sys.stdout, sys.stderr
before = [os.fstat(n)[:2] for n in (1, 2)]

def talk(number):
    with qk.quiet():
        inside.wait()
        print("never")
        os.write(2, b"never")
        warnings.warn("never")
        outside.wait()
        if number:  # the one that came first may go last, or the other way round
            last.wait()
    left.set()

last, left = threading.Event(), threading.Event()
threads = [threading.Thread(target=talk, args=(n,)) for n in (0, 1)]
[t.start() for t in threads]
inside.wait()
print("shown", flush=True)
warnings.warn("a warning")
outside.wait()
left.wait()
print("shown while one is quiet")
last.set()
[t.join() for t in threads]
print("shown afterwards")
assert (sys.stdout, sys.stderr) == streams
assert [os.fstat(n)[:2] for n in (1, 2)] == before
"""


def test_threads_that_are_quiet_together_mute_nobody_else():
    ran = subprocess.run([sys.executable, "-c", OVERLAPPING], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split("\n")[:-1] == ["shown", "shown while one is quiet", "shown afterwards"]
    assert "a warning" in ran.stderr
    assert "never" not in ran.stderr


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_quiet_within_quiet_tells_all_once():
    @qk.quiet()
    def inner():
        print("inner")
        return 1 / 0

    @qk.quiet()
    def outer():
        print("outer")
        inner()

    with pytest.raises(ZeroDivisionError) as caught:
        outer()
    assert caught.value.__notes__ == ["TensorFlow said:\nouter\ninner"]


def test_what_was_kept_of_a_stream_works_afterwards(capsys):
    with qk.quiet():
        kept = sys.stdout  # as a logger keeps it that is made meanwhile
        print("no", file=kept)
    print("yes", file=kept)
    assert capsys.readouterr().out == "yes\n"


def test_quiet_gives_back_only_what_it_took(capsys):
    with qk.quiet():
        taken = contextlib.redirect_stdout(io.StringIO())
        taken.__enter__()  # by another thread, say
    print("into it")
    assert sys.stdout.getvalue() == "into it\n"
    taken.__exit__(None, None, None)
    print("shown")
    assert capsys.readouterr().out == "shown\n"


@pytest.mark.parametrize(
    "trouble",
    [
        "sys.stdout = sys.stderr = None",
        "sys.stdout.close()",
        "os.close(1); os.close(2)",
        "tempfile.tempdir = '/nowhere'",
    ],
)
def test_quiet_where_there_is_nothing_to_write_to(trouble, tmp_path):
    code = f"import os, sys, tempfile\nimport qkit as qk\n{trouble}\nout = sys.stdout\n"
    code += "with qk.quiet():\n    os.environ['SEEN'] = 'yes'\n"
    code += "assert sys.stdout is out\nopen('seen', 'w').write(os.environ['SEEN'])"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert (tmp_path / "seen").read_text() == "yes"


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


def test_machine_that_does_not_tell_its_processor(monkeypatch):
    from qkit import machine

    def not_there(*command, **options):
        raise FileNotFoundError("sysctl")

    monkeypatch.setattr(machine.subprocess, "run", not_there)
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    assert qk.environment().cores >= 1
    monkeypatch.setattr(machine.sys, "platform", "linux")
    info = b"model name\t: K\xf6nig 9\nflags\t\t: avx2 \xff\n\nmodel name\t: other\n"
    monkeypatch.setattr(machine.Path, "read_text", lambda path, **how: info.decode(**how))
    name, flags = machine._processor()
    assert name == "K\ufffdnig 9"
    assert "avx2" in flags


def test_missing_package_is_named(monkeypatch):
    from qkit import machine

    monkeypatch.setattr(machine, "_PACKAGES", (*machine._PACKAGES, "no-such-package-anywhere"))
    assert qk.environment().missing == ("no-such-package-anywhere",)
