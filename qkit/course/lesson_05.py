"""Exercises of 05: two of four, a pruning that is praised too much, a layer to be spared."""

import numpy as np

from qkit.course.exercises import exercise, gained
from qkit.evaluate.census import weight_census
from qkit.evaluate.size import size
from qkit.quantize.magnitude import magnitude_mask


@exercise("05.1", "a function of a kernel that returns a mask of its shape")
def two_of_four(answer):
    """Try it on a dense kernel and on a convolution's, and know the other ways to keep a half."""
    for shape in ((16, 12), (3, 3, 8, 4)):
        kernel = np.random.default_rng(1).normal(size=shape)
        got = np.asarray(answer(kernel.copy()))
        if got.shape != shape:
            return f"the kernel has the shape {shape}, and your mask {got.shape}"
        if not np.isin(got, (0, 1)).all():
            return "a mask is True or False; yours holds other numbers: weights?"
        right = _of_inputs(kernel)
        others = [
            (~right, "True is for a weight that is kept; yours marks the two that go"),
            (magnitude_mask(kernel, 0, "2:4"), "these are fours of outputs, the last axis"),
            (_of_inputs(kernel - kernel.min()), "−3 is a larger magnitude than 1"),
            (magnitude_mask(kernel, 0.5), "half of the kernel is kept, but not two in every four"),
        ]
        for mask, why in others:
            if (got == mask).all():
                return why
        if (got != right).any():
            return f"{np.count_nonzero(got != right)} of {right.size} differ on the shape {shape}"
    return None


def _of_inputs(kernel):
    return np.moveaxis(magnitude_mask(np.moveaxis(kernel, -2, -1), 0, "2:4"), -1, -2)


@exercise("05.2", "the bytes of a .tflite file")
def pruned_as_promised(answer, pruned, data):
    """Ask for 80 % zeros in every kernel, and for a training that repaired what they cost."""
    if len(answer) > 1.5 * len(pruned):
        return f"{len(answer):,} bytes: the masks came along into the file"
    kernels = weight_census(answer).kernels
    if any(kernel.dtype != "float32" for kernel in kernels):
        return "a float32 file is asked for: another grid is another change"
    for kernel in kernels:
        if abs(kernel.sparsity - 0.8) > 0.01:
            return (
                f"{kernel.name} has {kernel.sparsity:.0%} zeros, and 80 % were promised: at which "
                "step is the ramp to end, and how many steps does this training have?"
            )
    lost = -gained(pruned, answer, data.x_test, data.y_test).difference_pp
    if lost > 3:
        return (
            f"the zeros are there, and {lost:.1f} points less than in section 1: zeros that come "
            "after the training are repaired by nothing"
        )
    return None


@exercise("05.3", "the bytes of a .tflite file")
def spared(answer, everywhere, data):
    """Ask for as many zeros in the largest kernel, about as few bytes, and more images right."""
    kernels = weight_census(answer).kernels
    dense = max(kernels, key=lambda kernel: kernel.count)
    if any(kernel.dtype != "float32" for kernel in kernels):
        return "a float32 file is asked for: int8 is smaller for another reason"
    if abs(dense.sparsity - 0.9) > 0.005:
        return f"the dense kernel has {dense.sparsity:.1%} zeros, and 90 % are asked for"
    more = size(answer).deflated_bytes / size(everywhere).deflated_bytes - 1
    if more > 0.05:
        return f"it deflates to {more:.0%} more bytes, and 5 % are allowed: is it stripped, + 0.0?"
    found = gained(everywhere, answer, data.x_test, data.y_test)
    return None if found.better else f"{found}: which layer has little to give and much to lose?"
