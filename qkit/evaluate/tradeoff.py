"""Two quantities of each scheme, and the schemes that no other beats in both."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from qkit import validate
from qkit.result import Result

_DIRECTIONS = ("smaller", "larger")


@dataclass(frozen=True)
class Quantity:
    """Something that schemes are compared by."""

    name: str  # with its unit behind a comma
    better: str  # "smaller" or "larger"
    of: Callable  # from a comparison and a scheme's name to the value and its interval's ends

    @property
    def short(self):
        """The name without the unit."""
        return self.name.partition(",")[0]

    @property
    def unit(self):
        """The unit; "%" and "points" for shares and their differences."""
        return self.name.rpartition(", ")[2]


def _accuracy(comparison, name):
    found = comparison.accuracies[name]
    return tuple(100 * share for share in (found.accuracy, *found.interval))


def _drop(comparison, name):
    if name == comparison.reference:
        return 0.0, 0.0, 0.0
    found = comparison.paired[name]
    low, high = found.interval_pp
    return 0.0 - found.difference_pp, -high, -low  # no minus before a zero


def _size(comparison, name):
    return (comparison.sizes[name].size_bytes / 1024,) * 3


def _deflated(comparison, name):
    return (comparison.sizes[name].deflated_bytes / 1024,) * 3


def _latency(comparison, name):
    return comparison.latency.median_us[name], *comparison.latency.interval_us[name]


QUANTITIES = MappingProxyType(
    {
        quantity.name: quantity
        for quantity in (
            Quantity("accuracy, %", "larger", _accuracy),
            Quantity("drop against float32, points", "smaller", _drop),
            Quantity("file size, KiB", "smaller", _size),
            Quantity("deflated size, KiB", "smaller", _deflated),
            Quantity("latency, µs", "smaller", _latency),
        )
    }
)


@dataclass(frozen=True, eq=False, repr=False)
class Tradeoff(Result):
    """Schemes by two quantities, and their Pareto front.

    Attributes
    ----------
    x, y : Quantity
    points : mapping of str to ((float, float, float), (float, float, float))
        By scheme, x and y: the value, and the ends of its 95 % interval.
    front : tuple of str
        The schemes that no other one beats, from the best x on.
    schemes : tuple of str
        All that were measured, in the comparison's order, those left out too.
    """

    x: Quantity
    y: Quantity
    points: MappingProxyType
    front: tuple
    schemes: tuple

    def beaten_by(self, name):
        """Names of the schemes that are as good as `name` in both quantities, better in one."""
        better = self.x.better, self.y.better
        costs = {k: _costs((x[0], y[0]), better) for k, (x, y) in self.points.items()}
        return tuple(other for other in costs if _dominates(costs[other], costs[name]))

    def to_frame(self):
        """Return a DataFrame with one row per scheme; the units stand in the column names."""
        import pandas as pd

        rows = {}
        for name, point in self.points.items():
            rows[name] = {"on_front": name in self.front}
            for quantity, (value, low, high) in zip((self.x, self.y), point, strict=True):
                rows[name] |= {
                    quantity.name: value,
                    f"{quantity.name}, low": low,
                    f"{quantity.name}, high": high,
                }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")

    def summary(self):
        """Say which schemes are on the front, with their values and intervals."""
        members = []
        for name in self.front:
            x, y = (
                _said(quantity, values)
                for quantity, values in zip((self.x, self.y), self.points[name], strict=True)
            )
            members.append(f"{name} ({x}; {y})")
        return (
            f"no other of {len(self.points)} schemes beats these in {self.x.short} and "
            f"{self.y.short} at once: {', '.join(members)}"
        )


def tradeoff(comparison, x="file size, KiB", y="accuracy, %", *, schemes=None):
    """Set two quantities of a comparison's schemes against each other.

    Parameters
    ----------
    comparison : Comparison
        What was not measured has no values and is left out.
    x, y : str
        Names in `QUANTITIES`.
    schemes : iterable of str, optional
        Rows of the comparison, one or more; all that were measured by default.

    Returns
    -------
    Tradeoff

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["dynamic_range"])
    >>> tradeoff(compared, "deflated size, KiB", "file size, KiB").front
    ('dynamic_range',)
    """
    x = QUANTITIES[validate.choice(x, QUANTITIES, name="tradeoff: x")]
    y = QUANTITIES[validate.choice(y, QUANTITIES, name="tradeoff: y")]
    measured = tuple(comparison.models)
    if {x.of, y.of} & {_accuracy, _drop}:
        measured = tuple(name for name in measured if name in comparison.accuracies)
    chosen = measured if schemes is None else tuple(schemes)
    for name in chosen:
        validate.choice(name, measured, name="tradeoff: a scheme")
    if not chosen:
        raise ValueError(
            "tradeoff: no scheme is left: schemes is empty, or the comparison has no accuracies."
        )
    points = {name: (x.of(comparison, name), y.of(comparison, name)) for name in chosen}
    front = pareto_front(
        {name: (point[0][0], point[1][0]) for name, point in points.items()}, (x.better, y.better)
    )
    return Tradeoff(x, y, MappingProxyType(points), tuple(front), measured)


def pareto_front(points, better=("smaller", "larger")):
    """Return the names of the points that no other one beats in both, from the best x on.

    Of two points in the same place both stay. Intervals play no part: a front says what to look at
    first.
    """
    for direction in better:
        validate.choice(direction, _DIRECTIONS, name="pareto_front: better")
    costs = {name: _costs(values, better) for name, values in points.items()}
    front = [
        name
        for name in costs
        if not any(_dominates(other, costs[name]) for other in costs.values())
    ]
    return sorted(front, key=costs.get)


def _costs(values, better):
    """Turn what is better large round, so that less is better throughout."""
    return tuple(v if way == "smaller" else -v for v, way in zip(values, better, strict=True))


def _dominates(costs, than):
    return costs != than and costs[0] <= than[0] and costs[1] <= than[1]


def _said(quantity, values):
    value, low, high = values
    digits = ".2f" if quantity.unit in ("%", "points") else ".3g"
    interval = f" ({low:{digits}} to {high:{digits}})" if low != high else ""
    return f"{value:{digits}}{interval} {quantity.unit}"
