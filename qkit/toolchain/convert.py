"""From a Keras 2 model or a SavedModel to the bytes of a .tflite file that keeps its promise."""

import difflib
import threading
from pathlib import Path

from qkit import validate
from qkit._tensorflow import quiet, tensorflow
from qkit.networks import network
from qkit.tflite.file import inspect
from qkit.toolchain.promise import check_promise, room_for_biases
from qkit.toolchain.schemes import find_scheme
from qkit.toolchain.wrapping import require_compressed, require_stripped

_one_at_a_time = threading.Lock()  # a model is not as it was while it is converted


def convert(model, scheme, calibration=None, *, left_in_float=()):
    """Convert a model to a .tflite file under a quantization scheme, and check that it worked.

    The converter ignores some requests in silence, such as integer activations without a
    calibration sample. Here the dtypes in the file are held against what the scheme promises, and
    the file is run once; a `PromiseError` tells where that fails.

    Parameters
    ----------
    model : tf.keras.Model or Network of Keras 2; or str or Path, the folder of a SavedModel
    scheme : str or Scheme, a name in `qk.SCHEMES`, or one of your own
    calibration : ndarray of shape (n, *image), float, optional
        Unlabelled images, scaled as in training, from which the ranges of the activations are
        chosen; a hundred or more. Only schemes that need "unlabelled sample" read them.
    left_in_float : sequence of str
        Operations to leave in float, for "full_integer": names of the tensors that they give in the
        file of the scheme "float32".

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
    if "EXPERIMENTAL_SPARSITY" in scheme.optimizations and scheme.weights == "int8":
        raise ValueError(
            f"convert: {scheme.name!r} asks for EXPERIMENTAL_SPARSITY with int8 weights; the "
            "default interpreter refuses to prepare such a file. Leave zeros to a compressor, or "
            "keep the weights in float."
        )
    if scheme.calibrated:
        calibration = checked_calibration(calibration, scheme)
    _require_names(left_in_float)
    if left_in_float:
        _require_full_integer(scheme)
    source = checked_source(model, scheme, calibration)
    if left_in_float:
        _require_known(left_in_float, convert(model, "float32"))
    with _one_at_a_time, quiet(), room_for_biases(getattr(source, "model", None)):
        converter = _converter(source, scheme, calibration)
        try:
            tflite = _written(converter, left_in_float)
        except Exception as error:  # RuntimeError or ConverterError, by the stage that refuses
            said = f"convert: {scheme.name!r} makes the converter stop: {error}"
            raise ValueError(said) from error
    check_promise(tflite, scheme, left_in_float)
    return tflite


def _converter(source, scheme, calibration):
    """Return TensorFlow's converter of a Network or a SavedModel's folder, set up for a scheme."""
    tf = tensorflow()
    lite = tf.lite.TFLiteConverter
    if isinstance(source, Path):
        converter = lite.from_saved_model(str(source))
    elif scheme.activations == "int16" and any(
        getattr(layer, "unroll", False) for layer in source.layers.values()
    ):
        converter = lite.from_concrete_functions([_of_one_input(source.model)], source.model)
    else:
        converter = lite.from_keras_model(source.model)
    converter.optimizations = [getattr(tf.lite.Optimize, name) for name in scheme.optimizations]
    converter.target_spec.supported_types = [getattr(tf, name) for name in scheme.supported_types]
    if scheme.supported_ops:
        ops = [getattr(tf.lite.OpsSet, name) for name in scheme.supported_ops]
        converter.target_spec.supported_ops = ops
    if scheme.calibrated:
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
    converter._experimental_disable_per_channel = not scheme.per_channel
    converter.inference_input_type = converter.inference_output_type = getattr(tf, scheme.io)
    return converter


def _of_one_input(model):
    """Return a model as a function of one input, so that the zeros a GRU starts from are constant.

    As an activation they have the int16 scale 0, and the weights of all steps get inf from it.
    """
    tf = tensorflow()
    shape = tf.TensorSpec((1, *model.input_shape[1:]), model.inputs[0].dtype)
    return tf.function(lambda x: model(x)).get_concrete_function(shape)


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


def checked_calibration(calibration, scheme):
    """Return the images that a scheme chooses ranges from, or say why they will not do."""
    what = f"convert: calibration for {scheme.name!r}"
    if calibration is None:
        raise ValueError(
            f"{what} is missing: integer activations need ranges, and those are chosen from a "
            "sample of unlabelled images. Pass calibration=data.x_train[:300]."
        )
    if validate.array(calibration, what=what).ndim == 0:
        raise TypeError(f"{what} must be an array of images, got {type(calibration).__name__}.")
    calibration = validate.images(calibration, None, what=what)
    if calibration.min() == calibration.max():
        raise ValueError(
            f"{what} is constant: every value is {calibration.flat[0]:g}. The ranges chosen from "
            "it would fit no real image. Pass images as the model will see them."
        )
    return calibration


def checked_source(model, scheme, calibration):
    """Return a Network, or the folder of a SavedModel; refuse what does not go with the scheme."""
    if isinstance(model, (str, Path)):
        source = Path(model)
        if not (source / "saved_model.pb").is_file():
            raise ValueError(
                f"convert: {source} is not the folder of a SavedModel: it holds no saved_model.pb. "
                "Make one with model.save(folder, save_format='tf'), or pass the model itself."
            )
    else:
        source = network(model, what="convert")
        _refuse_combinations(source, scheme)
    if scheme.calibrated:
        validate.images(calibration, _input_shape(source), what="convert: calibration")
    return source


def _input_shape(source):
    """Return the shape of the one input; None where the signature of a SavedModel is not plain."""
    if isinstance(source, Path):
        with quiet():
            signature = tensorflow().saved_model.load(str(source)).signatures.get("serving_default")
        inputs = signature.structured_input_signature[1].values() if signature else ()
        shapes = [spec.shape[1:] for spec in inputs]
        plain = len(shapes) == 1 and shapes[0].is_fully_defined()
        return tuple(shapes[0]) if plain else None
    if len(source.inputs) != 1:
        raise ValueError(
            f"convert: {source.name!r} shows {len(source.inputs)} inputs, and calibration "
            "images feed a single one. Use a scheme that needs no sample, or one input."
        )
    return next(iter(source.inputs.values()))


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
