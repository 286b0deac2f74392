"""One line of progress that updates in place and leaves only its last state behind."""

import contextlib
import os
import sys


class _KernelLine:
    """A display that is updated under one id, so that a saved notebook keeps its last state."""

    def __init__(self):
        self._handle = None

    def __call__(self, text):
        from IPython.display import display

        bundle = {"text/plain": text}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class _TerminalLine:
    """A line rewritten in place, on a duplicate of stdout that `quiet` does not redirect."""

    def __init__(self):
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w")

    def __call__(self, text):
        self._out.write(f"\r\x1b[K{text}")
        self._out.flush()

    def close(self):
        self._out.write("\n")
        self._out.close()


@contextlib.contextmanager
def progress_line():
    """Yield a function that shows a text in place of the one before.

    In a notebook it is one display that updates; in a terminal a line that rewrites itself; in a
    file or a pipe nothing is written.

    Examples
    --------
    >>> with progress_line() as show:
    ...     show("half way")
    """
    if _in_kernel():
        yield _KernelLine()
    elif sys.stdout is sys.__stdout__ and sys.stdout.isatty():
        line = _TerminalLine()
        try:
            yield line
        finally:
            line.close()
    else:
        yield lambda text: None


def _in_kernel():
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
