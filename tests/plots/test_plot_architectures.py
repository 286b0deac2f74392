"""The picture of Table 1 has a mark for each figure that there is, and none for those missing."""

import pandas as pd
import pytest

import qkit as qk

TIMES = {  # of float32's; none where the tool chain refuses
    "MobileNet": {"dynamic_range": 0.9, "qat": 0.3},
    "ResNet101V2": {"dynamic_range": 0.3, "qat": None},
}


@pytest.fixture
def table():
    rows = []
    for network, times in TIMES.items():
        for scheme, value in {"float32": 1.0, **times}.items():
            row = {"architecture": network, "scheme": scheme, "size_bytes": 1e7}
            row |= {"latency_ratio": value, "status": "measured" if value else "not possible: why"}
            row |= {"latency_ratio_low": value and 0.9 * value}
            row |= {"latency_ratio_high": value and 1.1 * value}
            row |= {"accuracy_status": "not measured: no images"}
            rows.append(row | dict.fromkeys(["accuracy", "accuracy_low", "accuracy_high"]))
    return qk.published.beside_architectures(pd.DataFrame(rows))


def test_marks_stand_where_the_figures_are(table):
    ax = qk.plot_architectures(table)
    marks = [line for line in ax.lines if line.get_marker() not in ("None", None, "")]
    hollow = [m.get_xdata()[0] for m in marks if m.get_markerfacecolor() == "white"]
    filled = [m.get_xdata()[0] for m in marks if m.get_markerfacecolor() != "white"]
    assert filled == pytest.approx([0.9, 0.3, 0.3])
    assert sorted(hollow) == pytest.approx(sorted([112 / 124, 64 / 124, 2868 / 3973]))
    spans = [tuple(m.get_xdata()) for m in ax.lines if m not in marks and len(m.get_xdata()) == 2]
    assert (pytest.approx(0.81), pytest.approx(0.99)) in spans
    # a figure and its published counterpart stand on one line, in one colour
    by_row = {}
    for m in marks:
        by_row.setdefault(round(float(m.get_ydata()[0]), 3), set()).add(m.get_color())
    assert len(by_row) == 3
    assert all(len(colours) == 1 for colours in by_row.values())
    assert [t.get_text() for t in ax.get_yticklabels()] == ["MobileNet", "ResNet101V2"]
    labels = [t.get_text() for t in ax.get_legend().get_texts()]
    assert len(labels) == len(set(labels)) == 4
