"""Writing files in one step, so that a reader sees the old content or the new, never half."""

import os
import tempfile
from pathlib import Path


def write_atomically(path, content):
    """Write bytes to a file by way of a temporary one beside it.

    Parameters
    ----------
    path : str or Path
    content : bytes

    Raises
    ------
    OSError
        If the folder cannot be written to; the file is then as it was.
    """
    path = Path(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)  # temporary files are private, this one need not be
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
