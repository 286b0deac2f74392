"""The numbers that a .tflite file stores, decoded from its bytes."""

import math

import numpy as np

from qkit.tflite.file import TfliteError

_PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
# Without its zeros stored, a tensor takes memory by its shape, which may be damaged: so many bytes
# in any case, beyond so many for each that is stored, and none that a file could not hold.
_DENSE_BYTES, _DENSE_TIMES, _DENSE_AT_MOST = 2**24, 1000, 2**31


def require_here(*tensors):
    """Refuse constants that another file holds."""
    for tensor in tensors:
        if tensor.elsewhere:
            raise TfliteError(
                f"the values of the tensor {tensor.name!r} are in another file, "
                f"{tensor.elsewhere!r}, and not in these bytes. Convert without external buffers."
            )


def stored_values(tensor):
    """Return the values of a constant `Tensor` as they are stored, before any scale.

    Integers of two or four bits come as int8 or uint8; zeros that EXPERIMENTAL_SPARSITY left out
    are there again.
    """
    require_here(tensor)
    bits = _PACKED_BITS.get(tensor.dtype)
    values = _unpacked(tensor, bits) if bits else _view(tensor)
    if tensor.sparsity is not None:
        return _with_zeros(values, tensor)
    size = math.prod(tensor.shape)
    left_over = values.size - size  # of the last byte
    shaped = len(tensor.shape) <= 64 and min(tensor.shape, default=0) >= 0  # as NumPy has it
    if not shaped or not 0 <= left_over < (8 // bits if bits else 1):
        raise TfliteError(
            f"the tensor {tensor.name!r} has the shape {tensor.shape} and holds {values.size:,} "
            "values. Is the file damaged?"
        )
    return values[:size].reshape(tensor.shape)


def real_values(tensor):
    """Return the values of a constant as the network computes with them: float32 if on a grid."""
    values = stored_values(tensor)
    if values.dtype.kind not in "iu" or not (tensor.scale.size or tensor.details):
        return values
    try:
        scale, zero_point = _by_block(tensor) if tensor.details else _by_channel(tensor)
        with np.errstate(over="ignore", invalid="ignore"):
            real = (values - zero_point).astype(np.float32) * scale
        if not np.isfinite(real).all():
            raise ValueError("it is not finite")
    except (IndexError, ValueError) as error:
        raise TfliteError(
            f"the grid of the tensor {tensor.name!r} cannot be read: {error}"
        ) from error
    return real


def _by_channel(tensor):
    scales, shape = tensor.scale.size, [1] * len(tensor.shape)
    if scales > 1:
        if tensor.axis < 0 or tensor.shape[tensor.axis :][:1] != (scales,):
            raise ValueError(f"{scales} scales for axis {tensor.axis} of {tensor.shape}")
        shape[tensor.axis] = scales
    return tensor.scale.reshape(shape), tensor.zero_point.reshape(shape)


def _by_block(tensor):
    """Return scales and zero points for each value: other tensors hold one of them a block."""
    grid, shape = tensor.details, tensor.shape
    if not hasattr(grid, "blockShape"):
        raise ValueError(f"qkit does not know {type(grid).__name__.removesuffix('T')}")
    block = [*(() if grid.blockShape is None else grid.blockShape)]
    block = block or [1] * (len(shape) - 1) + [grid.blockSize]
    if len(block) != len(shape) or any(b < 1 or n % b for n, b in zip(shape, block, strict=True)):
        raise ValueError(f"blocks of {block} do not fill {shape}")

    def spread(number):
        if number < 0:
            raise ValueError("it names no scales")
        values = stored_values(tensor.graph[number])
        values = values.reshape([n // b for n, b in zip(shape, block, strict=True)])
        for axis, times in enumerate(block):
            values = values.repeat(times, axis)
        return values

    # without zero points the number is −1, or 0, that of an input
    has_zeros = grid.zeroPoints >= 0 and tensor.graph[grid.zeroPoints].constant
    zeros = np.int64(spread(grid.zeroPoints)) if has_zeros else 0
    return spread(grid.scales).astype(np.float32), zeros


def _view(tensor):
    import ml_dtypes

    try:  # NumPy does not know bfloat16 by name
        return tensor.data.view(np.dtype(getattr(ml_dtypes, tensor.dtype, tensor.dtype)))
    except (TypeError, ValueError) as error:
        raise TfliteError(
            f"the tensor {tensor.name!r} holds {tensor.data.size:,} bytes of {tensor.dtype}, which "
            f"cannot be read as numbers: {error}"
        ) from error


def _unpacked(tensor, bits):
    """Return the two or four integers of each byte, that of its lowest bits first."""
    values = tensor.data[:, None] >> np.arange(0, 8, bits, dtype=np.uint8) & np.uint8(2**bits - 1)
    if tensor.dtype.startswith("u"):
        return values.ravel()
    return (values.ravel() << 8 - bits).view(np.int8) >> 8 - bits


def _with_zeros(values, tensor):
    """Return the dense tensor; the file format lays nonzero values out as TACO does.

    F. Kjolstad et al., "The tensor algebra compiler", 2017: each dimension in turn is dense, or
    lists in segments the indices that occur. Blocks are dimensions of their own behind the others.
    """
    layout, rank, size = tensor.sparsity, len(tensor.shape), math.prod(tensor.shape)
    nodes, along, sizes = 1, {}, {}  # of the present level of the tree; by axis, their indices
    try:
        lists = [level.arraySegments for level in layout.dimMetadata if level.format]
        stored = values.size + sum(segments.values.size for segments in lists)
        most = min(max(_DENSE_BYTES, _DENSE_TIMES * stored * values.itemsize), _DENSE_AT_MOST)
        if not 0 < size * values.itemsize <= most:
            raise ValueError(
                f"the shape {tensor.shape} is too large for {stored:,} that are stored"
            )
        for axis, level in zip(map(int, layout.traversalOrder), layout.dimMetadata, strict=True):
            if level.format:  # by segments
                index = np.asarray(level.arrayIndices.values, np.int64)
                segments = np.asarray(level.arraySegments.values, np.int64)
                if len(segments) != nodes + 1 or segments[0] or segments[-1] != index.size:
                    raise ValueError("the segments do not cover the indices")
                if index.min(initial=0) < 0:
                    raise ValueError("an index is negative")
                children = np.diff(segments)
            else:
                children = sizes[axis] = level.denseSize
                if nodes * children > stored:  # before memory is asked for
                    raise ValueError("more places than are stored")
                index = np.tile(np.arange(children), nodes)
            parent = np.repeat(np.arange(nodes), children)
            along = {axis: of_nodes[parent] for axis, of_nodes in along.items()} | {axis: index}
            nodes = index.size
        for block, axis in enumerate(() if layout.blockMap is None else layout.blockMap, rank):
            along[axis] = along[axis] * sizes[block] + along[block]
            if axis in sizes:
                sizes[axis] *= sizes[block]
        if any(sizes.get(axis, n) != n for axis, n in enumerate(tensor.shape)):
            raise ValueError(f"the layout is of another shape than {tensor.shape}")
        dense = np.zeros(tensor.shape, values.dtype)
        places = tuple(along[axis] for axis in range(rank))
        dense[places] = values[np.arange(nodes)]  # a slice would let too few values pass
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise TfliteError(
            f"the tensor {tensor.name!r} is stored without its zeros, and the places of the others "
            f"cannot be read: {error!r}. Is the file damaged?"
        ) from error
    return dense
