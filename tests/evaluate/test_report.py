"""A comparison for reading is the same to the byte: in print, in Markdown, as a page of HTML."""

from pathlib import Path

import pytest

from qkit.evaluate import report

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
