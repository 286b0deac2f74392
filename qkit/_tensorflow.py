"""The one door to TensorFlow: with Keras 2, without its banner, with its errors."""

import contextlib
import io
import os
import sys
import tempfile
import warnings

_REMEDY = (
    "Restart the kernel and run `import qkit` before `import tensorflow`, or set the environment "
    "variable TF_USE_LEGACY_KERAS=1 before Python starts."
)


class KerasVersionError(RuntimeError):
    """TensorFlow or a model speaks Keras 3, and the quantization tools know Keras 2 only."""


def prefer_keras_2():
    """Ask TensorFlow for Keras 2, the only one that tensorflow-model-optimization works with.

    TensorFlow decides when its Keras is first touched; warn where that was before, and Keras 3.
    """
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    tf = sys.modules.get("tensorflow")
    if tf is not None and _keras_3(tf):
        warnings.warn(
            f"TensorFlow was imported before qkit and runs Keras {_keras_3(tf)}; "
            f"training and converting need Keras 2. {_REMEDY}",
            stacklevel=3,
        )


def tensorflow():
    """Return the module ``tensorflow`` with Keras 2, imported without its banner."""
    if "tensorflow" not in sys.modules:
        with quiet():
            import tensorflow

            tensorflow.config.list_physical_devices()  # says here, not in a cell, what it lacks
    import tensorflow as tf

    if _keras_3(tf):
        raise KerasVersionError(
            f"tf.keras is Keras {_keras_3(tf)}, and quantization-aware training and "
            f"conversion need Keras 2 (tf-keras). {_REMEDY}"
        )
    return tf


def _keras_3(tf):
    """Return the version of TensorFlow's Keras if it is 3 or later, else None."""
    version = getattr(getattr(tf, "keras", None), "__version__", "2")  # tf-keras bears none
    return None if version.startswith("2") else version


def require_keras_2_model(model, *, what):
    """Refuse anything but a built Keras 2 model, naming what was got and the way out."""
    homes = {cls.__module__.partition(".")[0] for cls in type(model).__mro__}
    if "tf_keras" in homes and hasattr(model, "layers"):
        if not model.built:
            raise ValueError(
                f"{what}: the model {model.name!r} has not been built, so its weights do not "
                "exist yet. Give its first layer an input_shape, or call it once on data."
            )
        return
    if "keras" in homes:
        raise KerasVersionError(
            f"{what}: {type(model).__name__} is a Keras 3 model (made with `import keras`). "
            "Build it with `tf.keras` after `import qkit`, or with `import tf_keras`."
        )
    raise TypeError(
        f"{what}: expected a Keras 2 model, got {type(model).__name__}. "
        "Build one with `tf.keras`, for example qk.models.walkthrough_cnn()."
    )


def single_shapes(model, *, what):
    """Return the shapes of the one input and the one output of a Keras model, without the batch."""
    inputs, outputs = model.inputs or (), model.outputs or ()  # None in subclassed models
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"{what}: a model with one input and one output is wanted; {model.name!r} shows "
            f"{len(inputs)} and {len(outputs)}. Build one of the part that counts."
        )
    return tuple(model.input_shape[1:]), tuple(model.output_shape[1:])


def classifier_shape(model, *, what):
    """Return the image shape and the number of classes of a Keras classifier."""
    image, shape = single_shapes(model, what=what)
    if len(shape) != 1 or shape[0] is None or shape[0] < 2:
        raise ValueError(
            f"{what}: the output of {model.name!r} has the shape {(None, *shape)}; a classifier "
            "gives a score for each of two or more classes, shape (n, classes)."
        )
    return image, shape[0]


@contextlib.contextmanager
def quiet():
    """Keep what TensorFlow writes to the terminal or the cell to itself, unless it raises.

    Python's streams and the file descriptors 1 and 2, to which the C++ side writes, are both
    redirected. If the block raises, what was caught is attached to the exception as a note
    (Python 3.11 and later) or written to the standard error stream, so that nothing is lost.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    printed = io.StringIO()
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
            said = (printed.getvalue() + sink.read().decode(errors="replace")).strip()
            if said and hasattr(error, "add_note"):
                error.add_note(f"TensorFlow said:\n{said[-4000:]}")
            elif said:
                sys.stderr.write(said[-4000:] + "\n")
            raise
