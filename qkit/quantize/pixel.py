"""One integer that a convolution writes, and each number on the way to it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from qkit import validate
from qkit.quantize import integer_kernels as kernels
from qkit.quantize.integer import IntegerTrace
from qkit.quantize.integer_operators import (
    activation,
    activation_ends,
    output_factor,
    wide_sums,
    window,
)
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Pixel(Result):
    """One integer of a convolution's output, and what it is made of."""

    source: np.ndarray  # (height, width, channels): what the filter looks at
    source_zero: int  # zero point of it
    rows: np.ndarray  # of the receptive field, in the source; beyond its ends there is padding
    columns: np.ndarray
    padded: bool  # whether there is padding in it
    channels: range  # of the whole input, that the filter looks at
    x: np.ndarray  # (rows, columns, channels), int64: less the zero point, 0 in the padding
    weights: np.ndarray  # of the same shape, less their zero point
    bias: int
    multiplier: int
    shifts: tuple  # powers of two: the product is divided by the first, then by the second
    finer: int  # after the first of the two roundings
    rounded: int  # after the second
    zero_point: int  # of the output
    ends: tuple  # lowest and highest integer that the activation leaves

    @property
    def products(self):
        """The inputs times the weights, of the shape of both."""
        return self.x * self.weights

    @property
    def accumulator(self):
        """The sum of the products, with the bias."""
        return int(self.products.sum()) + self.bias

    @property
    def exact(self):
        """The accumulator times the factor, not rounded."""
        return self.accumulator * self.multiplier / Fraction(2) ** sum(self.shifts)

    @property
    def rounded_once(self):
        """What one rounding in place of two would give, a half away from zero."""
        if not self.shifts[1]:
            return self.rounded
        nearest = int(abs(self.exact) + Fraction(1, 2))
        return nearest if self.exact > 0 else -nearest

    @property
    def value(self):
        """The integer that is written."""
        low, high = self.ends
        return min(max(self.rounded + self.zero_point, low), high)

    @property
    def steps(self):
        """What is done, in words, and the number after it: from the products to the value."""
        first, second = self.shifts
        found = {
            f"sum of {self.x.size:,} products": self.accumulator - self.bias,
            "+ bias": self.bias,
            "= accumulator": self.accumulator,
            f"× {self.multiplier:,} / 2^{first}, rounded": self.finer,
            f"/ 2^{second}, rounded again": self.rounded,
            "+ zero point": self.zero_point,
            "= on the output's grid": self.rounded + self.zero_point,
            "within {} to {}, written".format(*self.ends): self.value,
        }
        if not second:
            del found["/ 2^0, rounded again"]
        return found

    @property
    def table(self):
        """A DataFrame with a row for each step."""
        import pandas as pd

        return pd.DataFrame({"step": [*self.steps], "integer": [*self.steps.values()]})

    def summary(self):
        """Say the arithmetic in one line."""
        once = f"; rounded once it would be {self.rounded_once}, not {self.rounded}"
        said = "; ".join(f"{step} {number}" for step, number in self.steps.items())
        return said + once * (self.rounded_once != self.rounded)


def pixel(trace, operator, *, item=0, row=0, column=0, filter=0):
    """Take apart one integer that a convolution of an integer file writes.

    Parameters
    ----------
    trace : IntegerTrace
    operator : int, in ``trace.file.operators``: a CONV_2D or DEPTHWISE_CONV_2D
    item, row, column, filter : int, from 0: the place in its output

    Returns
    -------
    Pixel
        Its ``value`` is that of the trace.

    Source: https://ai.google.dev/edge/litert/models/quantization_spec; of the rounding `requantize`

    Examples
    --------
    >>> import qkit as qk
    >>> x = qk.load_data("digits").x_test[:2]
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "full_integer", x)
    >>> trace = qk.run_integer(tflite, x)
    >>> (number,) = convolutions(trace.file)
    >>> (out,) = trace.file.operators[number].outputs
    >>> pixel(trace, number, row=12, filter=3).value == int(trace[out.index][0, 12, 0, 3])
    True
    """
    validate.instance(trace, IntegerTrace, name="pixel: trace")
    validate.choice(operator, convolutions(trace.file), name="pixel: operator, of convolutions,")
    op = trace.file.operators[operator]
    (out,) = op.outputs
    source, kernel, *_ = op.inputs
    x, weights, written = (_images(trace.tensors[t.index]) for t in (source, kernel, out))
    place = {"item": item, "row": row, "column": column, "filter": filter}
    for (name, number), size in zip(place.items(), written.shape, strict=True):
        validate.whole(number, name=f"pixel: {name}", least=0, most=size - 1)
    weights, channels = _own(op, x.shape[3], weights, filter)
    image = x[item, :, :, channels.start : channels.stop]
    rows, columns = _window(op.options, (row, column), image, weights)
    outside = np.logical_or.outer((rows < 0) | (rows >= image.shape[0]),
                                  (columns < 0) | (columns >= image.shape[1]))  # fmt: skip
    zero = int(source.zero_point[0])
    seen = np.int64(image.take(rows, 0, mode="clip").take(columns, 1, mode="clip")) - zero
    seen[outside] = 0
    weights = np.int64(weights) - int(kernel.zero_point[0])
    bias = int(trace.tensors[op.inputs[2].index][filter]) if len(op.inputs) > 2 else 0
    sums = np.int64((seen * weights).sum() + bias)
    factor = np.resize(output_factor(source, kernel, out), written.shape[3])[filter]
    ends = activation_ends(out, activation(op))
    return Pixel(image, zero, rows, columns, bool(outside.any()), channels, seen, weights, bias,
                 *_rounded(sums, factor, wide_sums(op)), int(out.zero_point[0]), ends)  # fmt: skip


def convolutions(file):
    """Return the numbers of the operators that `pixel` takes apart."""
    wanted = "CONV_2D", "DEPTHWISE_CONV_2D"
    return tuple(
        number
        for number, op in enumerate(file.operators)
        if op.name in wanted and all(tensor.constant for tensor in op.inputs[1:])
    )


def _images(array):
    return array.reshape(-1, *array.shape[-3:])


def _own(op, depth, weights, filter):
    """Return the weights of a filter, and the channels that it looks at."""
    if op.name == "CONV_2D":
        filters, depth_of_group = len(weights), weights.shape[3]
        first = filter // (filters * depth_of_group // depth) * depth_of_group
        return weights[filter], range(first, first + depth_of_group)
    channel = filter // (weights.shape[3] // depth)
    return weights[0, :, :, filter : filter + 1], range(channel, channel + 1)


def _window(options, place, image, weights):
    """Return the rows and the columns of the receptive field, those of the padding too."""
    dilation, how = (options.dilationHFactor, options.dilationWFactor), window(options)
    sizes, stride, before = weights.shape[:2], how["stride"], (0, 0)
    if how["padding"] == "SAME":
        reach = [(size - 1) * d + 1 for size, d in zip(sizes, dilation, strict=True)]
        before, _ = zip(*kernels.sides(image.shape[:2], reach, stride), strict=True)
    each = zip(place, stride, before, sizes, dilation, strict=True)
    return [at * s - b + np.arange(size) * d for at, s, b, size, d in each]


def _rounded(sums, factor, wide):
    """Return the multiplier, its two shifts, and what each of the two roundings gives."""
    multiplier, shift = map(int, kernels.multiplier_and_shift(factor))
    if wide:  # where the multiplier is shorter, and it is rounded once
        short = kernels.requantize_wide(np.int64(1 << (15 - shift)), multiplier, shift)
        once = int(kernels.requantize_wide(sums, multiplier, shift))
        return int(short), (15 - shift, 0), once, once
    up = max(shift, 0)
    finer = int(kernels.high_product(sums << up, multiplier))
    rounded = int(kernels.requantize(sums, multiplier, np.int64(shift)))
    return multiplier, (31 - up, up - shift), finer, rounded
