"""Picture of what a calibration sample does: chosen ranges, and the accuracy that is left."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from qkit.plots.panels import compose_wrong_answers
from qkit.plots.style import FLOAT, INTEGER, picture, veil

_REACH = 400  # times the largest test value; grids beyond it end at the edge
_SIZES = (1, 10, 100, 1000)


def _fixed(effect):
    test = effect.table[["test_low", "test_high"]]
    test_ranges = dict(zip(test.index, test.to_numpy().tolist(), strict=True))
    return {"test_ranges": test_ranges, "reference": effect.paired.a}


@picture(figsize=(10, 4.2), fixed=_fixed)
def plot_calibration_effect(figure, test_ranges, reference):
    """Draw the grids against what the test images span, and the share of wrong answers.

    Parameters
    ----------
    result : CalibrationEffect
        None, in an explorer, says that what is shown is out of date: it is veiled. Settings that
        were drawn before stay as a trail.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
    """
    spans, rates = figure.subplots(1, 2, width_ratios=[1.55, 1])
    update_spans = _compose_spans(spans, test_ranges)
    update_rates = _compose_rates(rates, reference)
    veils = [veil(ax) for ax in (spans, rates)]

    def update(effect):
        for cover in veils:
            cover.set_visible(effect is None)
        if effect is not None:
            update_spans(effect)
            update_rates(effect)

    return update


def _compose_spans(ax, test_ranges):
    rows = list(test_ranges)
    size, y = (10 if len(rows) < 8 else 9), np.arange(len(rows))
    units = [max(map(abs, ends)) or 1.0 for ends in test_ranges.values()]
    thick = min(20, 130 / len(rows))
    # one axis for all: linear within the test values, logarithmic beyond
    ax.set_xscale("symlog", linthresh=1, linscale=2)
    ax.set(xlim=(-_REACH, _REACH), ylim=(len(rows) - 0.4, -0.6))
    ticks = [-100, -10, -1, 0, 1, 10, 100]
    ax.set_xticks(ticks, [f"−{-t}" if t < 0 else str(t) for t in ticks])
    ax.set_xticks([], minor=True)
    ax.set_yticks(y, rows, fontsize=size)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_xlabel("value, in units of the tensor's largest test value (log beyond ±1)")
    ax.grid(axis="x", alpha=0.3)
    seen = [
        [(end / units[row], row) for end in ends] for row, ends in enumerate(test_ranges.values())
    ]
    ax.add_collection(LineCollection(seen, colors="0.82", linewidths=thick), autolim=False)
    bars = LineCollection([], colors=INTEGER, linewidths=0.4 * thick, animated=True)
    cuts = LineCollection([], colors=FLOAT, linewidths=thick, animated=True)
    for collection in (cuts, bars):
        collection.set_capstyle("butt")
        ax.add_collection(collection, autolim=False)
    (ends,) = ax.plot([], [], "|", color=INTEGER, ms=thick, mew=2, animated=True)
    beside = ax.get_yaxis_transform()
    columns = [
        [ax.text(x, row, "", transform=beside, va="center", size=size, animated=True) for row in y]
        for x in (1.02, 1.2)
    ]
    ax.text(1.02, -0.62, "clipped", transform=beside, va="bottom", size=10, color="0.3")
    # levels of how many is said once: many long words would take the time of a redraw
    head = ax.text(
        1.2, -0.62, "", transform=beside, va="bottom", size=10, color="0.3", animated=True
    )
    # the columns lie outside of the axes: this keeps the place that they need
    ax.text(1.2, 0, "levels used, of 65,536", transform=beside, size=10, alpha=0)
    handles = [
        plt.Line2D([], [], color="0.82", lw=10, label="test values"),
        plt.Line2D([], [], color=INTEGER, lw=4, label="grid"),
        plt.Line2D([], [], color=FLOAT, lw=10, label="cut off"),
    ]
    ax.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False,
        fontsize=10, handlelength=1.2, borderaxespad=0.2,
    )  # fmt: skip

    def update(effect):
        drawn, beyond = [], []
        for row, found in enumerate(effect.table.itertuples()):
            low, high = np.clip(np.divide((found.low, found.high), units[row]), -_REACH, _REACH)
            test_low, test_high = np.divide((found.test_low, found.test_high), units[row])
            drawn.append([(low, row), (high, row)])
            if test_low < low:
                beyond.append([(test_low, row), (low, row)])
            if high < test_high:
                beyond.append([(high, row), (test_high, row)])
            clipped, levels = (column[row] for column in columns)
            clipped.set_text(_percent(found.clipped_share))
            levels.set_text(f"{found.levels_used:,}")
        head.set_text(f"levels used, of {2**effect.bits:,}")
        bars.set_segments(drawn)
        cuts.set_segments(beyond)
        ends.set_data(*np.reshape(drawn, (-1, 2)).T)

    return update


def _compose_rates(ax, reference):
    ax.set(xscale="log", xlim=(0.7, 1500), xlabel="images in the sample")
    ax.set_xticks(_SIZES, [f"{size:,}" for size in _SIZES])
    ax.set_xticks([], minor=True)
    draw = compose_wrong_answers(ax, reference)

    def update(effect):
        kind = (effect.sample, effect.observer, effect.bits)
        draw(effect.sample_size, effect.paired.b, kind)

    return update


def _percent(share):
    """Return a share in few characters, none at all for 0: which must not look rounded to it."""
    if share == 0:
        return ""
    return "<0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
