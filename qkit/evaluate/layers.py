"""Which operator of a quantized file loses how much, among the errors of all and by itself."""

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from qkit.evaluate.accuracy import model_outputs, without_nan
from qkit.evaluate.judge import judge
from qkit.interpreter.alone import both, compared, with_error
from qkit.interpreter.run import open_interpreter, taken
from qkit.quantize.errors import decibels, sqnr_db
from qkit.result import Result
from qkit.samples import count, first, rows, samples
from qkit.tflite.match import operator_name
from qkit.toolchain.convert import convert

_OWN_NOISE = 6  # where `_tally` has it
_AT_ONCE = 2**25  # values of activations that are kept at once: 128 MiB


@dataclass(frozen=True, eq=False, repr=False)
class LayerErrors(Result):
    """The error of what each operator gives, against the float model on the same items."""

    table: object  # a row per operator that has a counterpart, by its number in the file
    unmatched: tuple  # names of the operators that have none
    paired: MappingProxyType  # by operator: the float model against it with this error alone
    n: int  # items

    @property
    def worst(self):
        """Number of the operator whose own error does most to what the network gives."""
        return int(self.table["output_sqnr_db"].idxmin())

    def summary(self):
        """Say in one line which operator loses most by itself, and what all of them lose."""
        row, last = self.table.loc[self.worst], self.table.iloc[-1]
        if row["output_sqnr_db"] == np.inf:
            text = f"no operator's own error changes the output, on {self.n:,} items"
        else:
            text = (
                f"{row['name']} ({row['operator']}) hurts most: with its error alone the output "
                f"has {row['output_sqnr_db']:.1f} dB, with all {last['sqnr_db']:.1f}, on "
                f"{self.n:,} items"
            )
            if self.worst in self.paired:
                text += f". By itself: {self.paired[self.worst].summary()}"
        return text + (f". Not matched: {', '.join(self.unmatched)}" if self.unmatched else "")


def layer_errors(float_model, tflite, x, y=None, *, metric=None):
    """Hold what each operator of a quantized file gives against the float model.

    *Accumulated*: as the file computes it, with the errors of all operators before. *Alone*: the
    operator's own kernel computes from what the float model feeds it, put on the grid, and the
    float kernel from the very same numbers; so each rounding counts where it is made. What this
    error alone does to the network is measured by the float file with the error added there.

    Parameters
    ----------
    float_model : model as for `qk.convert`, or bytes of a float .tflite file
    tflite : bytes, the quantized file
    x : ndarray of shape (n, *input), as for `qk.outputs`; a hundred items tell the errors
    y : ndarray of shape (n, ...), optional, labels; without them answers are held against float
    metric : Metric, str or callable, optional, as for `qk.accuracy`

    Returns
    -------
    LayerErrors
        Its table has SQNR in dB, RMSE in steps of the operator's grid, cosine, and the share of
        float values beyond the grid; `alone_…` of its error by itself, `output_sqnr_db` of the
        network with this error alone, and the paired difference in what is judged. Operators that
        only pass values on, such as RESHAPE, have no error of their own.

    Examples
    --------
    >>> import qkit as qk
    >>> data, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> tflite = qk.convert(model, "full_integer", data.x_train[:100])
    >>> layer_errors(model, tflite, data.x_test[:50]).table["operator"].tolist()
    ['QUANTIZE', 'RESHAPE', 'CONV_2D', 'MAX_POOL_2D', 'RESHAPE', 'FULLY_CONNECTED']
    """
    import pandas as pd

    in_float = convert(float_model, "float32", first(x))
    two = both(tflite, in_float, what="layer_errors")
    _require_same_network(two)
    takes = taken(open_interpreter(in_float), x)[0]
    x = samples(x, takes, what="layer_errors: x")
    held = judge(plain := model_outputs(in_float, x), y, metric, what="layer_errors")
    plain, named = held.head(plain), x if len(takes) > 1 else {next(iter(takes)): x}
    tallies, given = _measured(two, named, held, plain)
    against = {k: held.against(found) for k, found in given.items()} if held.pairs else {}
    table = {}
    for number, tally in tallies.items():
        op, other = two.file.operators[number], two.pairs[number]
        name = operator_name(op if other is None else two.original.operators[other])
        row = {"name": name, "operator": op.name, "dtype": op.outputs[0].dtype}
        row |= _row(tally, two.grids[op.outputs[0].index])
        row["output_sqnr_db"] = sqnr_db(plain, given[number])
        table[number] = row | (against[number].row if number in against else {})
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis("number")
    unmatched = tuple(operator_name(two.file.operators[number]) for number in two.unmatched)
    return LayerErrors(frame, unmatched, MappingProxyType(against), count(x))


def _require_same_network(two):
    weighing = {k for k, op in enumerate(two.file.operators) if op.multiply_accumulates}
    if not two.pairs or (weighing and not weighing & {*two.pairs}):
        raise ValueError(
            "layer_errors: no operator of the file has a counterpart in the float model, by kind, "
            "shape, inputs and weights: is the file of another model?"
        )


def _measured(two, x, held, plain):
    """Return sums by operator, and what the network gives with the error of that one alone."""
    tallies, given = {}, {}
    step = max(_AT_ONCE // max(two.size, 1), 1)
    for start in range(0, count(x), step):
        chunk = slice(start, start + step)
        part, found, own = rows(x, chunk), {}, {}
        for item in compared(two, part):
            for number, outputs in item.items():
                grid = two.grids[two.file.operators[number].outputs[0].index]
                found[number] = found.get(number, 0) + _tally(outputs, grid)
                own.setdefault(number, []).append([output[2] for output in outputs])
        for number, values in own.items():
            tallies[number] = tallies.get(number, 0) + found[number]
            changed = plain[chunk]
            if found[number][_OWN_NOISE]:
                changed = held.head(without_nan(with_error(two, number, part, values)))
            given.setdefault(number, []).append(changed)
    return tallies, {number: np.concatenate(parts) for number, parts in given.items()}


def _tally(outputs, grid):
    """Return sums over an operator's outputs: how many, how many beyond, squares and products."""
    low, high = (grid.low[0], grid.high[0]) if grid else (-np.inf, np.inf)
    half = grid.scale[0] / 2 if grid else 0
    found = np.zeros(9)
    for wanted, got, own in outputs:
        wanted, got, own = (np.asarray(v, np.float64).ravel() for v in (wanted, got, own))
        beyond = np.count_nonzero((wanted < low - half) | (wanted > high + half))
        sums = [wanted.size, beyond, wanted @ wanted]
        for approximation in (got, own):
            error = approximation - wanted
            sums += [error @ error, approximation @ wanted, approximation @ approximation]
        found += sums
    return found


def _row(tally, grid):
    (n, beyond, signal, *both), found = tally, {}
    for prefix, (noise, product, power) in zip(("", "alone_"), (both[:3], both[3:]), strict=True):
        found[f"{prefix}sqnr_db"] = float(decibels(signal, noise))
        found[f"{prefix}rmse_steps"] = np.sqrt(noise / n) / grid.scale[0] if grid else np.nan
        norm = np.sqrt(signal * power)
        found[f"{prefix}cosine"] = product / norm if norm else np.nan
    return found | {"saturated_share": beyond / n if grid else np.nan}
