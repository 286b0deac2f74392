"""From a model of any kind to the bytes of a .tflite file that keeps its promise."""

import difflib
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from qkit import validate
from qkit._tensorflow import first_line, quiet, tensorflow
from qkit.interpreter.run import filled
from qkit.networks import Network
from qkit.samples import count, samples
from qkit.tflite.edit import with_inputs_in_order
from qkit.tflite.file import inspect
from qkit.toolchain.promise import check_promise, room_for_biases
from qkit.toolchain.recipes import quantized
from qkit.toolchain.schemes import ENGINES, find_scheme
from qkit.toolchain.sources import (
    Lite,
    converter_of,
    require_finite_weights,
    source,
    without_loops,
)
from qkit.toolchain.wrapping import require_compressed, require_stripped

_one_at_a_time = threading.Lock()  # a model is not as it was while it is converted


def convert(model, scheme, calibration=None, *, left_in_float=(), signature=None):
    """Convert a model to a .tflite file under a quantization scheme, and check that it worked.

    The converter ignores some requests in silence, such as integer activations without a
    calibration sample. Here the dtypes in the file are held against what the scheme promises, and
    the file is run once; a `PromiseError` tells where that fails.

    Parameters
    ----------
    model : tf.keras.Model of Keras 2 or 3, or concrete function; or str, Path or bytes
        The folder of a SavedModel, or a .keras file; or a float .tflite file from anywhere, or its
        bytes, which litert-quantizer puts on the scheme's grid: the converter starts from models.
    scheme : str or Scheme, a name in `qk.SCHEMES`, or one of your own
    calibration : ndarray of shape (n, *input), optional; of several inputs a list, or a dict
        Unlabelled items, scaled as in training, from which the ranges of the activations are
        chosen; a hundred or more. Only schemes that need "unlabelled sample" read them, and models
        with a free height, width or length, of which they are to have the one that counts.
    left_in_float : sequence of str
        Operations to leave in float, for "full_integer": names of the tensors that they give in the
        file of the scheme "float32".
    signature : str, optional, of a SavedModel; by default "serving_default", or the only one

    Returns
    -------
    bytes

    Examples
    --------
    >>> import qkit as qk
    >>> convert(qk.models.walkthrough_cnn(), "dynamic_range")[4:8]
    b'TFL3'
    """
    scheme = find_scheme(scheme)
    validate.choice(scheme.engine, ENGINES, name=f"convert: engine of the scheme {scheme.name!r}")
    if "EXPERIMENTAL_SPARSITY" in scheme.optimizations and scheme.weights == "int8":
        raise ValueError(
            f"convert: {scheme.name!r} asks for EXPERIMENTAL_SPARSITY with int8 weights; the "
            "default interpreter refuses to prepare such a file. Leave zeros to a compressor, or "
            "keep the weights in float."
        )
    if scheme.calibrated:
        calibration = require_calibration(calibration, scheme)
    _require_names(left_in_float)
    if left_in_float:
        _require_full_integer(scheme)
    opened = checked_source(model, scheme, signature)
    if isinstance(opened, Lite):
        scheme = replace(scheme, engine="litert_quantizer")
    if left_in_float and scheme.engine != "converter":
        raise ValueError("convert: left_in_float is for the converter, not for litert-quantizer.")
    if scheme.calibrated:
        calibration = checked_calibration(calibration, opened, scheme)
    in_float = partial(convert, scheme="float32", calibration=calibration)
    if scheme.calibrated:
        opened = without_loops(opened, calibration, in_float)
    if left_in_float:
        _require_known(left_in_float, in_float(opened))
    if scheme.engine == "converter":
        tflite = _converted(opened, scheme, calibration, left_in_float)
    elif isinstance(opened, Lite) and scheme.weights == "float32":
        tflite = opened.tflite
    else:
        tflite = quantized(in_float(opened), scheme, calibration)
    check_promise(tflite, scheme, left_in_float)
    return tflite


def _converted(opened, scheme, calibration, left_in_float):
    """Return the file that TensorFlow's converter writes."""
    with _one_at_a_time, quiet(), room_for_biases(getattr(opened, "model", None)):
        try:
            tflite = _written(_converter(opened, scheme, calibration), left_in_float)
        except Exception as error:  # RuntimeError or ConverterError, by the stage that refuses
            said = f"convert: {scheme.name!r} makes the converter stop: {_cause(error)}"
            raise ValueError(said) from error
    return with_inputs_in_order(tflite, opened.takes) if len(opened.takes) > 1 else tflite


# What the converter says, by what is found in it; the cause, and a way out that a test has tried.
_CAUSES = {
    r"to be static": (
        "a loop, as of a recurrent layer, has shapes that are not known. Build the layer with "
        "unroll=True and the same weights, and save the model anew."
    ),
    r"see current operation: .*-> tensor<[\dx?]*x(bf16|f16|f64)>": (
        "it computes in {}, and LiteRT in float32. Build the model again under the policy "
        "'float32', and give it the weights: new.set_weights(model.get_weights())."
    ),
    r"'tf\.(\w+)' op is neither a custom op nor a flex op": (
        "LiteRT has no operator for {}. Write it with others, or compute it before the network or "
        "after it: tf.keras.Model(model.input, layer.output) ends where it starts."
    ),
    r"16x8-bit not yet supported for op: '(\w+)'": (
        "it has no int16 activations for {}. Take 'litert_int16_activations', which has more, and "
        "computes in float what it has none for."
    ),
}


def _cause(error):
    """Return what the converter says: in our own words where the cause is known, else shortly."""
    said = str(error)
    for pattern, cause in _CAUSES.items():
        if found := re.findall(pattern, said):
            return cause.format(", ".join(dict.fromkeys(found)))
    return first_line(error)[:300]


def _converter(opened, scheme, calibration):
    """Return TensorFlow's converter of a Network or a SavedModel, set up for a scheme."""
    tf = tensorflow()
    layers = opened.layers.values() if isinstance(opened, Network) else ()
    alone = any(_one_at_a_time_only(layer, scheme) for layer in layers)
    converter = converter_of(opened, calibration, one_by_one=alone)
    converter.optimizations = [getattr(tf.lite.Optimize, name) for name in scheme.optimizations]
    converter.target_spec.supported_types = [getattr(tf, name) for name in scheme.supported_types]
    if scheme.supported_ops:
        ops = [getattr(tf.lite.OpsSet, name) for name in scheme.supported_ops]
        converter.target_spec.supported_ops = ops
    if scheme.calibrated:
        converter.representative_dataset = lambda: _runs(calibration, 1 if alone else opened.batch)
    converter._experimental_disable_per_channel = not scheme.per_channel
    if scheme.io != "float32":
        converter.inference_input_type = getattr(tf, scheme.io)
        converter.inference_output_type = getattr(tf, scheme.io)
    return converter


def _runs(calibration, batch):
    """Yield the inputs of one run after another; a last batch that is not whole is filled up."""
    named = isinstance(calibration, Mapping)
    for start in range(0, count(calibration), batch):
        parts = calibration.values() if named else [calibration]
        run = filled(parts, slice(start, start + batch), batch)
        yield dict(zip(calibration, run, strict=True)) if named else run


def _one_at_a_time_only(layer, scheme):
    """Whether a recurrent layer is to be converted for a batch of one.

    As a loop it needs shapes that are known. Unrolled, the zeros it starts from must be constant:
    as an activation they have the int16 scale 0, and the weights of all steps get inf from it.
    """
    recurrent = isinstance(layer, tensorflow().keras.layers.RNN)
    return recurrent and (not layer.unroll or scheme.activations == "int16")


def _written(converter, left_in_float):
    """Convert; what is left in float is on the debugger's denylist."""
    if not left_in_float:
        return converter.convert()
    lite = tensorflow().lite.experimental
    debugger = lite.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=lite.QuantizationDebugOptions(denylisted_nodes=list(left_in_float)),
    )
    return debugger.get_nondebug_quantized_model()


def require_calibration(calibration, scheme):
    """Return a sample that is there, and varies; its shape is for the model to tell."""
    what = f"convert: calibration for {scheme.name!r}"
    if calibration is None:
        in_float = scheme.activations == "float32"
        why = "errors count by what flows in" if in_float else "integer activations need ranges"
        raise ValueError(
            f"{what} is missing: {why}, and that takes a sample of unlabelled images. "
            "Pass calibration=data.x_train[:300]."
        )
    if hasattr(calibration, "__iter__") and not isinstance(calibration, (str, np.ndarray)):
        return calibration  # several inputs, a pipeline: what that holds depends on the model
    if validate.array(calibration, what=what).ndim == 0:
        raise TypeError(f"{what} must be an array of images, got {type(calibration).__name__}.")
    found = validate.images(calibration, None, what=what, dtype=None)
    if found.min() == found.max():
        raise ValueError(
            f"{what} is constant: every value is {found.flat[0]:g}. The ranges chosen from "
            "it would fit no real image. Pass images as the model will see them."
        )
    return calibration


def checked_calibration(calibration, opened, scheme):
    """Return the items that a scheme chooses ranges from, or say why they will not do."""
    what = f"convert: calibration for {scheme.name!r}"
    if not opened.takes:
        raise ValueError(f"{what}: {opened.name!r} shows no inputs. Save it, and pass the folder.")
    found = samples(calibration, opened.takes, what=what)
    return found if isinstance(found, Mapping) else require_calibration(found, scheme)


def checked_source(model, scheme, signature=None):
    """Return a Network, or a SavedModel; refuse what does not go with the scheme."""
    opened = source(model, what="convert", signature=signature)
    if isinstance(opened, Network):
        require_finite_weights({k: w.numpy() for k, w in opened.weights.items()})
        _refuse_combinations(opened, scheme)
    elif isinstance(opened, Lite) and scheme.technique:
        raise ValueError(
            f"convert: {scheme.name!r} wants a model that training made, and nothing can be "
            "trained in a .tflite file. Train where it comes from, and quantize the file made of "
            "that: 'full_integer' takes any."
        )
    return opened


def _refuse_combinations(opened, scheme):
    """Refuse what the converter gets wrong, and models that are not what the scheme says."""
    require_stripped(opened, what="convert")
    if scheme.through_grid and not opened.aware:
        raise ValueError(
            f"convert: the scheme {scheme.name!r} wants a model trained through the grid, and "
            f"{opened.name!r} is a plain one: the file would hold float activations. Wrap it with "
            "qk.quantization_aware(model), train that for an epoch or more, and convert it."
        )
    if opened.aware and scheme.activations == "int16":
        raise ValueError(
            "convert: quantization-aware training is for int8 activations; with int16 the "
            "converter stops at \"not yet supported for op: 'DEQUANTIZE'\". Convert the float "
            "model with int16 activations, or this one with 'qat'."
        )
    if opened.aware and not scheme.through_grid:
        raise ValueError(
            f"convert: {opened.name!r} is quantization-aware, with ranges of its own; under "
            f"{scheme.name!r} the file would keep its fake quantization and grow. Use 'qat'."
        )
    require_compressed(
        opened,
        zeros=scheme.technique.startswith("pruned"),
        clusters=scheme.technique.endswith("clustered"),
        why=f"convert: {scheme.name!r} wants a model that went through it",
    )


def _require_names(names):
    if not isinstance(names, (tuple, list)) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "convert: left_in_float must be a tuple of names of tensors in the float file, got "
            f"{names!r}. A single name is written (name,)."
        )


def _require_full_integer(scheme):
    """Refuse schemes for which the converter has no denylist."""
    if not scheme.calibrated or scheme.activations != "int8" or scheme.io != "float32":
        raise ValueError(
            f"convert: left_in_float goes with 'full_integer' alone, got {scheme.name!r}. The "
            "converter's list of operations to leave in float is that of its debugger, which "
            "writes int8 activations between float ends."
        )


def _require_known(names, float_tflite):
    known = [tensor.name for tensor in inspect(float_tflite).activations]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f" Nearest: {', '.join(map(repr, near))}." if near else ""
            raise ValueError(
                f"convert: left_in_float names {name!r}, and no operation of the float file gives "
                f"a tensor of that name.{hint} qk.inspect(qk.convert(model, 'float32')).to_frame() "
                "lists all."
            )
