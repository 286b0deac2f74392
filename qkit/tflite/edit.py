"""A float .tflite file taken apart, given other weights, and put together again."""

import numpy as np

from qkit import validate
from qkit.tflite.file import TfliteError, require_tflite


def with_weights(tflite, weights):
    """Return a float .tflite file with other values in the place of some of its constants.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    weights : mapping of str to array_like of floating point
        By the tensor's name in the file, as in `qk.simulation.Layer.weights_name`; each of the
        tensor's shape. Others stay as they are.

    Returns
    -------
    bytes
        A file that runs like any other.

    Raises
    ------
    TypeError, ValueError
        If a name is not in the file, or values are not finite floating point or of another shape.
    TfliteError
        If these are no bytes of a .tflite file with one graph.

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> conv = qk.simulation.layers(tflite)[0]
    >>> changed = with_weights(tflite, {conv.weights_name: np.round(conv.weights, 1)})
    >>> len(np.unique(qk.simulation.layers(changed)[0].weights)) < 108
    True
    """
    require_tflite(tflite)
    model = unpacked(tflite)
    put_weights(model, weights, what="with_weights")
    return packed(model, len(tflite))


def put_weights(model, weights, *, what):
    """Put other values in the place of float32 constants, in the object form of the file.

    Parameters
    ----------
    model : schema ModelT
        It is changed.
    weights : mapping of str to array_like of floating point
        By the tensor's name.
    what : str
        The caller's name, for error messages.
    """
    known = constants(model)
    for name, values in weights.items():
        if name not in known:
            raise ValueError(
                f"{what}: weights names {name!r}, which is not in the file. It has "
                f"{', '.join(map(repr, known))}."
            )
        values = validate.values(values, what=f"{what}: {name}")
        if values.shape != known[name].shape:
            raise ValueError(
                f"{what}: the weights {name!r} have the shape {known[name].shape} in the file, got "
                f"{values.shape}. Its first axis counts output channels, the last one inputs."
            )
        tensor = next(t for t in model.subgraphs[0].tensors if t.name.decode() == name)
        model.buffers[tensor.buffer].data = np.frombuffer(values.tobytes(), np.uint8)


def unpacked(tflite):
    """Return the object form of a file, which can be changed.

    Parameters
    ----------
    tflite : bytes

    Returns
    -------
    schema ModelT

    Raises
    ------
    TfliteError
        If the file has more than one graph.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    if len(model.subgraphs) != 1:
        raise TfliteError(
            f"the file has {len(model.subgraphs)} graphs: loops and branches are not simulated."
        )
    return model


def packed(model, size_hint):
    """Return the bytes of a file from its object form.

    Parameters
    ----------
    model : schema ModelT
    size_hint : int
        About how many bytes it takes.

    Returns
    -------
    bytes
    """
    import flatbuffers

    builder = flatbuffers.Builder(size_hint + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def constants(model):
    """Return the float32 constants of a file.

    Parameters
    ----------
    model : schema ModelT

    Returns
    -------
    dict of str to ndarray of float32
        By the tensor's name; they are not to be changed.
    """
    from ai_edge_litert import schema_py_generated as schema

    found = {}
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if tensor.type == schema.TensorType.FLOAT32 and data is not None:
            values = np.asarray(data, np.uint8).view(np.float32)
            found[tensor.name.decode()] = values.reshape(tensor.shape)
    return found
