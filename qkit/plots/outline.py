"""Words that change in every frame, as outlines: a letter is laid out once, a `Text` each time."""

from functools import cache

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import TextPath, text_to_path
from matplotlib.transforms import Affine2D


def words(ax, x, y, *, size=9):
    """Return an animated artist for a word at each place: ``set_paths`` takes their outlines."""
    points = Affine2D().scale(size / 72) + ax.figure.dpi_scale_trans
    places = {"offsets": np.column_stack([x, y]), "offset_transform": ax.transData}
    artist = PathCollection([], transform=points, color="black", lw=0, animated=True, **places)
    ax.add_collection(artist, autolim=False)
    artist.set_clip_on(False)
    return artist


def outline(text, *, centred=False):
    """Return a text as one path, in units of its size, which begins or is centred at the origin."""
    paths, advances = zip(*map(_letter, text), strict=True)
    ends = np.cumsum(advances)
    starts = ends - advances - (ends[-1] / 2 if centred else 0)
    # its middle, from the foot of the low letters to the top of the high ones, lies 0.26 above
    vertices = [path.vertices + np.array([x, -0.26]) for path, x in zip(paths, starts, strict=True)]
    return Path(np.concatenate(vertices), np.concatenate([path.codes for path in paths]))


@cache
def _letter(letter):
    """Return a letter's outline, and how far the next one is from it."""
    blank = Path(np.empty((0, 2)), [])
    path = TextPath((0, 0), letter, size=1) if letter.strip() else blank
    return path, _width(f"|{letter}|") - _width("||")


def _width(text):
    return text_to_path.get_text_width_height_descent(text, FontProperties(size=1), False)[0]
