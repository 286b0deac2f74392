"""Explorer of a tensor on a grid: bits, symmetry, granularity and range, and what they cost."""

from collections.abc import Mapping
from functools import lru_cache, partial

import ipywidgets as ipw
import numpy as np

from qkit import validate
from qkit.interpreter.simulation import layers
from qkit.plots.grid_fit import plot_grid_fit
from qkit.quantize.calibration import mse, percentile
from qkit.quantize.errors import grid_fit
from qkit.quantize.grid import PerAxis, PerGroup, PerTensor, choose_qparams
from qkit.widgets.explorer import Explorer, choice

_GROUP_SIZES = (64, 32, 16, 8, 4)  # the largest that fits is offered
# By the words of the control: from bits and symmetry to the `range` of `choose_qparams`.
_OBSERVERS = {
    "min–max": lambda bits, symmetric: None,
    "percentile 99.9": lambda bits, symmetric: partial(percentile, percent=99.9),
    "percentile 99": lambda bits, symmetric: partial(percentile, percent=99),
    "MSE": lambda bits, symmetric: partial(mse, bits=bits, symmetric=symmetric),
}


def explore_grid(tensors, *, axis=None):
    """Explore what bits, symmetry, granularity and range make of a tensor.

    Parameters
    ----------
    tensors : ndarray, mapping of str to ndarray, or bytes
        A tensor of floating point; several by name; or a float .tflite file, whose layers' weights
        are taken.
    axis : int, optional
        Which axis counts the channels; the first by default, for a .tflite file that of each
        layer.

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
    tensors, axes = _named(tensors, axis)
    granularities = _granularities(tensors.values())
    controls = {
        "tensor": choice(tensors, "tensor"),
        "bits": ipw.IntSlider(8, 2, 16, description="bits"),
        "symmetric": ipw.Checkbox(True, description="symmetric"),
        "granularity": choice(granularities, "granularity"),
        "range": choice(_OBSERVERS, "range"),
    }
    figure, update = plot_grid_fit.live()

    @lru_cache(maxsize=512)
    def fit(tensor, bits, symmetric, granularity, range):
        chosen = choose_qparams(
            tensors[tensor],
            bits=bits,
            symmetric=symmetric,
            granularity=granularities[granularity](axes[tensor]),
            range=_OBSERVERS[range](bits, symmetric),
        )
        return grid_fit(tensors[tensor], chosen)

    def takes_long(granularity, range, **others):
        return range == "MSE" and granularity != "per tensor"

    def show(found):
        update(found)
        return None if found is None else found.summary()

    def answer(**values):
        return "" if takes_long(**values) else show(fit(**values))

    return Explorer(
        controls,
        figure,
        answer,
        alt="Histogram of the tensor's values above the grid, and of the error in steps.",
        compute=fit,
        settle=show,
        takes_long=takes_long,
    )


def _named(tensors, axis):
    """Return the tensors and their channels' axes, by name."""
    if isinstance(tensors, (bytes, bytearray)):
        found = layers(tensors)
        return {f.name: f.weights for f in found}, {f.name: f.axis for f in found}
    if not isinstance(tensors, Mapping):
        tensors = {"tensor": tensors}
    if not tensors:
        raise ValueError("explore_grid: no tensors to explore; pass an array, or a dict of them.")
    checked = {}
    for name, x in tensors.items():
        checked[name] = x = np.atleast_1d(validate.values(x, what=f"explore_grid: {name}"))
        if x.size == 0:
            raise ValueError(f"explore_grid: the tensor {name!r} holds no values.")
        PerAxis(axis or 0).blocks(x.shape)  # refuses an axis that is not there
    return checked, dict.fromkeys(checked, axis or 0)


def _granularities(tensors):
    """Return functions from the channels' axis to a granularity, for what fits all tensors."""
    found = {"per tensor": lambda axis: PerTensor(), "per channel": PerAxis}
    size = next((n for n in _GROUP_SIZES if all(x.shape[-1] % n == 0 for x in tensors)), None)
    if size:
        found[f"per group of {size}"] = lambda axis: PerGroup(size)
    return found
