"""Exercises of 04: bytes of biases, a mask that is too large, and what int16 gives back."""

import math
from functools import cache

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.course.exercises import choice, exercise, number
from qkit.evaluate.size import size
from qkit.toolchain.convert import convert

_CHANNELS = 5, 7  # of the two layers of the network that is tried
_TENSORS = [((-4, 4), 8), ((0, 8), 4), ((-1, 1), 16)]  # two ends, and bits


@exercise("04.1", "a function of a Keras model that returns a number of bytes")
def bias_bytes(answer):
    """Try it on a network of two layers, and read the ledger of its file."""
    network, right = _unseen()
    biases = sum(_CHANNELS)
    return number(
        answer(network),
        right,
        mistakes=[
            (4 * biases, "32 bits are int8's biases; those of int16 are wider"),
            (2 * biases, "16 bits are the activations'; a bias is added to sums of products"),
            (64 * biases, "that is bits, and bytes are asked for"),
            (biases, "that is how many there are: each takes several bytes"),
            (8 * len(_CHANNELS), "a layer has a bias for each of its output channels"),
            (8 * network.count_params(), "the weights are among them, which have 8 bits each"),
        ],
        hint="which layers have a bias, how many numbers is it, and how wide is each?",
        rel=0,
    )


@cache
def _unseen():
    """Return a network, and the bytes of the biases in its int16 file."""
    keras = tensorflow().keras
    layers, ones = keras.layers, {"bias_initializer": "ones"}  # the converter drops zeros
    network = keras.Sequential(
        [layers.InputLayer((12, 12, 1)), layers.Conv2D(_CHANNELS[0], 3, **ones)]
    )
    network.add(layers.Flatten())
    network.add(layers.Dense(_CHANNELS[1], **ones))
    sample = np.random.default_rng(0).random((20, 12, 12, 1), np.float32)
    return network, size(convert(network, "int16_activations", sample)).constants_bytes["int64"]


@exercise("04.2", "a function of values and bits that returns a power of ten")
def too_large(answer):
    """Hold what it says of three tensors against what typical mistakes say of them."""
    said = [answer(np.float32(ends), bits) for ends, bits in _TENSORS]
    if said == [-power for power in _powers(np.ptp, _largest)]:
        return "the power itself is asked for, without the mask's minus sign"
    for width, largest, why in (
        (np.ptp, _largest, None),
        (lambda x: abs(x).max(), _largest, "all values are to lie within a step, from end to end"),
        (np.ptp, lambda bits: 2**bits - 1, "the mask is at an end of a grid symmetric about 0"),
        (lambda x: np.ptp(x) / 10, _largest, "there a step is still narrower than the values"),
        (lambda x: 1, _largest, "the step is to be wider than the values, not than 1"),
    ):
        if said == _powers(width, largest):
            return why
    ends, bits = _TENSORS[0]
    return (
        f"of {ends[0]} to {ends[1]} on {bits} bits it says {said[0]}: how many steps lead from 0 "
        "to the mask, and how wide is one to be at least?"
    )


def _powers(width, largest):
    """Return the powers of ten above width times steps, by what each of the two is taken for."""
    limits = (width(np.array(ends)) * largest(bits) for ends, bits in _TENSORS)
    return [10 ** (math.floor(math.log10(limit)) + 1) for limit in limits]


def _largest(bits):
    return 2 ** (bits - 1) - 1


@exercise("04.3", "one of the letters")
def what_int16_gives_back(answer):
    """Ask what finer activations are good for where the weights lose the accuracy."""
    return choice(
        answer,
        {
            "a": "a grid 128 times finer is the activations'; the weights keep their 8 bits",
            "b": None,
            "c": "that would be so if half of the loss were the activations'",
            "d": "half of a symmetric grid is unused, and the other half still far finer",
        },
    )
