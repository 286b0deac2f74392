"""From a Keras 2 model or a SavedModel to the bytes of a .tflite file that keeps its promise."""

import contextlib
from pathlib import Path

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet, require_keras_2_model, tensorflow
from qkit.toolchain.clustering import MOST_CLUSTERS, is_clustered
from qkit.toolchain.dead_channels import room_for_biases
from qkit.toolchain.left_in_float import quantized_but, require_full_integer, require_known
from qkit.toolchain.promise import check_promise
from qkit.toolchain.pruning import is_pruned
from qkit.toolchain.schemes import find_scheme
from qkit.toolchain.structure import is_quantization_aware, require_stripped


def convert(model, scheme, calibration=None, *, left_in_float=()):
    """Convert a model to a .tflite file under a quantization scheme, and check that it worked.

    The converter ignores some requests in silence: integer activations without a calibration
    sample, calibration without ``optimizations``, quantization-aware models without
    ``optimizations``. Here the dtypes in the file are held against what the scheme promises, and
    the file is run once.

    Parameters
    ----------
    model : tf.keras.Model, str or Path
        A Keras 2 model, or the folder of a SavedModel.
    scheme : str or Scheme
        A name in `qk.SCHEMES`, or a scheme of your own.
    calibration : ndarray of shape (n, *image), float, optional
        Unlabelled images, scaled as in training, from which the ranges of the activations are
        chosen; a hundred or more. TensorFlow calls them the representative data set. Only the
        schemes that need "unlabelled sample" read them.
    left_in_float : sequence of str
        Operations to leave in float, for "full_integer": names of the tensors that they give in the
        file of the scheme "float32". What is left is given back to the int8 grid where an int8
        operation reads it.

    Returns
    -------
    bytes

    Raises
    ------
    TypeError, ValueError
        If the model, the scheme or the calibration images are not fit for it; before the
        converter starts.
    PromiseError
        If the file is not what the scheme promises, or cannot be run.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = convert(qk.models.walkthrough_cnn(), "dynamic_range")
    >>> tflite[4:8]
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
        calibration = _checked_calibration(calibration, scheme)
    if left_in_float:
        require_full_integer(left_in_float, scheme)
    source = _checked_model(model, scheme, calibration)
    if left_in_float:
        require_known(left_in_float, convert(model, "float32"))
    seen_through = scheme.through_grid and not isinstance(source, Path)
    with quiet(), room_for_biases(source) if seen_through else contextlib.nullcontext():
        converter = _converter(source, scheme, calibration)
        tflite = quantized_but(converter, left_in_float) if left_in_float else converter.convert()
    check_promise(tflite, scheme, left_in_float)
    return tflite


def _converter(source, scheme, calibration):
    tf = tensorflow()
    lite = tf.lite.TFLiteConverter
    if isinstance(source, Path):
        converter = lite.from_saved_model(str(source))
    elif scheme.activations == "int16" and any(getattr(n, "unroll", False) for n in source.layers):
        converter = lite.from_concrete_functions([_of_one_input(tf, source)], source)
    else:
        converter = lite.from_keras_model(source)
    converter.optimizations = [getattr(tf.lite.Optimize, name) for name in scheme.optimizations]
    if scheme.supported_ops:
        converter.target_spec.supported_ops = [
            getattr(tf.lite.OpsSet, name) for name in scheme.supported_ops
        ]
    if scheme.supported_types:
        converter.target_spec.supported_types = [
            getattr(tf, name) for name in scheme.supported_types
        ]
    if scheme.calibrated:
        converter.representative_dataset = lambda: ([image[None]] for image in calibration)
    if not scheme.per_channel:
        converter._experimental_disable_per_channel = True
    if scheme.io != "float32":
        converter.inference_input_type = converter.inference_output_type = getattr(tf, scheme.io)
    return converter


def _of_one_input(tf, model):
    """Return a model as a function of one input alone, so that zeros of its size are constants.

    A recurrent layer starts from zeros, as many as there are inputs. Where that is not known before
    the file runs, they are an activation whose int16 scale is 0; a GRU adds a bias to its product
    with them, the bias takes its scale from the product's, and the weights, which all steps share,
    end with the scale inf. Constants are gone before the converter looks for scales.
    """
    shape = tf.TensorSpec((1, *model.input_shape[1:]), model.inputs[0].dtype)
    return tf.function(lambda x: model(x)).get_concrete_function(shape)


def _checked_calibration(calibration, scheme):
    what = f"convert: calibration for {scheme.name!r}"
    if calibration is None:
        raise ValueError(
            f"{what} is missing: integer activations need ranges, and those are chosen from a "
            "sample of unlabelled images. Pass calibration=data.x_train[:300]."
        )
    if len(np.shape(calibration)) == 0:
        raise TypeError(f"{what} must be an array of images, got {type(calibration).__name__}.")
    calibration = validate.images(calibration, None, what=what)
    if calibration.min() == calibration.max():
        raise ValueError(
            f"{what} is constant: every value is {calibration.flat[0]:g}. The ranges chosen from "
            "it would fit no real image. Pass images as the model will see them."
        )
    return calibration


def _checked_model(model, scheme, calibration):
    if isinstance(model, (str, Path)):
        path = Path(model)
        if not (path / "saved_model.pb").is_file():
            raise ValueError(
                f"convert: {path} is not the folder of a SavedModel: it holds no saved_model.pb. "
                "Make one with model.save(folder, save_format='tf'), or pass the model itself."
            )
        if scheme.calibrated:
            validate.images(calibration, _saved_input_shape(path), what="convert: calibration")
        return path
    require_keras_2_model(model, what="convert")
    require_stripped(model, what="convert")
    if scheme.calibrated:
        if len(model.inputs or ()) != 1:
            raise ValueError(
                f"convert: {model.name!r} shows {len(model.inputs or ())} inputs, and calibration "
                "images feed a single one. Use a scheme that needs no sample, or one input."
            )
        validate.images(calibration, model.input_shape[1:], what="convert: calibration")
    _refuse_combinations(model, scheme)
    return model


def _saved_input_shape(path):
    """Return the shape of one input of a SavedModel; None where its signature is not plain."""
    with quiet():
        signatures = tensorflow().saved_model.load(str(path)).signatures
    if "serving_default" not in signatures:
        return None
    inputs = signatures["serving_default"].structured_input_signature[1]
    shapes = [spec.shape for spec in inputs.values()]
    if len(shapes) != 1 or shapes[0].rank is None or None in shapes[0][1:]:
        return None
    return tuple(shapes[0][1:])


def _refuse_combinations(model, scheme):
    """Refuse what the converter accepts and gets wrong, where the Keras model shows it."""
    aware = is_quantization_aware(model)
    if scheme.through_grid and not aware:
        raise ValueError(
            f"convert: the scheme {scheme.name!r} wants a model trained through the grid, and "
            f"{model.name!r} is a plain one: the file would hold float activations. Wrap it with "
            "qk.quantization_aware(model), train that for an epoch or more, and convert it."
        )
    if aware and scheme.activations == "int16":
        raise ValueError(
            "convert: quantization-aware training is for int8 activations; with int16 the "
            "converter stops at \"not yet supported for op: 'DEQUANTIZE'\". Convert the float "
            "model with int16 activations, or this one with 'qat'."
        )
    if aware and not scheme.through_grid:
        raise ValueError(
            f"convert: {model.name!r} is quantization-aware, with ranges of its own; under "
            f"{scheme.name!r} the file would keep its fake quantization and grow. Use 'qat'."
        )
    _require_technique(model, scheme)


def _require_technique(model, scheme):
    """Refuse a model that did not go through what its row in a table would say it did."""
    if scheme.technique.startswith("pruned") and not is_pruned(model):
        raise ValueError(
            f"convert: {scheme.name!r} wants a pruned model, and {model.name!r} has no zero among "
            "its weights. Make one with pruned, history = qk.prune(model, data)."
        )
    if scheme.technique.endswith("clustered") and not is_clustered(model):
        raise ValueError(
            f"convert: {scheme.name!r} wants a clustered model, and {model.name!r} holds more "
            f"than {MOST_CLUSTERS} distinct values. Make one with clustered, history = "
            "qk.cluster(model, data)."
        )
