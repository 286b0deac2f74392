"""A line for each notebook that nbval has run: seconds, and the most memory of its kernel."""

import collections
from pathlib import Path

import pytest

_seconds = collections.Counter()
_peak_mb = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item, nextitem):
    """Note the kernel's memory with a notebook's last cell, before the kernel ends."""
    kernel = getattr(item.parent, "kernel", None)  # of nbval
    if kernel is not None and (nextitem is None or nextitem.parent is not item.parent):
        process = getattr(getattr(kernel.km, "provisioner", None), "pid", None)
        if process and (peak := peak_mb(process)):
            item.user_properties.append(("peak_mb", peak))


def pytest_runtest_logreport(report):
    """Add a cell's time to its notebook; this runs where the lines are printed, not in a worker."""
    name = report.nodeid.partition("::")[0]
    if name.endswith(".ipynb"):
        _seconds[name] += report.duration
        if peak := dict(report.user_properties).get("peak_mb"):
            _peak_mb[name] = peak


def pytest_terminal_summary(terminalreporter):
    """Print the lines."""
    if _seconds:
        terminalreporter.section("notebooks: seconds, peak memory of the kernel")
    for name, seconds in sorted(_seconds.items()):
        memory = f"{_peak_mb[name]:7,.0f} MB" if name in _peak_mb else ""
        terminalreporter.write_line(f"{name:50} {seconds:6.1f} s {memory}")


def peak_mb(process):
    """Return the most memory that a process has held, in megabytes; None where none can tell."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return None
