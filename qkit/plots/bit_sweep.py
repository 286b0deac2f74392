"""Picture of the laws of rounding, held against tensors."""

import matplotlib.pyplot as plt
import numpy as np

from qkit.plots.style import REST, mark
from qkit.quantize.bit_sweep import EVEN_RMSE_STEPS


def plot_bit_sweep(sweep, *, figure=None):
    """Draw the error in steps, and the SQNR beside its law, against the bits.

    Parameters
    ----------
    sweep : BitSweep
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    figure = figure or plt.figure(figsize=(9, 3.9), layout="constrained")
    steps, ratio = figure.subplots(1, 2)
    # side by side, so that intervals about the same value do not hide each other
    offsets = np.linspace(-0.2, 0.2, len(sweep.names)) if len(sweep.names) > 1 else [0]
    for row, (name, offset) in enumerate(zip(sweep.names, offsets, strict=True)):
        colour, marker = mark(row)
        steps.errorbar(
            np.array(sweep.bits) + offset, sweep.rmse_steps[row], sweep.rmse_steps_margin[row],
            fmt=marker, color=colour, ms=5, lw=1.2, label=f"{name} ({sweep.n[row]:,})",
        )  # fmt: skip
        ratio.plot(sweep.bits, sweep.sqnr_db[row], marker, color=colour, ms=5)
        ratio.plot(sweep.bits, sweep.law_db[row], "-", color=colour, lw=1)
    steps.axhline(EVEN_RMSE_STEPS, color="0.4", ls="--", lw=1)
    steps.set(ylabel="RMS error, steps", ylim=(0, 0.4), xlabel="bits")
    steps.text(sweep.bits[-1], EVEN_RMSE_STEPS + 0.02, "1/√12", ha="right", color="0.4")
    figure.legend(
        *steps.get_legend_handles_labels(), loc="outside lower center", ncols=len(sweep.names),
        title="tensor (number of values); bars: what chance alone does, 95 %", frameon=False,
        columnspacing=1, handletextpad=0.3,
    )  # fmt: skip
    ratio.set(ylabel="SQNR, dB", xlabel="bits")
    ratio.plot([], [], "o", color=REST, label="measured")
    ratio.plot([], [], "-", color=REST, label="if the error is 1/√12 of a step")
    ratio.legend(frameon=False, loc="upper left")
    for ax in (steps, ratio):
        ax.set_xticks(sweep.bits)
        ax.spines[["top", "right"]].set_visible(False)
    return figure
