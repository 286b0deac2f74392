"""The one door to TensorFlow: with Keras 2, without its banner, with its errors."""

import contextlib
import io
import os
import socket
import sys
import tempfile
import warnings


class KerasVersionError(RuntimeError):
    """TensorFlow or a model speaks Keras 3, and the quantization tools know Keras 2 only."""


def prefer_keras_2():
    """Ask TensorFlow for Keras 2, for tensorflow-model-optimization; warn if it has chosen 3."""
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    if sys.modules.get("tensorflow"):  # None where it must not be imported
        try:
            tensorflow()
        except KerasVersionError as error:
            warnings.warn(f"TensorFlow was imported before qkit: {error}", stacklevel=3)


def tensorflow():
    """Return the module ``tensorflow`` with Keras 2, imported without its banner."""
    if "tensorflow" not in sys.modules:
        with quiet():
            import tensorflow

            tensorflow.config.list_physical_devices()  # says here, not in a cell, what it lacks
    import tensorflow as tf

    version = getattr(getattr(tf, "keras", None), "__version__", "2")  # tf-keras bears none
    if not version.startswith("2"):
        raise KerasVersionError(
            f"tf.keras is Keras {version}, and quantization-aware training and conversion need "
            "Keras 2 (tf-keras). Restart the kernel and run `import qkit` before `import "
            "tensorflow`, or set the environment variable TF_USE_LEGACY_KERAS=1 before Python "
            "starts."
        )
    return tf


@contextlib.contextmanager
def impatient():
    """Give up a download that stands still: Keras would wait for ever."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(20)  # seconds
    try:
        yield
    finally:
        socket.setdefaulttimeout(patience)


def first_line(error):
    """Return the first line of what an error says, or its type where it says nothing."""
    return (str(error) or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def quiet():
    """Keep what TensorFlow writes to the terminal or the cell to itself, unless it raises.

    What Python's streams and the C++ side caught is then a note of the exception; before Python
    3.11, which has none, it is written to stderr after all.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    printed = io.StringIO()  # stays open: loggers made meanwhile keep it
    with tempfile.TemporaryFile() as sink, contextlib.ExitStack() as stack:
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):  # a kernel may run without them
                saved = os.dup(descriptor)
                stack.callback(os.close, saved)
                os.dup2(sink.fileno(), descriptor)
                stack.callback(os.dup2, saved, descriptor)
        stack.enter_context(contextlib.redirect_stdout(printed))
        stack.enter_context(contextlib.redirect_stderr(printed))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        try:
            yield
        except Exception as error:
            stack.close()
            sink.seek(0)
            said = (printed.getvalue() + sink.read().decode(errors="replace")).strip()[-4000:]
            if said and hasattr(error, "add_note"):
                error.add_note(f"TensorFlow said:\n{said}")
            elif said:
                sys.stderr.write(f"{said}\n")
            raise
