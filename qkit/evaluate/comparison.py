"""All schemes of one model side by side, on the same test images."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from qkit.cache import write_atomically
from qkit.evaluate import candidates, report
from qkit.evaluate.accuracy import Accuracy, accuracy
from qkit.evaluate.candidates import REFERENCE
from qkit.evaluate.latency import Latency, latency, merged
from qkit.evaluate.significance import paired
from qkit.evaluate.size import size
from qkit.progress import progress_line
from qkit.result import Result
from qkit.tflite.file import inspect

_NO_LABELS = "not measured: pass data or images=…, labelled ones, for a model with trained weights"
_UNTRAINED = (
    "not measured: the copy is not trained through the grid; pass trained={'qat': …}, one that is"
)
# Where a float32 inference takes milliseconds, fewer of them; int16 activations are then timed
# apart: reference kernels, which they run in, are two orders slower, seconds an inference.
_LARGE_US = 1000
_SMALL = {"instances": 20, "rounds": 7}
_LARGE, _LARGE_INT16 = {"instances": 8, "rounds": 5}, {"instances": 6, "rounds": 1}


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
    data_name: str  # empty without labelled images

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
        """Refuse a comparison without labels, or by another metric, where accuracies are needed."""
        found = self.accuracies.get(self.reference)
        if not isinstance(found, Accuracy):
            instead = "was made without labelled images"
            if found is not None:
                instead = f"has scores by the metric {found.metric.name!r} in their place"
            raise ValueError(
                f"{what} needs accuracies, and this comparison {instead}. Pass data or images=… "
                "to qk.compare, labelled and without metric=…, or ask for size and latency alone."
            )

    def to_frame(self):
        """Return a DataFrame with one row per scheme; units stand in the column names.

        Ratios are to the reference: `size_ratio` is how many times smaller the file is,
        `latency_ratio` how many times as long an inference takes. `status`, of size and latency,
        and `accuracy_status` are "measured", or the reason why not.
        """
        import pandas as pd

        times = self.latency.to_frame().to_dict("index")
        rows = {
            name: {
                **self._judged(name),
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
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")

    def _judged(self, name):
        if name not in self.accuracies:
            return dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), float("nan"))
        figures = self.accuracies[name].row | self.paired[name].row
        return {column: value for column, value in figures.items() if column != "n"}

    to_display = report.display_table
    notes = report.notes
    summary = report.summary
    _repr_html_ = report.html_table
    _repr_markdown_ = report.markdown_table

    def __repr__(self):
        return f"{self.to_display().to_string()}\n" + "\n".join(self.notes())

    def to_html(self, path):
        """Write the table, its notes and the environment to one self-contained HTML file.

        A file that is there already is replaced, in one step. Returns the path.
        """
        write_atomically(path, report.html_page(self).encode())
        return Path(path)


def compare(
    model, data=None, schemes=None, *, trained=None, calibration=None, images=None, metric=None,
    extra=None, threads=1,
):  # fmt: skip
    """Convert a model under several schemes and measure them side by side.

    A scheme that the tool chain refuses for this model is a row with the reason, not an error.

    Parameters
    ----------
    model : tf.keras.Model, str or Path
        A trained Keras 2 classifier, or the folder of its SavedModel; with a `metric`, any model of
        one input and one output.
    data : Dataset, optional
        Without it, or `images`, no accuracy is measured.
    schemes : iterable of str or Scheme, optional
        `qk.SCHEMES` for all, or names of them, also combined as in "pruned+full_integer". By
        default those that need no training, and those for which `trained` has a model. The float32
        reference comes first in any case.
    trained : mapping of str to tf.keras.Model, optional
        What training made of the model, by technique: "qat", "pruned", "clustered",
        "pruned_clustered", "pqat", "cqat", "pcqat"; and "control", the float model trained for the
        epochs that QAT got on top. What the schemes ask for and is not here is trained, or looked
        up where that was done before. Without data to train on, an untrained copy stands for "qat":
        its size and latency are the same.
    calibration : ndarray, optional
        Images for the schemes that need a sample, a few where only size and latency count; by
        default 300 random training images, or 100 of `images`.
    images : ImageFolder, optional
        Labelled images to measure the accuracies on, some at a time, in place of the test images.
    metric : Metric, optional
        What to count instead of right classes.
    extra : dict of str to bytes, optional
        Further .tflite files to measure along.
    threads : int
        Of the latency measurement.

    Returns
    -------
    Comparison

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> list(compare(model, digits, ["dynamic_range"]).models)
    ['float32', 'dynamic_range']
    """
    trained = candidates.checked(trained)
    schemes = candidates.chosen(schemes, trained)
    calibration = candidates.calibration_images(model, data, images, calibration, metric)
    candidates.require_fit(schemes, trained, calibration)
    missing = candidates.train(schemes, model, data, trained, calibration)
    x, y, data_name = None, None, ""
    if images is not None:
        x, data_name = images, "a folder"
    elif data is not None:
        x, y, data_name = data.x_test, data.y_test, data.name
    with progress_line() as show:
        models, needs = candidates.converted(schemes, model, trained, calibration, missing, show)
        for name, tflite in (extra or {}).items():
            models[name], needs[name] = tflite, "–"
            missing.pop(name, None)
        missing |= _unlabelled(models, schemes, trained, x)
        accuracies = {
            name: _judged(name, tflite, x, y, metric, show)
            for name, tflite in models.items()
            if name not in missing
        }
        show("latency, all models in turn …")
        times = _timed(models, schemes, calibration if data is None else data.x_test, threads)
        measured = f" on {len(x):,} test images of {data_name}" if accuracies else ""
        show(f"{len(models)} models measured{measured}")
    paired_ = {name: paired(accuracies[REFERENCE], found) for name, found in accuracies.items()}
    return Comparison(
        models=MappingProxyType(models),
        needs=MappingProxyType(needs),
        accuracies=MappingProxyType(accuracies),
        paired=MappingProxyType(paired_),
        sizes=MappingProxyType({name: size(tflite) for name, tflite in models.items()}),
        latency=times,
        float_operators=MappingProxyType(
            {name: len(inspect(tflite).float_operators) for name, tflite in models.items()}
        ),
        not_measured=MappingProxyType(missing),
        data_name=data_name,
    )


def _unlabelled(models, schemes, trained, x):
    """Return why files have no accuracy."""
    if x is None:
        return dict.fromkeys(models, _NO_LABELS)
    untrained = [s.name for s in schemes if s.technique == "qat" and "qat" not in trained]
    return {name: _UNTRAINED for name in untrained if name in models}


def _judged(name, tflite, x, y, metric, show):
    def follow(done):
        show(f"{name}: {done:,} of {len(x):,} test images …")

    follow(0)
    return accuracy(tflite, x, y, metric=metric, follow=follow)


def _timed(models, schemes, x, threads):
    """Time all side by side; of large models those apart whose kernels are slow."""
    reference = {REFERENCE: models[REFERENCE]}
    trial = latency(reference, x, threads=threads, instances=2, rounds=1)
    if trial.median_us[REFERENCE] < _LARGE_US:
        return latency(models, x, threads=threads, **_SMALL)
    int16 = [scheme.name for scheme in schemes if scheme.activations == "int16"]
    slow = {name: tflite for name, tflite in models.items() if name in int16}
    quick = {name: tflite for name, tflite in models.items() if name not in int16}
    parts = [latency(quick, x, threads=threads, **_LARGE)]
    if slow:
        parts.append(latency(reference | slow, x, threads=threads, **_LARGE_INT16))
    return merged(parts, models)
