"""Running a .tflite file with one input and one output, whatever numbers it takes and gives."""

import contextlib
import os

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet
from qkit.quantize.grid import QParams, dequantize, quantize
from qkit.quantize.histogram import Histogram
from qkit.tflite.file import TfliteError, require_tflite
from qkit.tflite.probe import allocated, probe

# Input values that run at once: 167 MNIST images. More of them no longer fit the processor's
# caches: 10,000 images take 0.03 s in batches of 100 to 250, 0.06 s of 500, 0.09 s of 1,000.
_BATCH_VALUES = 2**17
_DAMAGED = "the .tflite file cannot be run; is it damaged? {}"


def open_interpreter(tflite, *, threads=1, batch_size=None, **options):
    """Return an interpreter with its tensors allocated; None keeps the file's own batch size.

    A file that would crash it is refused: it is tried in another process first.
    """
    require_tflite(tflite)
    error = probe(bytes(tflite)).error
    if error:
        raise TfliteError(_DAMAGED.format(error))
    with quiet(), _failing_as_damaged():  # it announces its delegate in the cell
        return allocated(bytes(tflite), batch_size, threads, **options)


def single_shapes(interpreter):
    """Return the shapes of one input and of one output, where a file has one of each."""
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if not len(inputs) == len(outputs) == 1:
        names = ", ".join(d["name"] for d in (inputs if len(inputs) != 1 else outputs))
        raise TfliteError(
            f"a model with one input and one output is wanted; this one has {len(inputs)} and "
            f"{len(outputs)} ({names}). Convert the part that counts."
        )
    return tuple(tuple(map(int, d["shape"][1:])) for d in (*inputs, *outputs))


def classifier_shapes(interpreter):
    """Return the shape of one input image and the number of classes."""
    image, shape = single_shapes(interpreter)
    if len(shape) != 1 or shape[0] < 2:
        raise TfliteError(
            f"the model's output has the shape {(1, *shape)}: a classifier gives a score for each "
            "of two or more classes, shape (n, classes). A regression has no accuracy."
        )
    return image, shape[0]


def scores(tflite, x, *, batched=True, threads=None, what="scores"):
    """Return the class scores of a .tflite classifier: its `outputs`, with the shape checked."""
    return _computed(classifier_shapes, tflite, x, batched, threads, what)


def outputs(tflite, x, *, batched=True, threads=None, what="outputs"):
    """Return what a .tflite file with one input and one output computes.

    Parameters
    ----------
    tflite : bytes
    x : ndarray of shape (n, *input), float
        On the scale the model was trained on, whatever numbers the file itself takes.
    batched : bool, run many inputs at once where the file allows it
    threads : int, or None: one a core
    what : str, the caller's name, for error messages

    Returns
    -------
    ndarray of shape (n, *output), float32, on the real axis where the file gives integers, too

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> outputs(tflite, qk.load_data("digits").x_test[:3]).shape
    (3, 10)
    """
    return _computed(single_shapes, tflite, x, batched, threads, what)


def intermediate(tflite, x, names):
    """Yield what a .tflite file computes on the way, image by image.

    The kernels are those without a delegate, one image at a time, as the converter calibrates:
    its ranges are these but for the last bit of a sum, now and then.

    Parameters
    ----------
    tflite : bytes
    x : ndarray of shape (n, *image), float
    names : iterable of str or int, of the tensors; or their numbers, as names may repeat

    Yields
    ------
    dict of str or int to ndarray, of one image; on its grid where a tensor has one

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> conv, x = qk.simulation.layers(tflite)[0], qk.load_data("digits").x_test[:2]
    >>> next(intermediate(tflite, x, [conv.activation_name]))[conv.activation_name].shape
    (1, 26, 26, 12)
    """
    from ai_edge_litert.interpreter import OpResolverType

    interpreter = open_interpreter(
        tflite,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    source, *others = interpreter.get_input_details()
    if others:
        raise TfliteError(
            f"intermediate: a model with one input is wanted; this one has {1 + len(others)}. "
            "Convert the part that counts."
        )
    x = to_grid(validate.images(x, tuple(source["shape"][1:]), what="intermediate: x"), source)
    details = interpreter.get_tensor_details()
    indices = {detail[by]: detail["index"] for detail in details for by in ("name", "index")}
    try:
        views = {name: interpreter.tensor(indices[name]) for name in names}
    except KeyError as error:
        raise ValueError(f"intermediate: the file has no tensor {error}.") from None
    for image in x:
        interpreter.set_tensor(source["index"], image[None])
        interpreter.invoke()
        yield {name: view().copy() for name, view in views.items()}


def histograms(file, x):
    """Return how each activation of a `FloatFile` with its own grid spreads, from one pass."""
    found = {file.names[name].index: Histogram() for name in file.own_grids}
    for image in intermediate(file.tflite, x, found):
        for index, values in image.items():
            found[index].add(values)
    return dict(zip(file.own_grids, found.values(), strict=True))


def to_grid(values, detail):
    """Return real values as a tensor takes them: scaled, rounded and clipped by its own grid."""
    if np.issubdtype(detail["dtype"], np.floating):
        return values.astype(detail["dtype"], copy=False)
    return quantize(values, _grid(detail))


def from_grid(values, detail):
    """Return a tensor's values as real numbers, by its own grid."""
    if np.issubdtype(detail["dtype"], np.floating):
        return values.astype(np.float32, copy=False)
    return dequantize(values, _grid(detail))


def _computed(shapes, tflite, x, batched, threads, what):
    """Run a file whose shapes pass the check `shapes`, which gives that of an input first."""
    threads = threads or os.cpu_count() or 1
    interpreter = open_interpreter(tflite, threads=threads)
    shape, _ = shapes(interpreter)
    x = validate.images(x, shape, what=f"{what}: x")
    size = 1
    if batched and probe(bytes(tflite)).batchable:
        size = int(np.clip(_BATCH_VALUES // int(np.prod(shape)), 1, len(x)))
        interpreter = open_interpreter(tflite, threads=threads, batch_size=size)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    x = to_grid(x, source)
    with _failing_as_damaged():
        result = np.empty((len(x), *target["shape"][1:]), np.float32)
        for start in range(0, len(x), size):
            # the last batch is filled up with images already done: no second allocation for it
            start = min(start, len(x) - size)
            interpreter.reset_all_variables()  # each image starts from the same state
            interpreter.set_tensor(source["index"], x[start : start + size])
            interpreter.invoke()
            given = interpreter.get_tensor(target["index"])
            result[start : start + size] = from_grid(given, target)
    return result


@contextlib.contextmanager
def _failing_as_damaged():
    """Tell a failure that the trial run did not meet, as one image differs from another."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise TfliteError(_DAMAGED.format(error)) from error


def _grid(detail):
    scale, zero_point = detail["quantization"]
    if scale == 0:
        raise TfliteError(
            f"the tensor {detail['name']!r} takes {np.dtype(detail['dtype']).name} and names no "
            "grid (scale 0): real values cannot be put on it."
        )
    limits = np.iinfo(detail["dtype"])
    return QParams(np.float32([scale]), np.int32([zero_point]), limits.min, limits.max)
