"""How much memory a .tflite file takes beside its own bytes while it runs."""

import importlib.util
import os
import re
import tempfile
from dataclasses import dataclass
from types import MappingProxyType

from qkit.result import Result
from qkit.tflite.file import TfliteError, inspect
from qkit.tflite.probe import probe, ran

_NO_NUMBERS = ("string", "resource", "variant")
_ARENAS = (2**20, 2**24, 2**28)  # bytes that tflite-micro is given, until they suffice


@dataclass(frozen=True, eq=False, repr=False)
class Memory(Result):
    """The memory that one inference takes beside the file, by two accounts; None without one."""

    activations_bytes: int | None  # in which LiteRT's interpreter keeps the activations
    arena_bytes: int | None  # that tflite-micro allocates: activations, and its notes of them
    not_measured: MappingProxyType  # by account, "plan" or "arena", why there is none

    def to_frame(self):
        """Return a DataFrame with one row per account: bytes, and "measured" or why not."""
        import pandas as pd

        accounts = {
            "planned by LiteRT": ("plan", self.activations_bytes),
            "arena of tflite-micro": ("arena", self.arena_bytes),
        }
        rows = {
            name: {"bytes": count, "status": self.not_measured.get(key, "measured")}
            for name, (key, count) in accounts.items()
        }
        frame = pd.DataFrame.from_dict(rows, orient="index").astype({"bytes": "Int64"})
        return frame.rename_axis("account")

    def summary(self):
        """Say in one line what each account says."""
        table = self.to_frame()
        told = (
            f"{name} {row['bytes']:,} bytes"
            if row["status"] == "measured"
            else f"{name}: {row['status']}"
            for name, row in table.iterrows()
        )
        return "; ".join(told)


def memory(tflite):
    """Return how much memory an inference takes, beside the file itself.

    Parameters
    ----------
    tflite : bytes

    Returns
    -------
    Memory

    Notes
    -----
    LiteRT's plan is read off the addresses of the tensors after a run by its own kernels: a
    delegate such as XNNPACK keeps its memory to itself. A kernel's scratch space is not in it.
    tflite-micro's figure is its own, from ``print_allocations``, which counts what it notes of each
    tensor too; microcontrollers align otherwise, and need less for pointers of 32 bits.

    Examples
    --------
    >>> import qkit as qk
    >>> memory(qk.convert(qk.models.walkthrough_cnn(), "float32")).activations_bytes
    46888
    """
    inspect(tflite)  # refuses what is no file
    missing, found = {}, {"plan": None, "arena": None}
    for account in found:
        if account == "arena" and not importlib.util.find_spec("tflite_micro"):
            missing[account] = 'not installed: pip install "qkit[micro]"'
            continue
        try:
            tried = probe(tflite, account=account)
        except TfliteError as error:  # it takes too long
            missing[account] = str(error)
            continue
        found[account] = tried.memory_bytes or None
        if tried.error:
            missing[account] = f"not possible: {tried.error}"
    return Memory(found["plan"], found["arena"], MappingProxyType(missing))


def _planned_bytes(tflite):
    """Return in how many bytes of memory the activations lie, those shared counted once."""
    from ai_edge_litert.interpreter import OpResolverType

    without = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # one has no addresses to show
    interpreter, *_ = ran(tflite, batch_size=None, experimental_op_resolver_type=without)
    first = inspect(tflite).tensors[0].graph
    return _covered(
        interpreter, [t.index for t in first if not t.constant and t.dtype not in _NO_NUMBERS]
    )


def _covered(interpreter, indices):
    """Return how many bytes some tensors lie in; where two share memory, it counts once."""
    places, covered, end = [], 0, 0
    for index in indices:
        try:
            values = interpreter.tensor(index)()
        except ValueError:  # it was not computed
            continue
        places.append((values.__array_interface__["data"][0], values.nbytes))
    for start, size in sorted(places):
        covered += max(start + size - max(start, end), 0)
        end = max(end, start + size)
    return covered


def _arena_bytes(tflite):
    """Return what tflite-micro allocates for a file, as it prints it itself."""
    for arena_size in _ARENAS:
        lines, said = _printed(tflite, arena_size)
        totals = (re.search(r"Arena allocation total (\d+) bytes", line) for line in lines)
        if found := next(filter(None, totals), None):
            return int(found[1])
        if not any("missing" in line for line in lines):  # it is not for want of an arena
            break
    raise RuntimeError(next((line.strip() for line in lines if line.strip()), said))


def _printed(tflite, arena_size):
    """Return the lines that tflite-micro prints on a file's allocations, and what it raised."""
    from tflite_micro.python.tflite_micro import runtime

    said, kept = "", os.dup(2)
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            runtime.Interpreter.from_bytes(tflite, arena_size=arena_size).print_allocations()
        except RuntimeError as error:
            said = str(error)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        printed.seek(0)
        return printed.read().decode(errors="replace").splitlines(), said


ACCOUNTS = {"plan": _planned_bytes, "arena": _arena_bytes}
