"""The picture of Table 2 shows losses to the right, published ones hollow, and every interval."""

import dataclasses
from types import MappingProxyType

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.accuracy import Score
from qkit.evaluate.significance import PairedScores
from qkit.published.relatives import TOP_1, Int16Effect, Relative


def effect(relative, published, values, *, half=0.01, **changes):
    """Return an effect of plain numbers: scores, and intervals that reach `half` to either side."""
    metric = dataclasses.replace(TOP_1, **changes)

    def around(value):
        return value - half, value + half

    scores = {k: Score(metric, None, 100, value, around(value)) for k, value in values.items()}
    paired = {
        k: PairedScores(scores["float32"], scores[k], difference, around(difference))
        for k, difference in ((k, values[k] - values["float32"]) for k in ("int8", "int16"))
    }
    relative = Relative(relative, published, None, metric, 1)
    return Int16Effect(relative, *map(MappingProxyType, (scores, paired, {})))


@pytest.fixture
def effects():
    return [
        effect(
            "reader",
            ("Wav2letter", "word error rate"),
            {"float32": 0.05, "int8": 0.07, "int16": 0.045},
            name="word error rate",
            higher_is_better=False,
        ),
        effect("transformer", ("MobileBert", "F1"), {"float32": 0.93, "int8": 0.23, "int16": 0.92}),
    ]


def test_losses_are_positive_where_it_is_worse(effects):
    reader, transformer = effects
    assert reader.lost["int8"] == pytest.approx((2, 1, 3))
    assert reader.lost["int16"] == pytest.approx((-0.5, -1.5, 0.5))
    assert transformer.lost["int8"] == pytest.approx((70, 69, 71))
    assert reader.published_lost == pytest.approx({"int8": 1.0, "int16": 0.5})
    assert transformer.published_lost == pytest.approx({"int8": 86.73, "int16": 0.08})


def test_marks_stand_at_the_losses_filled_here_and_hollow_published(effects):
    ax = qk.plot_int16_effects(effects)
    marks = [line for line in ax.lines if line.get_marker() in "XP" and len(line.get_xdata()) == 1]
    found = {(m.get_marker(), m.get_markerfacecolor() == "white"): [] for m in marks}
    for mark in marks:
        key = (mark.get_marker(), mark.get_markerfacecolor() == "white")
        found[key].append(float(mark.get_xdata()[0]))
    assert found[("X", False)] == pytest.approx([2, 70])
    assert found[("P", False)] == pytest.approx([-0.5, 1])
    assert found[("X", True)] == pytest.approx([1, 86.73])
    assert found[("P", True)] == pytest.approx([0.5, 0.08])
    low, high = ax.get_xlim()
    assert all(low < x < high for xs in found.values() for x in xs)
    spans = [sorted(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert pytest.approx([69, 71]) in [np.array(span) for span in spans]
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert len(labels) == len(set(labels)) == 4


def test_a_network_without_a_published_one_has_two_marks():
    alone = effect("mine", None, {"float32": 0.9, "int8": 0.8, "int16": 0.9})
    assert alone.published_lost == {}
    decibels = effect("denoiser", None, {"float32": 17.0, "int8": 14.0, "int16": 16.9}, unit="dB")
    ax = qk.plot_int16_effects([alone, decibels])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["mine, top-1"]
    assert len(ax.get_legend().get_texts()) == 2


def test_table_has_published_figures_below_ours(effects):
    table = qk.published.int16_table(effects)
    assert list(table.index.get_level_values("figures")) == [
        "here",
        "published: Wav2letter",
        "here",
        "published: MobileBert",
    ]
    assert table.loc[("reader", "published: Wav2letter"), "int8"] == "0.0770"
    assert table.loc[("reader", "here"), "int8 loses"] == "+2.00 (+1.00 to +3.00) points"
    assert table.loc[("transformer", "published: MobileBert"), "int8 loses"] == "+86.73 points"


def test_decibels_are_neither_shares_nor_points():
    denoiser = effect(
        "denoiser", None, {"float32": 17.0, "int8": 14.0, "int16": 16.9}, name="SNR", unit="dB"
    )
    assert denoiser.lost["int8"] == pytest.approx((3, 2.99, 3.01))
    table = qk.published.int16_table([denoiser])
    assert table.loc[("denoiser", "here"), "float32"] == "17.00 dB"
    assert table.loc[("denoiser", "here"), "int8 loses"].endswith("(+2.99 to +3.01) dB")
