"""Outputs that took long to compute, kept for whoever asks for the same again."""

import hashlib
import time

import numpy as np

_LEAST_S = 1  # of processor time: what is quicker is not worth a look at all that goes in
_MOST_BYTES = 2**26  # all together; the oldest go first

_kept = {}  # by file with settings, and what went in; a copy is searched, as threads share it


def once(compute, tflite, arrays, *how):
    """Return arrays by name from `compute()`, or where that took long those of the time before.

    Whether anything is kept of a file is known without a look at what goes in: only then is that
    digested. What comes back is the caller's own, to change as they like.
    """
    file = (hashlib.sha256(tflite).digest(), how)
    digest = _digest(arrays) if file in {of for of, _ in [*_kept]} else b""
    if found := _kept.get((file, digest)):
        return _copied(found)
    started = time.process_time()
    found = compute()
    if time.process_time() - started >= _LEAST_S:
        _kept[file, digest or _digest(arrays)] = _copied(found)
        while sum(map(_bytes, [*_kept.values()])) > _MOST_BYTES:
            _kept.pop(next(iter(_kept)), None)
    return found


def _digest(arrays):
    content = hashlib.sha256()
    for array in arrays:
        content.update(f"{array.dtype}{array.shape}".encode())
        content.update(np.ascontiguousarray(array))
    return content.digest()


def _bytes(found):
    return sum(array.nbytes for array in found.values())


def _copied(found):
    return {name: array.copy() for name, array in found.items()}
