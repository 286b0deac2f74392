"""What the weights of a trained model depend on, as one digest."""

import contextlib
import hashlib
import importlib.metadata
import inspect
import re

import numpy as np

_VERSIONS_OF = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")


def training_key(model, x, y, depends_on):
    """Return the digest under which a training is kept: equal ones give equal weights.

    Parameters
    ----------
    model : tf.keras.Model
        Its architecture and its weights as they are count.
    x, y : ndarray
    depends_on : tuple
        Hyper-parameters and all else; the versions of the libraries are added.

    Returns
    -------
    str
        Hexadecimal.
    """
    digest = hashlib.sha256()
    digest.update(_architecture(model).encode())
    for array in (*model.get_weights(), x, y):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    for quantizer, mask in _weight_quantizers(model):
        digest.update(f"{type(quantizer).__name__} {sorted(vars(quantizer).items())}".encode())
        digest.update(b"" if mask is None else np.ascontiguousarray(mask))
    versions = [importlib.metadata.version(name) for name in _VERSIONS_OF]
    digest.update(repr((depends_on, versions)).encode())
    return digest.hexdigest()


def _architecture(model):
    """Return a model's JSON without the numbers that Keras gives to names, as dense_1, dense_2.

    Which ones it gives depends on what the process has built before. Layers go by their position,
    so that it still shows which is connected to which.
    """
    text = model.to_json()
    for position, layer in enumerate(model.layers):
        text = text.replace(f'"{layer.name}"', f'"layer {position}"')
    return re.sub(r'_\d+(?=")', "", text)


def described(loss):
    """Return what tells one loss from another: its name, and its text where there is one.

    Parameters
    ----------
    loss : callable

    Returns
    -------
    str

    Examples
    --------
    >>> described(training_key).startswith("qkit.training_key.training_key")
    True
    """
    name = f"{loss.__module__}.{loss.__qualname__}"
    with contextlib.suppress(OSError):  # typed into a plain interpreter
        name += inspect.getsource(loss)
    return name


def _weight_quantizers(model):
    """Yield what rounds the weights of a quantization-aware model, and its mask of zeros, if any.

    A model's JSON says no word of it: one that preserves zeros reads like one that does not.
    """
    for layer in model.layers:
        for _, quantizer, state in getattr(layer, "_weight_vars", ()):
            yield quantizer, state.get("sparsity_mask")
