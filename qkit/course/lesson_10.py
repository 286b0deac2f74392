"""Exercises of 10: a convolution in integers, each step held against the file's own tensors."""

import numpy as np

from qkit.course.exercises import exercise, number, same
from qkit.interpreter.run import intermediate
from qkit.quantize.integer import multiplier_and_shift, requantize, run_integer
from qkit.tflite.file import inspect

_FILTER = 3  # the one that is computed by hand


class _Convolution:
    """The first convolution of an int8 file, and what its tensors hold of one image."""

    def __init__(self, tflite, image):
        file = inspect(tflite)
        place = [op.name for op in file.operators].index("CONV_2D")
        self.image, self.kernel, self.bias = file.operators[place].inputs
        (self.out,), (pooled,) = (file.operators[n].outputs for n in (place, place + 1))
        wanted = [t.index for t in (self.image, self.kernel, self.bias, self.out, pooled)]
        read = next(intermediate(tflite, image, wanted, kernels="reference"))
        held = (read[index].astype(int) for index in wanted)
        self.pixels, self.weights, self.biases, self.written, self.pooled = held
        self.sums = run_integer(tflite, image).accumulators(place)
        # how many steps of the output a step of a sum is worth, by filter
        self.factors = np.float64(self.image.scale) * self.kernel.scale / self.out.scale
        self.lowest = int(self.out.zero_point[0])


def _known(answer, mistakes):
    """Return why an array is wrong, where it is one of some mistakes; else None."""
    answer = np.asarray(answer)
    for wrong, why in mistakes:
        if answer.shape == wrong.shape and np.allclose(answer, wrong, rtol=1e-5, atol=0):
            return why
    return None


@exercise("10.1", "an array of 3 × 3 integers")
def filter_on_its_grid(answer, tflite, image, trained):
    """Ask for the integers of one filter."""
    conv = _Convolution(tflite, image)
    right, scale = conv.weights[_FILTER, :, :, 0], conv.kernel.scale
    mistakes = [
        (trained / scale[_FILTER], "a grid has no half steps: these are not rounded yet"),
        (trained * scale[_FILTER], "how many steps fit into a weight? That is a division"),
        (np.trunc(trained / scale[_FILTER]), "a cast cuts off what is behind the point: round"),
        (np.round(trained / scale[0]), "that is the scale of the first filter; each has its own"),
    ]
    hint = "steps of the filter's own scale, rounded; the zero point is 0"
    fault = same(answer, right, hint=hint)
    return fault and (_known(answer, mistakes) or fault)


@exercise("10.2", "a number, the constant of filter 3,")
def constant_of_a_filter(answer, tflite, image):
    """Ask for what the zero point of the pixels adds to each sum."""
    conv = _Convolution(tflite, image)
    zero, weights = int(conv.image.zero_point[0]), conv.weights[_FILTER]
    views = np.lib.stride_tricks.sliding_window_view(conv.pixels[0, :, :, 0], (3, 3))
    raw = (views * weights[:, :, 0]).sum((2, 3))
    (right,) = np.unique(conv.sums[0, :, :, _FILTER] - conv.biases[_FILTER] - raw)
    if np.size(answer) > 1:
        return f"filter {_FILTER} alone is asked for: one number"
    mistakes = [
        (-right, "mind the sign: multiply out Σ (q − z) · w"),
        (right + conv.biases[_FILTER], "the bias is another term, which section 4 adds"),
        (-zero * weights.size, "each z is multiplied by a weight of its own"),
        (-zero * conv.weights.sum(), "that is of all filters at once"),
        (0, "0 would be right for a zero point of 0"),
    ]
    hint = "multiply out Σ (q − z) · w: what of it does not hang on the pixels?"
    return number(answer, right, mistakes=mistakes, hint=hint, rel=0, abs=0.5)


@exercise("10.3", "an array of scales, one for each of the biases,")
def scales_of_the_biases(answer, tflite, image):
    """Ask for the grid on which a product of a pixel and a weight lies."""
    conv = _Convolution(tflite, image)
    right, of_pixels, of_weights = conv.bias.scale, conv.image.scale, conv.kernel.scale
    if np.shape(answer) != right.shape:
        return (
            f"there are {right.size} biases, and yours has the shape {np.shape(answer)}: a pixel "
            "has one scale, and the weights of each filter have theirs"
        )
    if np.allclose(answer, right, rtol=1e-6, atol=0):
        return None
    mistakes = [
        (of_weights, "a sum is of products, not of weights: what is a step of a pixel worth?"),
        (of_weights + of_pixels, "a step of a product is a product of steps, not their sum"),
        (of_weights / of_pixels, "a step of a product is a product of steps, not their ratio"),
        (conv.factors, "that is the way to the output's grid, which comes after the bias"),
    ]
    return _known(answer, mistakes) or "what is a step of a pixel times a step of a weight worth?"


@exercise("10.4", "a function from a factor to (m, s), two integers,")
def integer_and_shift(answer, tflite, image):
    """Try it on the file's factors, and on one that rounds up to 1."""
    conv = _Convolution(tflite, image)
    for factor in (*conv.factors, 1 - 2.0**-40):
        if fault := _fault_of_a_pair(*answer(factor), *map(int, multiplier_and_shift(factor))):
            return fault
    m, s = np.array([answer(factor) for factor in conv.factors], np.int64).T
    steps = np.clip(requantize(conv.sums, m, s) + conv.lowest, -128, 127)
    return same(steps, conv.written, hint="held against the file's own output")


def _fault_of_a_pair(m, s, right_m, right_s):
    """Return what is wrong with m and s of a factor, or None."""
    if (m, s) == (right_m, right_s):
        return None
    if m != int(m) or s != int(s):
        return f"m and s are integers, and yours are {m:g} and {s:g}: round"
    if (s, m) == (right_m, right_s):
        return "m comes first, then s"
    if (m, -s) == (right_m, right_s):
        return "s is the power of two in m · 2^(s − 31): below 0 for a factor below ½"
    if m == 2**31:
        return "a fraction close to 1 rounds up to 2³¹, which takes 32 bits: halve m, and s + 1"
    if not 2**30 <= m < 2**31:
        return f"m goes from 2³⁰ to 2³¹ − 1, so that all 31 bits are in use, and yours is {m:,}"
    if (m + 1, s) == (right_m, right_s):
        return "m is the nearest integer; a cast cuts off what is behind the point"
    return "m is the fraction times 2³¹, rounded; s is the power of two that frexp gives"


@exercise("10.5", "a function of sums, m and s that returns the integers of the output")
def requantized(answer, tflite, image):
    """Try it on sums from far below 0 to far above the grid, then on the file's own."""
    conv = _Convolution(tflite, image)
    m, s = multiplier_and_shift(conv.factors)
    sums = np.arange(-20_000, 400_000, 7)[:, None] * np.ones(m.size, np.int64)
    got = np.asarray(answer(sums.copy(), m.copy(), s.copy()))
    if got.shape != sums.shape:
        return f"sums of the shape {sums.shape} came in and {got.shape} came out"
    if (got != np.round(got)).any():
        return "a division leaves what is behind the point: shift to the right, or round"
    right = np.clip(requantize(sums, m, s) + conv.lowest, conv.lowest, 127)
    if fault := same(got, right, hint="which of the four moves is it?"):
        return _known(got, _wrong_moves(sums, m, s, conv.lowest)) or fault
    return same(answer(conv.sums, m, s), conv.written, hint="held against the file's own output")


def _wrong_moves(sums, m, s, lowest):
    """Yield what comes of leaving one of the four moves out, or of another rounding, and why."""
    steps, high = requantize(sums, m, s), (sums * m + 2**30) >> 31
    for start in (lowest, 0):
        yield np.clip(steps, start, 127), "the zero point of the output is missing"
    yield steps + lowest, "what lies beyond the grid is clamped, to 127 and at the integer of 0"
    roundings = [
        (high >> -s, "a shift alone rounds down: add a half"),
        (np.floor(sums * m * 2.0 ** (s - 31) + 0.5), "that is rounded once; the kernel does twice"),
        (np.rint(high * 2.0**s), "a half went to the even integer; here it goes away from zero"),
    ]
    for rounded, why in roundings:
        yield np.clip(rounded + lowest, lowest, 127), why


@exercise("10.6", "an array of integers, rows × columns × filters,")
def pooled(answer, tflite, image):
    """Ask for a max pooling of 2 × 2, of one image."""
    conv = _Convolution(tflite, image)
    right, layer = conv.pooled[0], conv.written[0]
    rows, columns, filters = right.shape
    fours = layer[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, filters)
    if np.shape(answer) == (2 * rows - 1, 2 * columns - 1, filters):
        return "the window moves by 2: no two windows overlap"
    mean = fours.mean((1, 3))
    mistakes = [
        (fours[:, 0, :, 0], "that is one value of each four, and not the largest"),
        *((x, "that is the mean of four; which one is kept?") for x in (mean, np.round(mean))),
        (right - conv.lowest, "input and output are on one grid: the zero point stays in it"),
    ]
    fault = same(answer, right, hint="group rows and columns by two, and take the largest of four")
    return fault and (_known(answer, mistakes) or fault)
