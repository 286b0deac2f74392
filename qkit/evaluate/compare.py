"""From one model to all its schemes: converted, and measured on the same items."""

import contextlib
import gc
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from qkit import validate
from qkit._tensorflow import first_line
from qkit.data import ImageFolder, drawn
from qkit.evaluate import report
from qkit.evaluate.accuracy import (
    accuracy,
    model_outputs,
    require_same_classes,
)
from qkit.evaluate.comparison import Comparison
from qkit.evaluate.judge import judge
from qkit.evaluate.latency import latency, roughly_us
from qkit.evaluate.provenance import provenance
from qkit.evaluate.significance import paired
from qkit.evaluate.size import size
from qkit.evaluate.sweep import checked_executor, sweep
from qkit.evaluate.tasks import find_metric, require_head
from qkit.interpreter.run import MOST_THREADS
from qkit.networks import Network
from qkit.progress import progress_line
from qkit.samples import Labelled, count, items_of, labelled, rows, samples
from qkit.tflite.file import inspect
from qkit.tflite.memory import memory
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import checked_calibration, checked_source, convert
from qkit.toolchain.schemes import SCHEMES, find_scheme
from qkit.toolchain.sources import source
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


def compare(
    model, data=None, schemes=None, *, trained=None, calibration=None, images=None, metric=None,
    class_names=None, extra=None, threads=1, signature=None, executor=None,
):  # fmt: skip
    """Convert a model under several schemes and measure them side by side.

    A scheme that the tool chain refuses for this model is a row with the reason, not an error. What
    is counted is told from labels and outputs, as by `qk.accuracy`; without labels it is how true
    the files are to the float32 one: the share of equal answers, or of real outputs the SQNR.

    Parameters
    ----------
    model : tf.keras.Model of Keras 2 or 3, concrete function, bytes, str or Path
        Or the folder of its SavedModel, its .keras file, or a float .tflite file or its bytes.
    data : Dataset; or (x, y), labelled items; or x alone; optional with `calibration` or `images`
        Items as for `qk.outputs`, also of a tf.data pipeline; of more than 1 GiB it is gone through
        again for each file. From all but a Dataset, which has others, ranges are chosen from the
        same items; and nothing is trained on them.
    schemes : iterable of str or Scheme, optional
        `qk.SCHEMES` for all, or names of them, also combined as in "pruned+full_integer". By
        default those that need no training, and those for which `trained` has a model. The float32
        reference comes first in any case.
    trained : mapping of str to tf.keras.Model, optional
        What training made of the model, by technique: "qat", "pruned", "clustered",
        "pruned_clustered", "pqat", "cqat", "pcqat"; and "control", the float model trained for the
        epochs that QAT got on top. What is asked for and not here is trained, or looked up where
        that was done before. Without data, an untrained copy of equal size and latency is "qat".
    calibration : optional, items; by default 300 random ones of training, or 100 of `images`
    images : ImageFolder, optional, of labelled images in place of the test images
    metric : Metric, str or callable, optional, to count something else, as for `qk.accuracy`
    class_names : sequence of str, optional, the words that labels may be, in the outputs' order
    extra : dict of str to bytes, optional, further .tflite files; "(file)" follows a taken name
    threads : int, of the latency measurement
    signature : str, optional, of a SavedModel; by default "serving_default", or the only one
    executor : concurrent.futures.Executor, optional, of processes, threads or Dask's
        On which files are judged beside one another. All is converted and timed here, and alone.

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
    given = dict(images=images, trained=trained, extra=extra, schemes=schemes)
    for kind, name in zip((ImageFolder, Mapping, Mapping, Iterable), given, strict=True):
        validate.instance(given[name], (kind, type(None)), name=f"compare: {name}")
    metric = find_metric(metric, what="compare")
    trained, extra = dict(trained or {}), dict(extra or {})
    schemes = _chosen(schemes, trained)
    extra = _named_apart(schemes, trained, extra)
    for tflite in extra.values():
        inspect(tflite)  # refuses what is none
    validate.whole(threads, name="compare: threads", most=MOST_THREADS)
    opened = source(model, what="compare", signature=signature)
    model = opened if isinstance(opened, Network) else model
    data = None if data is None else labelled(data, opened.takes, what="compare: data")
    executor = checked_executor(executor, metric, getattr(data, "x_test", images), what="compare")
    calibration = _calibration_items(opened, data, images, calibration, metric)
    _require_fit(schemes, trained, opened, calibration, data)
    missing = _train(schemes, model, data, trained, calibration)
    x, y, data_name = images, None, "" if images is None else "a folder"
    if images is None and data is not None:
        y = validate.numbered(data.y_test, class_names, what="compare: y")
        x, data_name = data.x_test, data.name
    things = "" if x is None else items_of(x)
    with progress_line() as show:
        models, needs = _converted(schemes, opened, model, trained, calibration, missing, show)
        for name, tflite in extra.items():
            models[name], needs[name] = tflite, "–"
            missing.pop(name, None)
        if x is None:
            missing |= dict.fromkeys(models, _NO_LABELS)
        labelled_ones = {k: f for k, f in models.items() if k not in missing}
        accuracies = _judged(labelled_ones, x, y, metric, show, executor)
        show("latency, all models in turn …")
        fed = calibration if data is None else data.x_test
        fewer = _FEWER if roughly_us(models[REFERENCE], fed, threads) >= _LARGE_US else {}
        times = latency(models, fed, threads=threads, **fewer)
        measured = f" on {count(x):,} test {things} of {data_name}" if accuracies else ""
        show(f"{len(models)} models measured{measured}")
    labels = x is None or y is not None or images is not None
    against = accuracies if labels else {}
    read = {name: inspect(tflite) for name, tflite in models.items()}
    mappings = {
        "models": models,
        "needs": needs,
        "accuracies": accuracies,
        "paired": {k: paired(accuracies[REFERENCE], found) for k, found in against.items()},
        "sizes": {name: size(tflite) for name, tflite in models.items()},
        "float_operators": {k: len(file.float_operators) for k, file in read.items()},
        "memory": {name: memory(tflite) for name, tflite in models.items()},
        "multiply_accumulates": {k: file.multiply_accumulates for k, file in read.items()},
        "not_measured": missing,
    }
    frozen = {field: MappingProxyType(by_scheme) for field, by_scheme in mappings.items()}
    return Comparison(
        latency=times,
        data_name=data_name,
        items=things,
        labels=labels,
        provenance=provenance(x, y),
        **frozen,
    )


def _chosen(schemes, trained):
    """Return the schemes to convert under, the float32 reference first."""
    if isinstance(schemes, str):
        raise TypeError(f"compare: schemes must be a list: write [{schemes!r}], not {schemes!r}")
    if schemes is None:
        every = (s for s in SCHEMES.values() if s.engine == "converter")
        schemes = [s for s in every if not s.technique or s.technique in trained]
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


def _calibration_items(opened, data, images, given, metric):
    """Return the items that ranges are chosen from; refuse what does not fit the model."""
    if given is None and images is None and data is None:
        raise ValueError(
            "compare: images to run and to choose ranges from are missing: pass data, "
            "calibration=…, an array of a few, or images=…, a folder of labelled ones."
        )
    if images is not None and metric is not None:
        raise ValueError("compare: images=… bear class numbers; a metric takes data, with arrays.")
    require_head(opened.gives, metric, what="compare")
    if images is not None:
        for shape in opened.gives.values():
            require_same_classes(images, shape[-1])
    if given is None:
        # those of a folder are larger
        given = images.sample(100) if data is None else drawn(data.x_train, 300)
    what = "compare: calibration"
    return samples(given, opened.takes, what=what) if opened.takes else given


def _require_fit(schemes, trained, opened, calibration, data):
    """Refuse what a user passes in and does not fit: that is a mistake to mend, and no row."""
    for name, made in trained.items():
        if name not in (*TECHNIQUES, CONTROL):
            raise ValueError(
                f"compare: trained has {name!r}, which is no technique. There are: "
                f"{', '.join(TECHNIQUES)}; and {CONTROL!r}."
            )
        fitting = checked_source(made, SCHEMES["full_integer" if name == CONTROL else name])
        what = f"compare: trained[{name!r}] is of another model: its images"
        samples(rows(calibration, slice(1)), fitting.takes, what=what)
    for scheme in schemes:
        if scheme.calibrated:
            checked_calibration(calibration, opened, scheme)
        given = "" if isinstance(data, Labelled) or data is None else scheme.technique
        if scheme.technique not in ("", "qat", given, *trained):
            raise ValueError(
                f"compare: {scheme.name!r} wants a model that training made: pass data to train "
                f"on, a qk.Dataset, or trained={{{scheme.technique!r}: …}}."
            )


def _train(schemes, model, data, trained, calibration):
    """Add what the schemes ask for to `trained`; return why what cannot be trained cannot."""
    missing = {}
    for scheme in schemes if hasattr(data, "y_train") else ():
        with _refusals(missing, scheme.name):
            train_missing(scheme.technique, model, data, trained, calibration)
    return missing


def _converted(schemes, opened, model, trained, calibration, missing, show):
    """Return the files and what each needs; add to `missing` what is refused."""
    rows = {s.name: (s, s.technique) for s in schemes if s.name not in missing}
    controls = report.CONTROLS if "qat" in trained else {}
    if CONTROL in trained:
        rows |= {row: (SCHEMES[name], CONTROL) for name, row in controls.items()}
    models, needs, float_file = {}, {}, None
    for row, (scheme, technique) in rows.items():
        show(f"converting: {row} …")
        with _refusals(missing, row):
            made = trained.get(technique, opened)
            if technique and technique not in trained:
                made = quantization_aware(model, calibration=calibration)
                missing[row] = _UNTRAINED
            if scheme.engine != "converter" and made is opened and not scheme.calibrated:
                # that engine starts from the float file, which is here; but a loop is written out
                # for those that learn ranges
                made = float_file = float_file or source(models[REFERENCE], what="compare")
            models[row] = convert(made, scheme, calibration)
            needs[row] = SCHEMES["qat"].needs if technique else scheme.needs
        made = None
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
    except (ImportError, TypeError, ValueError, RuntimeError) as error:  # by what refuses
        if name == REFERENCE:  # nothing to hold the others against
            raise
        missing[name] = f"not possible: {first_line(error).partition('. ')[0].rstrip('.')}"


def _judged(models, x, y, metric, show, executor):
    """Return how well each file does, or without labels how true it is to the first."""
    if not models:
        return {}
    items, found = f"{count(x):,} test {items_of(x)}", {}
    threads = None if executor is None else 1  # a worker is a core, and not the only one
    show(f"{REFERENCE}: {items} …")
    if hasattr(x, "batches"):
        follow = None if executor else lambda done: show(f"a file: {done:,} of {items} …")
        measure = partial(accuracy, x=x, follow=follow, threads=threads)
    else:
        held = judge(model_outputs(models[REFERENCE], x), y, metric, what="compare")
        found[REFERENCE] = held.reference
        measure = partial(_held, held=held, x=x, threads=threads)
    others = [name for name in models if name not in found]
    what, shared = f"compare: files on {items}", (models, measure)
    results = sweep(_of_file, others, executor=executor, shared=shared, show=show, what=what)
    if metric := getattr(found.get(REFERENCE), "metric", None):  # a copy may have come back
        results = [replace(result, metric=metric) for result in results]
    return found | dict(zip(others, results, strict=True))


def _of_file(shared, name):
    models, measure = shared
    return measure(models[name])


def _held(tflite, held, x, threads):
    return held.of(model_outputs(tflite, x, threads=threads))
