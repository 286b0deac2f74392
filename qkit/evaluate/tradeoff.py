"""Two quantities of each scheme, and the schemes that no other beats in both."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from qkit import validate
from qkit.evaluate.comparison import Comparison
from qkit.result import Result, rounded


@dataclass(frozen=True)
class Quantity:
    """Something that schemes are compared by."""

    name: str  # with its unit behind a comma; "%" and "points" for shares and their differences
    better: str  # "smaller" or "larger"
    of: Callable  # from a comparison and a scheme's name to the value and its interval's ends
    of_accuracy: bool = False

    @property
    def short(self):
        """The name without the unit."""
        return self.name.partition(",")[0]

    def said(self, value, low, high):
        """Return a value with its unit, and with its interval where it has one."""
        text = "{:.2f}".format if self.of_accuracy else partial(rounded, digits=3)
        interval = f" ({text(low)} to {text(high)})" if low != high else ""
        return f"{text(value)}{interval} {self.name.rpartition(', ')[2]}"


def _drop(comparison, name):
    if name == comparison.reference:
        return 0.0, 0.0, 0.0
    if name not in comparison.paired:  # not measured
        return math.nan, -math.inf, math.inf
    found = comparison.paired[name]
    low, high = found.interval_pp
    return 0.0 - found.difference_pp, -high, -low  # no minus before a zero


def _latency(comparison, name):
    return comparison.latency.median_us[name], *comparison.latency.interval_us[name]


def _percent(comparison, name):
    return comparison.accuracies[name].percent


def _kilobytes(comparison, name, *, field):
    return (getattr(comparison.sizes[name], field) / 1000,) * 3


_ALL = (
    Quantity("accuracy, %", "larger", _percent, True),
    Quantity("drop against float32, points", "smaller", _drop, of_accuracy=True),
    Quantity("file size, kB", "smaller", partial(_kilobytes, field="size_bytes")),
    Quantity("deflated size, kB", "smaller", partial(_kilobytes, field="deflated_bytes")),
    Quantity("latency, µs", "smaller", _latency),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}


@dataclass(frozen=True, eq=False, repr=False)
class Tradeoff(Result):
    """Schemes by two quantities, and their Pareto front."""

    x: Quantity
    y: Quantity
    points: MappingProxyType  # by scheme x and y, each the value and the ends of its 95 % interval
    front: tuple  # the schemes that no other one beats, from the best x on
    schemes: tuple  # all that were measured, in the comparison's order, those left out too

    def beaten_by(self, name):
        """Names of the schemes that are as good as `name` in both quantities, better in one."""
        return tuple(_beating(_costs(self.points, self.x, self.y), name))

    def summary(self):
        """Say which schemes are on the front, with their values and intervals."""
        members = (
            f"{name} ({self.x.said(*self.points[name][0])}; {self.y.said(*self.points[name][1])})"
            for name in self.front
        )
        return (
            f"no other of {len(self.points)} schemes beats these in {self.x.short} and "
            f"{self.y.short} at once: {', '.join(members)}"
        )


def tradeoff(comparison, x="file size, kB", y="accuracy, %", *, schemes=None):
    """Set two quantities of a comparison's schemes against each other.

    Parameters
    ----------
    comparison : Comparison, of which rows that were not measured are left out
    x, y : str, names in `QUANTITIES`
    schemes : iterable of str, rows to show; all by default

    Returns
    -------
    Tradeoff

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["dynamic_range"])
    >>> tradeoff(compared, "deflated size, kB", "file size, kB").front
    ('dynamic_range',)
    """
    validate.instance(comparison, Comparison, name="tradeoff: comparison")
    x = QUANTITIES[validate.choice(x, QUANTITIES, name="tradeoff: x")]
    y = QUANTITIES[validate.choice(y, QUANTITIES, name="tradeoff: y")]
    measured = tuple(comparison.models)
    if x.of_accuracy or y.of_accuracy:
        comparison.require_accuracies("tradeoff: x or y")
        measured = tuple(name for name in measured if name in comparison.accuracies)
    asked = measured if schemes is None else schemes
    chosen = tuple(validate.instance(asked, Iterable, name="tradeoff: schemes"))
    for name in chosen:
        validate.choice(name, measured, name="tradeoff: a scheme")
    if not chosen:
        raise ValueError("tradeoff: no scheme is left: schemes is empty.")
    points = {name: (x.of(comparison, name), y.of(comparison, name)) for name in chosen}
    return Tradeoff(x, y, MappingProxyType(points), tuple(pareto_front(points, x, y)), measured)


def pareto_front(points, x, y):
    """Return the names of what no other beats in both quantities, twins too, the best x first."""
    costs = _costs(points, x, y)
    return sorted((name for name in costs if not _beating(costs, name)), key=costs.get)


def _costs(points, *axes):
    """Return the values alone, what is better large turned round: less is better throughout."""
    signs = [1 if axis.better == "smaller" else -1 for axis in axes]
    return {name: (signs[0] * x[0], signs[1] * y[0]) for name, (x, y) in points.items()}


def _beating(costs, name):
    """Return the names of what costs no more in both quantities, and less in one."""
    x, y = costs[name]
    return [k for k, (u, v) in costs.items() if u <= x and v <= y and (u, v) != (x, y)]
