"""Picture of clipping against rounding."""

import matplotlib.pyplot as plt

from qkit.plots.style import FLOAT, INTEGER, mark


def plot_range_sweep(sweep, *, bits=4, figure=None):
    """Draw the two causes of the error at some bits, and the SQNR at all, against the range.

    Parameters
    ----------
    sweep : RangeSweep
    bits : int
        One of `sweep.bits`, for the panel of the causes.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    if bits not in sweep.bits:
        raise ValueError(f"plot_range_sweep: the sweep has {sweep.bits} bits, not {bits}.")
    figure = figure or plt.figure(figsize=(9, 3.5), layout="constrained")
    causes, ratio = figure.subplots(1, 2, sharex=True)
    row, x = sweep.bits.index(bits), sweep.shares
    rounding, clipping = (100 * cause[row] for cause in (sweep.rounding, sweep.clipping))
    total = (rounding**2 + clipping**2) ** 0.5
    causes.plot(x, rounding, "-.", color=INTEGER, label="by rounding")
    causes.plot(x, clipping, "--", color=FLOAT, label="by clipping")
    causes.plot(x, total, "k-", lw=2, label="both")
    best = sweep.best[row]
    causes.plot(x[best], total[best], "k*", ms=13, label="least")
    causes.set(ylabel="RMS error, % of the values' RMS", title=f"{bits} bits")
    causes.set_ylim(0, 1.1 * max(rounding.max(), total[best] * 2))
    causes.legend(frameon=False)
    for row, n in enumerate(sweep.bits):
        colour, marker = mark(row + 1)
        best = sweep.best[row]
        ratio.plot(x, sweep.sqnr_db[row], color=colour)
        ratio.plot(
            x[best], sweep.sqnr_db[row][best], marker, color=colour, ms=8,
            label=f"{n} bits: best end {x[best]:.2f}",
        )  # fmt: skip
    top = sweep.sqnr_db.max()
    ratio.set(ylabel="SQNR, dB", ylim=(min(0, sweep.sqnr_db.min()) - 1, top * 1.55))
    ratio.set_title("all bits")
    ratio.legend(frameon=False, ncols=2, loc="upper left", handletextpad=0.2)
    for ax in (causes, ratio):
        ax.axvline(1, color="0.6", lw=1, ls=":")
        ax.set_xlabel("end of the grid ÷ largest magnitude")
        ax.spines[["top", "right"]].set_visible(False)
    return figure
