"""All schemes of one model side by side: what each makes of it, and at what price."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from qkit.cache import write_atomically
from qkit.evaluate import report
from qkit.evaluate.accuracy import Accuracy
from qkit.evaluate.latency import Latency
from qkit.result import Result


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
    not_measured: MappingProxyType  # why a row has no accuracy, or nothing at all
    data_name: str  # empty without data
    items: str = "images"  # or "items", where they are no pictures
    labels: bool = True  # else `accuracies` tell how true the files are to the float32 one

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

    def to_frame(self):
        """Return a DataFrame with one row per scheme; units stand in the column names.

        Ratios are to the reference: `size_ratio` is how many times smaller the file is,
        `latency_ratio` how many times as long an inference takes. `status`, of size and latency,
        and `accuracy_status` are "measured", or the reason why not.
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
                **times[name],
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
        return frame.drop(columns="n", errors="ignore")

    to_display = report.display_table
    notes = report.notes
    summary = report.summary
    _repr_html_ = report.html_table
    _repr_markdown_ = report.markdown_table

    def __repr__(self):
        return f"{self.to_display().to_string()}\n" + "\n".join(self.notes())

    def to_html(self, path):
        """Write it, notes and environment to a self-contained HTML file; return the path."""
        write_atomically(path, report.html_page(self).encode())
        return Path(path)
