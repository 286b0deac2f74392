"""One line of progress that updates in place and leaves only its last state behind."""

import contextlib
import itertools
import os
import sys


@contextlib.contextmanager
def progress_line():
    """Yield a function that shows a text in place of the one before; nothing in a file or pipe."""
    if _in_kernel():
        yield _display_line()
    elif sys.stdout is sys.__stdout__ and sys.stdout.isatty():
        # a duplicate of stdout, which `quiet` does not redirect
        with os.fdopen(os.dup(sys.stdout.fileno()), "w") as terminal:
            try:
                yield lambda text: print(f"\r\x1b[K{text}", end="", file=terminal, flush=True)
            finally:
                terminal.write("\n")
    else:
        yield lambda text: None


def _display_line():
    """Return a function that updates one display, of which a saved notebook keeps the last text."""
    from IPython.display import DisplayHandle

    handle = DisplayHandle()
    ways = itertools.chain([handle.display], itertools.repeat(handle.update))
    return lambda text: next(ways)({"text/plain": text}, raw=True)


def _in_kernel():
    shell = sys.modules.get("IPython")
    return shell is not None and hasattr(shell.get_ipython(), "kernel")
