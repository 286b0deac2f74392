"""Picture of values, and below them of the points that grids have for them."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import REST, mark, rows_from_top

_BINS = 60
_MARGIN = 0.15  # beside the values, as a share of their width


def plot_values_on_grids(values, grids, *, unit="value", figure=None):
    """Draw how values are spread, and under them each point of the grids that lies among them.

    Parameters
    ----------
    values : ndarray
    grids : mapping of str to Tensor
        Tensors of .tflite files with one scale, from `qkit.tflite.file.read_tflite`, by the names
        to show.
    unit : str
        What the values are, for the axis.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
        The row of a grid says how wide its step is, and how many points it has between the smallest
        and the largest value.
    """
    figure = figure or plt.figure(figsize=(8, 2.4 + 0.45 * len(grids)), layout="constrained")
    spread, points = figure.subplots(2, 1, sharex=True, height_ratios=[2, 0.3 + 0.3 * len(grids)])
    values = np.asarray(values, np.float64).ravel()
    low, high = values.min(), values.max()
    margin = _MARGIN * (high - low)
    counts, edges = np.histogram(values, _BINS)
    spread.stairs(counts / values.size, edges, fill=True, color=REST)
    spread.set(ylabel="share of the values", xlim=(low - margin, high + margin))
    spread.spines[["top", "right"]].set_visible(False)
    for row, tensor in enumerate(grids.values()):
        limits, scale = np.iinfo(tensor.dtype), tensor.scale[0]
        at = scale * (np.arange(limits.min, limits.max + 1) - tensor.zero_point[0])
        at = at[(at >= low - margin) & (at <= high + margin)]
        within = int(((at >= low) & (at <= high)).sum())
        points.plot(at, np.full(at.size, row), "|", color=mark(row)[0], ms=13, mew=1.2)
        points.annotate(
            f"step {scale:.3g}: {within:,} point{'s'[: within != 1]}", (1.01, row),
            xycoords=("axes fraction", "data"), va="center",
        )  # fmt: skip
    rows_from_top(points, list(grids))
    points.set_xlabel(unit)
    return figure
