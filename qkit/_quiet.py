"""Silence by thread: what a library prints into a cell is kept, what others print is shown."""

import contextlib
import io
import os
import sys
import tempfile
import threading
import warnings


@contextlib.contextmanager
def quiet():
    """Keep what TensorFlow writes to the terminal or the cell to itself, unless it raises.

    What Python's streams and the C++ side caught is then a note of the exception; before Python
    3.11, which has none, it is written to stderr after all. What other threads print meanwhile is
    shown, but for what their own C side writes.
    """
    if _thread.printed is not None:  # the outer one keeps all
        yield
        return
    warnings.simplefilter("ignore", _OfQuietThreads)
    with _sink as start:
        printed = _thread.printed = io.StringIO()
        try:
            yield
        except Exception as error:
            _thread.printed = None
            said = (printed.getvalue() + _sink.text_from(start)).strip()[-4000:]
            if said and hasattr(error, "add_note"):
                error.add_note(f"TensorFlow said:\n{said}")
            elif said and sys.stderr:
                sys.stderr.write(f"{said}\n")
            raise
        finally:
            _thread.printed = None


class _Thread(threading.local):
    printed = None  # while the thread is quiet: what its Python side wrote


class _AskedOfThread(type):
    def __subclasscheck__(cls, category):
        return _thread.printed is not None


class _OfQuietThreads(Warning, metaclass=_AskedOfThread):
    """For a filter of warnings, whose list is the whole process's: any from a quiet thread."""


class _ByThread:
    """A stream that keeps what quiet threads write, and passes on what the others do."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(_thread.printed or self.stream, name)


class _Sink:
    """Where descriptors 1 and 2, the whole process's, lead while any of its threads is quiet.

    The first thread turns them, the last one turns them back: each by itself, where two overlap,
    would leave them on the other's file.
    """

    def __init__(self):
        self.lock, self.quiet_threads = threading.Lock(), 0

    def __enter__(self):
        with self.lock:
            if not self.quiet_threads:
                self.stack = contextlib.ExitStack()
                self.file = self.stack.enter_context(_temporary_file())
                for descriptor, name in ((1, "stdout"), (2, "stderr")):
                    self._turn(descriptor, name)
            self.quiet_threads += 1
            return self.file.seek(0, os.SEEK_END)

    def __exit__(self, *error):
        with self.lock:
            self.quiet_threads -= 1
            if not self.quiet_threads:
                self.stack.close()

    def text_from(self, start):
        """Return what the C side wrote since then, that of other quiet threads too."""
        with self.lock:
            self.file.seek(start)
            return self.file.read().decode(errors="replace")

    def _turn(self, descriptor, name):
        stream = getattr(sys, name)
        with contextlib.suppress(AttributeError, OSError, ValueError):  # none, or a closed one
            stream.flush()
        saved = None
        with contextlib.suppress(OSError):  # a kernel may run without descriptors
            saved = os.dup(descriptor)
            self.stack.callback(os.close, saved)
            os.dup2(self.file.fileno(), descriptor)
            self.stack.callback(os.dup2, saved, descriptor)
        if stream is None:
            return
        by_thread = _ByThread(stream)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            if saved is not None and stream.fileno() == descriptor:  # for the other threads
                by_thread.stream = self.stack.enter_context(_duplicate(saved, stream))
                self.stack.callback(setattr, by_thread, "stream", stream)  # loggers may keep it
        setattr(sys, name, by_thread)
        self.stack.callback(_give_back, name, by_thread, stream)


def _temporary_file():
    # without a buffer: the C side has the same place in it
    try:
        return tempfile.TemporaryFile(buffering=0)
    except OSError:  # no folder that can be written to
        return open(os.devnull, "r+b", buffering=0)


def _duplicate(descriptor, stream):
    return os.fdopen(
        os.dup(descriptor), "w", buffering=1, encoding=stream.encoding, errors=stream.errors
    )


def _give_back(name, by_thread, stream):
    if getattr(sys, name) is by_thread:  # not where somebody redirected it in the meantime
        setattr(sys, name, stream)


_thread = _Thread()
_sink = _Sink()
