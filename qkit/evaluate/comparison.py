"""All schemes of one model side by side: what each makes of it, and at what price."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import qkit
from qkit import validate
from qkit.cache import write_atomically
from qkit.evaluate import report
from qkit.evaluate.accuracy import Accuracy, Score
from qkit.evaluate.change import change
from qkit.evaluate.device import DeviceLatency
from qkit.evaluate.keeping import packed, unpacked
from qkit.evaluate.latency import Latency
from qkit.evaluate.provenance import Provenance
from qkit.evaluate.significance import Paired, PairedScores
from qkit.evaluate.size import Size
from qkit.machine import Environment
from qkit.result import Result
from qkit.tflite.memory import Memory

_KEPT = (
    *(Accuracy, Score, Paired, PairedScores, Size, Latency, Memory),
    *(DeviceLatency, Provenance, Environment),
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """What each scheme makes of one model; mappings are by scheme, the float32 reference first."""

    models: MappingProxyType  # the .tflite files
    needs: MappingProxyType  # the data that each asked for beside the trained model
    accuracies: MappingProxyType  # of the files held against labelled images: Accuracy, or Score
    paired: MappingProxyType  # each of these against the reference
    sizes: MappingProxyType
    latency: Latency
    float_operators: MappingProxyType  # how many still compute in floating point
    memory: MappingProxyType  # that an inference takes beside the file
    multiply_accumulates: MappingProxyType  # of an inference
    not_measured: MappingProxyType  # why a row has no accuracy, or nothing at all
    data_name: str  # empty without data
    items: str = "images"  # or "items", where they are no pictures
    labels: bool = True  # else `accuracies` tell how true the files are to the float32 one
    device: MappingProxyType = field(default_factory=lambda: MappingProxyType({}))  # latency there
    provenance: Provenance | None = None  # of those that are measured, and not put together

    @property
    def reference(self):
        """Name of the row that the others are held against."""
        return next(iter(self.models))

    def size_ratio(self, name):
        """Return how many times smaller than the reference's a scheme's file is."""
        return self.sizes[self.reference].size_bytes / self.sizes[name].size_bytes

    def size_cut(self, name):
        """Return by how many percent a scheme's file is smaller; negative where it is larger."""
        return 100 * (1 - self.sizes[name].size_bytes / self.sizes[self.reference].size_bytes)

    def require_accuracies(self, what):
        """Refuse a comparison without labels, or of another task, where accuracies are needed."""
        found = self.accuracies.get(self.reference)
        if not isinstance(found, Accuracy) or not self.labels:
            instead = "was made without labelled images"
            if found is not None and self.labels:
                instead = f"has scores by the metric {found.metric.name!r} in their place"
            raise ValueError(
                f"{what} needs accuracies, and this comparison {instead}. Pass class numbers with "
                "the items, or a folder as images=…, to qk.compare; or ask for size and latency "
                "alone, and see qk.plot_accuracies."
            )

    def device_latency_us(self, name):
        """Return what a scheme takes on the device; NaN where it was not measured there."""
        return self.device[name].latency_us if name in self.device else float("nan")

    def to_frame(self):
        """Return a DataFrame with one row per scheme; units stand in the column names.

        Ratios are to the reference: `size_ratio` is how many times smaller the file is,
        `latency_ratio` how many times as long an inference takes; memory as by `qk.memory`.
        `status`, of size and latency, and `accuracy_status` are "measured", or the reason why not.
        """
        import pandas as pd

        told = {k: found.row for k, found in self.accuracies.items()}
        told = {k: row | (self.paired[k].row if self.paired else {}) for k, row in told.items()}
        none = dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), float("nan"))
        times = self.latency.to_frame().to_dict("index")
        rows = {
            name: {
                **told.get(name, none),
                "size_bytes": self.sizes[name].size_bytes,
                "deflated_bytes": self.sizes[name].deflated_bytes,
                "size_ratio": self.size_ratio(name),
                "activations_bytes": self.memory[name].activations_bytes or float("nan"),
                "arena_bytes": self.memory[name].arena_bytes or float("nan"),
                "multiply_accumulates": self.multiply_accumulates[name],
                **times[name],
                **({"device_latency_us": self.device_latency_us(name)} if self.device else {}),
                "float_operators": self.float_operators[name],
                "needs": self.needs[name],
                "status": "measured",
                "accuracy_status": self.not_measured.get(name, "measured"),
            }
            for name in self.models
        }
        for name, reason in self.not_measured.items():
            rows.setdefault(name, {"status": reason, "accuracy_status": reason})
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")
        gone = ["n", *(["arena_bytes"] if frame["arena_bytes"].isna().all() else [])]
        return frame.drop(columns=gone, errors="ignore")

    to_display = report.display_table
    notes = report.notes
    summary = report.summary
    _repr_html_ = report.html_table
    _repr_markdown_ = report.markdown_table

    def __repr__(self):
        return f"{self.to_display().to_string()}\n" + "\n".join(self.notes())

    def to_html(self, path, *, also=()):
        """Write it, notes and environment to a self-contained HTML file; return the path.

        `also` are results, tables and matplotlib figures that it takes along, each under a heading:
        in a dict by their headings. `qk.report` takes the usual pictures along.
        """
        path = _place(path, what="to_html: path")
        write_atomically(path, report.html_page(self, also).encode())
        return path

    def save(self, path):
        """Write all of it to one file, for `qk.load_comparison`; return the path.

        It is a zip of JSON, of what was counted item by item, and of the .tflite files. Of a metric
        of your own it has the figures and not the functions.
        """
        path = _place(path, what="save: path")
        write_atomically(path, packed(self, qkit.__version__))
        return path

    def against(self, other):
        """Hold it against an earlier comparison, row by row; return a `ComparisonChange`.

        Where both are of the same items in the same order, figures are paired as by `qk.paired`.
        """
        validate.instance(other, Comparison, name="against: other")
        return change(other, self)

    def with_device_latency(self, latencies):
        """Return it with a column of what files take on a device, from a dict by scheme.

        Values are from `qk.device_latency`. Where the tool tells the size of the file that it ran,
        it must be that of the row's.
        """
        validate.instance(latencies, Mapping, name="with_device_latency: latencies")
        for name, found in latencies.items():
            validate.choice(name, self.models, name="with_device_latency: a scheme")
            validate.instance(found, DeviceLatency, name=f"with_device_latency: {name!r}")
            low, high = found.file_bytes or (0, float("inf"))
            if not low <= len(self.models[name]) <= high:
                raise ValueError(
                    f"with_device_latency: the file of {name!r} has {len(self.models[name]):,} "
                    f"bytes, and the one that ran on the device {low:,.0f} to {high:,.0f}: it is "
                    "another one. Run comparison.models[…] there."
                )
        return replace(self, device=MappingProxyType({**self.device, **latencies}))


def _place(path, *, what):
    """Return the path of a file to write; refuse a folder, and what is in none that is there."""
    path = Path(validate.instance(path, (str, os.PathLike), name=what))
    if os.path.isdir(path) or not os.path.isdir(path.parent):
        wrong = f"there is no folder {path.parent}: make it first"
        raise FileNotFoundError(
            f"{what}: {f'{path} is a folder: name a file in it' if os.path.isdir(path) else wrong}."
        )
    return path


def load_comparison(path):
    """Read a comparison that `Comparison.save` wrote.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    Comparison, equal to the one that was saved, with its `provenance`

    Examples
    --------
    >>> import tempfile
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> path = Path(tempfile.mkdtemp(), "kept.qkit")
    >>> list(load_comparison(qk.compare(model, digits, ["float16"]).save(path)).models)
    ['float32', 'float16']
    """
    path = Path(validate.instance(path, (str, os.PathLike), name="load_comparison: path"))
    if not os.path.isfile(path):
        raise FileNotFoundError(f"load_comparison: there is no file {path}.")
    what = f"load_comparison: {path}"
    return unpacked(path.read_bytes(), Comparison, _KEPT, what=what)
