"""What each layer of a network costs at fewer bits: alone, and where all others have them."""

from collections.abc import Mapping
from dataclasses import dataclass

from qkit import validate
from qkit.evaluate.accuracy import model_outputs
from qkit.evaluate.judge import subject
from qkit.evaluate.sweep import checked_executor, sweep
from qkit.interpreter.simulation import bits as at_bits
from qkit.interpreter.simulation import calibrated_ranges
from qkit.progress import progress_line
from qkit.quantize.errors import sqnr_db
from qkit.result import Result
from qkit.samples import count
from qkit.tflite.edit import layers

PARTS = ("weights", "activations")
MODES = ("alone", "all but it")
_ALL = "all layers"


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Result):
    """What is left of a network with some of its layers at fewer bits, on the same items."""

    table: object  # a row by layer, part, bits and mode
    n: int  # items

    def ranked(self, *, part="weights", bits=4, mode="alone"):
        """Return the rows of a part, bits and mode, the layer that hurts most first."""
        table = self.table
        rows = table[(table["part"] == part) & (table["bits"] == bits) & (table["mode"] == mode)]
        if rows.empty:
            there = {name: table[name].unique().tolist() for name in ("part", "bits", "mode")}
            raise ValueError(f"ranked: no {part=}, {bits=}, {mode=}; there are {there}.")
        return rows[rows["layer"] != _ALL].sort_values("output_sqnr_db", ascending=mode == "alone")

    def summary(self):
        """Say in one line which layer minds fewer bits most, in its weights and activations."""
        least = self.table["bits"].min()
        text = []
        for part in self.table["part"].unique():
            row = self.ranked(part=part, bits=least).iloc[0]
            lost = f", {row['difference_pp']:+.2f} points" if "difference_pp" in row else ""
            text.append(f"{part}: {row['layer']} ({row['output_sqnr_db']:.1f} dB{lost})")
        return f"At {least} bits alone hurts most of the {'; of the '.join(text)}; n = {self.n:,}"


def sensitivity(
    model, data, *, bits=(8, 4, 2), parts=PARTS, calibration=None, metric=None, executor=None
):
    """Measure what each layer costs at fewer bits, by the float file with that layer on the grid.

    Each layer *alone*, with all else in float; and *all but it*, what keeping it in float gives
    back. Weights and activations apart, on the converter's own kind of grid.

    Parameters
    ----------
    model : model as for `qk.convert`, or bytes of a float .tflite file
    data : Dataset; or (x, y), labelled items; or x alone, held against the float model's answers
    bits : sequence of int, 2 to 16
    parts : sequence of {"weights", "activations"}
    calibration : items that ranges are chosen from; by default 300 random ones of training
    metric : Metric, str or callable, optional, as for `qk.accuracy`
    executor : concurrent.futures.Executor, optional, to share the settings out; see `qk.compare`

    Returns
    -------
    Sensitivity
        Its table has a row for each layer, part, bits and mode, and for all layers together: the
        paired difference in what is judged, and the SQNR of the network's output in dB.

    Examples
    --------
    >>> import qkit as qk
    >>> data, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> found = sensitivity(model, data, bits=[2], parts=["weights"])
    >>> found.table["layer"].tolist()
    ['all layers', 'conv', 'conv', 'logits', 'logits']
    """
    import pandas as pd

    bits, parts = _asked(bits, parts)
    checked_executor(executor, metric, what="sensitivity")
    measured = subject(model, data, calibration, metric, what="sensitivity")
    ranges = calibrated_ranges(measured.file, measured.calibration).observed
    names = [layer.name for layer in layers(measured.file)]
    keys = [
        (layer, part, b, mode)
        for part in parts
        for b in bits
        for layer in (_ALL, *_owners(names, part))
        for mode in (MODES if layer != _ALL else MODES[:1])
    ]
    with progress_line() as show:
        found = sweep(
            _left, keys, executor=executor, show=show,
            shared=(measured, ranges, names, None if executor is None else 1),
            what="sensitivity",
        )  # fmt: skip
    heads = ("layer", "part", "bits", "mode")
    rows = [dict(zip(heads, key, strict=True)) | row for key, row in zip(keys, found, strict=True)]
    return Sensitivity(pd.DataFrame(rows), count(measured.x))


def _asked(bits, parts):
    for given in (bits, parts):
        if isinstance(given, (str, bytes, Mapping)) or not hasattr(given, "__iter__"):
            raise TypeError(
                "sensitivity: bits and parts are lists, as [8, 4] and ['weights'], got "
                f"{given!r:.60}."
            )
    bits = [validate.whole(b, name="sensitivity: bits", least=2, most=16) for b in bits]
    parts = [validate.choice(part, PARTS, name="sensitivity: parts") for part in parts]
    if not bits or not parts:
        raise ValueError("sensitivity: bits and parts must name one or more, got none.")
    return bits, parts


def _owners(names, part):
    return ["input", *names] if part == "activations" else names


def _left(shared, key):
    """Return what is left with the layers of a key on their grid, as figures of a table."""
    measured, ranges, names, threads = shared
    layer, part, bits, mode = key
    owners = _owners(names, part)
    chosen = [owner for owner in owners if (owner == layer) == (mode == MODES[0]) or layer == _ALL]
    by = {f"{each.removesuffix('s')}_bits": None for each in PARTS}
    by[f"{part.removesuffix('s')}_bits"] = dict.fromkeys(chosen, bits)
    change = at_bits(measured.file, ranges if part == "activations" else {}, **by)
    given = model_outputs(change.applied(measured.file), measured.x, threads=threads)
    found = {
        "output_sqnr_db": sqnr_db(measured.held.head(measured.plain), measured.held.head(given))
    }
    return found | measured.held.row(given)
