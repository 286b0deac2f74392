"""Operations that are left in float within an int8 file, by the converter's own denylist."""

import difflib

from qkit._tensorflow import tensorflow
from qkit.tflite.file import read_tflite


def quantized_but(converter, names):
    """Convert under full integer quantization, and leave some operations in float.

    Parameters
    ----------
    converter : tf.lite.TFLiteConverter
        With optimizations and a representative data set.
    names : sequence of str
        Of what the operations give, as the float file calls it.

    Returns
    -------
    bytes
    """
    lite = tensorflow().lite.experimental
    debugger = lite.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=lite.QuantizationDebugOptions(denylisted_nodes=list(names)),
    )
    return debugger.get_nondebug_quantized_model()


def require_full_integer(names, scheme):
    """Refuse names that are none, and schemes for which the converter has no denylist.

    Parameters
    ----------
    names : sequence of str
    scheme : Scheme

    Raises
    ------
    TypeError, ValueError
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise TypeError(
            "convert: left_in_float must be a tuple of names of tensors in the float file, got "
            f"{names!r}. A single name is written (name,)."
        )
    if not scheme.calibrated or scheme.activations != "int8" or scheme.io != "float32":
        raise ValueError(
            f"convert: left_in_float goes with 'full_integer' alone, got {scheme.name!r}. The "
            "converter's list of operations to leave in float is that of its debugger, which "
            "writes int8 activations between float ends."
        )


def require_known(names, float_tflite):
    """Refuse names that no operation of the float file gives.

    Parameters
    ----------
    names : sequence of str
    float_tflite : bytes
        The same model, converted under "float32".

    Raises
    ------
    ValueError
        With the nearest names that there are.
    """
    known = [tensor.name for tensor in read_tflite(float_tflite).activations]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
            hint = f" Nearest: {', '.join(map(repr, near))}." if near else ""
            raise ValueError(
                f"convert: left_in_float names {name!r}, and no operation of the float file gives "
                f"a tensor of that name.{hint} qk.inspect(qk.convert(model, 'float32')) lists all."
            )
