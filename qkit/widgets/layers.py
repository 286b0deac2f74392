"""Explorer of layers: whose error hurts, where its values lie on the grid, what bits give back."""

from functools import lru_cache, partial

import ipywidgets as ipw
import numpy as np

from qkit.data import drawn
from qkit.evaluate.effect import effect
from qkit.evaluate.layers import layer_errors
from qkit.evaluate.significance import paired
from qkit.interpreter.alone import both
from qkit.interpreter.run import intermediate
from qkit.interpreter.simulation import bits, calibrated_ranges
from qkit.plots.layer_choice import BEYOND, live_layers
from qkit.result import kb
from qkit.samples import rows
from qkit.tflite.edit import layers
from qkit.toolchain.convert import convert
from qkit.widgets.controls import choice
from qkit.widgets.effects import dataset, part, subject
from qkit.widgets.explorer import Explorer

_KINDS = {"int8": (8, 8), "int16": (8, 16), "float32": (32, 32)}  # of weights, of activations
_FOR_ERRORS, _MOST = 50, 24  # items that tell the errors; operators that are shown


def explore_layers(model, data, *, images=1000, calibration=None):
    """Explore which layers hurt in int8, and what int16 activations or float give back for each.

    Errors and grids are those of the int8 file that litert-quantizer makes; what follows from a
    choice is simulated, as by `explore_bits`: ``explore_bits(…, start=explorer.bits())`` goes on
    from the choices made here.

    Parameters
    ----------
    model, data, images, calibration : as for `explore_bits`

    Returns
    -------
    Explorer
    """
    what, data = "explore_layers", dataset(data)
    file, x, y, reference = subject(model, data, images, what=what)
    names = [layer.name for layer in layers(file)]
    if calibration is None:
        calibration = drawn(part(data, "x_train", what=what, tflite=file.tflite), 100)
    ranges = calibrated_ranges(file, calibration)
    in_int8 = convert(file.tflite, "litert_full_integer", calibration)
    few = rows(x, slice(_FOR_ERRORS))
    errors = layer_errors(file.tflite, in_int8, few, y[:_FOR_ERRORS])
    table, owners, values = _shown(errors, both(in_int8, file.tflite, what=what), file, few)
    chosen = dict.fromkeys(("input", *names), "int8")

    @lru_cache(maxsize=256)
    def change(*choices):
        of = dict(zip(chosen, (_KINDS[each] for each in choices), strict=True))
        weights, activations = ({k: v[i] for k, v in of.items()} for i in (0, 1))
        return bits(file, ranges, weight_bits=weights, activation_bits=activations)

    measure = partial(effect, file, x=x, y=y, reference=reference)
    at_first = measure(change(*chosen.values()))
    of = f"{len(table)} of {len(errors.table)} operators, those that hurt most"
    said = f"SQNR, dB, on {errors.n:,} items; to the right is better\n{of}"
    figure, update_layer, update_effect = live_layers(table, owners, at_first, said)

    def answer(layer, becomes, reset):
        chosen[owners[layer]] = becomes
        update_layer(layer, *values[layer], chosen)
        now = change(*chosen.values())
        return _said(table.loc[layer], owners[layer], chosen, now), now

    def back(_):
        chosen.update(dict.fromkeys(chosen, "int8"))
        return {"becomes": "int8", "reset": False}

    options = [(name, number) for number, name in table["name"].items()]
    controls = {
        "layer": choice(options, value=errors.worst),
        "becomes": choice(_KINDS, description="its layer becomes"),
        "reset": ipw.ToggleButton(description="all back to int8"),
    }
    explorer = Explorer(
        controls, figure, answer, compute=measure, draw=update_effect,
        say=lambda found: (
            f"{found.paired.against('float32')}. Against all in int8: "
            f"{paired(at_first.paired.b, found.paired.b).summary()}."
        ),
        leads={"layer": lambda new: {"becomes": chosen[owners[new]]}, "reset": back},
        alt="Errors of each operator; values of one on its grid; wrong answers against bytes.",
    )  # fmt: skip
    explorer.bits = lambda: change(*chosen.values())
    return explorer


def _shown(errors, two, file, x):
    """Return the operators that hurt most, by number their layers, and their grids and values."""
    table = errors.table
    erring = table[table["alone_sqnr_db"] != np.inf]
    table = (erring if len(erring) else table).nsmallest(_MOST, "output_sqnr_db").sort_index()
    given = {number: two.file.operators[number].outputs[0].index for number in table.index}
    grids = {number: two.grids[index] for number, index in given.items()}
    stand = {number: two.stand[index] for number, index in given.items()}
    counts = dict.fromkeys(stand, 0)
    for item in intermediate(file.tflite, x, dict.fromkeys(stand.values())):
        for number, grid in grids.items():
            counts[number] += _counts(item[stand[number]], grid)
    owners = {number: file.owners[index] for number, index in stand.items()}
    return table, owners, {number: (grids[number], counts[number]) for number in stand}


def _counts(values, grid):
    """Return how many values are nearest to each level of a grid, and to those beyond it."""
    size = 256 + 2 * BEYOND
    if grid is None:
        return np.zeros(size)
    levels = np.rint(values / grid.scale[0]) + grid.zero_point[0] - grid.qmin + BEYOND
    return np.bincount(np.clip(levels, 0, size - 1).astype(int).ravel(), minlength=size)


def _said(row, layer, chosen, change):
    others = [f"{name} {kind}" for name, kind in chosen.items() if kind != "int8"]
    int16 = " (int16 is of activations: their weights stay int8)" * ("int16" in chosen.values())
    along = f", goes with {layer}" * (layer != row["name"])
    return (
        f"{row['name']} ({row['operator']}{along}): in the int8 file {row['sqnr_db']:.1f} dB with "
        f"all errors up to it, {row['alone_sqnr_db']:.1f} with its own alone; the output "
        f"has {row['output_sqnr_db']:.1f} then. Not in int8: {', '.join(others) or 'nothing'}"
        f"{int16}. Simulated so, the weights take {kb(change.size_bytes)}, all in int8 "
        f"{kb(sum(layer.weights.size for layer in change.layers))}."
    )
