"""Exercises of 04: what is right is taken, and typical mistakes are told by their name."""

import numpy as np


def bias_bytes(model, *, each=8):
    return each * sum(layer.bias.shape[0] for layer in model.layers if hasattr(layer, "bias"))


def of_each(size):
    return lambda model: bias_bytes(model, each=size)


def one_a_layer(model):
    return 8 * sum(hasattr(layer, "bias") for layer in model.layers)


def too_large(values, bits, *, largest=None, width=None):
    limit = (width or np.ptp)(values) * (largest or 2 ** (bits - 1) - 1)
    return 10 ** (int(np.floor(np.log10(limit))) + 1)


def with_all_integers(values, bits):
    return too_large(values, bits, largest=2**bits - 1)


def by_magnitude(values, bits):
    return too_large(values, bits, width=lambda x: abs(x).max())


# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "04.1": (
        {},
        [bias_bytes],
        [
            (of_each(4), "int8's biases"),
            (of_each(2), "the activations'"),
            (of_each(64), "bits, and bytes"),
            (of_each(1), "how many there are"),
            (one_a_layer, "each of its output channels"),
            (lambda model: 8 * model.count_params(), "the weights are among them"),
            (of_each(3), "how wide is each"),
            (96, "a function of a Keras model"),
        ],
    ),
    "04.2": (
        {},
        [too_large, lambda *given: float(too_large(*given))],
        [
            (lambda *given: -too_large(*given), "minus sign"),
            (lambda *given: too_large(*given) // 10, "still narrower"),
            (by_magnitude, "from end to end"),
            (with_all_integers, "symmetric about 0"),
            (lambda x, bits: too_large(x, bits, width=lambda x: 1), "not than 1"),
            (lambda x, bits: 10_000, "of -4 to 4 on 8 bits it says 10000"),
            (lambda x: 10_000, "a function of values and bits"),
        ],
    ),
    "04.3": (
        {},
        ["b"],
        [("a", "keep their 8 bits"), ("c", "half of the loss"), ("d", "finer"), (1, "one of")],
    ),
}
