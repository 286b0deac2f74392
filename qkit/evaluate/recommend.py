"""Which scheme to ship: tried on the model itself, cheapest first, until one meets the demand."""

import math
from dataclasses import dataclass, replace

from qkit import validate
from qkit._tensorflow import first_line
from qkit.evaluate.accuracy import model_outputs
from qkit.evaluate.judge import require_shown, subject
from qkit.evaluate.lint import lint
from qkit.evaluate.mixed_precision import mixed_precision
from qkit.evaluate.operators import TARGETS
from qkit.networks import Network
from qkit.progress import progress_line
from qkit.result import Result
from qkit.samples import count, labelled
from qkit.tflite.memory import memory
from qkit.toolchain.convert import convert
from qkit.toolchain.schemes import SCHEMES, find_scheme
from qkit.toolchain.sources import source
from qkit.toolchain.techniques import train_missing

_INTEGERS = find_scheme("full_integer_int8_io")
_ONE_SCALE = replace(_INTEGERS, name="full_integer_int8_io, one scale", per_channel=False)
_MIXED = replace(
    SCHEMES["litert_full_integer"], name="mixed_precision", title="bits by layer", technique=""
)
_QAT_INTEGERS = find_scheme("qat+full_integer_int8_io")
# In the order of the tree: what needs nothing, then a sample, then labels and training.
_ORDER = {
    "cpu": ("float16", "dynamic_range", "full_integer", "int16_activations", _MIXED, "qat"),
    "gpu": ("float16", "dynamic_range", "full_integer", "qat"),
    "edgetpu": (_INTEGERS, _ONE_SCALE, _QAT_INTEGERS),
    "microcontroller": (_INTEGERS, "int16_activations", _QAT_INTEGERS),
    "ethos-u": (_INTEGERS, "int16_activations", _QAT_INTEGERS),
}


@dataclass(frozen=True)
class Demand:
    """What a file is to do."""

    target: str
    max_drop_pp: float
    size_bytes: int | None
    ram_bytes: int | None

    def __str__(self):
        budgets = ("bytes", self.size_bytes), ("bytes of memory", self.ram_bytes)
        said = [f", {limit:,} {unit}" for unit, limit in budgets if limit is not None]
        return f"{self.target}, at most {self.max_drop_pp:g} points lost{''.join(said)}"

    def verdict(self, row, linted):
        """Return whether figures meet it, "met", "missed", or "open" between them; and why."""
        fatal = dict.fromkeys(f.code for f in linted.findings if f.severity == "fatal")
        why = [f"lint: {', '.join(fatal)}"] if fatal else []
        for name in ("size_bytes", "ram_bytes"):
            limit = getattr(self, name)
            if limit is not None and not row[name] <= limit:
                what = "the file takes" if name == "size_bytes" else "activations take"
                taken = "an untold number of" if math.isnan(row[name]) else f"{row[name]:,.0f}"
                why.append(f"{what} {taken} bytes")
        if row["drop_low_pp"] > self.max_drop_pp:
            why.append(f"it loses {row['drop_low_pp']:.2f} points at least")
        if why:
            return "missed", "; ".join(why)
        if not (high := row["drop_high_pp"]) <= self.max_drop_pp:  # NaN is within no limit
            up_to = f"it may lose up to {high:.2f} points"
            return "open", "what it loses cannot be told" if math.isnan(high) else up_to
        return "met", ""


@dataclass(frozen=True, eq=False, repr=False)
class Recommendation(Result):
    """What was tried for a demand, and the first scheme that is shown to meet it."""

    scheme: str  # its name; empty where none does
    tflite: bytes | None
    table: object  # a row per candidate: what it needs, its figures, its verdict and why
    next: tuple  # what to try then, and which data that takes, a sentence each
    asked: str  # the demand, in words
    n: int  # items

    def summary(self):
        """Say in one line what to ship, or why nothing is shown to do, and what comes next."""
        tried = self.table["verdict"].isin(["met", "missed", "open"]).sum()
        text = f"{self.asked}, on {self.n:,} items: "
        if self.scheme:
            row = self.table.loc[self.scheme]
            return (
                f"{text}{self.scheme}, the first of {tried} tried that meets it: "
                f"{row['size_bytes']:,.0f} bytes, lost {row['drop_pp']:+.2f} points "
                f"({row['drop_low_pp']:+.2f} to {row['drop_high_pp']:+.2f}); needs: {row['needs']}"
            )
        return f"{text}none of {tried} tried is shown to meet it. Next: {' '.join(self.next)}"


def recommend(
    model, data, *, target="cpu", max_drop_pp, budget_bytes=None, budget_ram_bytes=None,
    labels=True, calibration=None, metric=None, signature=None,
):  # fmt: skip
    """Try the schemes that a target runs, in the order of the official tree, on the model itself.

    Those that need nothing come first, then those that need a sample, then training. A candidate
    meets the demand when the linter finds nothing fatal for the target, file and memory are within
    their budgets, and the whole 95 % interval of what it loses is within the limit. The first one
    ends it; the interval is not corrected for how many were tried.

    Parameters
    ----------
    model : model as for `qk.convert`, or bytes of a float .tflite file
    data : Dataset; or (x, y), labelled items; or x alone, held against the float model's answers
    target : {"cpu", "gpu", "edgetpu", "microcontroller", "ethos-u"}
    max_drop_pp : float, points that may be lost against the float model
    budget_bytes : int, optional, that the file may have
    budget_ram_bytes : int, optional, of activations: the arena where tflite-micro is installed,
        else LiteRT's plan
    labels : bool, whether there are labelled data to train on; a Dataset has them
    calibration : items that ranges are chosen from; by default 300 random ones of training
    metric : Metric or str, optional, as for `qk.accuracy`; one that is a share
    signature : str, optional, of a SavedModel; by default "serving_default", or the only one

    Returns
    -------
    Recommendation, whose ``tflite`` is the file

    Examples
    --------
    >>> import qkit as qk
    >>> found = recommend(qk.models.walkthrough_cnn(), qk.load_data("digits"), max_drop_pp=5,
    ...                   budget_bytes=30_000)
    >>> found.scheme, found.table["verdict"].tolist()
    ('dynamic_range', ['missed', 'met'])
    """
    import pandas as pd

    validate.choice(target, TARGETS, name="recommend: target")
    validate.instance(labels, bool, name="recommend: labels")
    validate.number(max_drop_pp, "[0, 100]", name="recommend: max_drop_pp")
    budgets = {"budget_bytes": budget_bytes, "budget_ram_bytes": budget_ram_bytes}
    for name, budget in budgets.items():
        if budget is not None:
            validate.whole(budget, name=f"recommend: {name}")
    opened = source(model, what="recommend", signature=signature)
    data = labelled(data, opened.takes, what="recommend: data")
    measured = subject(opened, data, calibration, metric, what="recommend")
    require_shown(measured, max_drop_pp, what="recommend")
    demand = Demand(target, max_drop_pp, budget_bytes, budget_ram_bytes)
    trained, rows, files = {}, {}, {}
    with progress_line() as show:
        for scheme in map(find_scheme, _ORDER[target]):
            show(f"recommend: {scheme.name} …")
            row = rows[scheme.name] = {"needs": scheme.needs, "verdict": "not tried", "why": ""}
            if scheme.technique and not (labels and hasattr(data, "y_train")):
                row["why"] = "there are no labelled data to train on"
                continue
            try:
                made = _made(scheme, opened, data, measured, max_drop_pp, trained)
            except (ImportError, TypeError, ValueError, RuntimeError) as error:
                row |= {"verdict": "not possible", "why": first_line(error).partition(". ")[0]}
                continue
            files[scheme.name] = made
            row |= _figures(made, measured)
            row["verdict"], row["why"] = demand.verdict(row, lint(made, target))
            if row["verdict"] == "met":
                break
        show(f"recommend: {len(files)} file{'s'[: len(files) != 1]} tried")
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scheme")
    met = next((name for name, row in rows.items() if row["verdict"] == "met"), "")
    then = () if met else tuple(_next(rows, measured, demand))
    return Recommendation(met, files.get(met), table, then, str(demand), count(measured.x))


def _made(scheme, opened, data, measured, max_drop_pp, trained):
    """Return the file of a candidate."""
    if scheme is _MIXED:
        pair = measured.x, data.y_test
        found = mixed_precision(
            measured.tflite, pair if data.y_test is not None else measured.x,
            max_drop_pp=max_drop_pp, calibration=measured.calibration, metric=measured.metric,
        )  # fmt: skip
        return found.tflite
    model = opened.model if isinstance(opened, Network) else opened
    train_missing(scheme.technique, model, data, trained, measured.calibration)
    return convert(trained.get(scheme.technique, opened), scheme, measured.calibration)


def _figures(tflite, measured):
    found, loss = memory(tflite), measured.held.loss(model_outputs(tflite, measured.x))
    ram = found.arena_bytes or found.activations_bytes
    names = ("drop_pp", "drop_low_pp", "drop_high_pp")
    figures = {"size_bytes": len(tflite), "ram_bytes": math.nan if ram is None else ram}
    return figures | dict(zip(names, loss, strict=True))


def _next(rows, measured, demand):
    """Yield what would tell more, or might do, and which data that takes."""
    for name, row in rows.items():
        room = demand.max_drop_pp - row.get("drop_pp", math.inf)
        if row["verdict"] == "open" and room > 0:
            half = row["drop_high_pp"] - row["drop_pp"]
            more = math.ceil(count(measured.x) * (half / room) ** 2)
            yield f"{name}: about {more:,} items would show whether it does."
        if row["verdict"] == "not tried":
            yield f"{name}: {row['why']}; it needs {row['needs']}."
        if row["verdict"] == "not possible":
            yield f"{name}: {row['why']}."
    yield "A smaller network, or a larger budget."
