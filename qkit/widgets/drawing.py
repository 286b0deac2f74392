"""From strokes to an image like MNIST's: ink, size and centre, and what disturbs an image."""

import numpy as np

SHEET = 280  # side of the sheet that is drawn on; ten of its units are one pixel of the image
BRUSH = 24  # width of its brush: MNIST's strokes are two to three pixels wide
SIDE, BOX = 28, 20  # of MNIST's images, and of the box that a digit fills
_MIDDLE = 14.5  # where the mass is in the 10,000 test images: the middle of pixel 14, ± 0.3

_NOISE = np.random.default_rng(0).normal(size=(SIDE, SIDE)).astype(np.float32)


def rasterise(strokes):
    """Return the ink that strokes leave on the sheet.

    Parameters
    ----------
    strokes : iterable of iterable of (float, float)
        The points (x, y) of each stroke, 0 to 280, y downwards. A single point is a dot.

    Returns
    -------
    ndarray of shape (280, 280), float32, 0 or 1

    Examples
    --------
    >>> rows, columns = np.nonzero(rasterise([[(140, 140)]]))  # a dot, as wide as the brush
    >>> int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    (24, 24)
    """
    from PIL import Image, ImageDraw

    sheet = Image.new("1", (SHEET, SHEET))
    pen, radius = ImageDraw.Draw(sheet), (BRUSH - 1) / 2
    for stroke in strokes:
        points = [(float(x), float(y)) for x, y in stroke]
        pen.line(points, fill=1, width=BRUSH)
        for x, y in points:  # round ends and joints
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    return np.asarray(sheet, np.float32)


def shrink(ink):
    """Return a square sheet as an image of 28×28: each pixel is the mean of its part.

    Parameters
    ----------
    ink : ndarray of shape (n, n), float, in [0, 1]

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]

    Examples
    --------
    >>> shrink(np.eye(56, dtype=np.float32))[0, :2].tolist()
    [0.5, 0.0]
    """
    cover = _cover(len(ink), SIDE / len(ink), 0)
    return _means(ink, cover, cover)


def like_mnist(ink):
    """Return ink as MNIST has it: the digit fills a box of 20×20, its mass is in the middle.

    Of MNIST's own test images, 9,996 of 10,000 stay as they are.

    Parameters
    ----------
    ink : ndarray of shape (height, width), float, in [0, 1]
        Dark is 1, paper is 0; of any resolution.

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]
        All 0 where there is no ink.

    References
    ----------
    Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits",
    http://yann.lecun.com/exdb/mnist/: images were "size normalized to fit in a 20x20 pixel box
    while preserving their aspect ratio", their grey levels come from the anti-aliasing, and the
    centre of mass was put "at the center of the 28x28 field".

    Examples
    --------
    >>> ink = np.zeros((100, 100), np.float32)
    >>> ink[10:40, 5:15] = 1  # a small upright stroke in a corner
    >>> rows, columns = np.nonzero(like_mnist(ink) > 0.01)
    >>> int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    (20, 7)
    """
    inked = [np.flatnonzero(ink.any(axis=1 - axis)) for axis in (0, 1)]
    if inked[0].size == 0:
        return np.zeros((SIDE, SIDE), np.float32)
    scale = BOX / (1 + max(np.ptp(at) for at in inked))
    covers = []
    for axis, at in enumerate(inked):
        mass = np.average(np.arange(ink.shape[axis]) + 0.5, weights=ink.sum(axis=1 - axis))
        start = np.rint(_MIDDLE - scale * (mass - at[0]))  # shifted by whole pixels, it stays sharp
        start = np.clip(start, 0, SIDE - np.ceil(scale * (1 + np.ptp(at))))
        covers.append(_cover(ink.shape[axis], scale, start - scale * at[0]))
    return _means(ink, *covers)


def disturb(image, *, right=0, down=0, turn=0.0, noise=0.0):
    """Return an image shifted, turned and covered with noise.

    Parameters
    ----------
    image : ndarray of shape (28, 28), float32, in [0, 1]
    right, down : float
        Shift in pixels; what leaves the image is lost.
    turn : float
        Clockwise about the middle, before the shift; degrees.
    noise : float
        Standard deviation of what is added to each pixel, the same pattern each time; the sum is
        clipped to [0, 1].

    Returns
    -------
    ndarray of shape (28, 28), float32, in [0, 1]

    Examples
    --------
    >>> image = np.eye(28, dtype=np.float32)
    >>> bool((disturb(image, right=3)[:, 3:] == image[:, :-3]).all())
    True
    """
    if right or down or turn:
        from scipy.ndimage import affine_transform

        angle, middle = np.deg2rad(turn), (SIDE - 1) / 2
        # where a pixel of the result comes from, in (row, column)
        back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = middle - back @ (np.array([down, right]) + middle)
        image = affine_transform(image, back, offset, order=1)
    return np.clip(image + np.float32(noise) * _NOISE, 0, 1) if noise else image


def _cover(length, scale, offset):
    """Return which part of each of 28 pixels each of `length` source pixels covers.

    Pixel i of the source reaches from ``scale * i + offset`` over a width of `scale`.
    """
    left = scale * np.arange(length) + offset
    pixels = np.arange(SIDE)[:, None]
    cover = np.minimum(left + scale, pixels + 1) - np.maximum(left, pixels)
    return np.maximum(cover, 0).astype(np.float32)


def _means(ink, rows, columns):
    """Return the mean of the ink over each pixel."""
    # not @: its threads wait for more work so eagerly that what follows takes twice as long
    columns_done = np.einsum("ij,cj->ic", ink, columns)
    return np.einsum("ri,ic->rc", rows, columns_done).astype(np.float32)
