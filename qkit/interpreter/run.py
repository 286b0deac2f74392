"""Running a .tflite file with one input and one output, whatever numbers it takes and gives."""

import contextlib
import os
from collections.abc import Iterable

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet
from qkit.quantize.grid import PerAxis, PerTensor, QParams, dequantize, quantize
from qkit.quantize.histogram import Histogram
from qkit.tflite.file import TfliteError, require_tflite
from qkit.tflite.probe import allocated, probe

# Input values that run at once: 167 MNIST images. More of them no longer fit the processor's
# caches: 10,000 images take 0.03 s in batches of 100 to 250, 0.06 s of 500, 0.09 s of 1,000.
_BATCH_VALUES = 2**17


def open_interpreter(tflite, *, threads=1, **how):
    """Return an interpreter with its tensors allocated, after a trial of the same elsewhere."""
    require_tflite(tflite)
    how["threads"] = validate.whole(threads, name="threads")
    if error := probe(tflite, **how).error:
        raise TfliteError(f"the .tflite file cannot be run; is it damaged? {error}")
    with quiet(), telling():  # it announces its delegate in the cell
        return allocated(tflite, **how)


def single_shapes(interpreter, x=None):
    """Return the shapes of an item that goes in and of what it gives, where a file has one of each.

    An input without an axis for items takes one at a time, as it is. Where the first axis may be
    either, `x`, an array of items, decides.
    """
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if not len(inputs) == len(outputs) == 1:
        names = ", ".join(d["name"] for d in (inputs if len(inputs) != 1 else outputs))
        raise TfliteError(
            f"a model with one input and one output is wanted; this one has {len(inputs)} and "
            f"{len(outputs)} ({names}). Convert the part that counts."
        )
    (shape, size), end = _item(interpreter, x), tuple(map(int, outputs[0]["shape"]))
    return shape, end[1:] if end[:1] == (size or 1,) else end


def classifier_shapes(interpreter, x=None):
    """Return the shape of one input image and the number of classes."""
    image, shape = single_shapes(interpreter, x)
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
        On the scale the model was trained on, whatever numbers the file itself takes; integers
        where it takes integers that are on no grid, such as token ids. An input without an axis
        for items, such as a waveform of shape (15600,), is given one after the other.
    batched : bool, run many inputs at once where the file allows it
        A file with a fixed batch takes as many as that, the last ones filled up.
    threads : int, or None: one a core
    what : str, the caller's name, for error messages

    Returns
    -------
    ndarray of shape (n, *output), float32, on the real axis where the file gives integers, too;
    integers that are on no grid as they are. Each item starts from the file's first state.

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
    its ranges are these but for the last bit of a sum, now and then. But each image starts from the
    file's first state, and there the state of one runs into the next.

    Parameters
    ----------
    tflite : bytes
    x : ndarray of shape (n, *image), as for `outputs`; where the batch is fixed, one image fills it
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

    how = {
        "experimental_preserve_all_tensors": True,
        "experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    }
    interpreter = open_interpreter(tflite, **how)
    x, size = fed(interpreter, x, "intermediate")
    names, details, wanted = _named(names), interpreter.get_tensor_details(), []
    for name in names:
        places = [d["index"] for d in details if name in (d["name"], d["index"])]
        if len(places) != 1:
            many = f"{len(places)} tensors, {places}, of the name" if places else "no tensor"
            raise ValueError(f"intermediate: the file has {many} {name!r}.")
        wanted += places
    each = (filled(x[i : i + 1], size) for i in range(len(x)))
    for found in _runs(interpreter, tflite, each, wanted, **how):
        yield dict(zip(names, found, strict=True))


def _named(names):
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"intermediate: names must be a list of names or numbers, got {names!r}.")
    names = list(names)
    for name in names:
        validate.instance(name, (str, int, np.integer), name="intermediate: each of the names")
    return names


def histograms(file, x):
    """Return how each activation of a `FloatFile` with its own grid spreads, from one pass."""
    found = {file.names[name].index: Histogram() for name in file.own_grids}
    for image in intermediate(file.tflite, x, found):
        for index, values in image.items():
            found[index].add(values)
    return dict(zip(file.own_grids, found.values(), strict=True))


def fed(interpreter, x, what):
    """Return `x` on the grid of the one input, and how many items a run takes; 0: one as it is."""
    inputs, x = interpreter.get_input_details(), validate.array(x, what=f"{what}: x")
    shape, size = _item(interpreter, x) if len(inputs) == 1 else single_shapes(interpreter)
    grid = _grid(inputs[0])
    dtype = np.float32 if grid else inputs[0]["dtype"]
    x = validate.images(x, shape, what=f"{what}: x", dtype=dtype)
    return (quantize(x, grid) if grid else x), size


def filled(items, size):
    """Return a few items as a run takes them: as a batch, repeated until it is full."""
    if len(items) < size:
        return np.resize(items, (size, *items.shape[1:]))
    return items if size else items[0]


def from_grid(values, detail):
    """Return a tensor's values as real numbers by its own grid, or integers without one."""
    if grid := _grid(detail):
        return dequantize(values, grid)
    floating = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float32, copy=False) if floating else values


def _computed(shapes, tflite, x, batched, threads, what):
    """Run a file whose shapes pass the check `shapes`."""
    validate.instance(batched, (bool, np.bool_), name=f"{what}: batched")
    how = {"threads": (os.cpu_count() or 1) if threads is None else threads}
    interpreter, trial = open_interpreter(tflite, **how), probe(tflite, **how)
    x, size = fed(interpreter, x, what)
    shapes(interpreter, x)
    if size > 1 and not (trial.batchable or trial.failed or trial.slow):
        raise TfliteError(
            f"{what}: the model takes {size} items at once, and what it gives for one hangs on the "
            f"others. Pass whole batches: x of shape (n, {size}, …)."
        )
    most = min(_BATCH_VALUES // x[0].size, len(x))
    if batched and size == 1 and most > 1 and not trial.slow:
        batch = {"batch_size": most, **how}
        if probe(tflite, **batch).batchable:
            interpreter, size, how = open_interpreter(tflite, **batch), most, batch
    step, target = size or 1, interpreter.get_output_details()[0]
    each = (filled(x[i : i + step], size) for i in range(0, len(x), step))
    result = None
    for i, (given,) in enumerate(_runs(interpreter, tflite, each, [target["index"]], **how)):
        given = from_grid(given, target)
        given = given if given.shape[:1] == (step,) else given[None]
        if result is None:
            result = np.empty((len(x), *given.shape[1:]), given.dtype)
        if given.shape != (step, *result.shape[1:]):
            raise TfliteError(
                f"{what}: the output's shape changes from item to item: {given.shape} for item "
                f"{i * step}, and {(step, *result.shape[1:])} before. One for all is wanted."
            )
        result[i * step : (i + 1) * step] = given[: len(x) - i * step]
    return result


def _item(interpreter, x=None):
    """Return the shape of an item, and how many a run takes: 0 where no axis is for them."""
    shape, *ends = (
        tuple(map(int, detail["shape"]))
        for detail in (*interpreter.get_input_details(), *interpreter.get_output_details())
    )
    if 0 in shape:
        raise TfliteError(f"the model's input has the shape {shape}, which holds no values.")
    same = len(shape) > 1 and all(end[:1] == shape[:1] for end in ends)
    found = [(shape[1:], *shape[:1])] if shape[:1] == (1,) or same else []
    found += [(shape, 0)] if len(shape) < 2 or shape[0] > 1 else []
    return next((f for f in found if x is not None and f[0] == np.shape(x)[1:]), found[0])


def _runs(interpreter, tflite, each, indices, **how):
    """Yield tensors by their numbers after each run, which starts from the file's first state."""
    source = interpreter.get_input_details()[0]["index"]
    stateful = probe(tflite, **how).stateful
    for values in each:
        if stateful:  # no reset reaches all that an interpreter may keep
            interpreter = allocated(tflite, **how)
        with telling():
            interpreter.set_tensor(source, values)
            interpreter.invoke()
            found = [interpreter.get_tensor(index) for index in indices]
        yield found


@contextlib.contextmanager
def telling():
    """Tell what the interpreter raises on inputs that no trial could know."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        raise TfliteError(
            f"the .tflite file fails while it runs: {str(error).strip() or type(error).__name__}. "
            "Where it runs on other inputs, look at the values of this one."
        ) from error


def _grid(detail):
    given = detail["quantization_parameters"]
    if np.issubdtype(detail["dtype"], np.floating) or not given["scales"].any():
        return None
    limits, channels = np.iinfo(detail["dtype"]), given["scales"].size > 1
    granularity = PerAxis(given["quantized_dimension"]) if channels else PerTensor()
    return QParams(given["scales"], given["zero_points"], limits.min, limits.max, granularity)
