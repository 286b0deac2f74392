"""Results in one file, to be read again elsewhere: JSON, arrays and .tflite files in a zip.

Nothing in it is run when it is read: there is no pickle, and classes go by their names.
"""

import dataclasses
import io
import json
import zipfile
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from qkit import validate
from qkit._tensorflow import first_line
from qkit.evaluate.accuracy import Score
from qkit.evaluate.tasks import METRICS, Metric

FORMAT = 1  # goes up when an older qkit would misread a file
_RECORD = "result.json"


def packed(result, version):
    """Return a result as the content of a file; `version` is that of the qkit that writes it."""
    members = {}
    record = {"qkit": version, "format": FORMAT, "result": _told(result, members)}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_RECORD, json.dumps(record))
        for name, value in members.values():
            with archive.open(name, "w") as member:
                if isinstance(value, bytes):
                    member.write(value)
                else:
                    np.lib.format.write_array(member, value, allow_pickle=False)
    return content.getvalue()


def unpacked(content, kind, parts, *, what):
    """Return the result of a class that a file holds, made of parts of other classes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if _RECORD not in archive.namelist():
                raise ValueError("it is a zip of something else")
            record = json.loads(archive.read(_RECORD))
            wanted, version = record["format"], record["qkit"]
            if wanted <= FORMAT:
                classes = {each.__name__: each for each in (kind, *parts)}
                found = _made(record["result"], archive, classes, {})
                repr(validate.instance(found, kind, name="what it holds"))  # parts fit one another
                return found
    except Exception as error:  # archive, JSON, arrays and fields each fail in ways of their own
        raise ValueError(
            f"{what}: cannot be read ({first_line(error)}). It is cut off, damaged, or was not "
            "written by Comparison.save: save it again."
        ) from error
    raise ValueError(
        f"{what} is of format {wanted}, written by qkit {version}; this one reads up to {FORMAT}. "
        "Update qkit, or save it by this version."
    )


def _told(value, members):
    """Return a value as JSON can have it, a dict with its kind as key; add to members the rest."""
    if isinstance(value, (bytes, np.ndarray)):
        name = f"{len(members)}.{'tflite' if isinstance(value, bytes) else 'npy'}"
        return {"member": members.setdefault(id(value), (name, value))[0]}  # what is shared, once
    if isinstance(value, tuple):
        return {"tuple": [_told(each, members) for each in value]}
    if isinstance(value, Mapping):
        return {"mapping": {name: _told(each, members) for name, each in value.items()}}
    if not dataclasses.is_dataclass(value):
        return value.item() if isinstance(value, np.generic) else value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Metric):  # functions stay behind: those of the kit's own are found again
        kept = ("name", "unit", "higher_is_better")
        fields = {name: fields[name] for name in kept} | {"own": value in METRICS.values()}
    elif isinstance(value, Score) and value.metric not in METRICS.values():
        fields["tallies"] = None  # which its metric alone could read
    told = {name: _told(each, members) for name, each in fields.items()}
    return {type(value).__name__: told}


def _made(told, archive, classes, read):
    """Return the value that `_told` told of."""
    if not isinstance(told, dict):
        return told
    ((kind, inside),) = told.items()
    if kind == "member":
        if inside not in read:  # what was shared is shared again
            read[inside] = _member(archive, inside)
        return read[inside]
    if kind == "tuple":
        return tuple(_made(each, archive, classes, read) for each in inside)
    parts = {name: _made(each, archive, classes, read) for name, each in inside.items()}
    if kind == "mapping":
        return MappingProxyType(parts)
    return _metric(**parts) if kind == "Metric" else classes[kind](**parts)


def _member(archive, name):
    content = archive.read(name)  # to its end, where its sum is held against that in the zip
    if name.endswith(".tflite"):
        return content
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)


def _metric(own, name, unit, higher_is_better):
    if own:
        return METRICS[name]
    return Metric(name, unit, higher_is_better, _not_kept, _not_kept)


def _not_kept(*given):
    raise ValueError(
        "this metric was read from a file, which keeps figures and not functions: pass your own to "
        "qk.accuracy or qk.compare."
    )
