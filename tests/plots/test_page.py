"""The page of a comparison shows pictures and what is taken along, and loads nothing."""

import base64
import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import pandas as pd
import pytest

import qkit as qk

ROWS = {"float32": (range(20), 80, 10), "<i>mine|": (range(24), 20, 5)}


def images(page):
    """Return the SVG of each picture."""
    found = re.findall(r"src='data:image/svg\+xml;base64,([^']+)'", page)
    return [base64.b64decode(image).decode() for image in found]


def bare(page):
    """Return a page without what lies in it as data."""
    return re.sub(r"src='data:[^']+'", "", page)


def headings(page):
    return re.findall("<h2>(.*?)</h2>", page)


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a page by a function, and reads it again."""

    def write(report, *given, **named):
        return report(*given, tmp_path / "page.html", **named).read_text(encoding="utf-8")

    return write


def test_pictures_are_in_the_page_and_it_loads_nothing(hand_made, written, figures):
    page = written(qk.report, hand_made(ROWS))
    assert headings(page) == ["Size and accuracy", "Latency", "Measured with"]
    assert not re.search(r"https?:|src=|href=|@import|url\(|<script|<link", bare(page))
    drawn = images(page)
    assert len(drawn) == 2
    for image in drawn:
        ElementTree.fromstring(image)
        assert not re.search(r'href="(?!#)|@import|<script', image), "it names its own parts alone"
    assert "alt='picture: Latency'" in page
    assert "no other of 2 schemes beats these in file size and accuracy at once" in page
    assert "<i>" not in page
    assert set(plt.get_fignums()) == figures, "its own figures are closed"


def test_the_same_comparison_gives_the_same_page_but_for_names_of_parts(hand_made, written):
    with plt.rc_context({"svg.hashsalt": "fixed"}):
        assert written(qk.report, hand_made(ROWS)) == written(qk.report, hand_made(ROWS))


def test_without_accuracies_size_stands_against_latency(tflite, digits, written):
    model, extra = tflite("float32"), {"it": tflite("full_integer")}
    found = qk.compare(model, None, [], calibration=digits.x_test[:9], extra=extra)
    assert headings(written(qk.report, found))[:2] == ["Size and latency", "Latency"]
    found = qk.compare(model, digits.x_test[:9], [], extra=extra)
    page = written(qk.report, found)
    assert headings(page)[:3] == ["Size and latency", "Scores", "Latency"]
    assert found.provenance.items_sha256 in page, "where it was measured, not where it is written"


def test_results_tables_and_figures_come_along_each_under_a_heading(hand_made, written, figures):
    found = hand_made(ROWS)
    table = pd.DataFrame({"<b>": ["<script>"]})
    ax = qk.plot_latencies(found)
    also = [qk.tradeoff(found), found.paired["<i>mine|"], found.paired["float32"], table, ax]
    page = written(found.to_html, also=also)
    assert headings(page) == ["Tradeoff", "Paired", "Paired", "Data frame", "Axes", "Measured with"]
    assert found.paired["<i>mine|"].summary() in page
    assert len(images(page)) == 1
    assert not re.search("<script>|<b>|<i>", page)
    page = written(qk.report, found, also={"Mine <b>": ax.figure})
    assert headings(page)[2] == "Mine &lt;b&gt;"
    assert len(images(page)) == 3
    assert plt.fignum_exists(ax.figure.number), "a user's own figure stays open"


@pytest.mark.parametrize("also", [[3], {"a": None}, 7, "ab"])
def test_what_cannot_be_shown_is_refused_and_nothing_is_written(hand_made, also, tmp_path):
    found, path = hand_made(ROWS), tmp_path / "page.html"
    for write in (found.to_html, lambda path, also: qk.report(found, path, also=also)):
        with pytest.raises(TypeError, match="also"):
            write(path, also=also)
    assert not path.exists()
