"""The site in a real browser: pictures are seen, anchors lead, and nothing is asked for elsewhere.

It needs the extra `site`, which `make site` installs into .venv and `make test` does not: without
it, as in CI, this is skipped. It builds the site itself: 33 s of processor time.
"""

import importlib.util
import re
import subprocess
import sys

import pytest
from lab_driver import ARTIFACTS, ROOT
from playwright.sync_api import expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PACKAGES = ("sphinx", "myst_nb", "furo", "numpydoc")
BUILD = """
import pathlib, sys
from tools import build_site
folder = pathlib.Path(sys.argv[1])
sys.exit(build_site.main(folder / "source", folder / "site", states=8))
"""
BROKEN = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
LESSON = "notebooks/01_numbers_on_a_grid.html"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: `make site` installs what a site is built with")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-c", BUILD, folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a warning of Sphinx's"
    return folder / "site"


@pytest.fixture
def seen(page, site):
    """Return a function that opens a page of the site; what went wrong is looked at in the end."""
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append((message.type, message.text)))
    page.on("pageerror", lambda error: said.append(("error", str(error))))

    def opened(path):
        page.goto(f"{site.as_uri()}/{path}")
        return page

    yield opened
    assert [url for url in asked if not url.startswith((f"{site.as_uri()}/", "data:"))] == []
    assert [text for kind, text in said if kind == "error"] == []


def test_the_index_leads_to_every_lesson(seen):
    page = seen("index.html")
    lessons = sorted(path.stem for path in ROOT.glob("notebooks/*.ipynb"))
    for lesson in lessons:
        link = page.locator(f"article a[href='notebooks/{lesson}.html']")
        expect(link).to_have_count(1)
    page.locator(f"article a[href='notebooks/{lessons[1]}.html']").click()
    expect(page.locator("h1")).to_contain_text("01 · ")


def test_a_lesson_shows_its_stored_pictures_and_an_explorer_moves(seen):
    page = seen(LESSON)
    assert page.locator(".cell_output img").count() >= 5
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function(f"{BROKEN}.length == 0")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "a wide table scrolls by itself"
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "site_lesson.png")
    page.locator("a[href$='explorers/explore_number.html']").click()
    slider, words = page.get_by_label("drag", exact=True), page.get_by_role("status")
    before = words.inner_text()
    slider.press("ArrowRight")
    expect(words).not_to_have_text(before)


def test_the_page_of_a_function_has_its_docstring_and_its_result(seen):
    page = seen("api/compare.html")
    expect(page.locator("h1")).to_contain_text("qk.compare")
    article = page.locator("article")
    expect(article.locator("dt", has_text="schemes").first).to_be_visible()
    expect(article.locator("dt", has_text="to_frame").first).to_be_visible()
    assert page.locator(".problematic").count() == 0


def test_an_anchor_of_the_glossary_is_a_place_on_its_page(seen):
    page = seen("docs/GLOSSARY.html#zero-point")
    expect(page.locator(":target")).to_have_id("zero-point")
    expect(page.locator("td", has=page.locator("#zero-point"))).to_be_in_viewport()


def test_the_search_finds_without_a_server(seen):
    page = seen("search.html?q=requantization")
    expect(page.locator("#search-results li a").first).to_be_visible()


def test_no_page_loads_from_another_server(site):
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"(?:https?:)?//[^>]*>")
    pages = [*site.rglob("*.html")]
    assert len(pages) > 100
    assert [found for path in pages for found in loads.findall(path.read_text("utf-8"))] == []
