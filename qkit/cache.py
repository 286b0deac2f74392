"""Trained weights on disk: written atomically, checked when read, shared between kernels."""

import io
import json
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

from qkit.files import write_atomically


def cache_folder():
    """Return the folder of the cache: ``$QKIT_CACHE``, or the platform's cache folder for qkit."""
    return Path(os.environ.get("QKIT_CACHE") or user_cache_path("qkit"))


def require_writable():
    """Make the cache folder, or say why nothing can be written there.

    Raises
    ------
    PermissionError
        If a file cannot be created in it.
    """
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise PermissionError(
            f"qkit cannot write its cache to {folder} ({error.strerror}). Set QKIT_CACHE to a "
            "folder that you may write to, or pass cache=False."
        ) from error


def load(key, shapes):
    """Return the weights and the record stored under `key`, or None.

    Parameters
    ----------
    key : str
        Hexadecimal digest of all that the weights depend on.
    shapes : list of tuple
        Of the weights that are expected.

    Returns
    -------
    (list of ndarray, dict) or None
        None where there is no entry, or, with a warning, where it is damaged.
    """
    path = cache_folder() / f"{key}.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as entry:  # zip members carry a CRC each
            record = json.loads(str(entry["record"]))
            weights = [entry[f"w{i}"] for i in range(len(shapes))]
        if [w.shape for w in weights] != shapes:
            raise ValueError("its weights have other shapes")
        return weights, record
    except Exception as error:  # archive, header and record each fail in ways of their own
        warnings.warn(
            f"The cache entry {path} is damaged ({error}); training again and replacing it.",
            stacklevel=3,
        )
        return None


def store(key, weights, record):
    """Write an entry in one step, so that a reader sees the whole of it or nothing.

    Parameters
    ----------
    key : str
    weights : list of ndarray
    record : dict
        Anything that JSON can hold.
    """
    path = cache_folder() / f"{key}.npz"
    arrays = {f"w{i}": w for i, w in enumerate(weights)}
    packed = io.BytesIO()
    np.savez(packed, record=np.array(json.dumps(record)), **arrays)
    try:
        write_atomically(path, packed.getvalue())
    except OSError as error:  # the training is done: keep its result, and say what was not kept
        warnings.warn(f"The training could not be cached in {path}: {error}", stacklevel=3)
