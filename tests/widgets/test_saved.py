"""An explorer as a page: each state is what the explorer shows there, and it is left as it was."""

import base64
import io
import json
import re

import ipywidgets as ipw
import numpy as np
import pytest
from PIL import Image

import qkit as qk
from qkit.widgets.saved import _positions


@pytest.fixture
def explorer():
    return qk.explore_number(0.1, low=-1, high=1)


def told(path):
    page = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="states">(.*?)</script>', page, re.DOTALL)[1])


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), float)


@pytest.mark.slow
def test_states_are_what_the_explorer_shows_and_it_is_left_as_it_was(explorer, tmp_path):
    before = {name: control.value for name, control in explorer.controls.items()}
    found = told(explorer.save(tmp_path / "number.html", states=10))
    assert {name: control.value for name, control in explorer.controls.items()} == before
    drag, symmetric = found["controls"]
    assert found["size"] == list(explorer.size)
    assert (drag["name"], symmetric["words"]) == ("drag", ["no", "yes"])
    assert drag["words"][drag["at"]] == "0.1"
    assert len(found["states"]) == len(drag["words"]) * 2 <= 10
    for place in (0, drag["at"], len(drag["words"]) - 1):
        image, words = found["states"][2 * place + 1]
        explorer.controls["symmetric"].value = True
        explorer.controls["drag"].value = float(drag["words"][place])
        assert words == explorer.said
        off = np.abs(pixels(base64.b64decode(image)) - pixels(explorer.png(2)))
        assert off.mean() < 2  # of 255: fewer colours


def test_what_is_typed_is_told_as_held_and_what_is_taken_along_is_not(explorer, tmp_path):
    page = explorer.save(tmp_path / "number.html", states=4).read_text(encoding="utf-8")
    (held,) = re.findall(r'id="held">(.*?)</span>', page)
    assert held == "range, low -1, range, high 1"


def test_longest_controls_give_way_first_and_keep_their_present_value():
    controls = {
        "few": ipw.ToggleButtons(options=["a", "b", "c"], value="b"),
        "many": ipw.IntSlider(7, min=0, max=99),
        "typed": ipw.FloatText(1.0),
        "several": ipw.SelectMultiple(options=[1, 2], value=(1,)),
    }
    assert {name: len(v) for name, v in _positions(controls, 300).items()} == {
        "few": 3,
        "many": 100,
    }
    found = _positions(controls, 30)
    assert 7 in found["many"]
    assert len(found["few"]) * len(found["many"]) <= 30
    assert found["few"] == ["a", "b", "c"]


def test_text_cannot_end_the_script(explorer, tmp_path):
    explorer.alt = "</script><b>"
    path = explorer.save(tmp_path / "number.html", states=2)
    assert told(path)["alt"] == "</script><b>"
    assert "</script><b>" not in path.read_text(encoding="utf-8")


def test_fewer_than_two_states_and_nothing_to_move_are_refused(explorer, tmp_path):
    with pytest.raises(ValueError, match="save: states must be"):
        explorer.save(tmp_path / "number.html", states=1)
    explorer.controls = {"value": explorer.controls["value"]}
    with pytest.raises(ValueError, match="no control with positions"):
        explorer.save(tmp_path / "number.html")
    assert not [*tmp_path.iterdir()]
