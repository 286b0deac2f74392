"""What goes wrong in silence when a .tflite file runs, found by reading it."""

import numpy as np

from qkit.tflite.values import stored_values

# An int16 step of 1,000 spans ±3e7: such a range comes from a mask like −1e9, and buries the rest.
_LARGEST_INT16_STEP = 1_000
_LARGEST_EXPONENT = 88  # of e in float32: a softmax cannot tell values further apart
TAKING = ("GATHER", "EMBEDDING_LOOKUP")  # rows of a table, on whose grid they stay at first
_PASSING = ("CAST", "DEQUANTIZE", "QUANTIZE", "RESHAPE")
_INT32_ENDS = (-(2**31), -(2**31) + 1, 2**31 - 1)


def known_faults(file):
    """Yield the code of each fault of a file, its place, what it does, and the remedy."""
    for code, find in FAULTS.items():
        for fault in find(file):
            yield code, *fault


def _not_finite(file):
    for tensor in file.tensors:
        if not np.isfinite(tensor.scale).all():
            yield (
                repr(tensor.name),
                f"a scale of the tensor {tensor.name!r} is not finite: what flows through it is "
                "lost. The initial state of an unrolled recurrent layer, all zeros, does that to "
                "weights that its steps share.",
                "Pass the Keras model in place of its folder.",
            )


def _depthwise(file):
    for op in file.operators:
        in_float = op.name == "DEPTHWISE_CONV_2D" and op.outputs[0].dtype == "float32"
        if in_float and op.inputs[1].dtype == "int8" and op.inputs[1].scale.size < 2:
            yield (
                repr(op.inputs[1].name),
                f"its depthwise convolution {op.inputs[1].name!r} has int8 weights with a single "
                "scale and float activations. The kernel for that reads memory it should not, "
                "and gives values that change from run to run.",
                "Use per_channel=True.",
            )


def _two_bits(file):
    for op in file.operators:
        if "CONV" in op.name and any(tensor.dtype == "int2" for tensor in op.inputs):
            yield (
                op.name,
                f"its {op.name} has int2 weights, and LiteRT's kernels for that compute nonsense, "
                "up to 1e30 and NaN (seen in 2.3).",
                "Keep int4 for convolutions.",
            )


def _huge_steps(file):
    softened = {id(t) for op in file.operators if op.name == "SOFTMAX" for t in op.inputs}
    for tensor in file.activations:
        step = tensor.scale.max(initial=0)
        largest = _LARGEST_INT16_STEP if tensor.dtype == "int16" else np.inf
        if step > min(largest, _LARGEST_EXPONENT if id(tensor) in softened else np.inf):
            yield (
                repr(tensor.name),
                f"one step of the grid of {tensor.name!r} is {step:,.0f}: a huge constant, such as "
                "a mask of −1e9, spans the range and rounds all else to zero.",
                "Use a mask of −100.",
            )


def _ids(file):
    makers = {id(tensor): op for op in file.operators for tensor in op.outputs}
    for op in file.operators:
        ids = op.input(1 if op.name == "GATHER" else 0) if op.name in TAKING else None
        seen = set()  # a damaged file may lead round in a circle
        while ids is not None and id(ids) not in seen:
            seen.add(id(ids))
            if ids.scale.max(initial=0) > 1:
                yield (
                    repr(ids.name),
                    f"the numbers of rows that {op.name} takes go through {ids.name!r}, a grid in "
                    f"steps of {ids.scale[0]:.3g}: most become those of others.",
                    "Give the network integers, tf.keras.Input(shape, dtype='int32'), or keep "
                    "float inputs.",
                )
            maker = makers.get(id(ids))
            ids = maker.inputs[0] if maker and maker.name in _PASSING and maker.inputs else None


def _cut_biases(file):
    for tensor in file.tensors:
        # in int64, which goes with int16, litert-quantizer too writes what fits into int32
        bias = tensor.size_bytes and tensor.dtype in ("int32", "int64") and tensor.scale.size
        if bias and np.isin(stored_values(tensor), _INT32_ENDS).any():
            yield (
                repr(tensor.name),
                f"a bias in {tensor.name!r} is cut off: the weights of its channel, or the values "
                "that come in, are all zero or nearly, and so is the step in which it is written.",
                "Pass the Keras model in place of its folder, or take the dead channel out; with "
                "int16 activations take those of the converter, 'int16_activations'.",
            )


FAULTS = {
    "scale-not-finite": _not_finite,
    "depthwise-one-scale": _depthwise,
    "int2-convolution": _two_bits,
    "huge-step": _huge_steps,
    "ids-on-a-grid": _ids,
    "bias-cut-off": _cut_biases,
}
