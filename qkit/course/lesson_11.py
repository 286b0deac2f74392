"""Exercises of 11: what a published table can say, and how much of a file is scales."""

from qkit.course.exercises import choice, exercise, number
from qkit.evaluate.size import size
from qkit.tflite.file import inspect

_SCALE, _ZERO_POINT = 4, 8  # bytes of a float32 and of an int64


@exercise("11.1", "one of the letters")
def what_travels(answer):
    """Ask which published figure can be taken over without a measurement."""
    return choice(
        answer,
        {
            "a": "a ratio of times is one of two kernels, and kernels are of a processor",
            "b": "a loss is one of these weights and these images: another seed loses otherwise",
            "c": None,
            "d": "milliseconds are of one processor, and of its threads",
        },
    )


@exercise("11.2", "a function from a file's bytes to a number of bytes")
def of_channels(answer, by_channel, one_scale):
    """Hold it against what files with a scale a channel have more than those with one a tensor."""
    for name, tflite in by_channel.items():
        if spare := answer(one_scale[name]):
            return f"with one scale a tensor there are none of channels, and yours counts {spare:,}"
        right = size(tflite).metadata_bytes - size(one_scale[name]).metadata_bytes
        if fault := _fault_of_a_count(answer(tflite), right, inspect(tflite).tensors):
            return f"{name}: {fault}"
    return None


def _fault_of_a_count(counted, right, tensors):
    """Return why a number of bytes is not that of the channels' scales, or None."""
    each = _SCALE + _ZERO_POINT
    own = [tensor for tensor in tensors if tensor.scale.size > 1]
    channels = sum(t.scale.size for t in own)
    kernels = sum(t.scale.size for t in own if t.dtype != "int32")
    mistakes = [
        (channels, "that is how many scales there are; how many bytes has each?"),
        (_SCALE * channels, "a channel has a zero point as well, an int64"),
        (_ZERO_POINT * channels, "a channel has a scale as well, a float32"),
        (each * kernels, "biases are tensors, too, and have a scale for each channel"),
        (each * len(own), "that is one scale for each such tensor; it has as many as channels"),
        (right / 1e6, "bytes are asked for, not MB"),
    ]
    hint = "sum over all tensors with more than one scale: 12 bytes for each of its channels"
    return number(counted, right, mistakes=mistakes, hint=hint, rel=0.03)
