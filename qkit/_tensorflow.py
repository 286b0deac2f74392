"""The one door to TensorFlow: with Keras 2, without its banner, with its errors."""

import contextlib
import os
import socket
import sys
import threading
import warnings

from qkit._quiet import quiet

_one_download = threading.Lock()


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


def keras_3():
    """Return the package ``keras``, for what it wrote."""
    import keras

    return keras


@contextlib.contextmanager
def impatient():
    """Give up a download that stands still: Keras would wait for ever."""
    with _one_download:  # the patience is the whole process's
        patience = socket.getdefaulttimeout()
        socket.setdefaulttimeout(20)  # seconds
        try:
            yield
        finally:
            socket.setdefaulttimeout(patience)


def first_line(error):
    """Return the first line of what an error says, or its type where it says nothing."""
    return (str(error) or type(error).__name__).splitlines()[0]
