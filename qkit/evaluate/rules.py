"""Rules of the linter for all targets: what training and the converter left in a file."""

from collections import defaultdict

import numpy as np

from qkit.evaluate.operators import TARGETS
from qkit.tflite.edit import CHANNEL_AXIS
from qkit.tflite.faults import FAULTS
from qkit.tflite.values import stored_values

_START = 12 / 255  # step of ±6, at which quantization-aware training starts its moving averages
_UNSET = 1.1e-6  # range of a quantizer that has seen nothing
_LEVELS = 4  # steps of a result that an operand must span, so that something of it is left
_CLIPPED, _CLUSTERS = 0.05, 64  # share of weights at the ends of a grid; levels of clustered ones
_JOINING = ("ADD", "SUB", "CONCATENATION", "PACK", "MAXIMUM", "MINIMUM")
SPEC = "https://ai.google.dev/edge/litert/models/quantization_spec"
_QAT = "https://www.tensorflow.org/model_optimization/guide/quantization/training_example"
_PRUNING = "https://www.tensorflow.org/model_optimization/guide/pruning/pruning_with_keras"
MEASURED = "measured with LiteRT 2.3"

# Code, severity by target, a function from a file to (place, consequence, remedy), and a source.
RULES = [(code, dict.fromkeys(TARGETS, "fatal"), find, MEASURED) for code, find in FAULTS.items()]


def rule(code, severity, source, consequence, remedy):
    """Add a generator to the rules: of places, each with what fills the consequence's braces."""
    by_target = dict.fromkeys(TARGETS, severity) if isinstance(severity, str) else severity

    def keep(find):
        def told(file):
            for found in find(file):
                place, *values = [found] if isinstance(found, str) else found
                yield place, consequence.format(*values), remedy

        RULES.append((code, by_target, told, source))
        return find

    return keep


@rule(
    "qat-without-optimizations",
    "fatal",
    _QAT,
    "puts values on a grid at each run, and the rest computes in float: a quantization-aware "
    "model, larger than float and up to 13 times slower.",
    "Set converter.optimizations = [tf.lite.Optimize.DEFAULT].",
)
def _fake(file):
    for op in file.operators:
        held = op.name == "QUANTIZE" and any(t.constant for t in op.inputs)
        if op.name == "FAKE_QUANT" or (held and op.inputs[0].dtype == "float32"):
            yield named(op)


@rule(
    "wrapped",
    "fatal",
    _PRUNING,
    "is the first of {} tensors that a wrapper for {} left: training's variables and operators "
    "are in the file, and weights that are computed at each run are not quantized.",
    "Take the wrappers off first: strip_pruning(model) or strip_clustering(model).",
)
def _wrapped(file):
    for mark, kind in (("prune_low_magnitude_", "pruning"), ("pulling_indices_", "clustering")):
        if marked := [t.name for t in file.tensors if f"/{mark}" in f"/{t.name}"]:
            yield repr(marked[0]), len(marked), kind


@rule(
    "keeps-state",
    "note",
    MEASURED,
    "is the first of {} that keep values from run to run: a sample starts where the last ended.",
    "Call reset_all_variables() before each sample that stands alone.",
)
def _state(file):
    kept = [t.name for t in file.tensors if t.variable]
    kept += [op.inputs[0].name for op in file.operators if op.name == "ASSIGN_VARIABLE"]
    if kept := [*dict.fromkeys(kept)]:
        yield repr(kept[0]), len(kept)


@rule(
    "default-range",
    "fatal",
    _QAT,
    "is the first of {} on a grid in steps of {:.3g}, where a quantizer starts: it has seen no "
    "data in training, or too few batches (its average keeps 0.999 of what it was).",
    "Train for hundreds of steps, or qk.quantization_aware(model, calibration=x).",
)
def _default_range(file):
    starts = defaultdict(list)
    for tensor in (*file.inputs, *file.activations):
        step = float(tensor.scale.max(initial=0)) * (tensor.dtype in ("int8", "uint8"))
        middle = 128 * (tensor.dtype == "uint8")
        start = abs(step / _START - 1) < 0.01 and abs(tensor.zero_point[0] - middle) <= 2
        if start or 0 < 255 * step < _UNSET:
            starts[step].append(tensor.name)
    return ((repr(names[0]), len(names), step) for step, names in starts.items())


@rule(
    "swallowed",
    "costly",
    SPEC,
    "spans {:.2g} steps of what {} gives: the range of another operand, such as a mask, buries it.",
    "Make the other one smaller (a mask of −100 will do), or use int16 activations.",
)
def _swallowed(file):
    for op in (op for op in file.operators if op.name in _JOINING and op.outputs):
        step = op.outputs[0].scale.max(initial=0)
        for tensor in (t for t in op.inputs if not t.constant):
            levels = {"int8": 256, "uint8": 256, "int16": 65536}.get(tensor.dtype, 0)
            span = tensor.scale.max(initial=0) * levels
            if 0 < span < _LEVELS * step:
                yield repr(tensor.name), span / step, named(op)


@rule(
    "clipped-weights",
    "note",
    SPEC,
    "has {:.0%} of its weights at the ends of the grid: its range cuts them off.",
    "Take ranges from the smallest and the largest weight of a channel.",
)
def _clipped(file):
    for tensor, values, _ in _kernels(file):
        if tensor.dtype == "int8":  # of each channel, the largest is there in any case
            there = np.count_nonzero((values == 127) | (values == -127)) - 2 * tensor.scale.size
            if there > _CLIPPED * values.size and len(np.unique(values)) > _CLUSTERS:
                yield repr(tensor.name), there / values.size


@rule(
    "dead-channels",
    "note",
    _PRUNING,
    "holds zeros alone in {} of {} channels, which are stored and computed all the same.",
    "Take these channels out of the network before it is converted.",
)
def _dead(file):
    for tensor, values, axis in _kernels(file):
        others = tuple(i for i in range(values.ndim) if i != axis)
        with np.errstate(invalid="ignore"):  # a NaN is none
            dead = np.count_nonzero(~values.any(axis=others))
        if dead:
            yield repr(tensor.name), dead, values.shape[axis]


def _kernels(file):
    """Yield weights in int8 or float32 that stand in the file, their values, and channels' axis."""
    found = {}
    for op in file.operators:
        weights = op.input(1) if op.name in CHANNEL_AXIS else None
        if weights is not None and weights.size_bytes and not weights.zero_point.any():
            found[weights.buffer] = weights, CHANNEL_AXIS[op.name]
    for weights, axis in found.values():
        if weights.dtype in ("int8", "float32") and len(weights.shape) > axis:
            yield weights, stored_values(weights), axis


def kinds(operators):
    """Yield a place for each kind among operators: how many there are, and the first one."""
    kinds = defaultdict(list)
    for op in operators:
        kinds[op.name].append(op)
    for same in kinds.values():
        yield f"{len(same)} × {named(same[0])}" if len(same) > 1 else named(same[0])


def named(op):
    """Return words for an operator: its kind, and the first tensor that it gives."""
    return f"{op.name} {op.outputs[0].name!r}" if op.outputs else op.name


def any_of(tensors, ids):
    """Whether some of these tensors are among those with these ids."""
    return any(id(tensor) in ids for tensor in tensors)
