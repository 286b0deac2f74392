"""All schemes of one model side by side, on the same test images."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from qkit.cache import write_atomically
from qkit.data import drawn
from qkit.evaluate import report
from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.latency import Latency, latency
from qkit.evaluate.significance import paired
from qkit.evaluate.size import size
from qkit.progress import progress_line
from qkit.result import Result
from qkit.tflite.file import read_tflite
from qkit.toolchain.convert import convert
from qkit.toolchain.schemes import SCHEMES, find_scheme
from qkit.toolchain.techniques import TECHNIQUES, train_missing

_CALIBRATION_IMAGES = 300
_LABELS = SCHEMES["qat"].needs
_CONTROL = "control"
_CONTROLS = {"float32": "control_float32", "full_integer": "control_full_integer"}
_NO_CONTROL = (
    "not measured: pass trained={…, 'control': …}, a float model trained for the epochs that QAT "
    "got on top"
)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """What each scheme makes of one model: one row per scheme, the same test images for all.

    Attributes
    ----------
    models : mapping of str to bytes
        The .tflite files. The first is the float32 reference.
    needs : mapping of str to str
        The data that each asked for beside the trained model.
    accuracies : mapping of str to Accuracy
    paired : mapping of str to Paired
        Each against the reference.
    sizes : mapping of str to Size
    latency : Latency
    float_operators : mapping of str to int
        Operators that still compute in floating point.
    not_measured : mapping of str to str
        Rows that belong into the table and could not be filled, with the reason.
    data_name : str
    """

    models: MappingProxyType
    needs: MappingProxyType
    accuracies: MappingProxyType
    paired: MappingProxyType
    sizes: MappingProxyType
    latency: Latency
    float_operators: MappingProxyType
    not_measured: MappingProxyType
    data_name: str

    @property
    def reference(self):
        """Name of the row that the others are held against."""
        return next(iter(self.models))

    def to_frame(self):
        """Return a DataFrame with one row per scheme; units stand in the column names.

        Ratios are to the reference: `size_ratio` is how many times smaller the file is,
        `latency_ratio` how many times as long an inference takes.
        """
        import pandas as pd

        parts = []
        times = self.latency.to_frame().to_dict("index")
        for name in self.models:
            low, high = self.accuracies[name].interval
            difference = self.paired[name].to_frame().to_dict("records")[0]
            reference_bytes = self.sizes[self.reference].size_bytes
            parts.append(
                {
                    "accuracy": self.accuracies[name].accuracy,
                    "accuracy_low": low,
                    "accuracy_high": high,
                    **difference,
                    "size_bytes": self.sizes[name].size_bytes,
                    "deflated_bytes": self.sizes[name].deflated_bytes,
                    "size_ratio": reference_bytes / self.sizes[name].size_bytes,
                    **times[name],
                    "float_operators": self.float_operators[name],
                    "needs": self.needs[name],
                }
            )
        frame = pd.DataFrame(parts, index=list(self.models))
        for name, reason in self.not_measured.items():
            frame.loc[name, "needs"] = reason
        return frame.rename_axis("scheme")

    def to_display(self):
        """Return the table as a DataFrame of text, rounded and with intervals, for reading."""
        return report.display_table(self)

    def notes(self):
        """Say what the table was measured with, and what it does not show."""
        return report.notes(self)

    def summary(self):
        """Say in a few sentences what the schemes save, at what price, and what QAT adds."""
        frame = self.to_frame().drop(index=list(self.not_measured))
        others = frame.drop(index=[self.reference, *_CONTROLS.values()], errors="ignore")
        worse = others[(others["p_value"] < 0.05) & (others["difference_pp"] < 0)]
        kept = others.drop(index=worse.index)
        text = (
            f"{len(kept)} of {len(others)} schemes lose no accuracy against {self.reference} that "
            f"{self.accuracies[self.reference].n:,} images could show"
        )
        if len(worse):
            text += f" ({', '.join(worse.index)} do)"
        if len(kept):
            small, fast = kept["size_bytes"].idxmin(), kept["latency_us"].idxmin()
            packed = kept["deflated_bytes"].idxmin()
            times = frame["deflated_bytes"][self.reference] / kept["deflated_bytes"][packed]
            text += (
                f"; of these {small} is the smallest file ({kept['size_ratio'][small]:.2f} times "
                f"smaller), {packed} the smallest deflated ({times:.2f} times) and {fast} the "
                "fastest "
                f"({kept['latency_ratio'][fast]:.2f} times the time)"
            )
        return f"{text}.{self._qat_sentence()}"

    def _qat_sentence(self):
        """Hold QAT against the float model of equal epochs, both in int8."""
        control = _CONTROLS["full_integer"]
        if "qat" in self.models and control in self.models:
            against = paired(self.accuracies[control], self.accuracies["qat"]).summary()
            return f" qat against {control}, which had the same epochs: {against}."
        if "qat" in self.models:
            return " qat has no control here: what it gains may be its extra training."
        return ""

    def __repr__(self):
        return f"{self.to_display().to_string()}\n" + "\n".join(self.notes())

    def _repr_html_(self):
        return report.html_table(self)

    def _repr_markdown_(self):
        return report.markdown_table(self)

    def to_html(self, path):
        """Write the table, its notes and the environment to one self-contained HTML file.

        Parameters
        ----------
        path : str or Path
            An existing file is replaced, in one step.

        Returns
        -------
        Path
        """
        write_atomically(path, report.html_page(self).encode())
        return Path(path)


def compare(
    model,
    data,
    schemes=None,
    *,
    trained=None,
    calibration=None,
    extra=None,
    threads=1,
):
    """Convert a model under several schemes and measure them side by side.

    Parameters
    ----------
    model : tf.keras.Model, str or Path
        A trained Keras 2 classifier, or the folder of its SavedModel.
    data : Dataset
        Or anything with `x_train`, `x_test`, `y_test` and `name`.
    schemes : iterable of str or Scheme, optional
        `qk.SCHEMES` for all, or names of them, also combined as in "pruned+full_integer". By
        default those that need no training, and those for which `trained` has a model. The float32
        reference comes first in any case.
    trained : mapping of str to tf.keras.Model, optional
        What training made of the model, by technique: "qat", "pruned", "clustered",
        "pruned_clustered", "pqat", "cqat", "pcqat"; and "control", the float model trained for the
        epochs that QAT got on top, which shows what the extra training alone gives. What the
        schemes ask for and is not here is trained in the way of `qkit.toolchain.techniques`, or
        looked up where that was done before.
    calibration : ndarray, optional
        Images for the schemes that need a sample; 300 random training images by default.
    extra : dict of str to bytes, optional
        Further .tflite files to measure along.
    threads : int
        Of the latency measurement.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If a scheme, the model or the data are not fit for it.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> list(compare(model, digits, ["dynamic_range"]).models)
    ['float32', 'dynamic_range']
    """
    trained = _checked(trained)
    schemes = _chosen(schemes, trained)
    if calibration is None:
        calibration = drawn(data.x_train, _CALIBRATION_IMAGES)
    trained = train_missing({s.technique for s in schemes}, model, data, trained, calibration)
    models, needs, not_measured = {}, {}, {}
    with progress_line() as show:
        for scheme in schemes:
            show(f"converting: {scheme.name} …")
            source = trained[scheme.technique] if scheme.technique else model
            models[scheme.name] = convert(source, scheme, calibration)
            needs[scheme.name] = _LABELS if scheme.technique else scheme.needs
        if "qat" in trained:
            for name, row in _CONTROLS.items():
                if _CONTROL not in trained:
                    not_measured[row] = _NO_CONTROL
                    continue
                models[row] = convert(trained[_CONTROL], name, calibration)
                needs[row] = _LABELS
        for name, tflite in (extra or {}).items():
            models[name], needs[name] = tflite, "–"
        accuracies = {}
        for name, tflite in models.items():
            show(f"{name}: {len(data.x_test):,} test images …")
            accuracies[name] = accuracy(tflite, data.x_test, data.y_test)
        show("latency, all models in turn …")
        times = latency(models, data.x_test, threads=threads)
        show(f"{len(models)} models measured on {len(data.x_test):,} test images of {data.name}")
    reference = accuracies[next(iter(models))]
    return Comparison(
        models=MappingProxyType(models),
        needs=MappingProxyType(needs),
        accuracies=MappingProxyType(accuracies),
        paired=MappingProxyType({k: paired(reference, a) for k, a in accuracies.items()}),
        sizes=MappingProxyType({k: size(tflite) for k, tflite in models.items()}),
        latency=times,
        float_operators=MappingProxyType(
            {k: len(read_tflite(tflite).float_operators) for k, tflite in models.items()}
        ),
        not_measured=MappingProxyType(not_measured),
        data_name=data.name,
    )


def _checked(trained):
    """Return the trained models by technique, or say which names there are."""
    trained = dict(trained or {})
    unknown = [name for name in trained if name not in (*TECHNIQUES, _CONTROL)]
    if unknown:
        raise ValueError(
            f"compare: trained has {unknown[0]!r}, which is no technique. There are: "
            f"{', '.join(TECHNIQUES)}; and {_CONTROL!r}."
        )
    return trained


def _chosen(schemes, trained):
    """Return the schemes to convert under, the float32 reference first."""
    if isinstance(schemes, str):
        raise TypeError(f"compare: schemes must be a list: write [{schemes!r}], not {schemes!r}")
    if schemes is None:
        chosen = [s for s in SCHEMES.values() if not s.technique or s.technique in trained]
    else:
        chosen = [find_scheme(scheme) for scheme in schemes]
    reference = SCHEMES["float32"]
    return [reference, *(scheme for scheme in chosen if scheme != reference)]
