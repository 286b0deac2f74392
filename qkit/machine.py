"""The machine and the library versions that a measurement was made with."""

import contextlib
import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qkit.result import Result

_PACKAGES = (
    *("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert", "numpy"),
    *("scipy", "pandas", "matplotlib", "ipywidgets", "jupyterlab", "scikit-learn"),
)
_VECTOR = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True, eq=False, repr=False)
class Environment(Result):
    """Where a measurement was made."""

    python: str
    system: str
    cpu: str  # as the processor names itself
    cores: int  # logical ones
    vector_instructions: str  # those that matter to integer kernels; empty if not known
    versions: Mapping[str, str]  # by package; "missing" where it is not installed

    @property
    def missing(self):
        """Names of the packages that are not installed."""
        return tuple(name for name, version in self.versions.items() if version == "missing")

    def to_frame(self):
        """Return a DataFrame with one row per fact."""
        import pandas as pd

        facts = {name: str(fact) for name, fact in vars(self).items() if name != "versions"}
        return pd.DataFrame({"found": facts | self.versions})

    def summary(self):
        """Say in one line what runs where."""
        return (
            f"{self.cpu}, {self.cores} cores, Python {self.python}, "
            f"TensorFlow {self.versions['tensorflow']}, LiteRT {self.versions['ai-edge-litert']}"
        )


def environment():
    """Return what this machine and this installation are.

    Returns
    -------
    Environment

    Examples
    --------
    >>> environment().missing
    ()
    """
    cpu, flags = _processor()
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu=cpu or platform.processor() or platform.machine(),
        cores=os.cpu_count() or 1,
        vector_instructions=" ".join(name for name in _VECTOR if name in flags),
        versions={name: _version(name) for name in _PACKAGES},
    )


@functools.cache  # to find it, the metadata of all that is installed are looked through
def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _processor():
    """Return the processor's own name and its flags, empty where they are not known."""
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        with contextlib.suppress(OSError):  # it may not be on the path
            return subprocess.run(command, capture_output=True, text=True).stdout.strip(), []
    text = ""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        text = text.split("\n\n")[0]  # of one core
    found = dict(re.findall(r"^(.+?)\s*: (.+)$", text, re.MULTILINE))
    name = found.get("model name") or found.get("Model") or found.get("Processor", "")
    return name.strip(), found.get("flags", found.get("Features", "")).split()
