"""Few layers finer, the rest coarser: the smallest file that loses no more than is allowed."""

from dataclasses import dataclass
from types import MappingProxyType

from qkit import validate
from qkit._tensorflow import quiet
from qkit.evaluate.accuracy import model_outputs
from qkit.evaluate.judge import require_shown, subject
from qkit.evaluate.layers import layer_errors
from qkit.evaluate.sweep import checked_executor, sweep
from qkit.interpreter.alone import both
from qkit.interpreter.simulation import simulate
from qkit.progress import progress_line
from qkit.quantize.errors import sqnr_db
from qkit.quantize.grid import PerAxis, PerTensor, choose_qparams
from qkit.result import Result
from qkit.samples import count, rows
from qkit.tflite.edit import layers
from qkit.tflite.file import inspect
from qkit.toolchain.recipes import ONE_SCALE, quantized, statistics
from qkit.toolchain.schemes import SCHEMES

_SCHEME = SCHEMES["litert_full_integer"]
_FINEST, _IN_FLOAT = "int8", "float32"
_COARSER = (f"int8{ONE_SCALE}", "int4", f"int4{ONE_SCALE}")
_WITH_INT4 = ("CONV_2D", "FULLY_CONNECTED")  # others the engine leaves at int8 without a word
_IN_POINTS = {"loss": "drop_pp", "loss_low": "drop_low_pp", "loss_high": "drop_high_pp"}
_REPAIRS = 8  # operators that go back to float, one after the other, each with its readers
_CHANNEL_BYTES = 24  # scale and zero point of a channel, in the weights' grid and in the bias's
_FOR_ERRORS, _FOR_NOISE = 100, 1000  # items that tell which operator hurts, and how layers do


@dataclass(frozen=True, eq=False, repr=False)
class MixedPrecision(Result):
    """A file in which each layer has the bits that it needs, and the way there."""

    tflite: bytes
    parts: MappingProxyType  # by operator that is not plain int8, what was made of it
    table: object  # a row for each file that was tried, in order
    chosen: int  # its row
    met: bool  # whether the file is shown to be within what was asked for
    asked: str  # that, in words
    limit: tuple  # that as the column of the table and what it may be at most
    unit: str  # of what is lost
    n: int  # items

    @property
    def evaluations(self):
        """How many files were made and run on all items."""
        return len(self.table)

    @property
    def front(self):
        """The rows that no other beats both in bytes and in what is lost."""
        lost, best = self.table.columns[2], []
        for number, row in self.table.sort_values(["size_bytes", lost]).iterrows():
            if not best or row[lost] < self.table.loc[best[-1], lost]:
                best.append(number)
        return self.table.loc[best]

    def summary(self):
        """Say in one line what came out, whether it is within what was asked, and the effort."""
        row = self.table.loc[self.chosen]
        verdict = "met" if self.met else "not met by any file that was tried; this is the nearest"
        size, operators = (f"{int(row[name]):,}" for name in ("size_bytes", "operators"))
        form = "+.2f" if self.unit else "+.4g"  # in the targets' own unit it may be tiny
        lost, low, high = (f"{value + 0.0:{form}}" for value in row.iloc[2:5])  # no -0
        return (
            f"{self.asked}: {verdict}. {size} bytes, {row['size_share']:.1%} of all "
            f"in int8; lost {' '.join([lost, self.unit]).strip()} ({low} to {high}); "
            f"{row['float_operators']:.0f} of {operators} operators in float; "
            f"{self.evaluations} files tried on {self.n:,} items"
        )


def mixed_precision(
    model, data, *, max_drop_pp=None, budget_bytes=None, calibration=None, metric=None,
    executor=None,
):  # fmt: skip
    """Find the smallest file within a loss, or the best one within a size, layer by layer.

    From the file with all in int8. Where that loses more than is allowed, the operator whose own
    error does most to the output goes back to float, with those that read it, for on the same range
    they would round it likewise; again until the loss is within. Then weights get coarser, those
    first that add least noise to the output for the bytes they save: one scale in place of one a
    channel, int4, both. How far along that path it goes is told by real files on all items,
    halving; a file counts as within when the whole 95 % interval of its loss is. That is not
    corrected for how many files were tried.

    Parameters
    ----------
    model : model as for `qk.convert`, or bytes of a float .tflite file
    data : Dataset; or (x, y), labelled items; or x alone, held against the float model's answers
    max_drop_pp : float, points that may be lost; or
    budget_bytes : int, what the file may take; one of the two
    calibration : items that ranges are chosen from; by default 300 random ones of training
    metric : Metric or str, optional, as for `qk.accuracy`; one that is a share
    executor : concurrent.futures.Executor, optional, to share out the first look at each layer

    Returns
    -------
    MixedPrecision, whose ``tflite`` is the file

    Examples
    --------
    >>> import qkit as qk
    >>> found = mixed_precision(qk.models.walkthrough_cnn(), qk.load_data("digits"),
    ...                         budget_bytes=20_000)
    >>> found.met, len(found.tflite) <= 20_000
    (True, True)
    """
    _require_one(max_drop_pp, budget_bytes)
    checked_executor(executor, metric, what="mixed_precision")
    measured = subject(model, data, calibration, metric, what="mixed_precision")
    require_shown(measured, max_drop_pp, what="mixed_precision")
    with progress_line() as show:
        tried = _Tried(measured, show)
        if max_drop_pp is None:
            asked, field, limit = f"at most {budget_bytes:,} bytes", "size_bytes", budget_bytes
            best, kept = ["loss", "size_bytes"], {}
        else:
            asked, field, limit = f"at most {max_drop_pp:g} points lost", "loss_high", max_drop_pp
            best, kept = ["size_bytes", "loss"], _repaired(tried, max_drop_pp)

        def goes_on(parts):  # files get smaller and lose more: while it is wanted, or there is room
            return (tried(parts)[field] <= limit) != (field == "size_bytes")

        if goes_on(kept):
            _last(_path(measured, kept, executor, show), goes_on)
        within = [k for k, row in enumerate(tried.rows) if row[field] <= limit]
        best = best if within else [field]
        chosen = min(
            within or range(len(tried.rows)), key=lambda k: [tried.rows[k][b] for b in best]
        )
    return tried.result(chosen, bool(within), asked, (field, limit))


class _Tried:
    """The files that were made, each run once on all items."""

    def __init__(self, measured, show):
        self.measured, self.show = measured, show
        self.parts, self.files, self.rows = [], [], []
        show("looking at the ranges …")
        with quiet():
            self.seen = statistics(measured.tflite, _SCHEME, measured.calibration)

    def __call__(self, parts):
        """Return the figures of the file with these parts."""
        if parts not in self.parts:
            m = self.measured
            tflite = quantized(m.tflite, _SCHEME, parts=parts, seen=self.seen)
            self.files.append(tflite)
            self.parts.append(parts)
            self.show(f"mixed_precision: {len(self.parts)} files tried")
            self.rows.append(self._row(tflite, m.held.loss(model_outputs(tflite, m.x))))
        return self.rows[self.parts.index(parts)]

    def _row(self, tflite, loss):
        file, size = inspect(tflite), len(tflite)
        return {
            "size_bytes": size,
            "size_share": size / len(self.files[0]),
            **dict(zip(("loss", "loss_low", "loss_high"), loss, strict=True)),
            "float_operators": len(file.float_operators),
            "operators": len(file.operators),
        }

    def result(self, chosen, met, asked, limit):
        """Return the file of a row, with all rows."""
        import pandas as pd

        points = self.measured.held.points
        table = pd.DataFrame(self.rows)
        if points:
            table.columns = [_IN_POINTS.get(name, name) for name in table]
        unit = "points" if points else self.measured.held.reference.metric.unit or ""
        parts = MappingProxyType(self.parts[chosen])
        n = count(self.measured.x)
        limit = _IN_POINTS.get(limit[0], limit[0]), limit[1]
        return MixedPrecision(self.files[chosen], parts, table, chosen, met, asked, limit, unit, n)


def _require_one(max_drop_pp, budget_bytes):
    if (max_drop_pp is None) == (budget_bytes is None):
        raise ValueError("mixed_precision: name one of max_drop_pp=… and budget_bytes=….")
    if budget_bytes is not None:
        validate.whole(budget_bytes, name="mixed_precision: budget_bytes")
    else:
        validate.number(max_drop_pp, "[0, 100]", name="mixed_precision: max_drop_pp")


def _repaired(tried, limit):
    """Return which operators go back to float until the loss is within the limit."""
    parts, m = {}, tried.measured
    name_of = {tensor.index: name for name, tensor in m.file.names.items()}
    x, metric = rows(m.calibration, slice(_FOR_ERRORS)), m.held.output and {m.held.output: None}
    for _ in range(_REPAIRS):
        if tried(parts)["loss_high"] <= limit:
            break
        errors = layer_errors(m.tflite, tried.files[-1], x, metric=metric)
        two = both(tried.files[-1], m.tflite, what="mixed_precision")
        worst = two.file.operators[errors.worst]
        together = [worst, *(op for op in two.file.operators if worst.outputs[0] in op.inputs)]
        numbers = [two.pairs.get(two.file.operators.index(op)) for op in together]
        given = [two.original.operators[k].outputs[0] for k in numbers if k is not None]
        names = [name_of[tensor.index] for tensor in given]
        if {*names} <= {*parts}:
            break
        parts = parts | dict.fromkeys(names, _IN_FLOAT)
    tried(parts)
    return parts


def _path(measured, kept, executor, show):
    """Return parts after parts, each with one layer coarser, the most bytes for the noise first."""
    found = [layer for layer in layers(measured.file) if layer.activation_name not in kept]
    keys = [
        (number, part)
        for number, layer in enumerate(found)
        for part in (_FINEST, *_COARSER)
        if "int4" not in part or layer.kind in _WITH_INT4
    ]
    few = rows(measured.x, slice(_FOR_NOISE)), None if executor is None else 1
    shared = measured, found, *few
    noises = sweep(_noise, keys, executor=executor, shared=shared, show=show, what="layers")
    noise = dict(zip(keys, noises, strict=True))
    now, path = dict.fromkeys(range(len(found)), _FINEST), [kept]
    while True:
        saved = {
            (number, part): _size(found[number], now[number]) - _size(found[number], part)
            for number, part in keys
        }
        moves = {
            k: (noise[k] - noise[k[0], now[k[0]]]) / less for k, less in saved.items() if less > 0
        }
        if not moves:
            return path
        number, part = min(moves, key=moves.get)
        now[number] = part
        path.append(path[-1] | {found[number].activation_name: part})


def _noise(shared, key):
    """Return the noise in the network's output, beside its signal, with one layer coarser."""
    measured, found, x, threads = shared
    layer, part = found[key[0]], key[1]
    by = PerTensor() if part.endswith(ONE_SCALE) else PerAxis(layer.axis)
    grid = choose_qparams(layer.weights, bits=_bits(part), symmetric=True, granularity=by)
    coarser = simulate(measured.file, weights={layer.weights_name: grid})
    plain, given = map(
        measured.held.head, (measured.plain, model_outputs(coarser, x, threads=threads))
    )
    return 10 ** (-sqnr_db(plain[: len(given)], given) / 10)


def _bits(part):
    return 4 if part.startswith("int4") else 8


def _size(layer, part):
    """Return the bytes that a layer takes: its weights, and what goes with each scale."""
    channels = 1 if part.endswith(ONE_SCALE) else layer.weights.shape[layer.axis]
    return layer.weights.size * _bits(part) / 8 + _CHANNEL_BYTES * channels


def _last(path, holds):
    """Look for the last of a path for which something holds, as it does for the first."""
    low, high = 0, len(path) - 1
    if holds(path[high]):
        return
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(path[middle]) else (low, middle)
