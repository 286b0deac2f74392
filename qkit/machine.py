"""The machine and the library versions that a measurement was made with."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

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
    vector_instructions: tuple[str, ...]  # that matter to integer kernels; empty if not known
    versions: Mapping[str, str]  # by package; "missing" where it is not installed

    @property
    def missing(self):
        """Names of the packages that are not installed."""
        return tuple(name for name, version in self.versions.items() if version == "missing")

    def to_frame(self):
        """Return a DataFrame with one row per fact."""
        import pandas as pd

        facts = {
            "Python": self.python,
            "system": self.system,
            "processor": self.cpu,
            "cores": str(self.cores),
            "vector instructions": ", ".join(self.vector_instructions) or "not known",
        }
        return pd.DataFrame({"found": facts | dict(self.versions)})

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
    processor = _cpuinfo()
    flags = (processor.get("flags") or processor.get("Features") or "").split()
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu_name(processor),
        cores=os.cpu_count() or 1,
        vector_instructions=tuple(name for name in _VECTOR if name in flags),
        versions=MappingProxyType({name: _version(name) for name in _PACKAGES}),
    )


def _cpuinfo():
    """Return the first processor's entry in /proc/cpuinfo; empty where there is none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            first = file.read().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _cpu_name(processor):
    named = [processor[key] for key in ("model name", "Model", "Processor") if processor.get(key)]
    if named:
        return named[0]
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
