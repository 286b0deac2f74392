"""The sheet to draw on, by itself in a real browser: what hand and keys send, and what is seen."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qkit.widgets import drawing
from qkit.widgets.drawing import BRUSH, SHEET, rasterise

pytestmark = pytest.mark.browser

# As much of a widget's model as the sheet uses
MODEL = """
async ([source, size, brush]) => {
  const values = { strokes: [], size, brush };
  const heard = [];
  window.saved = 0;
  window.model = {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; heard.forEach((tell) => tell()); },
    save_changes: () => { window.saved += 1; },
    on: (event, tell) => heard.push(tell),
    off: (event, tell) => heard.splice(heard.indexOf(tell), 1),
  };
  const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  window.leave = module.default.render({ model: window.model, el: document.body });
  window.heard = heard;
}
"""


@pytest.fixture
def sheet(page):
    source = Path(drawing.__file__).with_name("canvas.js").read_text(encoding="utf-8")
    page.evaluate(MODEL, [source, SHEET, BRUSH])
    return page.locator("canvas")


def strokes(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return page.evaluate("model.get('strokes')")


def seen(page):
    """Return the ink that the browser shows, 0 to 1."""
    url = page.evaluate("document.querySelector('canvas').toDataURL()")
    pixels = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(pixels)[..., 3] / 255


def drag(page, sheet, points):
    box = sheet.bounding_box()
    corner = box["x"] + 1, box["y"] + 1  # inside the border
    for place, (x, y) in enumerate(points):
        page.mouse.move(corner[0] + x, corner[1] + y)
        if place == 0:
            page.mouse.down()
    page.mouse.up()


def test_the_mouse_draws_what_is_sent_and_python_makes_the_same_ink(page, sheet):
    drag(page, sheet, [(60, 50), (200, 60), (120, 240)])
    drag(page, sheet, [(90, 150)])
    found = strokes(page)
    assert [len(stroke) for stroke in found] == [3, 1]
    np.testing.assert_allclose(found[0], [(60, 50), (200, 60), (120, 240)], atol=3)
    ink = rasterise(found)
    shown = seen(page)
    assert abs(shown - ink).sum() < 0.1 * ink.sum()  # but for edges, soft or a unit off
    assert shown[150, 90] == 1, "a dot is seen"
    page.mouse.move(10, 10)
    assert strokes(page) == found, "a lifted pen leaves no ink"


def test_clear_and_a_change_by_the_kernel(page, sheet):
    drag(page, sheet, [(60, 50), (200, 60)])
    page.get_by_role("button", name="Clear").click()
    assert strokes(page) == []
    assert not seen(page).any()
    page.evaluate("model.set('strokes', [[[100, 100], [180, 100]]])")
    assert seen(page)[100, 140] == 1


def test_keys_draw_too(page, sheet):
    sheet.focus()
    for key in ("ArrowLeft", "Space", "ArrowDown", "Shift+ArrowRight", "Space", "ArrowUp"):
        page.keyboard.press(key)
    assert strokes(page) == [[[130, 140], [130, 150], [160, 150]]]
    page.keyboard.press("Delete")
    assert strokes(page) == []


def test_what_the_kernel_echoes_does_not_disturb_a_stroke(page, sheet):
    box = sheet.bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.evaluate("model.set('strokes', [])")  # an older state comes back
    page.mouse.move(box["x"] + 150, box["y"] + 50)
    page.mouse.up()
    assert len(strokes(page)[0]) == 3


def test_a_closed_view_no_longer_listens(page, sheet):
    assert page.evaluate("heard.length") == 1
    page.evaluate("leave()")
    assert page.evaluate("heard.length") == 0
