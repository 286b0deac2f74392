"""The page of a comparison in a real browser: pictures are seen, and nothing is asked for."""

import pytest

import qkit as qk

pytestmark = pytest.mark.browser
SEEN = "[...document.images].map(i => i.complete && i.naturalWidth > 300 && i.alt)"


def test_pictures_are_seen_and_nothing_is_loaded(page, hand_made, tmp_path):
    found = hand_made({"float32": (range(20), 80, 10), "a|<b> $x$": (range(24), 20, 5)})
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    path = qk.report(found, tmp_path / "page.html", also=[found.against(found)])
    page.goto(path.as_uri())
    assert page.evaluate(SEEN) == ["picture: Size and accuracy", "picture: Latency"]
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "a wide table scrolls by itself"
