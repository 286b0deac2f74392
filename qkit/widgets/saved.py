"""An explorer as a page: without a kernel its controls move through pictures drawn before."""

import base64
import html
import io
import itertools
import json
import math
from pathlib import Path

import ipywidgets as ipw
from PIL import Image

from qkit import validate
from qkit.cache import write_atomically
from qkit.widgets.controls import labels, word
from qkit.widgets.explorer import SHARP

_PAGE = Path(__file__).with_name("saved.html")
_COLOURS = 128  # of a picture: two thirds of its bytes, and no difference to be seen


def save(explorer, path, *, states=200):
    """Write an explorer to one HTML file; `Explorer.save` says what."""
    states = validate.whole(states, name="save: states", least=2, most=5000)
    moved = _positions(explorer.controls, states)
    if not moved:
        raise ValueError("save: the explorer has no control with positions to move through.")
    controls = explorer.controls
    before = {name: control.value for name, control in controls.items()}
    others = {name: {value} for name, value in before.items() if name not in moved}
    pictures = []
    try:
        for chosen in itertools.product(*moved.values()):
            pictures.append(_still(explorer, dict(zip(moved, chosen, strict=True))))
            for name, values in others.items():
                values.add(controls[name].value)
    finally:
        for name, value in before.items():
            controls[name].value = value
        explorer.wait()
    shown = [_told(name, controls[name], at, before[name]) for name, at in moved.items()]
    told = {"alt": explorer.alt, "size": explorer.size, "controls": shown, "states": pictures}
    held = ", ".join(  # a control that another takes along is not held
        f"{controls[name].description} {word(value, labels(controls[name]))}"
        for name, (value, *more) in others.items()
        if not more
    )
    page = _PAGE.read_text(encoding="utf-8").replace("QKIT_HELD", html.escape(held))
    data = json.dumps(told).replace("<", "\\u003c")  # no text may end the script
    path = Path(path)
    write_atomically(path, page.replace("QKIT_STATES", data).encode())
    return path


def _positions(controls, states):
    """Return by control the values to show: all, or fewer where their product would be too many."""
    found = {name: _values(control) for name, control in controls.items()}
    found = {name: values for name, values in found.items() if len(values) > 1}
    while math.prod(map(len, found.values())) > states:
        name = max(found, key=lambda name: len(found[name]))
        kept = _thinned(found[name], controls[name].value)
        found[name] = kept
        if len(kept) < 2:
            del found[name]
    return found


def _values(control):
    if isinstance(control, (ipw.IntSlider, ipw.FloatSlider)) and not control.disabled:
        steps = round((control.max - control.min) / control.step)
        values = [control.min + control.step * i for i in range(steps + 1)]
        return sorted({*(round(value, 10) for value in values), control.value})
    return [] if isinstance(control.value, tuple) else [*labels(control)]


def _thinned(values, present):
    """Return every second value, the present one among them."""
    return values[values.index(present) % 2 :: 2]


def _still(explorer, chosen):
    """Return the picture, as a PNG in base64, and the words of an explorer at these values."""
    for name, value in chosen.items():
        if explorer.controls[name].value != value:
            explorer.controls[name].value = value
    explorer.wait()
    with Image.open(io.BytesIO(explorer.png(SHARP))) as image:
        small, file = image.convert("RGB").quantize(_COLOURS), io.BytesIO()
    small.save(file, "PNG")
    return [base64.b64encode(file.getvalue()).decode(), explorer.said]


def _told(name, control, values, present):
    words = [word(value, labels(control)) for value in values]
    return {"name": control.description or name, "words": words, "at": values.index(present)}
