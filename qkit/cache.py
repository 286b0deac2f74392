"""Trained weights on disk, under a digest of all that they depend on; whole, or not there."""

import contextlib
import io
import json
import lzma
import os
import tempfile
import time
import uuid
import warnings
from pathlib import Path

import numpy as np
from platformdirs import user_cache_path

FORMAT = 2  # of records: one of another format is trained anew
_SHIPPED = Path(__file__).parent / "weights"  # read only, and need not be there
# Unfinished files, of today's naming and of the one before; a write takes seconds, never an hour.
_UNFINISHED, _GIVEN_UP_S = ("*.npz.*.tmp", "tmp????????.tmp"), 3600


def cache_folder():
    """Return the folder of the cache: ``$QKIT_CACHE``, or the platform's cache folder for qkit.

    Who has no home, as an unknown user in a container, gets one among the temporary files.
    """
    if named := os.environ.get("QKIT_CACHE"):
        return Path(named)
    with contextlib.suppress(RuntimeError):  # of platformdirs, which before left the "~"
        if (folder := user_cache_path("qkit")).is_absolute():
            return folder
    return Path(tempfile.gettempdir(), "qkit")


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


def load(key, shapes, fields=(), machine=None):
    """Return weights of these shapes and their record, which says if they are shipped, or None.

    Shipped ones were trained elsewhere, one's own on this `machine` or they do not count. The
    `fields` of the record are lists.
    """
    own, shipped = cache_folder() / f"{key}.npz", _SHIPPED / f"{key}.npz.xz"
    for path, unpacked, origin in ((own, bytes, {}), (shipped, lzma.decompress, {"shipped": True})):
        if not os.path.exists(path):  # or its folder may not be read
            continue
        try:
            content = io.BytesIO(unpacked(path.read_bytes()))
            with np.load(content, allow_pickle=False) as entry:  # zip members carry a CRC each
                record = json.loads(str(entry["record"]))
                weights = [entry[f"w{i}"] for i in range(len(shapes))]
            if [w.shape for w in weights] != shapes:
                raise ValueError("its weights have other shapes")
            kinds = [type(record[name]) for name in ("seconds", *fields)]
            if record.pop("format") != FORMAT or kinds != [float] + [list] * len(fields):
                raise ValueError("its record has another format")
            if origin or record.get("machine") == machine:
                return weights, {**record, **origin}
        except Exception as error:  # archive, header and record each fail in ways of their own
            said = f"The cache entry {path} is damaged ({error!r}); training again."
            warnings.warn(said, stacklevel=3)
    return None


def store(key, weights, record):
    """Write weights and a record for JSON in one step; remove what killed runs left unfinished."""
    path = cache_folder() / f"{key}.npz"
    packed = io.BytesIO()
    record = json.dumps({"format": FORMAT, **record})
    np.savez(packed, record=record, **{f"w{i}": w for i, w in enumerate(weights)})
    try:
        for unfinished in (each for name in _UNFINISHED for each in path.parent.glob(name)):
            with contextlib.suppress(FileNotFoundError):  # by another run
                if time.time() - unfinished.stat().st_mtime > _GIVEN_UP_S:
                    unfinished.unlink()
        write_atomically(path, packed.getvalue())
    except OSError as error:  # the training is done: keep its result, and say what was not kept
        warnings.warn(f"The training could not be cached in {path}: {error}", stacklevel=3)


def write_atomically(path, content):
    """Write bytes by way of a file beside: a reader sees the old or the new, never half."""
    temporary = Path(f"{path}.{uuid.uuid4().hex}.tmp")
    try:
        # opened as any file is, and not by `tempfile`, whose files are for their owner alone
        with open(temporary, "xb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
