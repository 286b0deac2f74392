"""Requirements against measurements: what is sure, what is not, and what more data would tell."""

import pytest

import qkit as qk

ROWS = {
    "float32": (range(20), 80, 10),
    "full_integer": (range(22), 20, 4, "unlabelled sample"),
    "dynamic_range": (range(20), 21, 8),
    "qat": (range(60), 20, 4, "labelled training data"),
}


@pytest.fixture(scope="module")
def comparison(hand_made):
    return hand_made(ROWS, not_measured={"control_float32": "no control model"})


def test_size_is_a_matter_of_fact(comparison):
    found = qk.shortlist(comparison, size_bytes=21 * 1000)
    assert found.chosen == ("full_integer", "qat", "dynamic_range")
    assert found.table.loc["float32", "size ≤ 21,000 bytes"] == "missed"


def test_a_drop_is_judged_by_its_interval(comparison):
    low, high = comparison.paired["full_integer"].interval_pp
    assert low < -0.3 < high
    found = qk.shortlist(comparison, drop_pp=0.3)
    assert found.table.loc["full_integer", "drop ≤ 0.3 points"] == "open"
    assert found.table.loc["qat", "drop ≤ 0.3 points"] == "missed"
    assert found.table.loc["float32", "drop ≤ 0.3 points"] == "met"
    assert found.chosen == ("dynamic_range", "float32")
    assert found.open == ("full_integer",)
    assert qk.shortlist(comparison, drop_pp=-low).chosen[0] == "full_integer"


def test_latency_is_judged_by_its_interval(comparison):
    table = qk.shortlist(comparison, latency_us=8).table  # intervals are ± 10 %
    assert table["latency ≤ 8 µs"].to_dict() == {
        "float32": "missed",
        "full_integer": "met",
        "dynamic_range": "open",
        "qat": "met",
    }


@pytest.mark.parametrize(
    ("data", "left"),
    [
        ("nothing", {"float32", "dynamic_range"}),
        ("unlabelled sample", {"float32", "dynamic_range", "full_integer"}),
        ("labelled training data", set(ROWS)),
    ],
)
def test_data_that_are_not_there_rule_schemes_out(comparison, data, left):
    assert set(qk.shortlist(comparison, data=data).chosen) == left


def test_files_from_elsewhere_ask_for_nothing(hand_made):
    comparison = hand_made({"float32": ([], 80, 10), "mine": ([], 20, 4, "–")})
    assert "mine" in qk.shortlist(comparison, data="nothing").chosen


def test_all_requirements_together(comparison):
    found = qk.shortlist(comparison, size_bytes=30_000, drop_pp=1, data="unlabelled sample")
    assert found.chosen == ("full_integer", "dynamic_range")
    assert found.summary() == "full_integer, dynamic_range meet all requirements"
    assert found.to_frame().loc["qat"].tolist()[:3] == ["met", "missed", "missed"]
    assert "no scheme meets" in qk.shortlist(comparison, size_bytes=10).summary()
    assert (
        qk.shortlist(comparison, size_bytes=30_000, drop_pp=0.3)
        .summary()
        .endswith("open until more is measured: full_integer")
    )


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({}, "name a requirement"),
        ({"size_bytes": -1}, "size_bytes must be 0 or more"),
        ({"drop_pp": float("nan")}, "drop_pp must be 0 or more, got nan"),
        ({"data": "labels"}, "data must be one of 'nothing', 'unlabelled sample'"),
    ],
)
def test_odd_requirements_are_refused(comparison, limits, said):
    with pytest.raises(ValueError, match=said):
        qk.shortlist(comparison, **limits)
