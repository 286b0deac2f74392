"""What changed from one comparison to a later one: paired where both are of the same items."""

from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from qkit.evaluate.accuracy import Accuracy, Score
from qkit.evaluate.significance import Paired, paired
from qkit.evaluate.tasks import METRICS
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Unpaired(Result):
    """The difference of two figures that are not of the same items, b minus a."""

    a: Accuracy | Score
    b: Accuracy | Score
    difference: float  # in percentage points, or the metric's unit
    interval: tuple  # its 95 % interval, wider than a paired one
    why: str

    @property
    def row(self):
        """The figures of the table."""
        end = "_pp" * isinstance(self.a, Accuracy)
        names = (f"difference{part}{end}" for part in ("", "_low", "_high"))
        return dict(zip(names, (self.difference, *self.interval), strict=True))

    def summary(self):
        """Say in one line how large the difference is, and why it is not paired."""
        values = self.difference, *self.interval
        if isinstance(self.a, Accuracy):
            value, low, high = (f"{value:+.2f}" for value in values)
            value += " points"
        else:
            value, low, high = (self.a.metric.said(value, signed=True) for value in values)
        return f"{value} (95 % interval {low} to {high}), unpaired: {self.why}"


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonChange(Result):
    """Two comparisons, the earlier one first, with a row for each scheme of either."""

    table: object  # bytes, figures and latencies before and after, and what may be said of each
    differences: MappingProxyType  # by scheme Paired, PairedScores or Unpaired, now minus before
    other_times: str  # why latencies may not be compared; empty where they may

    def summary(self):
        """Say what is better or worse, smaller or larger, faster or slower; what came or went."""
        table = self.table
        moved = table.index[table["verdict"].isin(["better", "worse"])]
        how = " and ".join(sorted({*table["judged"]} - {""})) or "nothing measured in both"
        said = [f"{name} {self.differences[name].summary()}" for name in moved]
        said = said or [f"none of {len(self.differences)} measurably better or worse ({how})"]
        both = table[table["status"] == "in both"]
        count = int((both["size_after_bytes"] != both["size_before_bytes"]).sum())
        said.append(f"{count or 'no'} file{'s'[: count != 1]} of another size")
        if self.other_times:
            said.append(f"latencies are not comparable: {self.other_times}")
        else:
            apart = self._named("latency", "faster", "slower")
            said += apart or ["no latency beyond the intervals of both"]
        return "; ".join([*said, *self._named("status", "new", "gone")])

    def _named(self, column, *words):
        """Return for each word the names of the rows that have it in a column."""
        found = {word: self.table.index[self.table[column] == word] for word in words}
        return [f"{word}: {', '.join(names)}" for word, names in found.items() if len(names)]


def change(before, after):
    """Hold a comparison against an earlier one, and return a `ComparisonChange`.

    The interval of what is not paired is of R. G. Newcombe, Stat. Med. 17 (1998): 873, by the ends
    of the two intervals.
    """
    import pandas as pd

    why, other_times = _other_items(before, after), _other_times(before, after)
    names = [*dict.fromkeys((*before.models, *after.models))]
    found = {name: _difference(before, after, name, why) for name in names}
    rows = {name: _row(before, after, name, found[name], other_times) for name in names}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")
    differences = {name: each for name, each in found.items() if each is not None}
    return ComparisonChange(table, MappingProxyType(differences), other_times)


def _other_items(before, after):
    """Return why figures cannot be paired, empty where they can."""
    if before.provenance is None or after.provenance is None:
        return "it is not known on which items"
    return "" if after.provenance.same_items(before.provenance) else "other items or labels"


def _other_times(before, after):
    """Return why latencies cannot be compared: each is of its machine, and of its day."""
    if before.provenance is None or after.provenance is None:
        return "it is not known on which machine"
    facts = after.provenance.other_machine(before.provenance)
    facts |= {"threads": (before.latency.threads, after.latency.threads)}
    if other := [f"{k} {a} before and {b} now" for k, (a, b) in facts.items() if a != b]:
        return ", ".join(other)
    name, times = before.reference, (before.latency, after.latency)
    if before.models[name] == after.models.get(name) and _apart(name, *times):
        ratio = after.latency.median_us[name] / before.latency.median_us[name]
        return f"{name}, the same file, takes {ratio:.2f} times as long as it did"
    return ""


def _apart(name, before, after):
    """Return 1 where a latency is surely longer than before, −1 where it is surely shorter."""
    (low, high), (now_low, now_high) = before.interval_us[name], after.interval_us[name]
    return int(now_low > high) - int(now_high < low)


def _difference(before, after, name, why):
    """Return how a scheme's figure changed, or None where the two are not of one kind."""
    old, new = before.accuracies.get(name), after.accuracies.get(name)
    if old is None or new is None or _kind(old) != _kind(new):
        return None
    if isinstance(new, Score):
        new = replace(new, metric=old.metric)  # one of the two may have been read from a file
        if not why and _numpy(before) != _numpy(after):  # its random numbers may be others
            why = "bootstrapped by another NumPy"
    elif not why and not np.array_equal(old.labels, new.labels):
        why = f"held against another {after.reference}"
    with np.errstate(invalid="ignore"):  # of infinite decibels the difference is NaN
        return _unpaired(old, new, why) if why else paired(old, new)


def _numpy(comparison):
    return comparison.provenance.environment.versions["numpy"].split(".")[:2]


def _kind(found):
    """Return what a figure counts; of a metric by its name, as functions are not kept."""
    if isinstance(found, Accuracy):
        return found.name
    return found.metric.name, found.metric.unit, found.metric.higher_is_better


def _unpaired(a, b, why):
    (was, was_low, was_high), (now, low, high) = (
        each.percent if isinstance(each, Accuracy) else (each.value, *each.interval)
        for each in (a, b)
    )
    down, up = np.hypot(now - low, was_high - was), np.hypot(high - now, was - was_low)
    return Unpaired(a, b, now - was, (float(now - was - down), float(now - was + up)), why)


def _verdict(found):
    """Return whether a figure is surely better, surely worse, or neither."""
    if isinstance(found, Paired):
        return "better" if found.better else "worse" if found.worse else "within the noise"
    low, high = found.interval
    if not (low > 0 or high < 0):  # NaN, as between two of no noise at all, is neither
        return "within the noise"
    larger_is_better = getattr(found.a, "metric", None) is None or found.a.metric.higher_is_better
    return "better" if (low > 0) == larger_is_better else "worse"


def _row(before, after, name, found, other_times):
    """Return what a scheme was and is."""
    held = {when: c for when, c in (("before", before), ("after", after)) if name in c.models}
    row = {"status": {2: "in both"}.get(len(held), "new" if "after" in held else "gone")}
    row |= {f"size_{when}_bytes": c.sizes[name].size_bytes for when, c in held.items()}
    for when, comparison in held.items():
        if name in comparison.accuracies:
            called, value = next(iter(comparison.accuracies[name].row.items()))
            row[f"{called}_{when}"] = value
    row |= {"judged": "", "verdict": ""}
    if found is not None:
        row |= {k: v for k, v in found.row.items() if k not in ("lost", "gained")}
        row |= {"judged": _how(found), "verdict": _verdict(found)}
    row |= {f"latency_{when}_us": c.latency.median_us[name] for when, c in held.items()}
    if len(held) == 1:
        return row | {"latency": ""}
    word = ("within the intervals", "slower", "faster")[_apart(name, before.latency, after.latency)]
    return row | {"latency": "not comparable" if other_times else word}


def _how(found):
    """Return in what way two figures were held against each other."""
    how = f"unpaired: {found.why}" if isinstance(found, Unpaired) else "paired"
    metric = getattr(found.a, "metric", None)
    own = metric is not None and metric not in METRICS.values()
    return f"{how}; that {metric.name!r} is one metric, its name alone tells" if own else how
