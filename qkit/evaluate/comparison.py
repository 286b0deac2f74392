"""All schemes of one model side by side, on the same test images."""

import contextlib
import gc
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from qkit import validate
from qkit._tensorflow import first_line
from qkit.cache import write_atomically
from qkit.data import ImageFolder, drawn
from qkit.evaluate import report
from qkit.evaluate.accuracy import Accuracy, Metric, accuracy, require_same_classes
from qkit.evaluate.latency import Latency, latency, roughly_us
from qkit.evaluate.significance import paired
from qkit.evaluate.size import size
from qkit.networks import network
from qkit.progress import progress_line
from qkit.result import Result
from qkit.tflite.file import inspect
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import checked_calibration, checked_source, convert
from qkit.toolchain.schemes import SCHEMES, find_scheme
from qkit.toolchain.techniques import TECHNIQUES, train_missing

REFERENCE = "float32"
CONTROL = "control"
_NO_LABELS = "not measured: pass data or images=…, labelled ones, for a model with trained weights"
_NO_CONTROL = (
    "not measured: pass trained={…, 'control': …}, a float model trained for the epochs that QAT "
    "got on top"
)
_UNTRAINED = (
    "not measured: the copy is not trained through the grid; pass trained={'qat': …}, one that is"
)
# Where a float32 inference takes milliseconds, fewer are timed: the reference kernels, which int16
# activations run in, are two orders slower, seconds an inference.
_LARGE_US, _LARGE_BYTES = 1000, 10_000_000
_FEWER = {"instances": 8, "rounds": 2}


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

        judged = {k: found.row | self.paired[k].row for k, found in self.accuracies.items()}
        none = dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), float("nan"))
        times = self.latency.to_frame().to_dict("index")
        rows = {
            name: {
                **judged.get(name, none),
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
    data : Dataset, optional; without it, or `images`, no accuracy is measured
    schemes : iterable of str or Scheme, optional
        `qk.SCHEMES` for all, or names of them, also combined as in "pruned+full_integer". By
        default those that need no training, and those for which `trained` has a model. The float32
        reference comes first in any case.
    trained : mapping of str to tf.keras.Model, optional
        What training made of the model, by technique: "qat", "pruned", "clustered",
        "pruned_clustered", "pqat", "cqat", "pcqat"; and "control", the float model trained for the
        epochs that QAT got on top. What is asked for and not here is trained, or looked up where
        that was done before. Without data, an untrained copy of equal size and latency is "qat".
    calibration : ndarray, optional, by default 300 random training images, or 100 of `images`
    images : ImageFolder, optional, of labelled images in place of the test images
    metric : Metric, optional, to count instead of right classes
    extra : dict of str to bytes, optional, further .tflite files; "(file)" follows a taken name
    threads : int, of the latency measurement

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
    given = dict(images=images, metric=metric, trained=trained, extra=extra, schemes=schemes)
    for kind, name in zip((ImageFolder, Metric, Mapping, Mapping, Iterable), given, strict=True):
        validate.instance(given[name], (kind, type(None)), name=f"compare: {name}")
    if data is not None:
        validate.parts(data, ("x_train", "x_test", "y_test", "name"), name="compare: data")
    trained, extra = dict(trained or {}), dict(extra or {})
    schemes = _chosen(schemes, trained)
    extra = _named_apart(schemes, trained, extra)
    for tflite in extra.values():
        inspect(tflite)  # refuses what is none
    validate.whole(threads, name="compare: threads")
    calibration = _calibration_images(model, data, images, calibration, metric)
    _require_fit(schemes, trained, calibration, data)
    missing = _train(schemes, model, data, trained, calibration)
    x, y, data_name = images, None, "" if images is None else "a folder"
    if images is None and data is not None:
        x, y, data_name = data.x_test, data.y_test, data.name
    with progress_line() as show:
        models, needs = _converted(schemes, model, trained, calibration, missing, show)
        for name, tflite in extra.items():
            models[name], needs[name] = tflite, "–"
            missing.pop(name, None)
        if x is None:
            missing |= dict.fromkeys(models, _NO_LABELS)
        accuracies = {
            name: _judged(name, tflite, x, y, metric, show)
            for name, tflite in models.items()
            if name not in missing
        }
        show("latency, all models in turn …")
        fed = calibration if data is None else data.x_test
        fewer = _FEWER if roughly_us(models[REFERENCE], fed, threads) >= _LARGE_US else {}
        times = latency(models, fed, threads=threads, **fewer)
        measured = f" on {len(x):,} test images of {data_name}" if accuracies else ""
        show(f"{len(models)} models measured{measured}")
    mappings = {
        "models": models,
        "needs": needs,
        "accuracies": accuracies,
        "paired": {k: paired(accuracies[REFERENCE], found) for k, found in accuracies.items()},
        "sizes": {name: size(tflite) for name, tflite in models.items()},
        "float_operators": {k: len(inspect(file).float_operators) for k, file in models.items()},
        "not_measured": missing,
    }
    frozen = {field: MappingProxyType(by_scheme) for field, by_scheme in mappings.items()}
    return Comparison(latency=times, data_name=data_name, **frozen)


def _chosen(schemes, trained):
    """Return the schemes to convert under, the float32 reference first."""
    if isinstance(schemes, str):
        raise TypeError(f"compare: schemes must be a list: write [{schemes!r}], not {schemes!r}")
    if schemes is None:
        schemes = [s for s in SCHEMES.values() if not s.technique or s.technique in trained]
    found = [SCHEMES[REFERENCE], *map(find_scheme, schemes)]
    return [s for i, s in enumerate(found) if s not in found[:i]]


def _named_apart(schemes, trained, extra):
    """Return the extra files by names of their own; refuse rows whose names read alike."""
    controls = report.CONTROLS.values() if CONTROL in trained else ()  # else files may stand in
    made = [*(scheme.name for scheme in schemes), *controls]
    plain = [*map(_plain, made)]
    named = [f"{name} (file)" if _plain(name) in plain else name for name in extra]
    taken = {}
    for name in (*made, *named):
        if (plain := _plain(name)) in taken:
            raise ValueError(
                f"compare: the rows {taken[plain]!r} and {name!r} would be taken for one another. "
                "Name one anew: extra={'mine': …}, or dataclasses.replace(scheme, name='mine')."
            )
        taken[plain] = name
    return dict(zip(named, extra.values(), strict=True))


def _plain(name):
    """Return a name as one reads it, whatever its case and blanks, however accents are written."""
    plain = " ".join(unicodedata.normalize("NFKC", str(name)).casefold().split())
    if not isinstance(name, str) or not plain:
        raise TypeError(f"compare: {name!r} is no name for a row: one or more words are.")
    return plain


def _calibration_images(model, data, images, given, metric):
    """Return the images that ranges are chosen from; refuse what does not fit the model."""
    if given is None and images is None and data is None:
        raise ValueError(
            "compare: images to run and to choose ranges from are missing: pass data, "
            "calibration=…, an array of a few, or images=…, a folder of labelled ones."
        )
    if images is not None and metric is not None:
        raise ValueError("compare: images=… bear class numbers; a metric takes data, with arrays.")
    shape = None
    if hasattr(model, "layers"):
        opened = network(model, what="compare")
        shape, scores = opened.shapes(what="compare", classifier=metric is None)
        if images is not None:
            require_same_classes(images, scores[0])
    if given is None:
        # those of a folder are larger
        given = images.sample(100) if data is None else drawn(data.x_train, 300)
    return validate.images(given, shape, what="compare: calibration")


def _require_fit(schemes, trained, calibration, data):
    """Refuse what a user passes in and does not fit: that is a mistake to mend, and no row."""
    for name, source in trained.items():
        if name not in (*TECHNIQUES, CONTROL):
            raise ValueError(
                f"compare: trained has {name!r}, which is no technique. There are: "
                f"{', '.join(TECHNIQUES)}; and {CONTROL!r}."
            )
        scheme = SCHEMES["full_integer" if name == CONTROL else name]
        opened = checked_source(source, scheme, calibration)
        if hasattr(opened, "inputs"):
            shape, _ = opened.shapes(what=f"compare: trained[{name!r}]", classifier=False)
            what = f"compare: trained[{name!r}] is of another model: its images"
            validate.images(calibration[:1], shape, what=what)
    for scheme in schemes:
        if scheme.calibrated:
            checked_calibration(calibration, scheme)
        if data is None and scheme.technique not in ("", "qat", *trained):
            raise ValueError(
                f"compare: {scheme.name!r} wants a model that training made: pass data to train "
                f"on, or trained={{{scheme.technique!r}: …}}."
            )


def _train(schemes, model, data, trained, calibration):
    """Add what the schemes ask for to `trained`; return why what cannot be trained cannot."""
    missing = {}
    for scheme in schemes if data is not None else ():
        with _refusals(missing, scheme.name):
            train_missing(scheme.technique, model, data, trained, calibration)
    return missing


def _converted(schemes, model, trained, calibration, missing, show):
    """Return the files and what each needs; add to `missing` what is refused."""
    rows = {s.name: (s, s.technique) for s in schemes if s.name not in missing}
    controls = report.CONTROLS if "qat" in trained else {}
    if CONTROL in trained:
        rows |= {row: (SCHEMES[name], CONTROL) for name, row in controls.items()}
    models, needs = {}, {}
    for row, (scheme, technique) in rows.items():
        show(f"converting: {row} …")
        with _refusals(missing, row):
            source = trained.get(technique, model)
            if technique and technique not in trained:
                source = quantization_aware(model, calibration=calibration)
                missing[row] = _UNTRAINED
            models[row] = convert(source, scheme, calibration)
            needs[row] = SCHEMES["qat"].needs if technique else scheme.needs
        source = None
        if len(models.get(REFERENCE, b"")) > _LARGE_BYTES:
            gc.collect()  # Keras models refer to themselves, and keep their weights until then
    if CONTROL not in trained:
        missing |= dict.fromkeys(controls.values(), _NO_CONTROL)
    return models, needs


@contextlib.contextmanager
def _refusals(missing, name):
    """Turn what the tool chain says against a row into its reason, in one sentence."""
    try:
        yield
    except (ValueError, RuntimeError) as error:  # the converter raises either
        if name == REFERENCE:  # nothing to hold the others against
            raise
        missing[name] = f"not possible: {first_line(error).partition('. ')[0].rstrip('.')}"


def _judged(name, tflite, x, y, metric, show):
    def follow(done):
        show(f"{name}: {done:,} of {len(x):,} test images …")

    follow(0)
    return accuracy(tflite, x, y, metric=metric, follow=follow)
