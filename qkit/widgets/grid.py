"""Explorer of a tensor on a grid: bits, symmetry, granularity and range, and what they cost."""

import math
from collections.abc import Mapping
from functools import lru_cache, partial
from os import PathLike

import ipywidgets as ipw
import numpy as np

from qkit import validate
from qkit.interpreter.simulation import layers
from qkit.plots.grid_fit import plot_grid_fit
from qkit.quantize.calibration import mse, percentile
from qkit.quantize.errors import grid_fit
from qkit.quantize.grid import PerAxis, PerGroup, PerTensor, choose_qparams
from qkit.widgets.controls import choice, yes_no
from qkit.widgets.explorer import Explorer

_RANGES = {
    "min–max": lambda **grid: None,
    "percentile 99.9": lambda **grid: partial(percentile, percent=99.9),
    "percentile 99": lambda **grid: partial(percentile, percent=99),
    "MSE": lambda **grid: partial(mse, **grid),
}


def explore_grid(tensors, *, axis=None):
    """Explore what bits, symmetry, granularity and range make of a tensor.

    Parameters
    ----------
    tensors : ndarray, mapping of str to ndarray, or bytes
        A floating-point tensor; several by name; or a float .tflite file, whose weights are taken.
    axis : int, optional, that counts the channels; the first, or in a file that of each layer

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_grid(np.linspace(-1, 1, 1001).reshape(7, 143), axis=0)
    >>> explorer.controls["bits"].value = 4
    >>> explorer.readout.startswith("bits: 8 → 4. 4 bits, integers -7 to 7")
    True
    """
    tensors = _with_axes(tensors, 0 if axis is None else axis)
    granularities = {"per tensor": lambda axis: PerTensor(), "per channel": PerAxis}
    fitting = math.gcd(64, *(x.shape[-1] for x, _ in tensors.values()))
    if fitting >= 4:
        granularities[f"per group of {fitting}"] = lambda axis: PerGroup(fitting)
    controls = {
        "tensor": choice(tensors),
        "bits": ipw.IntSlider(8, 2, 16),
        "range": choice(_RANGES),
        "symmetric": yes_no(True),
        "granularity": choice(granularities),
    }
    figure, update = plot_grid_fit.live()

    @lru_cache(maxsize=512)
    def fit(asked):
        tensor, bits, range, symmetric, granularity = asked
        x, axis = tensors[tensor]
        grid = {"bits": bits, "symmetric": symmetric}
        by, choose = granularities[granularity](axis), _RANGES[range](**grid)
        return grid_fit(x, choose_qparams(x, **grid, granularity=by, range=choose))

    def answer(**values):
        asked = tuple(values.values())
        if values["range"] == "MSE" and values["granularity"] != "per tensor":
            return "", asked  # a search for each scale
        update(fit(asked))
        return fit(asked).summary(), None

    alt = "Histogram of the tensor's values above the grid, and of the error in steps."
    return Explorer(controls, figure, answer, alt=alt, compute=fit, draw=update)


def _with_axes(tensors, axis):
    """Return the tensors by name, each with the axis of its channels."""
    if not isinstance(axis, (int, np.integer)):
        raise TypeError(f"explore_grid: axis must be a whole number, got {axis!r}.")
    if isinstance(tensors, (bytes, bytearray, str, PathLike)):
        return {layer.name: (layer.weights, layer.axis) for layer in layers(tensors)}
    if not isinstance(tensors, Mapping):
        tensors = {"tensor": tensors}
    if not tensors:
        raise ValueError("explore_grid: no tensors to explore; pass an array, or a dict of them.")
    checked = {}
    for name, values in tensors.items():
        x = np.atleast_1d(validate.values(values, what=f"explore_grid: {name}"))
        PerAxis(axis).blocks(x.shape)  # refuses an axis that is not there
        checked[name] = x, axis
    return checked
