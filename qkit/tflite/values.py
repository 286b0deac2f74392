"""The numbers that a .tflite file stores, decoded from its bytes."""

import math

import numpy as np

from qkit.tflite.file import TfliteError


def stored_values(tensor):
    """Return the values of a constant `Tensor` as they are stored, before any scale.

    Four-bit integers come as int8; zeros that EXPERIMENTAL_SPARSITY left out are there again.
    """
    if tensor.dtype == "int4":
        values = _nibbles(tensor.data)[: None if tensor.sparsity else math.prod(tensor.shape)]
    else:
        values = _view(tensor)
    if tensor.sparsity is not None:
        return _with_zeros(values, tensor)
    if values.size != math.prod(tensor.shape):
        raise TfliteError(
            f"the tensor {tensor.name!r} has the shape {tensor.shape} and holds {values.size:,} "
            "values. Is the file damaged?"
        )
    return values.reshape(tensor.shape)


def real_values(tensor):
    """Return the values of a constant as the network computes with them: float32 if on a grid."""
    values = stored_values(tensor)
    if tensor.scale.size == 0:
        return values
    shape = [1] * values.ndim
    if tensor.per_channel:
        shape[tensor.axis] = -1
    from_zero = values - tensor.zero_point.reshape(shape)
    return from_zero.astype(np.float32) * tensor.scale.reshape(shape)


def _view(tensor):
    import ml_dtypes

    try:
        # NumPy does not know bfloat16 by name
        dtype = np.dtype(getattr(ml_dtypes, tensor.dtype, tensor.dtype))
        return tensor.data.view(dtype)
    except (TypeError, ValueError) as error:
        raise TfliteError(
            f"the tensor {tensor.name!r} holds {tensor.data.size:,} bytes of {tensor.dtype}, which "
            f"cannot be read as numbers: {error}"
        ) from error


def _nibbles(data):
    """Return two signed integers for each byte, that of the lower four bits first."""
    low = (data << 4).view(np.int8) >> 4
    return np.stack([low, data.view(np.int8) >> 4], axis=-1).ravel()


def _with_zeros(values, tensor):
    """Return the dense tensor; the file format lays nonzero values out as TACO does.

    F. Kjolstad et al., "The tensor algebra compiler", 2017: each dimension in turn is dense, or
    lists in segments the indices that occur. Blocks are dimensions of their own behind the others.
    """
    layout, rank = tensor.sparsity, len(tensor.shape)
    position, indices = np.zeros(1, np.int64), []  # of each node on the present level of the tree
    sizes = {}
    try:
        for level, dimension in enumerate(layout.dimMetadata):
            if dimension.format:  # by segments
                ends = np.asarray(dimension.arraySegments.values, np.int64)
                first, counts = ends[position], ends[position + 1] - ends[position]
                parent = np.repeat(np.arange(position.size), counts)
                within = np.arange(parent.size) - np.repeat(np.cumsum(counts) - counts, counts)
                position = first[parent] + within
                index = np.asarray(dimension.arrayIndices.values, np.int64)[position]
            else:
                sizes[int(layout.traversalOrder[level])] = size = dimension.denseSize
                if position.size * size > math.prod(tensor.shape):  # before memory is asked for
                    raise ValueError("more places than the shape has")
                parent = np.repeat(np.arange(position.size), size)
                index = np.tile(np.arange(size), position.size)
                position = position[parent] * size + index
            indices = [found[parent] for found in indices] + [index]
        along = dict(zip(map(int, layout.traversalOrder), indices, strict=True))
        for block, axis in enumerate(() if layout.blockMap is None else layout.blockMap):
            along[int(axis)] = along[int(axis)] * sizes[rank + block] + along[rank + block]
        dense = np.zeros(tensor.shape, values.dtype)
        dense[tuple(along[axis] for axis in range(rank))] = values[position]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise TfliteError(
            f"the tensor {tensor.name!r} is stored without its zeros, and the places of the others "
            f"cannot be read: {error!r}. Is the file damaged?"
        ) from error
    return dense
