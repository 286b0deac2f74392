"""Exercises of 08: a limit, a rule for a file, and a verdict."""

from pathlib import Path

import qkit as qk

FILES = Path(__file__).parents[1] / "files"
SCHEMES = ("float32", "float16", "dynamic_range", "full_integer", "int16_activations")
TFLITE = {name: (FILES / f"trained_{name}.tflite").read_bytes() for name in SCHEMES}
OTHERS = {
    name: (FILES / f"{name}.tflite").read_bytes()
    for name in ("depthwise_full_integer", "trained_qat")  # the dense layer of the last has one
}


def with_weights(file):
    kinds = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
    return [op.inputs[1] for op in file.operators if op.name in kinds]


def several(tensors):
    return [tensor.name for tensor in tensors if tensor.scale.size > 1]


def dense_alone(file):
    return several(op.inputs[1] for op in file.operators if op.name == "FULLY_CONNECTED")


def comparisons():
    digits = qk.load_data("digits")
    judged, (first, *others) = (digits.x_test, digits.y_test), SCHEMES
    others = {name: TFLITE[name] for name in others}
    return {"comparisons": [qk.compare(TFLITE[first], judged, [], extra=others)]}


def verdict(found, most):
    low, high = found.interval_pp
    return "met" if -low <= most else "missed" if -high > most else "open"


def of_the_ends_as_they_stand(found, most):
    low, high = found.interval_pp
    return "met" if high <= most else "missed" if low > most else "open"


CASES = {
    "08.1": (
        {},
        ["b"],
        [
            ("a", "nothing was shown"),
            ("c", "how large"),
            ("d", "room"),
            ("B", "one of"),
            (["b"], "one of 'a'"),
        ],
    ),
    "08.2": (
        {"files": TFLITE | OTHERS},
        [
            lambda file: several(with_weights(file)),
            lambda file: [t.name for t in file.weights if t.granularity == "per channel"],
            lambda file: (name for name in several(with_weights(file))),
        ],
        [
            (dense_alone, "dense layers alone"),
            (lambda file: several(file.tensors), "a bias"),
            (lambda file: [], "are missed"),
            (lambda file: [t.name for t in file.weights], "nothing is to be found there"),
            (lambda file: [t.name for t in file.weights if t.scale.size], "no such weight"),
            (
                lambda file: several(with_weights(file)) and ["x"],
                "no such",
            ),
            (lambda file: several(with_weights(file))[:1], "are missed"),
            (lambda file: ", ".join(several(with_weights(file))), "names are asked for"),
            (lambda file: several(with_weights(file.tflite)), "from qk.inspect(tflite)"),
        ],
    ),
    "08.3": (
        comparisons,
        [verdict],
        [
            (lambda found, most: "met" if -found.difference_pp <= most else "missed", "itself"),
            (of_the_ends_as_they_stand, "change places"),
            (lambda found, most: "met" if found.p_value > 0.05 else "missed", "p tells whether"),
            (lambda found, most: "open", "which end is the largest loss"),
            (lambda found, most: verdict(found, most) == "met", 'one of "met"'),
            (lambda found: "met", "a function of found and most"),
        ],
    ),
}
