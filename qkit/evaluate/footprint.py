"""What each scheme makes of a model's size and speed, and why where it makes nothing of it."""

import gc
from dataclasses import dataclass
from types import MappingProxyType

from qkit import validate
from qkit._tensorflow import classifier_shape, require_keras_2_model
from qkit.evaluate.accuracy import accuracy, require_same_classes
from qkit.evaluate.latency import latency
from qkit.evaluate.significance import paired
from qkit.progress import progress_line
from qkit.result import Result
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.convert import convert
from qkit.toolchain.schemes import find_scheme

_REFERENCE = "float32"
_SCHEMES = (
    _REFERENCE,
    "dynamic_range",
    "float16",
    "full_integer",
    "int16_activations",
    "qat",
)
_CALIBRATION_IMAGES = 100
# Reference kernels, which int16 activations run in, are two orders slower: seconds an inference.
_QUICK, _SLOW = {"instances": 8, "rounds": 5}, {"instances": 6, "rounds": 1}
_NO_IMAGES = "not measured: pass images=…, labelled ones, for a model with trained weights"
_UNTRAINED = "not measured: the copy is not trained through the grid; pass qat=…, one that is"
_COLUMNS = (
    "size_bytes",
    "size_ratio",
    "latency_ms",
    "latency_low_ms",
    "latency_high_ms",
    "latency_ratio",
    "latency_ratio_low",
    "latency_ratio_high",
    "status",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "difference_pp",
    "difference_low_pp",
    "difference_high_pp",
    "p_value",
    "accuracy_status",
)


@dataclass(frozen=True, eq=False, repr=False)
class Footprint(Result):
    """Size, latency and accuracy of one model under several schemes.

    Attributes
    ----------
    name : str
        The model's.
    models : mapping of str to bytes
        The .tflite files, float32 first.
    latencies : mapping of str to Latency
        The measurement in which each file was timed, side by side with float32.
    accuracies : mapping of str to Accuracy
        Of the files that were held against labelled images.
    not_possible : mapping of str to str
        Why the tool chain refuses a scheme for this model, in one line.
    not_measured : mapping of str to str
        Why a file has no accuracy.
    """

    name: str
    models: MappingProxyType
    latencies: MappingProxyType
    accuracies: MappingProxyType
    not_possible: MappingProxyType
    not_measured: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per scheme; units stand in the column names.

        Ratios are to float32: `size_ratio` is how many times smaller the file is, `latency_ratio`
        how many times as long an inference takes; `difference_pp` is the paired difference.
        `status`, of size and latency, and `accuracy_status` are "measured", or "not possible" or
        "not measured" with the reason.
        """
        import pandas as pd

        rows = {name: self._row(name) for name in self.models}
        for name, reason in self.not_possible.items():
            said = f"not possible: {reason}"
            rows[name] = {"status": said, "accuracy_status": said}
        frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=_COLUMNS)
        return frame.rename_axis("scheme")

    def _row(self, name):
        times, size_bytes = self.latencies[name], len(self.models[name])
        low, high = times.interval_us[name]
        row = {
            "size_bytes": size_bytes,
            "size_ratio": len(self.models[_REFERENCE]) / size_bytes,
            "latency_ms": times.median_us[name] / 1e3,
            "latency_low_ms": low / 1e3,
            "latency_high_ms": high / 1e3,
            "latency_ratio": times.ratio[name],
            "latency_ratio_low": times.ratio_interval[name][0],
            "latency_ratio_high": times.ratio_interval[name][1],
            "status": "measured",
        }
        if name in self.not_measured:
            return row | {"accuracy_status": self.not_measured[name]}
        found = self.accuracies[name]
        row |= found.to_frame().to_dict("records")[0]
        row |= paired(self.accuracies[_REFERENCE], found).to_frame().to_dict("records")[0]
        return row | {"accuracy_status": "measured"}

    def summary(self):
        """Say in one line what the schemes save, and which are not possible."""
        frame = self.to_frame()
        parts = []
        for name, row in frame.iterrows():
            if name == _REFERENCE:
                size = f"{row['size_bytes'] / 1e6:.2f} MB, {row['latency_ms']:.1f} ms"
                parts.append(f"{self.name}: {name} {size}")
            elif name in self.not_possible:
                parts.append(f"{name} not possible")
            else:
                interval = f"{row['latency_ratio_low']:.2f} to {row['latency_ratio_high']:.2f}"
                parts.append(
                    f"{name} {row['size_ratio']:.2f} times smaller, {row['latency_ratio']:.2f} "
                    f"times the time ({interval})"
                )
        return "; ".join(parts)


def footprint(model, schemes=_SCHEMES, *, calibration=None, images=None, qat=None, threads=1):
    """Convert a model under several schemes; measure size, latency and, given images, accuracy.

    A scheme that the tool chain refuses for this model is a row with the reason, not an error.
    Small data sets that are in memory go to `qk.compare`, which trains what a scheme asks for.

    Parameters
    ----------
    model : tf.keras.Model
        A Keras 2 classifier of one input.
    schemes : iterable of str or Scheme
        float32 comes first in any case. Of those that need training, only "qat".
    calibration : ndarray of shape (n, *image), float, optional
        Images for the schemes that need a sample; a few will do where only size and latency
        count. By default a hundred drawn from `images`.
    images : ImageFolder, optional
        Labelled images; without them no accuracy is measured.
    qat : tf.keras.Model, optional
        The model trained through the grid. By default an untrained copy stands for it, whose size
        and latency are the same.
    threads : int
        Of the latency measurement.

    Returns
    -------
    Footprint

    Raises
    ------
    KerasVersionError, TypeError, ValueError
        If the model, a scheme or the images are not fit for it, or float32 itself is refused.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> list(footprint(model, ["float16"], calibration=digits.x_test[:1]).models)
    ['float32', 'float16']
    """
    require_keras_2_model(model, what="footprint")
    shape, classes = classifier_shape(model, what="footprint")
    schemes = _chosen(schemes)
    if calibration is None and images is None:
        raise ValueError(
            "footprint: images to run and to choose ranges from are missing: pass calibration=…, "
            "an array of a few, or images=…, a folder of labelled ones."
        )
    if images is not None:
        require_same_classes(images, classes)
    if calibration is None:
        calibration = images.sample(_CALIBRATION_IMAGES)
    calibration = validate.images(calibration, shape, what="footprint: calibration")
    with progress_line() as show:
        models, refused = _converted(model, schemes, calibration, qat, show)
        latencies = _timed(models, schemes, calibration, threads, show)
        accuracies, not_measured = _judged(models, schemes, images, qat is not None, show)
        show(f"{model.name}: {len(models)} schemes measured, {len(refused)} not possible")
    return Footprint(
        model.name,
        MappingProxyType(models),
        MappingProxyType(latencies),
        MappingProxyType(accuracies),
        MappingProxyType(refused),
        MappingProxyType(not_measured),
    )


def _chosen(schemes):
    if isinstance(schemes, str):
        raise TypeError(f"footprint: schemes must be a list, got {schemes!r}; try [{schemes!r}].")
    chosen = {scheme.name: scheme for scheme in map(find_scheme, (_REFERENCE, *schemes))}
    for scheme in chosen.values():
        if scheme.technique not in ("", "qat"):
            raise ValueError(
                f"footprint: {scheme.name!r} wants a model that training made; of such schemes "
                "only 'qat' is measured here. Use qk.compare, which trains."
            )
    return chosen


def _converted(model, schemes, calibration, qat, show):
    """Return the files, and the reasons of those that are refused."""
    files, refused = {}, {}
    for name, scheme in schemes.items():
        show(f"{model.name}: converting, {name} …")
        try:
            source = model
            if scheme.technique:
                source = qat or quantization_aware(model, calibration=calibration)
            files[name] = convert(source, scheme, calibration)
        except ValueError as error:
            if name == _REFERENCE:  # nothing to hold the others against
                raise
            refused[name] = _first_sentence(error)
        source = None
        gc.collect()  # Keras models refer to themselves, and keep their weights until then
    return files, refused


def _first_sentence(error):
    return str(error).splitlines()[0].partition(". ")[0].rstrip(".")


def _timed(files, schemes, x, threads, show):
    """Return the measurement of each file; the slow ones are timed apart, beside float32 too."""
    slow = [name for name in files if schemes[name].activations == "int16"]
    quick = [name for name in files if name not in slow]
    found = {}
    for names, patience in ((quick, _QUICK), (slow, _SLOW)):
        if names:
            show(f"latency: {', '.join(names)} …")
            beside = {name: files[name] for name in (_REFERENCE, *names)}
            times = latency(beside, x[:1], threads=threads, **patience)
            found |= dict.fromkeys(names, times)
    return found


def _judged(files, schemes, images, trained, show):
    """Return the accuracies, and the reasons of those that are missing."""
    accuracies, missing = {}, {}
    for name, tflite in files.items():
        if images is None:
            missing[name] = _NO_IMAGES
        elif schemes[name].technique and not trained:
            missing[name] = _UNTRAINED
        else:
            said = f"{name}: {{:,}} of {len(images):,} images …"
            accuracies[name] = accuracy(
                tflite, images, follow=lambda done, said=said: show(said.format(done))
            )
    return accuracies, missing
