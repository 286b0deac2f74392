"""Make qkit/weights: networks that the notebooks train, so that a first run need not.

``python -m tools.weights`` runs the lessons with nothing trained before, which takes half an hour
on two cores, and keeps of their trainings what saves most: one compressed file each, and a list
that says what they are. ``python -m tools.weights FOLDER`` chooses among those that are here and
those in a folder, where notebooks had their cache. ``python -m tools.weights --rename`` trains
nothing: after a change of the code around the trainings, or of the versions, that leaves them as
they are, it gives the entries the names that they have now.
"""

import hashlib
import io
import json
import lzma
import pydoc
import sys
import tempfile
from ast import literal_eval
from datetime import date
from pathlib import Path

import numpy as np

import qkit as qk
from qkit.cache import FORMAT, write_atomically
from qkit.data import _MNIST_MD5
from qkit.training_key import key_of
from tools.render import ROOT, execute

FOLDER = ROOT / "qkit" / "weights"
PACKED = ".npz.xz"
LIST = FOLDER / "list.json"
MOST_BYTES = 3_000_000  # all together
ROOM_FOR_LIST = 50_000
LEAST_WORTH = 2 / 50_000  # seconds a byte: a short training need not be shipped
# For LZMA float32 values are bytes of four kinds; a seventh less than by deflating each array.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 1, "lp": 2, "pb": 2}]


def _fits(*epochs_and_seeds):
    """Return what `qk.fit` notes of trainings with these epochs and seeds, else as it has them."""
    return {str((epochs, 32, seed, 0.1, 0.001)) for epochs, seed in epochs_and_seeds}


# Lessons 00 to 04 shall begin at once: their trainings, by network. The others follow, those first
# that save the most seconds a byte, while there is room.
FIRST = {
    "walkthrough_cnn": _fits((10, 0), *((3, seed) for seed in range(5))),
    "depthwise_cnn": _fits((2, 0), (2, 1), (2, 2)),
    "masked_transformer": _fits((2, 0)),
}
FIRST_IN_FLOAT = {"walkthrough_cnn": _fits((2, 0))}  # 00's; through the grid it is one of 07's many
_IN_FLOAT = 4  # arrays: kernels and biases
_UNKNOWN_S = 8  # of an entry that does not say; such are those of one or two epochs, step by step
# What notebook 03 trains beside a training by hand, to compare: on one machine, or it says nothing.
NOT_SHIPPED = {"walkthrough_cnn": _fits((1, 0))}

_ABOUT = (
    "Weights of networks that the notebooks train. qkit.cache looks a training up here when the "
    "reader's own cache has not got it; cache=False trains it all the same. An entry is named by "
    "the digest of the graph that trains, first weights, data, settings, the code around it and "
    "library versions (constraints.txt has them), so that another version trains anew. What has no "
    "machine of its own here was trained on the one under 'trained'. Made by tools/weights.py."
)


def main(arguments):
    """Write the weights and their list."""
    if arguments:  # what was there stays told as it was
        told = json.loads(LIST.read_text(encoding="utf-8"))
        entries = renamed() if arguments == ["--rename"] else chosen(FOLDER, Path(arguments[0]))
        write(entries, {**told, "about": _ABOUT})
        return
    with tempfile.TemporaryDirectory() as folder:
        run_lessons(folder)
        entries = chosen(Path(folder))
    write(entries, about())


def write(entries, told):
    """Write entries by key and what the list tells of them all, in place of what was there."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob(f"*{PACKED}"):
        path.unlink()
    for key, content in entries.items():
        write_atomically(FOLDER / f"{key}{PACKED}", content)
    found = {key: described(content) for key, content in entries.items()}
    text = json.dumps({**told, "entries": found}, indent=1)
    write_atomically(LIST, f"{text}\n".encode())
    print(f"{len(entries)} networks, {sum(map(len, entries.values())):,} bytes")


def renamed():
    """Return the entries by the keys that they have with today's code and versions."""
    contents = [path.read_bytes() for path in FOLDER.glob(f"*{PACKED}")]
    return dict(sorted((name_today(record_of(content)), content) for content in contents))


def name_today(record):
    """Return the key of an entry with today's code and versions, from its record."""
    return key_of(record["digest"], map(pydoc.locate, record["functions"]))


def run_lessons(folder):
    """Run all lessons with one cache, and nothing that is shipped."""
    hidden = FOLDER.rename(FOLDER.with_name("weights of before")) if FOLDER.exists() else None
    try:
        for path in sorted(ROOT.glob("notebooks/*.ipynb")):
            execute(path, {"QKIT_CACHE": str(folder)})
    finally:
        if hidden:
            hidden.rename(FOLDER)


def chosen(*folders):
    """Return what to ship of these caches: compressed entries by key, that fit together."""
    kinds = "*.npz", f"*{PACKED}"  # not what a killed run left unfinished beside them
    paths = [path for folder in folders for kind in kinds for path in sorted(folder.glob(kind))]
    packed = {path.name.partition(".")[0]: compressed(path) for path in paths}
    packed = {k: entry for k, entry in packed.items() if record_of(entry).get("format") == FORMAT}
    worth = {key: worth_of(record_of(content), len(content)) for key, content in packed.items()}
    taken, room = {}, MOST_BYTES - ROOM_FOR_LIST
    for key in sorted(packed, key=worth.get, reverse=True):
        if worth[key] > LEAST_WORTH and len(packed[key]) <= room:
            taken[key] = packed[key]
            room -= len(packed[key])
    return dict(sorted(taken.items()))


def worth_of(record, size_bytes):
    """Return the seconds that an entry saves a byte; infinite where it is shipped in any case."""
    settings = record["depends_on"]
    if settings in NOT_SHIPPED.get(record["network"], ()):
        return 0
    first = FIRST.get(record["network"], set())
    if record["arrays"] == _IN_FLOAT:
        first = first | FIRST_IN_FLOAT.get(record["network"], set())
    if settings in first:
        return float("inf")
    return (record["seconds"] or _UNKNOWN_S) / size_bytes


def record_of(content):
    """Return what the bytes of an entry say of their training."""
    with np.load(io.BytesIO(lzma.decompress(content)), allow_pickle=False) as entry:
        return {**json.loads(str(entry["record"])), "arrays": len(entry.files) - 1}


def compressed(path):
    """Return the bytes of an entry, compressed; the same ones each time."""
    content = path.read_bytes()
    if path.name.endswith(PACKED):
        return content
    return lzma.compress(content, check=lzma.CHECK_CRC32, filters=_FILTERS)


def described(content):
    """Return what the list says of an entry."""
    record = record_of(content)
    # where the training was recorded step by step, "accuracy" is that on images held out
    name = next(name for name in ("val_accuracy", "accuracy", "val_loss") if record.get(name))
    machine = literal_eval(record["machine"] or "()")[1:3]  # processor, vector instructions
    return {
        "network": record["network"],
        "settings": record["depends_on"].partition("\n")[0],
        "held_out": {name.removeprefix("val_"): record[name][-1]},
        "seconds": round(record["seconds"], 1) or None,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        **({"machine": ", ".join(machine)} if machine else {}),
    }


def about():
    """Return what the list tells of all entries: on which data and where they were trained."""
    here = qk.environment()
    settings = "epochs, batch size, seed, share held out, learning rate; before them, in brackets, "
    return {
        "about": _ABOUT,
        "settings": f"{settings}what was done beside the training",
        "data": {"name": "mnist", "md5_of_idx_files": _MNIST_MD5},
        "trained": {
            "date": date.today().isoformat(),
            "cpu": here.cpu,
            "vector_instructions": here.vector_instructions,
            "versions": dict(here.versions),
        },
    }


if __name__ == "__main__":
    main(sys.argv[1:])
