"""A result shows its table by the units in the column names, and itself by one line."""

import copy
import pickle
import re
from dataclasses import dataclass
from html import unescape
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class Measured(Result):
    table: pd.DataFrame

    def summary(self):
        return "one file of 1,024 bytes"


@pytest.mark.parametrize("made", [copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))])
def test_results_are_copied_with_their_mappings(made, hand_made):
    compared = hand_made({"float32": (range(20), 80, 10), "float16": (range(20), 40, 10)})
    assert made(compared).to_frame().equals(compared.to_frame())
    assert made(compared.latency).summary() == compared.latency.summary()
    assert isinstance(made(compared.latency).ratio, MappingProxyType)
    shown = qk.tradeoff(compared)
    assert made(shown).summary() == shown.summary()


def html(frame):
    return Measured(frame)._repr_html_()


def shown(name, value):
    """Return what a result's table shows of a value in a column of that name."""
    found = re.findall("<td>(.*?)</td>", html(pd.DataFrame({name: [value]})))
    return unescape(found[0])


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("size_bytes", 1234567, "1,234,567"),
        ("size_bytes", 1234567.0, "1,234,567"),
        ("deflated bytes", 1024, "1,024"),
        ("accuracy", 0.98765, "0.9877"),
        ("accuracy_low", 1.0, "1.0000"),
        ("val_accuracy", np.float32(0.5), "0.5000"),
        ("accuracy_drop_pp", 0.5, "+0.50"),
        ("difference_low_pp", -1.234, "-1.23"),
        ("points at 8 bits", 0.0, "+0.00"),
        ("clipped_share", 0.4567, "45.7%"),
        ("clipped_share", 0.00012, "0.012%"),
        ("clipped_share", 0.0, "0.0%"),
        ("sparsity", 0.5, "50.0%"),
        ("latency_us", 5113.2, "5,113"),
        ("latency_low_us", 16.94, "16.9"),
        ("python_overhead_us", 0.3521, "0.352"),
        ("invoke, µs an image", 0.0, "0.00"),
        ("total_ms", 3.14159, "3.14"),
        ("latency_ratio_low", 0.98765, "0.988"),
        ("file, times smaller", 3.7, "3.70"),
        ("sqnr_db", 31.4159, "31.4"),
        ("SQNR, dB", -0.04, "-0.0"),
        ("rmse_steps", 0.28868, "0.289"),
        ("entropy_bits", 2.3456, "2.35"),
        ("bits", 8, "8"),
        ("p_value", 0.03456, "0.0346"),
        ("p_value", 0.049984, "0.049984"),
        ("p_value", 1e-12, "< 0.001"),
        ("p_value", 0.001, "0.001"),
        ("p, qat against start", 1.0, "1"),
        ("n", 10000, "10,000"),
        ("n", 10000.0, "10,000"),
        ("scale", 0.0039215686, "0.00392157"),
        ("val_loss", 0.1234567, "0.123457"),
        ("high", np.inf, "inf"),
        ("accuracy", np.nan, "–"),
        ("within_law", True, "True"),
        ("accuracy_status", "measured", "measured"),
        (("sparsity", "conv"), 0.25, "25.0%"),
    ],
)
def test_number_is_shown_by_the_unit_in_the_name(name, value, text):
    assert shown(name, value) == text


def test_numbers_among_words_are_shown_by_the_unit_too():
    frame = pd.DataFrame({"int8": {"size_bytes": 2048, "p_value": 1e-9, "delegate": "XNNPACK"}}).T
    cells = re.findall("<td>(.*?)</td>", html(frame))
    assert cells == ["2,048", "&lt; 0.001", "XNNPACK"]


def test_html_is_escaped_whole_and_the_same_each_time():
    frame = pd.DataFrame({"p_value": [1e-9, np.nan], "kind": ["<b>", "&"]})
    made = html(frame)
    for text in ("&lt; 0.001", "&lt;b&gt;", "<td>–</td>", "&amp;"):
        assert text in made
    assert made == html(frame.copy())


def test_columns_of_one_name_and_many_rows_do_no_harm():
    frame = pd.DataFrame(np.full((5000, 2), 0.5), columns=["share", "share"], index=[7] * 5000)
    made = html(frame)
    assert made.count("<td>50.0%</td>") == 2 * 60
    assert "<td>…</td>" in made or "<td>...</td>" in made


def test_result_holds_its_table_and_says_one_line():
    found = Measured(pd.DataFrame({"size_bytes": [1024]}, index=["file"]))
    assert found.to_frame() is found.table
    assert str(found) == "one file of 1,024 bytes"
    assert repr(found) == "Measured(one file of 1,024 bytes)"
    assert "<td>1,024</td>" in found._repr_html_()


def test_table_may_be_made_when_it_is_asked_for():
    class Later(Measured):
        def to_frame(self):
            return self.table.assign(share=0.5)

    assert "<td>50.0%</td>" in Later(pd.DataFrame({"size_bytes": [1]}))._repr_html_()


def test_what_a_line_says_whole_has_no_table():
    class Said(Result):
        def summary(self):
            return "one"

    assert Said()._repr_html_() is None
    assert repr(Said()) == "Said(one)"
