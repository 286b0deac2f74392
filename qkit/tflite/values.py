"""The numbers that a .tflite file stores, decoded from its bytes."""

import math

import numpy as np

from qkit.tflite.file import TfliteError


def stored_values(tensor):
    """Return the values of a constant `Tensor` as they are stored, before any scale.

    Four-bit integers come as int8; zeros that EXPERIMENTAL_SPARSITY left out are there again.
    """
    size = math.prod(tensor.shape)  # where it is odd, half a byte is left over
    values = _nibbles(tensor.data)[:size] if tensor.dtype == "int4" else _view(tensor)
    if tensor.sparsity is not None:
        return _with_zeros(values, tensor)
    if values.size != size:
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
    shape = [-1 if axis == tensor.axis else 1 for axis in range(values.ndim)]
    from_zero = values - tensor.zero_point.reshape(shape)
    return from_zero.astype(np.float32) * tensor.scale.reshape(shape)


def _view(tensor):
    import ml_dtypes

    try:  # NumPy does not know bfloat16 by name
        return tensor.data.view(np.dtype(getattr(ml_dtypes, tensor.dtype, tensor.dtype)))
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
    nodes, along, sizes = 1, {}, {}  # of the present level of the tree; by axis, their indices
    try:
        for axis, level in zip(map(int, layout.traversalOrder), layout.dimMetadata, strict=True):
            if level.format:  # by segments
                index = np.asarray(level.arrayIndices.values, np.int64)
                segments = np.asarray(level.arraySegments.values, np.int64)
                if len(segments) != nodes + 1 or segments[0] or segments[-1] != index.size:
                    raise ValueError("the segments do not cover the indices")
                children = np.diff(segments)
            else:
                children = sizes[axis] = level.denseSize
                if nodes * children > math.prod(tensor.shape):  # before memory is asked for
                    raise ValueError("more places than the shape has")
                index = np.tile(np.arange(children), nodes)
            parent = np.repeat(np.arange(nodes), children)
            along = {axis: of_nodes[parent] for axis, of_nodes in along.items()} | {axis: index}
            nodes = index.size
        for block, axis in enumerate(() if layout.blockMap is None else layout.blockMap):
            along[int(axis)] = along[int(axis)] * sizes[rank + block] + along[rank + block]
        dense = np.zeros(tensor.shape, values.dtype)
        places = tuple(along[axis] for axis in range(rank))
        dense[places] = values[np.arange(nodes)]  # a slice would let too few values pass
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise TfliteError(
            f"the tensor {tensor.name!r} is stored without its zeros, and the places of the others "
            f"cannot be read: {error!r}. Is the file damaged?"
        ) from error
    return dense
