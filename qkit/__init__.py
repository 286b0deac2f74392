"""Learn and analyse neural-network quantization on the real TensorFlow Lite tool chain.

``import qkit as qk`` is all that a notebook needs. The stub ``__init__.pyi`` beside this file lists
the names, for editors and for this module alike: each loads when it is first used (PEP 562), so
that the import costs next to nothing and TensorFlow is loaded only by what needs it.
"""

import importlib
import re
from pathlib import Path

from qkit._tensorflow import prefer_keras_2

__version__ = "0.1.0"

_STUB = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
_HOME = {name: home for home, name in re.findall(r"^from (\S+) import (\w+)", _STUB, re.MULTILINE)}
__all__ = sorted(_HOME)

prefer_keras_2()


def __getattr__(name):
    if name not in _HOME:
        raise AttributeError(
            f"module 'qkit' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    home = importlib.import_module(_HOME[name])
    if name not in vars(home):  # it is a module itself
        importlib.import_module(f"{home.__name__}.{name}")
    globals()[name] = vars(home)[name]
    return globals()[name]


def __dir__():
    return [*__all__, "__version__"]
