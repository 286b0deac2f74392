"""What all files of one model are held against: told once, from the float model's outputs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from qkit.data import drawn
from qkit.evaluate.accuracy import Accuracy, Score, judged, model_outputs
from qkit.evaluate.significance import paired
from qkit.evaluate.tasks import SQNR, fidelity, find_metric, head_of, threshold
from qkit.samples import labelled, samples
from qkit.tflite.edit import opened
from qkit.toolchain.convert import convert
from qkit.toolchain.sources import source


@dataclass(frozen=True, eq=False)
class Judge:
    """The targets, and what is counted against them."""

    reference: Accuracy | Score  # of the float model
    y: object  # labels, or without them what the float model gives
    metric: object  # None for classes
    output: str | None  # name of the one that is judged, of several
    at: float  # from where on a single output says yes

    @property
    def pairs(self):
        """Whether a difference from the float model can be told: not where all else is noise."""
        return getattr(self.reference, "metric", None) is not SQNR

    def of(self, outputs):
        """Return how well outputs do."""
        name = getattr(self.reference, "name", "")
        return judged(self.head(outputs), self.y, self.metric, name=name, at=self.at)

    def head(self, outputs):
        """Return the outputs that are judged; those as they are, if they are all that is given."""
        return outputs[self.output] if isinstance(outputs, Mapping) else outputs

    def against(self, outputs):
        """Return the difference of outputs from the float model's, on the same items."""
        return paired(self.reference, self.of(outputs))

    @property
    def points(self):
        """Whether what is lost is told in percentage points."""
        return getattr(self.reference, "metric", None) is None or self.reference.metric.unit == ""

    def loss(self, outputs):
        """Return what outputs lose and the ends of its interval, in points or the metric's unit.

        Where all that can be told is noise: by how many dB it is above the signal, below 0.
        """
        if not self.pairs:
            found = self.of(outputs)
            return -found.value, -found.interval[1], -found.interval[0]
        found = self.against(outputs)
        if hasattr(found, "difference_pp"):
            return 0 - found.difference_pp, -found.interval_pp[1], -found.interval_pp[0]  # no -0
        times = found.a.metric.factor * (-1 if found.a.metric.higher_is_better else 1)
        low, high = sorted(times * end for end in found.interval)
        return times * found.difference, low, high

    def row(self, outputs):
        """Return the figures of a table: the difference where it can be told, else the score."""
        return self.against(outputs).row if self.pairs else self.of(outputs).row


def judge(outputs, y, metric=None, *, what):
    """Return the `Judge` of a model by the outputs of its float file, and by labels if any."""
    metric = find_metric(metric, what=what)
    output = next(iter(metric)) if isinstance(metric, Mapping) else None
    given, y, metric = head_of(outputs, y, metric, what=what)
    name, at = "", threshold(given)
    if y is None:
        name = "agreement with float32"
        metric, y = fidelity(given, metric)
    return Judge(judged(given, y, metric, name=name, at=at), y, metric, output, at)


@dataclass(frozen=True, eq=False)
class Subject:
    """A model in float, the items that it is measured on, and what it gives for them."""

    tflite: bytes
    x: object
    calibration: object  # items that ranges are chosen from
    plain: object  # what it gives for them
    held: Judge
    metric: object  # as it was asked for

    @cached_property
    def file(self):
        """The float file, opened once; on a worker too."""
        return opened(self.tflite)


def subject(model, data, calibration=None, metric=None, *, what):
    """Return the `Subject` of a model as for `qk.convert`, and data as for `qk.compare`."""
    model = source(model, what=what)
    data = labelled(data, model.takes, what=f"{what}: data")
    given = drawn(data.x_train, 300) if calibration is None else calibration
    given = samples(given, model.takes, what=f"{what}: calibration") if model.takes else given
    tflite = convert(model, "float32", given)
    outputs = model_outputs(tflite, data.x_test)
    held = judge(outputs, data.y_test, metric, what=what)
    return Subject(tflite, data.x_test, given, outputs, held, metric)


def require_shown(measured, max_drop_pp, *, what):
    """Refuse a loss that is not told in points, or that so few items could never rule out."""
    if max_drop_pp is None:
        return
    held = measured.held
    if not held.points:
        raise ValueError(
            f"{what}: max_drop_pp is in points, and what is counted is {held.reference.metric.name}"
            ". Pass a metric that is a share."
        )
    least = held.loss(measured.plain)[2]
    if math.isnan(least):
        raise ValueError(
            f"{what}: {held.reference.metric.name} of the float model is NaN on these items, or "
            "its interval is, and no loss can be told. Pass more items, or a metric that gives a "
            "number for them."
        )
    if least > max_drop_pp:
        raise ValueError(
            f"{what}: on {held.reference.n:,} items even two files that agree on all may differ by "
            f"{least:.2f} points, and max_drop_pp={max_drop_pp:g} cannot be shown. Pass more "
            "items, or allow more."
        )
