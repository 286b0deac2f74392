"""Output channels whose weights are all zero, as pruning leaves them, and what becomes of biases.

A bias is stored in int32, in steps of the input's scale times the channel's. A channel without
weights gets the smallest scale there is, 1e-6 / 254, and its bias then does not fit: above 0.03 or
so it is cut off without a word. After training, the converter widens the scale where that happens;
for models that were trained through the grid it does not.
"""

import contextlib

import numpy as np

_INT32_ENDS = (-(2**31), -(2**31) + 1, 2**31 - 1)


@contextlib.contextmanager
def room_for_biases(aware):
    """Give channels without weights the widest range of the layer's others, while the block runs.

    The weights stay what they are, zeros; only the step in which the bias is written changes.

    Parameters
    ----------
    aware : tf.keras.Model
        From `quantization_aware`; as it was after the block.
    """
    kept = []
    for layer in aware.layers:
        for weight, _, state in getattr(layer, "_weight_vars", ()):
            low, high = state["min_var"], state["max_var"]
            dead = ~weight.numpy().reshape(-1, weight.shape[-1]).any(axis=0)
            if low.shape.rank == 1 and dead.any() and not dead.all():
                kept += [(low, low.numpy()), (high, high.numpy())]
                low.assign(np.where(dead, low.numpy().min(), low.numpy()))
                high.assign(np.where(dead, high.numpy().max(), high.numpy()))
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def cut_off_biases(tflite, file):
    """Return the names of biases in a file of which a value lies at an end of int32.

    Parameters
    ----------
    tflite : bytes
    file : TfliteFile
        What `read_tflite` read from it.

    Returns
    -------
    list of str
    """
    from ai_edge_litert import schema_py_generated as schema

    buffers = schema.ModelT.InitFromPackedBuf(tflite, 0).buffers
    found = []
    for tensor in file.tensors:
        if tensor.constant and tensor.dtype == "int32" and tensor.scale.size:
            stored = np.asarray(buffers[tensor.buffer].data, np.uint8).view(np.int32)
            if np.isin(stored, _INT32_ENDS).any():
                found.append(tensor.name)
    return found
