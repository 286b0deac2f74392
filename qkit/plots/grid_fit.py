"""Picture of a grid beside the values that it is for, and of the error it makes."""

import numpy as np

from qkit.plots import style
from qkit.plots.style import FLOAT, INTEGER, REST, live_bars, panel
from qkit.quantize.errors import STEP_EDGES, VALUE_EDGES

_RAREST = 1e-5  # shares below it are not drawn


@style.picture("GridFit", figsize=(9, 3.9))
def plot_grid_fit(figure):
    """Draw the values, the grid below them, and the error in steps.

    Parameters
    ----------
    result : GridFit
    """
    values, errors, grid = figure.subplot_mosaic(
        [["values", "errors"], ["grid", "errors"]], width_ratios=[2, 1], height_ratios=[2, 1]
    ).values()
    ends = VALUE_EDGES[[0, -1]]
    panel(values, xlim=ends, ylim=(_RAREST, 1), yscale="log", ylabel="share of the values")
    values.tick_params(labelbottom=False)
    panel(grid, xlim=ends, ylim=(-0.1, 1.1), ylabel="grid", yticks=[])
    grid.set_xlabel("value, in units of the largest magnitude")
    panel(errors, xlim=STEP_EDGES[[0, -1]], ylim=(0, 1.9), ylabel="density")
    errors.set(xlabel="error, steps (more: at the ends)", xticks=[-1, -0.5, 0, 0.5, 1])
    errors.plot([-0.5, -0.5, 0.5, 0.5], [0, 1, 1, 0], "--", color="0.3", lw=1.2)
    errors.set_title("dashed: rounding alone, RMS 1/√12", size=9, color="0.3")

    shown = live_bars(values, VALUE_EDGES, floor=_RAREST, color=REST)
    look = {"color": FLOAT, "alpha": 0.15, "lw": 0, "hatch": "//", "animated": True}
    clips_below, clips_above = (values.axvspan(*ends, **look) for _ in range(2))
    lines = style.live_segments(grid, colors=INTEGER, linewidths=1.2)
    points = style.live_line(grid, "|", color=INTEGER, mew=1)
    rounded = live_bars(errors, STEP_EDGES, color=INTEGER)
    clipped = live_bars(errors, STEP_EDGES, color=FLOAT, hatch="//")
    said, unit = (style.live_text(ax, 0.02, 0.98) for ax in (errors, values))
    near = np.abs(STEP_EDGES[:-1] + STEP_EDGES[1:]) / 2 < 0.55  # the bin of exactly half a step too

    def update(fit):
        shown.set_data(np.maximum(fit.value_share, _RAREST))
        low, high = fit.qparams.low / fit.largest, fit.qparams.high / fit.largest
        clips_below.set_width(max(low.min() - ends[0], 0))
        clips_above.set(x=high.max(), width=max(ends[1] - high.max(), 0))
        rows = np.unique(np.linspace(0, low.size - 1, 64).astype(int))
        heights = np.linspace(1, 0, rows.size) if rows.size > 1 else np.array([0.5])
        spans = [np.column_stack([end[rows], heights]) for end in (low, high)]
        lines.set_segments(np.stack(spans, axis=1))
        points.set_data(*_levels(fit, rows, heights))
        points.set_markersize(14 if rows.size == 1 else 5)
        rounded.set_data(np.where(near, fit.error_density, 0))
        clipped.set_data(np.where(near, 0, fit.error_density))
        error, scales = fit.error, f"{low.size} scale{'s'[: low.size > 1]}"
        exact = f"SQNR {error.sqnr_db:.1f} dB\nRMS {error.rmse_steps:.3f} steps"
        said.set_text(f"{exact}\nclipped {100 * error.clipped_share:.2g} %")
        # where all are in the bin about 0 they are zeros, and the unit is not the largest of them
        largest = fit.largest * (fit.value_share[fit.value_share.size // 2] < 1)
        values_of = f"{error.n:,} value{'s' * (error.n != 1)}; largest magnitude {largest:.3g}"
        unit.set_text(f"{values_of}\n{fit.qparams.bits} bits, {scales}")

    return style.veiling(update, values, errors, grid)


def _levels(fit, rows, heights):
    """Return where the points of the grids that are drawn lie; only the ends of fine ones."""
    integers = np.arange(fit.qparams.qmin, fit.qparams.qmax + 1)
    if integers.size > 32:  # else they would run together
        integers = integers[[0, -1]]
    from_zero = integers - fit.qparams.zero_point[rows][:, None]
    x = from_zero * fit.qparams.scale[rows][:, None] / fit.largest
    return x.ravel(), np.repeat(heights, integers.size)
