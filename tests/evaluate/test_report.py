"""A comparison for reading is the same to the byte: in print, in Markdown, as a page of HTML."""

import html
import re
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import report
from qkit.evaluate.accuracy import Score
from qkit.evaluate.tasks import Metric

HERE = Path(__file__).parent
_NOT_MEASURED = "not measured: pass trained={…, 'control': …}, a float model trained as long"


@pytest.fixture
def compared(hand_made):
    return hand_made(
        {
            "float32": (range(20), 80, 10),
            "dynamic_range": (range(12, 33), 24.5, 12.4),
            "int16_activations": (range(19), 25, 410, "unlabelled sample"),
            "qat": (range(70), 23.25, 4.75, "labelled training data"),
            "<b>mine|": (range(18), 41, 10, "–"),
        },
        not_measured={"control_float32": _NOT_MEASURED},
        float_operators={
            "float32": 4, "dynamic_range": 4, "int16_activations": 0, "qat": 0, "<b>mine|": 1,
        },
    )  # fmt: skip


@pytest.fixture
def no_machine(monkeypatch):
    class Environment:
        def _repr_html_(self):
            return "<p>a made-up machine</p>"

    monkeypatch.setattr(report, "environment", Environment)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("comparison.txt", repr),
        ("comparison.md", lambda found: found._repr_markdown_()),
        ("comparison.html", report.html_page),
    ],
)
def test_as_it_was(compared, no_machine, name, shown):
    assert shown(compared) == (HERE / "expected" / name).read_text(encoding="utf-8")


HOSTILE = "a|b <img src=x onerror=alert(1)> $x$ `c` [d](javascript:e)\n| new | row | & \\\\| <!--"


def test_names_of_others_stay_text_in_markdown(hand_made):
    found = hand_made({"float32": (range(20), 80, 10), HOSTILE: (range(70), 20, 5, "–")})
    lines = found._repr_markdown_().splitlines()
    assert len(lines) == 4
    cells = [re.split(r"(?<!\\)\|", line) for line in lines]
    assert len({len(row) for row in cells}) == 1
    shown = cells[-1][1]
    assert not set("<>$`[") & set(shown)
    assert html.unescape(shown.replace(r"\|", "|")).split() == HOSTILE.split()
    assert "< 0.001" in lines[-1], "a number stays as one reads it"


def test_names_of_others_stay_text_in_html(hand_made):
    found = hand_made(
        {HOSTILE: (range(20), 80, 10), "mine": (range(70), 20, 5)}, data_name=HOSTILE
    )  # of the reference, which heads of columns name
    for shown in (found._repr_html_(), report.html_page(found)):
        assert html.escape("<img src=x") in shown
        assert "<img" not in shown
        assert "<!--" not in shown


def test_of_what_is_no_number_nothing_is_claimed(hand_made):
    metric, rows = Metric("r", "", True, None, None), ("float32", "float16", "mine", "worse")
    values = dict(zip(rows, (1.0, 1.0, np.nan, 0.5), strict=True))
    scores = {k: Score(metric, None, 9, v, (v, v), np.full(5, v)) for k, v in values.items()}
    paired = {name: qk.paired(scores["float32"], found) for name, found in scores.items()}
    made = {name: (range(5), 20, 5) for name in rows}
    said = hand_made(made, accuracies=scores, paired=paired).summary()
    assert said.startswith("1 of 3 schemes lose nothing in r against float32 that 9")
    assert "could show (worse do) (of mine it cannot be told); of these float16 is" in said


def test_p_close_to_the_limit_is_told_on_its_own_side(hand_made):
    found = hand_made({"float32": (range(25), 80, 10), "mine": (range(25, 67), 40, 10)})
    assert found.to_display().loc["mine", "p"] == "0.049800"
    assert "p = 0.049800: more than noise" in report.sentence(found, "mine")


def test_a_metrics_name_stays_text(hand_made):
    bad = Metric("<img src=x onerror=alert(1)>|", "dB", True, None, None)
    rows = {"float32": (range(20), 80, 10), "mine": (range(70), 20, 5)}
    scores = {name: Score(bad, None, 9, 1.0, (0.5, 1.5), np.arange(5.0)) for name in rows}
    paired = {name: qk.paired(scores["float32"], found) for name, found in scores.items()}
    found = hand_made(rows, accuracies=scores, paired=paired)
    for shown in (found._repr_html_(), report.html_page(found), found._repr_markdown_()):
        assert "<img" not in shown
        assert "&lt;img" in shown
