"""Whatever a model comes as, opened once for the converter: what it is, what goes in and out."""

import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qkit._tensorflow import keras_3, quiet, tensorflow
from qkit.interpreter.run import given_by, open_interpreter, taken
from qkit.networks import (
    OTHER_FLOATS,
    Network,
    in_float32,
    is_keras_3,
    network,
    speaks_keras_2,
    unrolled,
)
from qkit.samples import Unordered, samples
from qkit.tflite.file import inspect
from qkit.tflite.values import require_here

_LOOPS = {"WHILE", "IF", "STABLEHLO_WHILE"}


@dataclass(frozen=True, eq=False)
class Saved:
    """A SavedModel, and the one of its signatures that is converted."""

    name: str
    folder: Path
    signature: str
    takes: Mapping  # shape of an item and dtype by the name of the input
    gives: Mapping  # shape of an item by the name of the output
    batch: int = 1  # items of a run, where that is fixed
    kept: object = None  # the temporary folder, which lives as long as this does


@dataclass(frozen=True, eq=False)
class Lite:
    """A float .tflite file, from wherever it comes."""

    name: str
    tflite: bytes
    takes: Mapping  # shape of an item and dtype by the name of the input
    gives: Mapping  # shape of an item by the name of the output


def source(model, *, what, signature=None):
    """Return a `Network`, a `Lite` file, or the `Saved` that any other model is written to.

    Parameters
    ----------
    model : Keras 2 or Keras 3 model; concrete function; bytes of a float .tflite file; or path of
        one, of a SavedModel or of a .keras file
    what : str, the caller's name, for messages
    signature : str, optional, of a SavedModel; by default "serving_default", or the only one
    """
    if isinstance(model, (str, Path)):
        model = _read(Path(model), what, signature)
    elif signature is not None:
        raise ValueError(
            f"{what}: signature={signature!r} is for the folder of a SavedModel, got "
            f"{type(model).__name__}."
        )
    if isinstance(model, (bytes, bytearray)):
        model = _lite(bytes(model), "file", what)
    if isinstance(model, (Network, Saved, Lite)):
        return model
    if hasattr(model, "structured_input_signature"):
        names = _names_in_order(model.structured_input_signature)
        return _saved("function", lambda folder: _save_function(model, folder), names)
    if is_keras_3(model):
        model = _of_one_precision(model, what)
        whole = _without_loops_of_keras_3(model)
        names = [tensor.name for tensor in getattr(model, "inputs", None) or ()]
        return _saved(model.name, lambda folder: whole.export(folder, verbose=False), names)
    if speaks_keras_2(model) and model.built and not model.inputs:
        return _saved(model.name, lambda folder: model.save(folder, save_format="tf"))
    return network(_of_one_precision(network(model, what=what).model, what), what=what)


def converter_of(opened, items, *, one_by_one=False):
    """Return TensorFlow's converter of a model; of free axes, `items` have the lengths."""
    lengths, lite = _lengths(opened, items), tensorflow().lite.TFLiteConverter
    as_saved = lengths == {name: shape for name, (shape, _) in opened.takes.items()}
    if isinstance(opened, Saved) and as_saved and not one_by_one:
        return lite.from_saved_model(str(opened.folder), signature_keys=[opened.signature])
    function = _traced(opened, lengths, 1 if one_by_one else None)
    # From a Keras model itself the converter would save each layer as well: the same file,
    # in up to six times the time.
    converter = lite.from_concrete_functions([function], _holder(function))
    if isinstance(opened, Network):  # the file says what it was made of
        converter._metadata = lite.from_keras_model(opened.model)._metadata
    return converter


def without_loops(opened, items, in_float):
    """Return a model without loops: TensorFlow's calibration of a GRU's ends the process.

    `in_float` makes a model's float file, which is looked at only where there may be a loop.
    """
    loops = _loops(opened, items, in_float)
    if loops and isinstance(opened, Network):
        opened = network(_built_anew(opened.model, unrolled), what="convert")
        loops = _loops(opened, items, in_float)
    if loops:
        raise ValueError(
            f"convert: {opened.name!r} holds {' and '.join(sorted(loops))}, a loop or a branch, "
            "which no calibration survives. Build its recurrent layers with unroll=True and the "
            "same weights, write tf.while_loop as a for of Python and tf.cond as tf.where. Of a "
            "Keras 2 model that is passed itself, the loops of Keras's own layers are written out."
        )
    return opened


def _loops(opened, items, in_float):
    """Return by which operators a model's float file goes in a loop, or one way or another."""
    if isinstance(opened, Saved):
        graph = (opened.folder / "saved_model.pb").read_bytes()
    elif isinstance(opened, Network):  # traced in a tenth of the time that the file takes
        traced = _traced(opened, _lengths(opened, items), None)
        graph = traced.graph.as_graph_def().SerializeToString()
    maybe = isinstance(opened, Lite) or b"While" in graph or b"StatelessIf" in graph
    return _LOOPS & {op.name for op in inspect(in_float(opened)).operators} if maybe else set()


def _lengths(opened, items):
    """Return the shape of an item of each input; refuse free axes of which nothing tells."""
    shapes = {name: shape for name, (shape, _) in opened.takes.items()}
    if all(shape is not None and None not in shape for shape in shapes.values()):
        return shapes
    if items is None:
        free = " and ".join(f"{name!r} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"convert: {opened.name!r} has free axes, {free}, and a file is for one shape. Pass "
            "calibration=x[:100], items of the shape that counts; any scheme takes it."
        )
    items = samples(items, opened.takes, what="convert: calibration")
    named = items if isinstance(items, Mapping) else {next(iter(shapes)): items}
    return {name: named[name].shape[1:] for name in shapes}


def _traced(opened, lengths, batch):
    """Return a model as a concrete function of items of some lengths."""
    tf = tensorflow()
    saved = isinstance(opened, Saved)
    held = tf.saved_model.load(str(opened.folder)) if saved else opened.model
    batches = [None] * len(opened.takes) if saved else [x.shape[0] for x in held.inputs]
    specs = [
        tf.TensorSpec((batch or own, *lengths[name]), dtype or np.float32, name)
        for own, (name, (_, dtype)) in zip(batches, opened.takes.items(), strict=True)
    ]

    @tf.function
    def computed(*inputs):
        if saved:
            return held.signatures[opened.signature](**dict(zip(opened.takes, inputs, strict=True)))
        given = held([*inputs] if len(inputs) > 1 else inputs[0], training=False)
        return dict(zip(opened.gives, tf.nest.flatten(given), strict=True))

    return computed.get_concrete_function(*specs)


def _read(path, what, signature):
    if (path / "saved_model.pb").is_file():
        return _opened(path, signature, what)
    if path.suffix == ".keras" and path.is_file():
        return _loaded(path)
    if path.suffix == ".tflite" and path.is_file():
        return _lite(path.read_bytes(), path.stem, what)
    raise ValueError(
        f"{what}: {path} is not the folder of a SavedModel: it holds no saved_model.pb. Make one "
        "with model.save(folder, save_format='tf'), or in Keras 3 model.export(folder); or pass "
        "the model itself, or a .keras or float .tflite file."
    )


def _lite(tflite, name, what):
    """Return a float file, opened; refuse one that is quantized already."""
    file = inspect(tflite)
    require_here(*file.tensors)
    values = {t.dtype for t in (*file.weights, *file.activations) if t.scale.size or t.details}
    values |= {t.dtype for t in file.weights if t.dtype in ("float16", "bfloat16")}
    if values := values - {"float32"}:
        raise ValueError(
            f"{what}: the .tflite file holds values in {' and '.join(sorted(values))}: it is "
            "quantized already, and schemes start from the float32 file that it was made of. To "
            "measure this one, call qk.accuracy(tflite, x, y), or compare a model to it: "
            "extra={'mine': tflite}."
        )
    interpreter = open_interpreter(tflite)
    gives = {k: tuple(map(int, d["shape"][1:])) for k, d in given_by(interpreter).items()}
    return Lite(name, tflite, taken(interpreter)[0], gives)


def _loaded(path):
    """Return the model of a .keras file, of the Keras that wrote it."""
    with zipfile.ZipFile(path) as archive:
        version = json.loads(archive.read("metadata.json"))["keras_version"]
    if version.startswith("2"):
        return tensorflow().keras.models.load_model(path, compile=False)
    return keras_3().saving.load_model(path, compile=False)


def _of_one_precision(model, what):
    """Return a model that computes in float32, as LiteRT does: of one of mixed precision a copy.

    A subclassed one stays as it is: the converter stops at it, and the cause is told.
    """
    inputs = getattr(model, "inputs", None) or ()
    if other := [kind for kind in OTHER_FLOATS if kind in [x.dtype for x in inputs]]:
        raise ValueError(
            f"{what}: {model.name!r} takes {' and '.join(other)}, and LiteRT float32. Build the "
            "model again after keras.backend.set_floatx('float32') and under the policy "
            "'float32', and give it the weights: new.set_weights(model.get_weights())."
        )
    mixed = any(layer.compute_dtype in OTHER_FLOATS for layer in model._flatten_layers())
    return _built_anew(model, in_float32) if inputs and mixed else model


def _without_loops_of_keras_3(model):
    """Return a model whose recurrent layers are written out: its loops are nothing to convert."""
    try:
        looping = '"unroll": false' in model.to_json()
    except NotImplementedError:  # a subclassed one does not tell
        return model
    return _built_anew(model, unrolled) if looping else model


def _built_anew(model, build):
    """Return what is built of a model; or it, where a class of one's own cannot be built again.

    What is wrong with it then is told where it counts.
    """
    try:
        return build(model)
    except (NotImplementedError, TypeError, ValueError):
        return model


def _saved(name, write, inputs=()):
    """Return what `write` saves of a model, which may tell the order of its inputs."""
    folder = tempfile.TemporaryDirectory(prefix="qkit-", ignore_cleanup_errors=True)
    with quiet():
        write(folder.name)
    return _opened(Path(folder.name), None, "convert", name=name, kept=folder, inputs=inputs)


def _save_function(function, folder):
    tensorflow().saved_model.save(_holder(function), folder, signatures=function)


def _holder(function):
    """Return what TensorFlow finds the variables of a function by: others are not saved."""
    module = tensorflow().Module()
    module.held, module.function = list(function.graph.variables), function
    return module


def _opened(folder, signature, what, *, name=None, kept=None, inputs=()):
    with quiet():
        loaded = tensorflow().saved_model.load(str(folder))
    signatures = loaded.signatures
    names = [*signatures]
    chosen = signature or next((n for n in ("serving_default", *names[:1]) if n in names), None)
    if chosen not in names or (signature is None and chosen != "serving_default" and names[1:]):
        raise ValueError(
            f"{what}: {folder} has {len(names)} signatures, {', '.join(map(repr, names))}, and "
            f"{'none called ' + repr(signature) if signature else 'no serving_default'}. Name one: "
            f"signature={names[0]!r}; where that is no argument, of qk.convert(folder, 'float32', "
            "signature=…), whose file is a model too. Or save it with "
            "signatures={'serving_default': …}."
        )
    _require_finite(folder)
    function = signatures[chosen]
    specs = function.structured_input_signature[1]
    takes = {name: (_item_of(spec), spec.dtype.as_numpy_dtype) for name, spec in specs.items()}
    takes = _in_order(takes, [inputs, *_orders(loaded)])
    gives = {k: _item_of(spec) for k, spec in sorted(function.structured_outputs.items())}
    batch = max((spec.shape[0] or 1 for spec in specs.values() if spec.shape.rank), default=1)
    return Saved(name or folder.name, folder, chosen, takes, gives, batch, kept)


def _orders(loaded):
    """Yield in what order the functions of a SavedModel take tensors; its signatures have none."""
    for part in vars(loaded).values():
        for function in getattr(part, "concrete_functions", ()):
            yield _names_in_order(function.structured_input_signature)


def _names_in_order(signature):
    return [getattr(spec, "name", None) for spec in tensorflow().nest.flatten(signature)]


def _in_order(takes, orders):
    """Return inputs in the first of some orders that has them all: a signature has none."""
    for order in orders:
        if {*takes} <= {*order}:
            return {name: takes[name] for name in order if name in takes}
    return Unordered(sorted(takes.items()))


def _item_of(spec):
    return None if spec.shape.rank is None else tuple(spec.shape[1:])


def _require_finite(folder):
    """Refuse a SavedModel with NaN among its weights: in integers they pass for numbers."""
    path = folder / "variables" / "variables"
    if not path.with_suffix(".index").is_file():
        return
    reader = tensorflow().train.load_checkpoint(str(path))
    for name, dtype in reader.get_variable_to_dtype_map().items():
        if dtype.is_floating:
            require_finite_weights({name.partition("/.ATTR")[0]: reader.get_tensor(name)})


def require_finite_weights(weights):
    """Refuse weights by name that are NaN or infinite."""
    for name, values in weights.items():
        lost = ~np.isfinite(np.asarray(values, np.float32))
        if lost.any():
            raise ValueError(
                f"convert: {lost.sum():,} of {lost.size:,} weights in {name!r} are NaN or "
                "infinite. No grid has a place for them, and the file would pass for a sound one. "
                "Did the training diverge? Go back to a checkpoint before it did."
            )
