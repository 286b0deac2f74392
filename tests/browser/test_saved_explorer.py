"""A saved explorer in a real browser: it moves by keyboard and mouse, and asks nobody."""

import pytest
from lab_driver import ARTIFACTS
from playwright.sync_api import expect

import qkit as qk

pytestmark = pytest.mark.browser


def test_it_moves_without_a_kernel_or_a_server(page, tmp_path):
    explorer = qk.explore_number(0.1)
    path, asked = explorer.save(tmp_path / "number.html", states=40), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    picture, words = page.locator("#picture"), page.get_by_role("status")
    slider = page.get_by_label("drag", exact=True)
    expect(words).to_contain_text(explorer.said)
    before = picture.get_attribute("src")
    slider.focus()
    slider.press("ArrowRight")
    expect(picture).not_to_have_attribute("src", before)
    expect(words).to_contain_text("drag: 0.1 → ")
    said = words.inner_text()
    slider.click(position={"x": 3, "y": 5})
    expect(words).not_to_have_text(said)
    assert page.evaluate("document.getElementById('picture').naturalWidth") > 300
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / "saved_explorer.png")
