"""A sheet to draw on; from its strokes to an image like MNIST's, and what disturbs an image."""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import traitlets
from PIL import Image, ImageDraw
from scipy.ndimage import center_of_mass, rotate, shift

SHEET = 280  # side of the sheet; ten of its units are one pixel of the image
BRUSH = 24  # width of its brush: MNIST's strokes are two to three pixels wide
SIDE, BOX = 28, 20  # of MNIST's images, and of the box that a digit fills
_NOISE = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)


@dataclass(frozen=True)
class Drawing:
    """Strokes on a sheet of 280×280, each a tuple of points (x, y), as a value."""

    strokes: tuple = ()

    def __str__(self):
        if not self.strokes:
            return "nothing"
        steps = (math.dist(*step) for stroke in self.strokes for step in itertools.pairwise(stroke))
        several = "s" * (len(self.strokes) > 1)
        return f"{len(self.strokes)} stroke{several}, {sum(steps) * SIDE / SHEET:.0f} pixels long"


def drawing_canvas():
    """Return a sheet to draw on, whose `value` is a Drawing; None without the package anywidget."""
    try:
        import anywidget
    except ImportError:
        return None

    class Canvas(anywidget.AnyWidget):
        _esm = Path(__file__).with_name("canvas.js")
        strokes = traitlets.List().tag(sync=True)
        size = traitlets.Int(SHEET).tag(sync=True)
        brush = traitlets.Int(BRUSH).tag(sync=True)
        value = traitlets.Instance(Drawing, ())
        description, style = "", SimpleNamespace(description_width="")  # as other controls have

        @traitlets.observe("strokes")
        def _drawn(self, change):
            self.value = Drawing(tuple(tuple(map(tuple, stroke)) for stroke in change["new"]))

    return Canvas()


def rasterise(strokes):
    """Return the ink that strokes of points (x, y) leave on the sheet: (280, 280), 0 or 1."""
    sheet = Image.new("1", (SHEET, SHEET))
    pen, radius = ImageDraw.Draw(sheet), (BRUSH - 1) / 2
    for stroke in strokes:
        points = [*map(tuple, stroke)]
        pen.line(points, fill=1, width=BRUSH)
        for x, y in points:  # round ends and joints
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.asarray(sheet, np.float32)


def shrink(ink):
    """Return square ink, float32, as an image of 28×28, each pixel the mean of its part."""
    return np.array(Image.fromarray(ink).resize((SIDE, SIDE), Image.Resampling.BOX))


def like_mnist(ink):
    """Return ink as MNIST has it: the digit fills a box of 20×20, its mass is in the middle.

    So say its authors, http://yann.lecun.com/exdb/mnist/; of its 10,000 test images, 9,996 stay.
    """
    image = np.zeros((SIDE, SIDE), np.float32)
    if not ink.any():
        return image
    sheet = Image.fromarray(ink)
    left, top, right, bottom = sheet.getbbox()
    side = max(right - left, bottom - top)
    square = sheet.crop((left, top, left + side, top + side))  # beyond the sheet there is no ink
    image[:BOX, :BOX] = square.resize((BOX, BOX), Image.Resampling.BOX)
    extent = np.argwhere(image).max(axis=0) + 1
    # to pixel 14, where it is in the 10,000 test images, ± 0.3; by whole pixels, it stays sharp
    move = np.rint(14 - np.array(center_of_mass(image)))
    return np.roll(image, np.clip(move, 0, SIDE - extent).astype(int), axis=(0, 1))


def disturb(image, *, right=0, down=0, turn=0.0, noise=0.0):
    """Return an image turned clockwise (degrees), shifted (pixels), and covered with noise (SD).

    The noise has the same pattern each time; what it adds is clipped to [0, 1].
    """
    if turn:
        image = rotate(image, -turn, reshape=False, order=1)
    if right or down:
        image = shift(image, (down, right), order=1)
    return np.clip(image + np.float32(noise) * _NOISE, 0, 1) if noise else image
