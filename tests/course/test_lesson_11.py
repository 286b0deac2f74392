"""Exercises of 11: what travels, and bytes of scales counted in two files of a wide network."""

from dataclasses import replace

import numpy as np

import qkit as qk
from qkit._tensorflow import tensorflow


def files():
    """Return a dense layer of 512 outputs with a scale for each, and with one for all."""
    layers = tensorflow().keras.layers
    model = tensorflow().keras.Sequential(
        [layers.InputLayer((4,)), layers.Dense(512, bias_initializer="ones")]
    )
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    coarse = replace(qk.SCHEMES["full_integer"], name="one scale a tensor", per_channel=False)
    by_channel, one_scale = (qk.convert(model, scheme, x) for scheme in ("full_integer", coarse))
    return {"by_channel": {"wide": by_channel}, "one_scale": {"wide": one_scale}}


def own(tflite):
    return [tensor for tensor in qk.inspect(tflite).tensors if tensor.scale.size > 1]


def channels(tflite):
    return sum(tensor.scale.size for tensor in own(tflite))


CASES = {
    "11.1": (
        {},
        ["c"],
        [("a", "ratio"), ("b", "another seed"), ("d", "one processor"), ("C", "one of")],
    ),
    "11.2": (
        files,
        [lambda tflite: 12 * channels(tflite), lambda tflite: 12.0 * channels(tflite)],
        [
            (channels, "how many bytes has each"),
            (lambda tflite: 4 * channels(tflite), "a zero point as well"),
            (lambda tflite: 8 * channels(tflite), "a scale as well"),
            (lambda tflite: 6 * channels(tflite), "biases are tensors"),
            (lambda tflite: 12 * len(own(tflite)), "one scale for each such tensor"),
            (lambda tflite: 12e-6 * channels(tflite), "not MB"),
            (lambda tflite: 30 * channels(tflite), "12 bytes"),
            (lambda tflite: qk.size(tflite).metadata_bytes, "there are none of channels"),
            (lambda tflite: own(tflite), "a number"),
            (lambda: 0, "from a file's bytes"),
        ],
    ),
}
