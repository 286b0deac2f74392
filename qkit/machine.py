"""The machine and the library versions that a measurement was made with."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from types import MappingProxyType

from qkit.result import Result

_PACKAGES = (
    "tensorflow",
    "tf-keras",
    "tensorflow-model-optimization",
    "ai-edge-litert",
    "numpy",
    "scipy",
    "pandas",
    "matplotlib",
    "ipywidgets",
    "jupyterlab",
    "scikit-learn",
)


@dataclass(frozen=True, eq=False, repr=False)
class Environment(Result):
    """Where a measurement was made.

    Attributes
    ----------
    python : str
    system : str
    cpu : str
        As the processor names itself.
    cores : int
        Logical ones.
    vector_instructions : tuple of str
        Of the processor, as far as they matter to integer kernels; empty where not known.
    versions : mapping of str to str
        Package to installed version; "missing" where it is not installed.
    """

    python: str
    system: str
    cpu: str
    cores: int
    vector_instructions: tuple
    versions: MappingProxyType

    @property
    def missing(self):
        """Names of the packages that are not installed."""
        return tuple(name for name, version in self.versions.items() if version == "missing")

    def to_frame(self):
        """Return a DataFrame with one row per fact."""
        import pandas as pd

        facts = {"Python": self.python, "system": self.system, "processor": self.cpu}
        facts |= {"cores": str(self.cores)}
        facts |= {"vector instructions": ", ".join(self.vector_instructions) or "not known"}
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
    return Environment(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        vector_instructions=_vector_instructions(),
        versions=MappingProxyType({name: _version(name) for name in _PACKAGES}),
    )


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def _cpu():
    fields = _cpuinfo()
    for key in ("model name", "Model", "Processor"):
        if fields.get(key):
            return fields[key]
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return platform.processor() or platform.machine()


def _vector_instructions():
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm")
    flags = _cpuinfo()
    present = (flags.get("flags") or flags.get("Features") or "").split()
    return tuple(name for name in wanted if name in present)


def _cpuinfo():
    """Return the first processor's entry in /proc/cpuinfo; empty where there is none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            first = file.read().split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}
