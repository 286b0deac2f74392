"""Trained weights on disk, under a digest of all that they depend on; whole, or not there."""

import contextlib
import hashlib
import importlib.metadata
import inspect
import io
import json
import os
import re
import tempfile
import warnings
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

_SHIPPED = Path(__file__).parent / "weights"  # read only, and need not be there


def cache_folder():
    """Return the folder of the cache: ``$QKIT_CACHE``, or the platform's cache folder for qkit."""
    return Path(os.environ.get("QKIT_CACHE") or user_cache_path("qkit"))


def require_writable():
    """Make the cache folder, or say why nothing can be written there."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise PermissionError(
            f"qkit cannot write its cache to {folder} ({error.strerror}). Set QKIT_CACHE to a "
            "folder that you may write to, or pass cache=False."
        ) from error


def load(key, shapes):
    """Return weights of these shapes and their record, which says if they are shipped, or None."""
    for folder, origin in ((cache_folder(), {}), (_SHIPPED, {"shipped": True})):
        path = folder / f"{key}.npz"
        if not os.path.exists(path):  # or its folder may not be read
            continue
        try:
            with np.load(path, allow_pickle=False) as entry:  # zip members carry a CRC each
                record = json.loads(str(entry["record"]))
                weights = [entry[f"w{i}"] for i in range(len(shapes))]
            if [w.shape for w in weights] != shapes:
                raise ValueError("its weights have other shapes")
            return weights, {**record, **origin}
        except Exception as error:  # archive, header and record each fail in ways of their own
            said = f"The cache entry {path} is damaged ({error}); training again."
            warnings.warn(said, stacklevel=3)
    return None


def store(key, weights, record):
    """Write weights and a record for JSON in one step."""
    path = cache_folder() / f"{key}.npz"
    packed = io.BytesIO()
    np.savez(packed, record=json.dumps(record), **{f"w{i}": w for i, w in enumerate(weights)})
    try:
        write_atomically(path, packed.getvalue())
    except OSError as error:  # the training is done: keep its result, and say what was not kept
        warnings.warn(f"The training could not be cached in {path}: {error}", stacklevel=3)


def write_atomically(path, content):
    """Write bytes by way of a file beside: a reader sees the old or the new, never half."""
    descriptor, temporary = tempfile.mkstemp(dir=Path(path).parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # temporary files are private, this one need not be
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def training_key(model, x, y, depends_on):
    """Return the hexadecimal digest under which a training is kept: equal ones, equal weights."""
    digest = hashlib.sha256()
    digest.update(_architecture(model).encode())
    for array in (*model.get_weights(), x, y):
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    for layer in model.layers:  # what rounds weights, with its mask of zeros: no word in the JSON
        for _, quantizer, state in getattr(layer, "_weight_vars", ()):
            digest.update(f"{type(quantizer).__name__} {sorted(vars(quantizer).items())}".encode())
            mask = state.get("sparsity_mask")
            digest.update(b"" if mask is None else np.ascontiguousarray(mask))
    packages = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "numpy")
    digest.update(repr((depends_on, [*map(importlib.metadata.version, packages)])).encode())
    return digest.hexdigest()


def described(loss):
    """Return what tells one loss from another: its name, and its text where there is one."""
    name = f"{loss.__module__}.{loss.__qualname__}"
    with contextlib.suppress(OSError):  # typed into a plain interpreter
        name += inspect.getsource(loss)
    return name


def _architecture(model):
    """Return a model's JSON without the numbers in names, which count what was built before."""
    text = model.to_json()
    # layers go by position: the graph still shows
    for position, layer in enumerate(model.layers):
        text = text.replace(f'"{layer.name}"', f'"layer {position}"')
    return re.sub(r'_\d+(?=")', "", text)
