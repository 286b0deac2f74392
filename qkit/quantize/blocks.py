"""Values rounded to a grid block by block: what stays in a core's own cache is fast."""

import itertools
import math

import numpy as np

from qkit import validate

# Values that are worked on at once: seven passes over 256 KiB stay in a core's own cache.
_BLOCK = 2**16


def round_by_blocks(x, qparams, dtype, finish, operand):
    """Round all values to whole steps from zero, and finish them with an operand a channel.

    Rounding is that of TensorFlow's operator, in its order of operations: halves go up.
    """
    x = validate.floating(x, what="quantize")
    shape = qparams.laid_out(x.shape)
    values, result = x.reshape(shape), np.empty(shape, dtype)
    multiplied = qparams.inverse is not None
    stride, resize = (qparams.inverse, np.multiply) if multiplied else (qparams.scale, np.divide)
    below_zero = qparams.zero_point.astype(np.float32) - qparams.qmin
    grids = [g[:, None] for g in (qparams.low, qparams.high, stride, below_zero, operand)]
    sizes = _block_sizes(shape)
    written_out = sizes[0] > 1 and sizes[1] > 1  # so they run nearly as fast as a single scale
    if written_out:
        grids = [np.ascontiguousarray(np.broadcast_to(g, sizes)) for g in grids]
    buffer = np.empty(math.prod(sizes), np.float32)
    for part in block_slices(shape):
        block = values[part]
        with np.errstate(over="ignore"):  # what float32 cannot hold is told below
            block = np.asarray(block, np.float32)
        if not np.isfinite(block).all():
            validate.values(x, what="quantize")  # which counts them all, and refuses
        steps = buffer[: block.size].reshape(block.shape)
        low, high, stride, below_zero, by = (
            g[: len(block)] if written_out else g[part[1]] for g in grids
        )
        if written_out:  # a fifth of the time of np.clip, which is fast for single ends only
            np.minimum(np.maximum(block, low, out=steps), high, out=steps)
        else:
            np.clip(block, low, high, out=steps)
        steps -= low
        resize(steps, stride, out=steps)
        steps -= below_zero
        steps += np.float32(0.5)
        np.floor(steps, out=steps)
        finish(steps, by, out=result[part], casting="unsafe")
    return result.reshape(x.shape)


def block_slices(shape):
    """Yield slices of (outer, channels, inner): blocks that stay in a core's own cache."""
    sizes = _block_sizes(shape)
    for starts in itertools.product(*map(range, (0, 0, 0), shape, sizes)):
        yield tuple(slice(i, i + size) for i, size in zip(starts, sizes, strict=True))


def _block_sizes(shape):
    """Return how far a block reaches along each axis: the inner ones first, at least one each."""
    sizes, room = [], _BLOCK
    for length in reversed(shape):
        sizes.insert(0, max(min(length, room), 1))
        room //= sizes[0]
    return sizes
