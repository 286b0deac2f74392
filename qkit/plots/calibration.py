"""Picture of what a calibration sample does: chosen ranges, and the accuracy that is left."""

import numpy as np

from qkit.plots import style
from qkit.plots.panels import compose_wrong_answers
from qkit.plots.style import FLOAT, INTEGER, live_segments, live_text

_REACH = 400  # times the largest test value; grids beyond it end at the edge


def _fixed(result):
    test_ranges = result.table[["test_low", "test_high"]].T.to_dict("list")
    return {"test_ranges": test_ranges, "reference": result.paired.a}


@style.picture("CalibrationEffect", figsize=(10, 4.2), fixed=_fixed)
def plot_calibration_effect(figure, test_ranges, reference):
    """Draw the grids against what the test images span, and the share of wrong answers.

    Parameters
    ----------
    result : CalibrationEffect
    """
    spans, rates = figure.subplots(1, 2, width_ratios=[1.55, 1])
    update_spans = _compose_spans(spans, test_ranges)
    sizes = {size: f"{size:,}" for size in (1, 10, 100, 1000)}
    style.panel(rates, xscale="log", xlim=(0.7, 1500), xlabel="images in the sample", xticks=sizes)
    update_rates = compose_wrong_answers(rates, reference)

    def update(effect):
        update_spans(effect)
        kind = effect.sample, effect.observer, effect.bits
        update_rates(effect.paired.b, effect.sample_size, *kind)

    return style.veiling(update, spans, rates)


def _compose_spans(ax, test_ranges):
    tests = np.transpose([*test_ranges.values()])
    units = np.abs(tests).max(axis=0)
    units[units == 0] = 1
    lowest, highest = tests / units
    rows = np.arange(units.size)
    size, thick = 10 if rows.size < 8 else 9, min(12, 130 / rows.size)
    # one axis for all: linear within the test values, logarithmic beyond
    ax.set_xscale("symlog", linthresh=1, linscale=2)
    ticks = {t: f"{t}".replace("-", "−") for t in (-100, -10, -1, 0, 1, 10, 100)}
    names = [style.named(name, 26) for name in test_ranges]
    style.rows_from_top(ax, names, grid="x", xlim=(-_REACH, _REACH), xticks=ticks)
    ax.set_xlabel("value, in units of the tensor's largest test value (log beyond ±1)")
    ax.tick_params(axis="y", labelsize=size if max(map(len, names)) < 16 else 7)
    ax.hlines(rows, lowest, highest, "0.82", lw=thick, label="test values")
    cuts = live_segments(ax, colors=FLOAT, linewidths=thick, label="cut off")
    bars = live_segments(ax, colors=INTEGER, linewidths=0.4 * thick, label="grid")
    ends = style.live_line(ax, "|", color=INTEGER, ms=thick, mew=2)
    beside = {"transform": ax.get_yaxis_transform(), "va": "center"}
    clipped = [live_text(ax, 1.02, row, size=size, **beside) for row in rows]
    levels = [live_text(ax, 1.2, row, size=size, **beside) for row in rows]
    ax.text(1.02, 1.01, "clipped", transform=ax.transAxes, size=10, color="0.3")
    # levels of how many is said once: many long words would take the time of a redraw
    head = live_text(ax, 1.2, 1.01, va="baseline", color="0.3")
    # the columns lie outside of the axes: this keeps the place that they need
    ax.text(1.2, 0, "levels used, of 65,536", size=10, alpha=0, **beside)
    style.legend_above(ax, 3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2)

    def update(effect):
        table = effect.table
        low, high = np.clip([table.low / units, table.high / units], -_REACH, _REACH)
        bars.set_segments(_spans(low, high))
        cuts.set_segments(_spans(lowest, low) + _spans(high, highest))
        ends.set_data([low, high], [rows, rows])
        for row, found in enumerate(table.itertuples()):
            clipped[row].set_text(_percent(found.clipped_share))
            levels[row].set_text(f"{found.levels_used:,}")
        head.set_text(f"levels used, of {2**effect.bits:,}")

    return update


def _spans(lows, highs):
    """Return segments from low to high, a row each; none where high is not above low."""
    ends = enumerate(zip(lows, highs, strict=True))
    return [[(low, row), (high, row)] for row, (low, high) in ends if low < high]


def _percent(share):
    """Return a share in few characters, none at all for 0: which must not look rounded to it."""
    if share == 0:
        return ""
    return "<0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
