"""How fast 10 million values go onto a grid, beside litert-quantizer and TensorFlow's operators.

``python tests/benchmarks/grids.py`` prints a table of ratios, each way in one thread. It ends with
an error where two ways that must agree do not, or where memory exceeds three times the input.
"""

import sys
import tracemalloc
from functools import partial

import numpy as np
from bench import row
from litert_quantizer import qtyping
from litert_quantizer.algorithms.uniform_quantize import uniform_quantize_tensor as litert

import qkit as qk
from qkit._tensorflow import tensorflow
from qkit.quantize.grid import PerAxis, PerTensor, choose_qparams, fake_quantize

CHANNELS = 64
ROWS = 10_000_000 // CHANNELS


def main():
    """Print the table; return 1 if results that must agree differ, else 0."""
    threading = tensorflow().config.threading
    threading.set_intra_op_parallelism_threads(1)
    threading.set_inter_op_parallelism_threads(1)
    print(f"{qk.environment().summary()}\n{ROWS * CHANNELS:,} float32 values in 8 bits\n")
    print(f"{'seconds, median (min to max)':36}{'plain':>24}{'qkit':>24}{'ratio':>24}   aim")
    x = np.random.default_rng(0).standard_normal((ROWS, CHANNELS), np.float32)
    resident = tensorflow().constant(x)
    right = []
    for granularity, axis, name in (
        (PerTensor(), None, "fake_quantize"),
        (PerAxis(-1), 0, "fake_quantize, 64 channels"),
    ):
        grid = choose_qparams(x, granularity=granularity, rule="fake_quant")
        ends = x.min(axis=axis), x.max(axis=axis)
        ours = partial(by_qkit, x, grid)
        plain = partial(by_litert, x, grid)
        same = partial(same_but_at_ties, x, grid)
        right.append(row(f"{name}: LiteRT", plain, ours, rounds=9, least=1, same=same))
        plain = partial(by_tensorflow, x, *ends)
        right.append(row(f"{name}: TF", plain, ours, rounds=25, most=2))
        plain = partial(by_tensorflow, resident, *ends)
        right.append(row("    values in TF's memory already", plain, ours, rounds=25, most=2))
        multiple = 1 + peak(ours) / x.nbytes
        print(f"    (input, result and all between: {multiple:.2f} times the input; aim ≤ 3)")
        right.append(multiple <= 3)
    return 0 if all(right) else 1


def by_qkit(x, grid):
    """Put values on a grid with qkit, its checks included."""
    return [fake_quantize(x, grid)]


def by_litert(x, grid):
    """Put values on a grid with litert-quantizer: to integers and back, all in NumPy."""
    given = qtyping.UniformQuantParams(
        num_bits=8,
        quantized_dimension=None if grid.scale.size == 1 else 1,
        scale=grid.scale.reshape(1, -1),
        zero_point=grid.zero_point.reshape(1, -1),
        symmetric=False,
    )
    return [litert.uniform_dequantize(litert.uniform_quantize(x, given), given)]


def by_tensorflow(x, low, high):
    """Put values on a grid with TensorFlow's operator; NumPy's arrays come back as such."""
    quantization = tensorflow().quantization
    if low.ndim:
        result = quantization.fake_quant_with_min_max_vars_per_channel(x, low, high)
    else:
        result = quantization.fake_quant_with_min_max_vars(x, low, high)
    return [result.numpy() if isinstance(x, np.ndarray) else result]


def same_but_at_ties(x, grid, theirs, ours):
    """Return whether results are equal, and where they are neighbours, x is nearly halfway."""
    steps = np.abs(theirs - ours) / grid.scale
    apart = steps > 0.5
    position = x[apart] / np.broadcast_to(grid.scale, x.shape)[apart].astype(np.float64)
    from_half = np.abs(position - np.floor(position) - 0.5)
    # in single precision, at the far end of 8 bits
    nearly = bool((from_half <= 2.0**-15).all() and (np.rint(steps[apart]) == 1).all())
    return nearly and np.allclose(theirs[~apart], ours[~apart], rtol=1e-6, atol=0)


def peak(way):
    """Return the most memory that a way holds beside its input, in bytes."""
    tracemalloc.start()
    try:
        way()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


if __name__ == "__main__":
    sys.exit(main())
