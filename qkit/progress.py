"""One line of progress that updates in place and leaves only its last state behind."""

import contextlib
import itertools
import os
import sys


@contextlib.contextmanager
def progress_line():
    """Yield a function that shows a text in place of the one before; nothing in a file or pipe."""
    shell = sys.modules.get("IPython")
    if shell and hasattr(shell.get_ipython(), "kernel"):
        handle = shell.display.DisplayHandle()  # of which a saved notebook keeps the last text
        ways = itertools.chain([handle.display], itertools.repeat(handle.update))
        yield lambda text: next(ways)({"text/plain": text}, raw=True)
    elif sys.stdout is sys.__stdout__ and getattr(sys.stdout, "isatty", bool)():  # pythonw: None
        # a duplicate of stdout, which `quiet` does not redirect
        coded = {"encoding": sys.stdout.encoding, "errors": "replace"}  # not all know µ and …
        with os.fdopen(os.dup(sys.stdout.fileno()), "w", **coded) as terminal:
            try:
                yield lambda text: print(f"\r\x1b[K{text}", end="", file=terminal, flush=True)
            finally:
                terminal.write("\n")
    else:
        yield lambda text: None
