"""What litert-quantizer, the tool chain's second engine, makes of a float file under a scheme."""

import re

import numpy as np

from qkit import validate
from qkit._tensorflow import first_line, quiet
from qkit.interpreter.run import at_lengths, filled
from qkit.tflite.edit import CHANNEL_AXIS, distinct, opened, plain_names, with_weights
from qkit.tflite.file import inspect, parsed
from qkit.tflite.values import real_values

_BITS = {"int2": 2, "int4": 4, "int8": 8, "int16": 16}
_FOR_DENSE = ("gptq", "hadamard")  # which the engine has for dense layers, and for no others
ONE_SCALE = ", one scale"
_ALGORITHMS = {
    "min_max": "MIN_MAX_UNIFORM_QUANT",
    "mse": "MSE",
    "octav": "OCTAV",
    "gptq": "GPTQ",
    "hadamard": "DECOMPOSED_HADAMARD_ROTATION",
}
_KNOWN = {
    "weights": ("float16", "int8", "int4", "int2"),
    "activations": ("float32", "int8", "int16"),
    "io": ("float32", "int8", "int16"),
    "algorithm": tuple(_ALGORITHMS),
    "block_size": (0, 32, 64),
}


def quantized(tflite, scheme, items=None, parts=None, seen=None):
    """Return the file that litert-quantizer makes of a float one.

    Parameters
    ----------
    tflite : bytes, of a float file
    scheme : Scheme
    items : ndarray or dict of them, as for `outputs`; from which a calibrated scheme chooses ranges
    parts : dict of str to str, what becomes of single operators, by the name that what they give
        has in `opened`
        "float32", or what weights they get: "int8", "int4"; with one scale in all "int4, one scale"
    seen : dict, in place of items what `statistics` found in them

    Raises
    ------
    ImportError : where litert-quantizer is not installed
    ValueError : where it does not carry the scheme out, with the reason
    """
    engine = _engine()
    _require_possible(scheme)
    signed, before = _told_apart(_signed(tflite)[0])
    recipe = _recipe(inspect(signed), scheme, parts or {})
    with quiet():
        try:
            if scheme.calibrated and seen is None:
                seen = statistics(tflite, scheme, items)
            if scheme.activations != "float32":
                seen = {name: _alive(ends) for name, ends in seen.items()}
            if scheme.activations == "int8":
                signed = _with_room_for_biases(signed, seen)
            working = engine.Quantizer(signed)
            working.load_quantization_recipe(recipe.get_quantization_recipe())
            made = working.quantize(seen, enable_progress_report=False).quantized_model
        except Exception as error:  # by the stage that refuses
            said = f"convert: {scheme.name!r} makes litert-quantizer stop: {first_line(error)}"
            raise ValueError(said) from error
    return _renamed(made, lambda name: before.get(name, name)) if before else bytes(made)


def _engine():
    try:
        from litert_quantizer import quantizer
    except ImportError as error:
        raise ImportError(
            "litert-quantizer, which quantizes float .tflite files and writes int4, is not "
            'installed: pip install "qkit[quantizer]". It does not come with qkit because it wants '
            "ai-edge-litert in one version, and no other."
        ) from error
    return quantizer


def _require_possible(scheme):
    """Refuse what litert-quantizer passes over in silence, or has no kernel to run."""
    for field, known in _KNOWN.items():
        value = getattr(scheme, field)
        validate.choice(value, known, name=f"convert: {field} of the scheme {scheme.name!r}")
    static, what = scheme.activations != "float32", f"convert: the scheme {scheme.name!r}"
    if scheme.io not in ("float32", scheme.activations):
        raise ValueError(
            f"{what} has {scheme.activations} activations: input and output are those, or float32; "
            f"got io={scheme.io!r}."
        )
    if static and scheme.weights == "float16":
        raise ValueError(
            f"{what} has float16 weights and {scheme.activations} activations, and no kernel "
            "multiplies the two. Take weights='int8'."
        )
    if (static or scheme.algorithm == "gptq") and not scheme.calibrated:
        raise ValueError(
            f"{what} wants items to learn ranges from, and says that it needs {scheme.needs!r}: "
            "needs='unlabelled sample'."
        )
    plain = scheme.weights == "int4" and scheme.per_channel and not (static or scheme.weight_only)
    if scheme.block_size and not plain:
        raise ValueError(
            f"{what} asks for blocks of {scheme.block_size}: LiteRT has a kernel for blocks of "
            "int4 weights whose activations are put on a grid as they come, and no other. Take "
            "block_size=0."
        )


def _recipe(file, scheme, parts):
    """Return which operators get which grid; what is said later of an operator counts."""
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.qtyping import QuantGranularity, TFLOperationName
    from litert_quantizer.recipe_manager import RecipeManager

    recipe, every = RecipeManager(), TFLOperationName.ALL_SUPPORTED
    plain = QuantGranularity.CHANNELWISE if scheme.per_channel else QuantGranularity.TENSORWISE
    blocks = QuantGranularity[f"BLOCKWISE_{scheme.block_size}"] if scheme.block_size else plain

    def say(names, operators, bits, algorithm, granularity=plain):
        how = bits, granularity, AlgorithmName[_ALGORITHMS.get(algorithm, algorithm)]
        if scheme.activations != "float32":
            recipe.add_static_config(names, operators, _BITS[scheme.activations], *how)
        elif scheme.weight_only or scheme.weights == "float16":
            recipe.add_weight_only_config(names, operators, *how)
        else:
            recipe.add_dynamic_config(names, operators, *how)

    if scheme.weights == "float16":
        say(".*", every, 16, "FLOAT_CASTING")
        return recipe
    static, bits = scheme.activations != "float32", _BITS[scheme.weights]
    # with int2 weights LiteRT 2.3's convolutions, all alike, compute nonsense: int4 for these
    say(".*", every, 8 if static else max(bits, 4), "min_max")
    if scheme.algorithm not in _FOR_DENSE:
        say(".", every, max(bits, 4), scheme.algorithm)
    for name, fits in _dense_layers(file, scheme).items():
        how = (scheme.algorithm, blocks) if fits else ("min_max", plain)
        say(_of(name), TFLOperationName.FULLY_CONNECTED, bits, *how)
    for name, part in parts.items():
        dtype, one_scale = part.removesuffix(ONE_SCALE), part.endswith(ONE_SCALE)
        if dtype == "float32":
            recipe.add_quantization_config(
                _of(name), every, algorithm_key=AlgorithmName.NO_QUANTIZE
            )
        else:
            by = QuantGranularity.TENSORWISE if one_scale else plain
            say(_of(name), every, _BITS[dtype], "min_max", by)
    for end in (TFLOperationName.INPUT, TFLOperationName.OUTPUT):
        if scheme.io == "float32":
            recipe.add_quantization_config(".", end, algorithm_key=AlgorithmName.NO_QUANTIZE)
    return recipe


def _of(name):
    """Return the pattern of an operator, by the name of what it gives."""
    return f"^{re.escape(name)}(;|$)"


def _dense_layers(file, scheme):
    """Return by the name of what each dense layer gives whether its width goes with the scheme."""
    layers = [op for op in file.operators if op.name == "FULLY_CONNECTED" and op.input(1)]
    widths = {op.outputs[0].name: op.input(1).shape[-1] for op in layers if op.input(1).constant}
    step = scheme.block_size or (2 if scheme.algorithm == "hadamard" else 1)
    fitting = {name: width % step == 0 for name, width in widths.items()}
    only_dense = scheme.block_size or scheme.algorithm in _FOR_DENSE or scheme.weights == "int2"
    if only_dense and not any(fitting.values()):
        with_what = f" with a multiple of {step} inputs" if step > 1 else ""
        raise ValueError(
            f"convert: {scheme.name!r} is for dense layers{with_what}, and the network has "
            f"{f'those of {sorted({*widths.values()})}' if widths else 'none'}. Take 'int4'."
        )
    return fitting


def _told_apart(tflite):
    """Return a file whose tensors all have a name of their own, and by these the ones that differ.

    The engine knows tensors by name alone, and those of all graphs together.
    """
    given = [tensor.name for tensor in inspect(tflite).tensors]
    names = distinct(given)
    before = {a.encode(): b.encode() for a, b in zip(names, given, strict=True) if a != b}
    anew = iter(names)
    return _renamed(tflite, lambda _: next(anew).encode()) if before else tflite, before


def _renamed(tflite, rename):
    """Return a file with what a function makes of the tensors' names, one after the other."""
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    model = parsed(tflite)
    for graph in model.subgraphs:
        for tensor in graph.tensors or ():
            tensor.name = rename(tensor.name)
    return bytes(convert_object_to_bytearray(model))


def _signed(tflite):
    """Return the file with a signature, its key, and its names of the inputs in their order."""
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    model = parsed(tflite)
    graph = model.subgraphs[0]
    own = {*map(int, graph.inputs)}
    found = [
        signature
        for signature in model.signatureDefs or ()
        if signature.subgraphIndex == 0 and {e.tensorIndex for e in signature.inputs} == own
    ]
    if not found:  # older files have none

        def named(numbers):
            tensors = [graph.tensors[number] for number in numbers]
            given = [(tensor.name or b"").decode(errors="replace") for tensor in tensors]
            # those of `outputs`, by which a metric finds them in both files
            pairs = zip(plain_names(given, numbers), map(int, numbers), strict=True)
            return [schema.TensorMapT(name.encode(), number) for name, number in pairs]

        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs, signature.outputs = named(graph.inputs), named(graph.outputs)
        model.signatureDefs = found = [signature]
        tflite = bytes(convert_object_to_bytearray(model))
    names = {entry.tensorIndex: entry.name.decode() for entry in found[0].inputs}
    return bytes(tflite), found[0].signatureKey.decode(), [names[i] for i in graph.inputs]


def statistics(tflite, scheme, items):
    """Return what the engine saw of each tensor: its ends, and for GPTQ what it multiplies."""
    from litert_quantizer.calibrator import Calibrator
    from litert_quantizer.utils.qsv_utils import gptq_and_moving_average_update, min_max_update

    def widest(old, new):
        # by itself it takes a moving average of the items' ends and cuts off what is rarer
        more = gptq_and_moving_average_update(old, new) if "hessian" in new else {}
        return more | min_max_update(old, new)

    tflite, _, arrays, size = at_lengths(tflite, items, "convert")
    signed, key, names = _signed(tflite)
    signed, _ = _told_apart(signed)
    feeds = [
        dict(zip(names, filled(arrays, slice(i, i + (size or 1)), size), strict=True))
        for i in range(0, len(arrays[0]), size or 1)
    ]
    working = Calibrator(signed, num_threads=1, qsv_update_func=widest)
    working.calibrate({key: feeds}, _recipe(inspect(signed), scheme, {}))
    return working.get_model_qsvs()


def _alive(ends):
    """Return the ends of a tensor, and 0 and 1 for one in which nothing but 0 was seen.

    Else its step is next to nothing, and the biases that are written in such steps are cut off.
    """
    dead = "max" in ends and not np.any(ends["min"]) and not np.any(ends["max"])
    return {**ends, "max": np.ones_like(ends["max"])} if dead else ends


def _with_room_for_biases(tflite, seen):
    """Return a float file in which a channel without weights has one that its bias can do with.

    A bias is stored in int32, in steps of the input's times the channel's weights'. Where these are
    all but zero, as in networks trained with weight decay, the engine cuts the bias off in silence.
    The weight adds to an output what is lost among the bias's own last places: at most a 30,000th.
    """
    if inspect(tflite).graphs != 1:
        return tflite
    file, wider = opened(tflite), {}
    for op in file.operators:
        weights, bias = op.input(1), op.input(2)
        axis = CHANNEL_AXIS.get(op.name)
        ends = seen.get(op.inputs[0].name) if op.inputs else None
        if axis is None or bias is None or not (ends and weights.constant and bias.constant):
            continue
        step = (max(float(np.max(ends["max"])), 0) - min(float(np.min(ends["min"])), 0)) / 255
        least = 127 * np.abs(real_values(bias)) / (2**30 * step)
        channels = np.moveaxis(real_values(weights), axis, 0)
        rows = channels.reshape(len(channels), -1).copy()
        small = np.abs(rows).max(axis=1) < least
        rows[small, 0] = least[small]
        if small.any():
            name = next(name for name, tensor in file.names.items() if tensor is weights)
            wider[name] = np.ascontiguousarray(np.moveaxis(rows.reshape(channels.shape), 0, axis))
    return with_weights(file, wider) if wider else tflite
