"""A sheet to draw on with the mouse; the one control that needs JavaScript of its own."""

import functools
import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import traitlets

from qkit.widgets.drawing import BRUSH, SHEET, SIDE


@dataclass(frozen=True)
class Drawing:
    """Strokes on a sheet of 280×280, each a tuple of points (x, y), as a value."""

    strokes: tuple = ()

    def __str__(self):
        n = len(self.strokes)
        steps = (math.dist(*step) for stroke in self.strokes for step in itertools.pairwise(stroke))
        pixels = sum(steps) * SIDE / SHEET
        return f"{n} stroke{'s' * (n > 1)}, {pixels:.0f} pixels long" if n else "nothing"


def drawing_canvas(description):
    """Return a sheet to draw on, whose `value` is a Drawing; it needs the package anywidget."""
    return _canvas_class()(description=description)


@functools.cache
def _canvas_class():
    import anywidget

    class Canvas(anywidget.AnyWidget):
        _esm = Path(__file__).with_name("canvas.js")
        strokes = traitlets.List().tag(sync=True)
        size = traitlets.Int(SHEET).tag(sync=True)
        brush = traitlets.Int(BRUSH).tag(sync=True)
        description = traitlets.Unicode().tag(sync=True)
        value = traitlets.Instance(Drawing, ())
        style = SimpleNamespace(description_width="")  # which explorers set, for other controls

        @traitlets.observe("strokes")
        def _drawn(self, change):
            self.value = Drawing(tuple(tuple(map(tuple, stroke)) for stroke in change["new"]))

    return Canvas
