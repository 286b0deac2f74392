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
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            file.write(content)
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)  # temporary files are private, this one need not be
    os.replace(file.name, path)
