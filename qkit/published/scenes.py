"""Scenes: a few digits of several sizes, scattered over a canvas, with the box of each."""

import numpy as np
from scipy.ndimage import zoom

CANVAS = 56  # pixels, height and width
MOST_DIGITS = 5
NOTHING = -1  # in place of a class, where a scene holds fewer digits than the most
_SCALES = (0.5, 0.9)
_INK = 0.2  # fainter pixels do not widen a box
_MOST_OVERLAP = 0.1  # of the smaller of two boxes
_TRIES = 20


def scenes(x, y, count, rng):
    """Scatter the images of a data set over canvases.

    Each scene is asked for one to five digits; a digit that finds no place in 20 tries is left out.
    No image is used again before all have been.

    Parameters
    ----------
    x : ndarray of shape (n, height, width), float32, in [0, 1]
    y : ndarray of shape (n,), int64
    count : int
        Of scenes.
    rng : numpy.random.Generator

    Returns
    -------
    (ndarray of shape (count, 56, 56), float32; ndarray of shape (count, 5, 5), float32)
        The canvases; and for each digit its class, then top, left, bottom and right of the box
        around its ink, in pixels, bottom and right being the first without it. Rows without a digit
        come last and have the class −1.

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> canvases, found = scenes(digits.x_test, digits.y_test, 3, np.random.default_rng(0))
    >>> canvases.shape, found.shape
    ((3, 56, 56), (3, 5, 5))
    """
    canvases = np.zeros((count, CANVAS, CANVAS), np.float32)
    digits = np.zeros((count, MOST_DIGITS, 5), np.float32)
    digits[:, :, 0] = NOTHING
    images = _each_before_any_twice(len(x), rng)
    for canvas, rows in zip(canvases, digits, strict=True):
        placed = 0
        for _ in range(rng.integers(1, MOST_DIGITS, endpoint=True)):
            image = next(images)
            ink = _ink(zoom(x[image], rng.uniform(*_SCALES), order=1))
            box = _place(ink.shape, rows[:placed, 1:], rng)
            if box is not None:
                top, left, bottom, right = box
                here = canvas[top:bottom, left:right]
                np.maximum(here, ink, out=here)
                rows[placed] = y[image], *box
                placed += 1
    return canvases, digits


def _each_before_any_twice(n, rng):
    while True:
        yield from rng.permutation(n)


def _ink(image):
    """Return the part of an image that holds the ink."""
    rows, columns = (np.flatnonzero((image > _INK).any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(shape, others, rng):
    """Return a box of a shape that hardly overlaps the others, or None where none was found."""
    size = np.array(shape)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    for _ in range(_TRIES):
        start = rng.integers(CANVAS - size, endpoint=True)
        end = start + size
        shared = np.minimum(end, others[:, 2:]) - np.maximum(start, others[:, :2])
        overlap = np.prod(shared.clip(0), axis=1) / np.minimum(areas, size.prod())
        if (overlap <= _MOST_OVERLAP).all():
            return *start, *end
    return None
