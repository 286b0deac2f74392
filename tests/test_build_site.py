"""What the site is made from: a page for every name, pages of explorers, nothing from elsewhere."""

import nbformat
import pytest
from nbformat import v4

import qkit as qk
from tools import build_site
from tools.render import ROOT


def test_the_names_are_all_public_ones_in_the_order_of_the_course():
    listed = build_site.names()
    assert sorted(name for group in listed.values() for name in group) == qk.__all__
    assert [*listed][:2] == ["00 Start here", "01 Numbers on a grid"]
    assert "compare" in listed["00 Start here"]


@pytest.mark.parametrize("name", qk.__all__)
def test_each_name_has_a_page_that_asks_for_its_docstring(name):
    title, line, _, directive, *_ = build_site.page(name).split("\n")
    assert title == f"qk.{name}"
    assert len(line) == len(title)
    assert directive.startswith(".. auto") or name == "SCHEMES"


def test_a_function_that_returns_a_result_is_followed_by_it():
    assert ".. autoclass:: qkit.evaluate.comparison.Comparison\n" in build_site.page("compare")
    assert "autoclass" not in build_site.page("sqnr_db")


def test_the_weights_of_an_explorer_are_the_walkthroughs():
    shapes = {name: kernel.shape for name, kernel in build_site.kernels().items()}
    assert shapes == {"dense weights": (10, 2028), "conv weights": (12, 3, 3, 1)}


def test_an_explorer_has_a_link_below_it_and_a_badge_is_words():
    badge = "# 01 · A\n\n[![Colab](https://x.org/a.svg)](https://y.org/b)"
    sources = ["qk.explore_number(0.1)", "qk.explore_bits(file)", "qk.compare(model, data)"]
    cells = [v4.new_markdown_cell(badge), *map(v4.new_code_cell, sources)]
    made = build_site.with_pages(v4.new_notebook(cells=cells)).cells
    assert made[0].source == "# 01 · A\n\n[Colab](https://y.org/b)"
    assert [cell.source for cell in made[3:]] == sources[1:]
    assert 'href="../explorers/explore_number.html"' in made[2].source


def test_each_saved_explorer_is_in_a_lesson():
    paths = ROOT.glob("notebooks/*.ipynb")
    shown = [cell.source for path in paths for cell in nbformat.read(path, as_version=4).cells]
    assert all(any(f"qk.{name}(" in source for source in shown) for name in build_site.SAVED)


def test_a_page_has_one_title():
    cells = [v4.new_markdown_cell(text) for text in ("# 03 · A", "# Part one\nProse.", "## 1 B")]
    made = build_site.with_pages(v4.new_notebook(cells=cells)).cells
    assert [cell.source for cell in made] == ["# 03 · A", "## Part one\nProse.", "## 1 B"]
