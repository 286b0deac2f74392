"""Running a .tflite file, whatever numbers it takes and gives."""

import contextlib
import os
from collections.abc import Iterable
from functools import partial

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet
from qkit.interpreter.kept import once
from qkit.quantize.grid import DTYPES, PerAxis, PerTensor, QParams, dequantize, quantize
from qkit.samples import samples
from qkit.tflite.edit import first_signature, plain_names, with_shapes
from qkit.tflite.file import TfliteError, inspect, require_tflite
from qkit.tflite.probe import allocated, probe
from qkit.tflite.values import require_here

# Input values that run at once: 167 MNIST images. More of them no longer fit the processor's
# caches: 10,000 images take 0.03 s in batches of 100 to 250, 0.06 s of 500, 0.09 s of 1,000.
_BATCH_VALUES = 2**17
MOST_THREADS = 1024  # with 20,000 LiteRT ends the process
# Kernels, by what the interpreter is asked for; those of XNNPACK run by default.
KERNELS = {"reference": "BUILTIN_REF", "optimized": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
           "xnnpack": "AUTO"}  # fmt: skip


def open_interpreter(tflite, *, threads=1, **how):
    """Return an interpreter with its tensors allocated, after a trial of the same elsewhere."""
    require_tflite(tflite)
    how["threads"] = validate.whole(threads, name="threads", most=MOST_THREADS)
    if error := probe(tflite, **how).error:
        raise TfliteError(f"the .tflite file cannot be run; is it damaged? {error}")
    with quiet(), telling():  # it announces its delegate in the cell
        return allocated(tflite, **how)


def outputs(tflite, x, *, batched=True, threads=None, signature=None, what="outputs"):
    """Return what a .tflite file computes.

    Parameters
    ----------
    tflite : bytes
    x : ndarray of shape (n, *input), float; of several inputs a dict by name, or a list in the
        file's order, which `qk.convert` makes the model's. On the scale the model was trained on,
        whatever numbers the file itself takes; integers where it takes integers that are on no
        grid, such as token ids. An input without an axis for items, such as a waveform of shape
        (15600,), is given one after the other.
    batched : bool, run many inputs at once where the file allows it
        A file with a fixed batch takes as many as that, the last ones filled up.
    threads : int, or None: one a core
    signature : str, optional, of a file with several; by default the graph that comes first
    what : str, the caller's name, for error messages

    Returns
    -------
    ndarray of shape (n, *output), float32, on the real axis where the file gives integers, too;
    integers that are on no grid as they are. Of several outputs a dict by name, the signature's
    where the file has one. Each item starts from the file's first state.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> outputs(tflite, qk.load_data("digits").x_test[:3]).shape
    (3, 10)
    """
    tflite = first_signature(tflite, signature, what=what)
    found = _computed(tflite, x, batched, threads, what)
    return found if len(found) > 1 else next(iter(found.values()))


def intermediate(tflite, x, names, kernels="optimized"):
    """Yield what a .tflite file computes on the way, image by image.

    With optimized kernels and no delegate, as the converter calibrates: its ranges are these but
    for the last bit of a sum, now and then. But each image starts from the file's first state, and
    there the state of one runs into the next.

    Parameters
    ----------
    tflite : bytes
    x : ndarray of shape (n, *image), as for `outputs`; where the batch is fixed, one image fills it
    names : iterable of str or int, of the tensors; or their numbers, as names may repeat
    kernels : {"optimized", "reference"}, the latter written to be read

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
    validate.choice(kernels, ("optimized", "reference"), name="intermediate: kernels")
    how = {"experimental_preserve_all_tensors": True, **_by(kernels)}
    tflite, interpreter, x, size = at_lengths(tflite, x, "intermediate", **how)
    names, details, wanted = _named(names), interpreter.get_tensor_details(), []
    for name in names:
        wanted += (places := [d["index"] for d in details if name in (d["name"], d["index"])])
        if len(places) != 1:
            many = f"{len(places)} tensors, {places}, of the name" if places else "no tensor"
            raise ValueError(f"intermediate: the file has {many} {name!r}.")
    require_run(tflite, filled(x, slice(1), size), **how)
    each = (filled(x, slice(i, i + 1), size) for i in range(len(x[0])))
    for found in _runs(interpreter, tflite, each, wanted, **how):
        yield dict(zip(names, found, strict=True))


def run_each(tflite, feeds, kernels="optimized"):
    """Yield what a file gives for each list of its inputs, item by item."""
    how = _by(kernels)
    interpreter = open_interpreter(tflite, **how)
    indices = [detail["index"] for detail in interpreter.get_output_details()]
    yield from _runs(interpreter, tflite, feeds, indices, **how)


def _by(kernels):
    """Return how an interpreter is asked for kernels."""
    from ai_edge_litert.interpreter import OpResolverType

    return {"experimental_op_resolver_type": OpResolverType[KERNELS[kernels]]}


def _named(names):
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise TypeError(f"intermediate: names must be a list of names or numbers, got {names!r}.")
    names = list(names)
    for name in names:
        validate.instance(name, (str, int, np.integer), name="intermediate: each of the names")
    return names


def at_lengths(tflite, x, what, **how):
    """Return a file, its interpreter, its inputs on their grids, and how many items a run takes.

    Where axes are free, it is the file at the lengths of these items.
    """
    interpreter = open_interpreter(tflite, **how)
    arrays, size = fed(interpreter, x, what)
    details = interpreter.get_input_details()
    shapes = [(size, *a.shape[1:]) if size else a.shape[1:] for a in arrays]
    if shapes != [tuple(detail["shape"]) for detail in details]:
        numbers = [detail["index"] for detail in details]
        tflite = with_shapes(tflite, dict(zip(numbers, shapes, strict=True)))
        interpreter = open_interpreter(tflite, **how)
    return tflite, interpreter, arrays, size


def fed(interpreter, x, what):
    """Return the inputs on their grids in the file's order, and how many items a run takes.

    That is 0 where the one input has no axis for items, and is given as it is.
    """
    wanted, size = taken(interpreter, x)
    x = samples(x, wanted, what=f"{what}: x")
    arrays = [x[name] for name in wanted] if len(wanted) > 1 else [x]
    grids = [_grid(detail) for detail in interpreter.get_input_details()]
    return [quantize(a, g) if g else a for a, g in zip(arrays, grids, strict=True)], size


def taken(interpreter, x=None):
    """Return the shape of an item and the dtype of each input by name, and how many a run takes."""
    details = interpreter.get_input_details()
    shapes, size = _items(interpreter, x)
    dtypes = [np.float32 if _grid(d) else d["dtype"] for d in details]
    return dict(zip(_names(details), zip(shapes, dtypes, strict=True), strict=True)), size


def given_by(interpreter):
    """Return what the interpreter tells of each output, by name: the signature's, if it has one."""
    details = interpreter.get_output_details()
    for key in interpreter.get_signature_list() if len(details) > 1 else ():
        runner = interpreter.get_signature_runner(key)
        named, main = runner.get_output_details(), not runner._subgraph_index
        # another graph may have tensors of the same numbers
        if main and {d["index"] for d in named.values()} == {d["index"] for d in details}:
            return named
    return dict(zip(_names(details), details, strict=True))


def _names(details):
    return plain_names(*([detail[key] for detail in details] for key in ("name", "index")))


def filled(arrays, chosen, size):
    """Return a few items of each input as a run takes them: as a batch, repeated until full."""
    items = [array[chosen] for array in arrays]
    if not size:
        return [array[0] for array in items]
    return [a if len(a) == size else np.resize(a, (size, *a.shape[1:])) for a in items]


def from_grid(values, detail):
    """Return a tensor's values as real numbers by its own grid, or integers without one."""
    if grid := _grid(detail):
        return dequantize(values, grid)
    floating = np.issubdtype(values.dtype, np.floating)
    return values.astype(np.float32, copy=False) if floating else values


def _computed(tflite, x, batched, threads, what):
    """Return what comes out by name, of as many items at once as the file allows."""
    validate.instance(batched, (bool, np.bool_), name=f"{what}: batched")
    how = {"threads": (os.cpu_count() or 1) if threads is None else threads}
    tflite, interpreter, x, size = at_lengths(tflite, x, what, **how)
    if not interpreter.get_output_details():
        raise TfliteError(f"{what}: the model has no output.")
    trial = probe(tflite, **how)
    if size > 1 and not (trial.batchable or trial.failed or trial.slow):
        raise TfliteError(
            f"{what}: the model takes {size} items at once, and what it gives for one hangs on the "
            f"others. Pass whole batches: x of shape (n, {size}, …)."
        )
    require_run(tflite, filled(x, slice(size or 1), size), **how)
    most = min(_BATCH_VALUES // sum(array[0].size for array in x), len(x[0]))
    if batched and size == 1 and most > 1 and not trial.slow:
        batch = {"batch_size": most, **how}
        if probe(tflite, **batch).batchable:
            interpreter, size, how = open_interpreter(tflite, **batch), most, batch
    compute = partial(_collected, interpreter, tflite, x, size, what, how)
    return compute() if trial.stateful else once(compute, tflite, x, size, *how.items())


def _collected(interpreter, tflite, x, size, what, how):
    """Return what comes out by name, run after run."""
    step, targets, count = size or 1, given_by(interpreter), len(x[0])
    each = (filled(x, slice(i, i + step), size) for i in range(0, count, step))
    places, results = [target["index"] for target in targets.values()], {}
    for i, found in enumerate(_runs(interpreter, tflite, each, places, **how)):
        for given, (name, target) in zip(found, targets.items(), strict=True):
            given = from_grid(given, target)
            given = given if given.shape[:1] == (step,) else given[None]
            if i == 0:
                results[name] = np.empty((count, *given.shape[1:]), given.dtype)
            if given.shape != (step, *results[name].shape[1:]):
                raise TfliteError(
                    f"{what}: the output's shape changes from item to item: {given.shape} for item "
                    f"{i * step}, and {(step, *results[name].shape[1:])} before. One for all is "
                    "wanted."
                )
            results[name][i * step : (i + 1) * step] = given[: count - i * step]
    return results


def _items(interpreter, x=None):
    """Return the shapes of an item of each input, and how many a run takes, 0 for one as it is."""
    shapes, ends = (
        [*map(_shape, details)]
        for details in (interpreter.get_input_details(), interpreter.get_output_details())
    )
    if not shapes:
        raise TfliteError(
            "a model with inputs and outputs is wanted; this one has "
            f"{len(shapes)} and {len(ends)}."
        )
    for shape in shapes:
        if 0 in shape:
            raise TfliteError(f"the model's input has the shape {shape}, which holds no values.")
    same = all(len(s) > 1 for s in shapes) and len({s[:1] for s in (*shapes, *ends)}) == 1
    found = [([s[1:] for s in shapes], shapes[0][0])] if shapes[0][:1] == (1,) or same else []
    if len(shapes) > 1:
        if not same:
            raise TfliteError(
                f"the model's inputs of shape {' and '.join(map(str, shapes))} and its output have "
                "no axis for items in common."
            )
        return found[0]
    found += [(shapes, 0)] if len(shapes[0]) < 2 or shapes[0][0] > 1 else []
    like = tuple(x.shape[1:]) if hasattr(x, "shape") else None
    return next((f for f in found if f[0] == [like]), found[0])


def _shape(detail):
    """Return a tensor's shape, with None for each axis behind the first that is free."""
    shape, signature = tuple(map(int, detail["shape"])), detail.get("shape_signature", ())
    if len(signature) != len(shape):
        return shape
    return shape[:1] + tuple(
        None if free < 0 else n for n, free in zip(shape[1:], signature[1:], strict=True)
    )


def _runs(interpreter, tflite, each, indices, **how):
    """Yield tensors by their numbers after each run, which starts from the file's first state."""
    sources = [detail["index"] for detail in interpreter.get_input_details()]
    stateful = probe(tflite, **how).stateful
    for arrays in each:
        if stateful:  # no reset reaches all that an interpreter may keep
            interpreter = allocated(tflite, **how)
        with telling():
            for source, values in zip(sources, arrays, strict=True):
                interpreter.set_tensor(source, values)
            interpreter.invoke()
            found = [interpreter.get_tensor(index) for index in indices]
        yield found


def require_run(tflite, arrays, **how):
    """Refuse what fails on the first inputs too, where its trial on invented ones did.

    They are tried elsewhere as well: a damaged file may fail there for want of memory alone.
    """
    if probe(tflite, **how).failed and (reason := probe(tflite, inputs=arrays, **how).failed):
        require_here(*inspect(tflite).tensors)
        raise _failing(reason)


@contextlib.contextmanager
def telling():
    """Tell what the interpreter raises on inputs that no trial could know."""
    try:
        yield
    except (RuntimeError, ValueError, MemoryError) as error:
        raise _failing(str(error).strip() or type(error).__name__) from error


def _failing(reason):
    return TfliteError(
        f"the .tflite file fails while it runs: {reason}. Where it runs on other inputs, look at "
        "the values of this one."
    )


def _grid(detail):
    given = detail["quantization_parameters"]
    if detail["dtype"] not in DTYPES or not given["scales"].any():
        return None
    limits, channels = np.iinfo(detail["dtype"]), given["scales"].size > 1
    granularity = PerAxis(given["quantized_dimension"]) if channels else PerTensor()
    return QParams(given["scales"], given["zero_points"], limits.min, limits.max, granularity)
