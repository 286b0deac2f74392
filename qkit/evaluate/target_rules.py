"""Rules of the linter about targets: which operators and dtypes each of them takes."""

import functools

import numpy as np

from qkit.evaluate.operators import SOURCES, TARGETS, WITHOUT_INT16, operators
from qkit.evaluate.rules import MEASURED, RULES, SPEC, any_of, kinds, named, rule
from qkit.tflite.edit import CHANNEL_AXIS

__all__ = ["RULES"]  # these, and those of all targets before them

_FUSING = ("CONCATENATION", "MAX_POOL_2D", "AVERAGE_POOL_2D")
_INTEGER = "https://ai.google.dev/edge/litert/models/post_training_integer_quant"
_CORAL = "https://coral.ai/docs/edgetpu/models-intro/#model-requirements"
_ONE_SCALE = "https://github.com/tensorflow/tflite-micro/pull/2602"
_SMALL = ("edgetpu", "ethos-u", "microcontroller")
_FALLS_BACK = (
    "It falls back to the processor, and what follows may too: write it with other operators, or "
    "put it at the end."
)
_OWN_KERNEL = "Write it with other operators, or register a kernel of your own where it runs."
_FIXED = (
    "Give the network a fixed shape: tf.keras.Input(shape, batch_size=1). Keras 3 opens the batch "
    "when it exports: convert qk.to_keras_2(model)."
)


@rule(
    "float-operators",
    {"edgetpu": "fatal", "ethos-u": "costly", "microcontroller": "costly"},
    _INTEGER,
    "computes in float: an accelerator leaves it to the processor, and a microcontroller needs "
    "four times the memory of int8.",
    'Convert under "full_integer", with a calibration set: without one, the converter leaves '
    "activations in float and says nothing.",
)
def _in_float(file):
    return kinds(file.float_operators)


@rule(
    "float-operators",
    {"cpu": "note"},
    _INTEGER,
    "computes in float among integer operators, with a conversion before and after it.",
    "Write it with operators that have integer kernels, if speed matters.",
)
def _float_among_integers(file):
    integer = any(t.dtype in ("int8", "int16", "uint8") for t in file.activations)
    ends = {id(tensor) for tensor in file.inputs}  # a model may take integers, and cast them
    left = (op for op in file.float_operators if op.name != "CAST" or not any_of(op.inputs, ends))
    return kinds(left) if integer else ()


@rule(
    "float-ends",
    dict.fromkeys(_SMALL, "costly"),
    _INTEGER,
    "is float32 at the end of an integer file: its conversion runs on the processor.",
    'Convert under "full_integer_int8_io", and put values on the grid yourself.',
)
def _float_ends(file):
    ends = {id(t) for t in (*file.inputs, *file.outputs) if t.dtype == "float32"}
    for op in file.operators:
        side = {"QUANTIZE": op.inputs, "DEQUANTIZE": op.outputs}.get(op.name, ())
        yield from (repr(tensor.name) for tensor in side if id(tensor) in ends)


@rule(
    "uint8",
    {"cpu": "note", "microcontroller": "fatal"},
    SPEC,
    "computes in uint8, the grid of TensorFlow 1: one scale a tensor, and no kernel on "
    "microcontrollers.",
    "Convert anew: since TensorFlow 2 the converter writes int8.",
)
def _uint8(file):
    return _computing_in(file, "uint8")


def _computing_in(file, dtype):
    computing = (op for op in file.operators if op.name in CHANNEL_AXIS)
    return kinds(op for op in computing if any(t.dtype == dtype for t in op.outputs))


@rule(
    "uint8-ends",
    dict.fromkeys(("ethos-u", "microcontroller"), "note"),
    SPEC,
    "is uint8 where the file computes in int8: one operator more, which shifts by 128.",
    "Take int8 ends, and pass x − 128.",
)
def _uint8_ends(file):
    inner = any(t.dtype == "int8" for op in file.operators for t in op.outputs)
    for tensor in (*file.inputs, *file.outputs) if inner else ():
        if tensor.dtype == "uint8" and tensor.scale.size:
            yield repr(tensor.name)


@rule(
    "per-axis-dense",
    {"edgetpu": "fatal", "microcontroller": "note"},
    _ONE_SCALE,
    "has {} scales in a dense layer: the Edge TPU's compiler, of 2021, knows one a tensor, and so "
    "did tflite-micro up to August 2024, which refused it or computed nonsense.",
    "Set converter._experimental_disable_per_channel_quantization_for_dense_layers = True.",
)
def _per_axis(file):
    dense = (op.inputs[1] for op in file.operators if op.name == "FULLY_CONNECTED")
    return ((repr(tensor.name), tensor.scale.size) for tensor in dense if tensor.scale.size > 1)


@rule(
    "int16-activations",
    {"cpu": "costly", "gpu": "costly", "edgetpu": "fatal"},
    MEASURED,
    "has int16 activations: reference kernels on a processor, 22 to 41 times slower, and none on "
    "a GPU or an Edge TPU.",
    'Use "full_integer" where its accuracy will do.',
)
def _int16(file):
    return _computing_in(file, "int16")


@rule(
    "weights-alone",
    {"microcontroller": "fatal"},
    SOURCES["microcontroller"],
    "has weights of fewer bits and computes in float, for which tflite-micro has no kernel.",
    'Convert under "full_integer", with a calibration set, or under "float32".',
)
def _weights_alone(file):
    made = (op for op in file.operators if any(t.dtype == "float32" for t in op.outputs))
    return kinds(
        op
        for op in made
        if (op.name in CHANNEL_AXIS and op.inputs[1].dtype.startswith(("int", "uint")))
        or (op.name == "DEQUANTIZE" and any(t.dtype == "float16" for t in op.inputs))
    )


@rule(
    "weights-widened",
    {"gpu": "costly"},
    "https://github.com/john-rocky/edge-compat/blob/main/data/matrix/gpu_mldrift__2.2.0.json",
    "widens integer weights to float before a layer reads them: LiteRT 2.2 has refused to compile "
    "such a file for a GPU, as edge-compat measured.",
    'Convert under "float16" for a GPU, or under "full_integer".',
)
def _widened(file):
    first = (op for op in file.operators if op.name == "DEQUANTIZE" and op.inputs)
    held = (op for op in first if op.inputs[0].constant)
    return kinds(op for op in held if op.inputs[0].dtype.startswith("int"))


@rule(
    "no-int16-kernel",
    "fatal",
    MEASURED,
    "has no kernel for int16: the file converts, and fails to prepare or to run.",
    "Write it otherwise (a squared difference as d · d), or leave it in float.",
)
def _no_int16(file):
    taking = [op for op in file.operators if any(t.dtype == "int16" for t in op.inputs)]
    # the converter leaves the constant of PADV2 in float
    pads = [op for op in taking if op.name == "PADV2" and op.inputs[-1].dtype == "float32"]
    return kinds([op for op in taking if op.name in WITHOUT_INT16] + pads)


@rule(
    "sparse-integers",
    {"cpu": "fatal", "microcontroller": "fatal"},
    MEASURED,
    "holds integers without their zeros: XNNPACK refuses to prepare it.",
    "Convert without EXPERIMENTAL_SPARSITY, or run without the default delegates.",
)
def _sparse(file):
    held = (t for t in file.weights if t.sparsity is not None)
    return (repr(tensor.name) for tensor in held if tensor.dtype.startswith("int"))


@rule(
    "dynamic-shape",
    {"cpu": "note", **dict.fromkeys(TARGETS[1:], "fatal")},
    _CORAL,
    "has axes of any length, {}: memory is planned anew for each shape, and an accelerator takes "
    "none of it.",
    _FIXED,
)
def _dynamic(file):
    for tensor in file.inputs:
        if axes := [str(axis) for axis in tensor.free if axis > 0]:
            yield repr(tensor.name), " and ".join(axes)


@rule(
    "shape-at-run-time",
    {"gpu": "costly", "edgetpu": "costly", "ethos-u": "note"},
    _CORAL,
    "asks for the shape of a batch of any size at each run, on the processor.",
    _FIXED,
)
def _shapes(file):
    return kinds(op for op in file.operators if op.name == "SHAPE")


@rule(
    "batch",
    {**dict.fromkeys(TARGETS, "note"), "edgetpu": "fatal"},
    _CORAL,
    "takes {} items at once: a single one costs as much, and an Edge TPU takes three axes longer "
    "than 1 and no more.",
    _FIXED,
)
def _batch(file):
    for tensor in file.inputs:
        if len(tensor.shape) > 1 and tensor.shape[0] > 1 and 0 not in tensor.free:
            yield repr(tensor.name), tensor.shape[0]


def _unsupported(file, target):
    names, word = operators(target)
    shapes, left = set(), []  # tensors that hold shapes: another rule tells of them
    for op in file.operators:
        if target != "cpu" and (op.name == "SHAPE" or any_of(op.inputs, shapes)):
            shapes.update(id(t) for t in op.outputs if t.dtype in ("int32", "int64"))
        if op.name not in names and not any_of(op.outputs, shapes):
            left.append(op)
    # DEQUANTIZE stands at a float end, or before an operator in float: others tell of these
    told = ("DEQUANTIZE",) if target in ("edgetpu", "ethos-u") else ()
    return ((place, word) for place in kinds(op for op in left if op.name not in told))


for _target in TARGETS:
    _own = _target in ("cpu", "microcontroller")
    rule(
        "unsupported-operator",
        {_target: "fatal" if _own else "costly"},
        SOURCES[_target],
        f"is none of the operators of {_target}, by {{}}.",
        _OWN_KERNEL if _own else _FALLS_BACK,
    )(functools.partial(_unsupported, target=_target))


@rule(
    "edgetpu-condition",
    {"edgetpu": "costly"},
    SOURCES["edgetpu"],
    "{}, which the Edge TPU leaves to the processor.",
    "Put the activation into an operator of its own, or make the softmax shorter.",
)
def _conditions(file):
    for op in file.operators:
        if op.name in _FUSING and getattr(op.options, "fusedActivationFunction", 0):
            yield named(op), "has an activation fused into it"
        if op.name == "SOFTMAX" and op.inputs and np.prod(op.inputs[0].shape) > 16_000:
            yield named(op), "has more than 16,000 elements"
