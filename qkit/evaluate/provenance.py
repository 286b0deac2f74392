"""Where a comparison comes from: the day, the machine, the versions, and a hash of the items."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import chain

import numpy as np

import qkit
from qkit.machine import Environment, environment
from qkit.result import Result
from qkit.samples import Stream

_MACHINE = ("system", "cpu", "cores", "vector_instructions")


@dataclass(frozen=True, eq=False, repr=False)
class Provenance(Result):
    """When and with what something was measured, and on which items."""

    date: str  # in UTC, as ISO 8601 has it
    qkit: str  # its version
    items_sha256: str  # of items and labels, in their order; empty without any
    environment: Environment

    def same_items(self, other):
        """Whether both are known to be of the same items in the same order, and of the same labels.

        A pipeline that does not fit into memory is another one where its batches are others.
        """
        return bool(self.items_sha256) and self.items_sha256 == other.items_sha256

    def other_machine(self, before):
        """Return in what an earlier machine differs from this one: by fact, its and this one's."""
        was, is_now = vars(before.environment), vars(self.environment)
        return {k: (was[k], is_now[k]) for k in _MACHINE if was[k] != is_now[k]}

    def to_frame(self):
        """Return a DataFrame with one row per fact."""
        import pandas as pd

        own = {name: fact for name, fact in vars(self).items() if isinstance(fact, str)}
        facts = {"measured": own.pop("date"), **own}
        return pd.concat([pd.DataFrame({"found": facts}), self.environment.to_frame()])

    def summary(self):
        """Say in one line when and where it was, and on which items."""
        items = self.items_sha256[:12] or "none"
        return f"{self.date}, qkit {self.qkit}, {self.environment.summary()}, items {items}"


def provenance(x, y=None):
    """Return where a measurement that is made now, on items and labels, comes from."""
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return Provenance(now, qkit.__version__, _sha256(x, y), environment())


def _sha256(x, y):
    if x is None:
        return ""
    digest = hashlib.sha256()
    for part in chain(_contents(x), _contents(y)):  # one file of a folder in memory at a time
        digest.update(part)
    return digest.hexdigest()


def _contents(x):
    """Yield what tells items apart, with where each part begins."""
    if hasattr(x, "batches"):  # a folder: what lies in its files, not how they are called
        for path, label in zip(x.paths, x.labels.tolist(), strict=True):
            content = path.read_bytes()
            yield from (f"{len(content)} {label} ".encode(), content)
    elif isinstance(x, Stream):
        yield repr((x.length, x.sums)).encode()
    elif isinstance(x, Mapping):
        for name in sorted(x):
            yield from (repr(name).encode(), *_contents(x[name]))
    elif x is not None:
        array = np.ascontiguousarray(x)
        yield from (f"{array.dtype.str} {np.shape(x)} ".encode(), array.view(np.uint8).data)
