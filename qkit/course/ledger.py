"""What a reader predicted and answered, kept from notebook to notebook."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from qkit.cache import cache_folder, write_atomically
from qkit.result import Result

KINDS = ("prediction", "check")


@dataclass(frozen=True, repr=False)
class Ledger(Result):
    """Predictions and checks of one reader, the latest of each name.

    Attributes
    ----------
    entries : dict of (kind, name) to a dict; ``kind`` is ``"prediction"`` or ``"check"``
    """

    entries: dict

    def summary(self):
        """Return in a line how many predictions and answers there are, and how many are right."""
        if not self.entries:
            return "nothing predicted and nothing answered yet"
        predicted, checked = (
            [entry for (of, _), entry in self.entries.items() if of == kind] for kind in KINDS
        )
        right = sum(entry["right"] for entry in checked)
        resolved = sum("truth" in entry for entry in predicted)
        return (
            f"predictions: {resolved} of {len(predicted)} resolved · "
            f"exercises: {right} right of {len(checked)} tried"
        )

    def to_frame(self):
        """Return the table; None where there is nothing yet, and the line says all."""
        return self.table if self.entries else None

    @property
    def table(self):
        """A row for each: name, kind, what was said, what was found, tries, when."""
        import pandas as pd

        verdict = {True: "right", False: "not yet", None: ""}
        rows = [
            {
                "name": name,
                "kind": kind,
                "said": entry.get("guess", ""),
                "found": entry.get("truth", verdict[entry.get("right")]),
                "unit": entry.get("unit", ""),
                "tries": entry["tries"],
                "when": entry["when"],
            }
            for (kind, name), entry in sorted(self.entries.items(), key=lambda x: x[0][::-1])
        ]
        columns = ["name", "kind", "said", "found", "unit", "tries", "when"]
        return pd.DataFrame(rows, columns=columns).set_index("name")


def ledger():
    """Return what was predicted and answered so far on this machine.

    It lies beside the trained weights, in the folder of ``$QKIT_CACHE``, and nowhere else. Delete
    ``ledger.json`` there to begin anew.

    Returns
    -------
    Ledger

    Examples
    --------
    >>> print(ledger())  # doctest: +SKIP
    predictions: 2 of 3 resolved · exercises: 4 right of 5 tried
    """
    return Ledger({(e["kind"], e["name"]): e for e in _read(_path())})


def note(kind, name, **said):
    """Keep an entry: the latest counts, and its tries are counted on."""
    path, entries = _path(), {(e["kind"], e["name"]): e for e in _read(_path())}
    before = entries.get((kind, name), {})
    tries = before.get("tries", 0) + ("truth" not in said)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    entries[kind, name] = {"kind": kind, "name": name, **said, "tries": tries, "when": now}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(list(entries.values()), indent=1).encode())
    except OSError as error:  # the answer counts all the same
        print(f"(not kept in {path}: {error.strerror})")


def _path():
    return Path(cache_folder(), "ledger.json")


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise ValueError(
            f"The ledger {path} cannot be read ({error}). Move it away, and a new one is begun."
        ) from error
