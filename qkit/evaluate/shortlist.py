"""From requirements to the schemes that meet them, as far as the measurement can tell."""

from dataclasses import dataclass
from numbers import Real

from qkit import validate
from qkit.evaluate.comparison import Comparison
from qkit.evaluate.report import EFFORT
from qkit.evaluate.tradeoff import QUANTITIES
from qkit.result import Result

_LIMITED = {  # by argument: how the requirement is called, what has the limit, and its unit
    "size_bytes": ("size ≤ {:,} bytes", QUANTITIES["file size, kB"].of, 1000),
    "drop_pp": ("drop ≤ {:g} points", QUANTITIES["drop against float32, points"].of, 1),
    "latency_us": ("latency ≤ {:g} µs", QUANTITIES["latency, µs"].of, 1),
}


@dataclass(frozen=True, eq=False, repr=False)
class Shortlist(Result):
    """Which schemes meet which requirements; names are in order of latency, the fastest first."""

    table: object  # a row per scheme: by requirement "met", "missed" or, unsure, "open"; latency
    chosen: tuple  # names of the schemes that meet every requirement
    open: tuple  # and of those that miss none, but are not shown to meet all

    def summary(self):
        """Say in one line what is left, and what more data could add."""
        names = ", ".join(self.chosen) or "no scheme"
        text = f"{names} meet{'s' * (len(self.chosen) < 2)} all requirements"
        if self.open:
            text += f"; open until more is measured: {', '.join(self.open)}"
        return text


def shortlist(comparison, *, size_bytes=None, drop_pp=None, latency_us=None, data=None):
    """Hold each scheme of a comparison against requirements, one or more.

    Where the 95 % interval of a drop or a latency lies on both sides of the limit, it is open: no
    scheme is "as good" because a small test saw no difference.

    Parameters
    ----------
    comparison : Comparison
    size_bytes : int, that the file may have at most
    drop_pp : float, points that the accuracy may be below the reference
    latency_us : float, µs that an inference may take
    data : {"nothing", "unlabelled sample", "labelled training data"}
        What there is beside the trained model; each includes those before it.

    Returns
    -------
    Shortlist

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> compared = qk.compare(model, digits, ["float16", "dynamic_range"])
    >>> shortlist(compared, size_bytes=30_000).chosen
    ('dynamic_range',)
    """
    import pandas as pd

    validate.instance(comparison, Comparison, name="shortlist: comparison")
    if drop_pp is not None:
        comparison.require_accuracies("shortlist: drop_pp")
    limits = {"size_bytes": size_bytes, "drop_pp": drop_pp, "latency_us": latency_us}
    asked = {}  # by requirement: what is asked of a comparison and a scheme, and its limit
    for name, limit in limits.items():
        if limit is None:
            continue
        if not isinstance(limit, Real) or not limit >= 0:
            raise ValueError(f"shortlist: {name} must be 0 or more, got {limit!r}.")
        said, of, unit = _LIMITED[name]
        asked[said.format(limit)] = of, limit / unit
    if data is not None:
        validate.choice(data, EFFORT, name="shortlist: data")
        asked[f"data: {data}"] = _needs, EFFORT.index(data)
    if not asked:
        raise ValueError(
            "shortlist: name a requirement: size_bytes=, drop_pp=, latency_us= or data=."
        )
    names, times = list(comparison.models), comparison.latency.median_us
    columns = {
        said: [_verdict(*of(comparison, name), limit) for name in names]
        for said, (of, limit) in asked.items()
    }
    verdicts = pd.DataFrame(columns, index=pd.Index(names, name="scheme"))
    fastest_first = verdicts.loc[sorted(names, key=times.get)]
    chosen = fastest_first[(fastest_first == "met").all(axis=1)].index
    possible = fastest_first[(fastest_first != "missed").all(axis=1)].index
    table = verdicts.assign(latency_us=[times[name] for name in names])
    return Shortlist(table, tuple(chosen), tuple(possible.drop(chosen)))


def _needs(comparison, name):
    """Return the effort, as its own interval; a file from elsewhere asks for nothing."""
    needs = comparison.needs[name]
    return (EFFORT.index(needs) if needs in EFFORT else 0,) * 3


def _verdict(_, low, high, limit):
    """Return whether what lies between low and high is surely, surely not, or maybe in limits."""
    if high <= limit:
        return "met"
    return "missed" if low > limit else "open"
