"""A figure that is redrawn in milliseconds: only what moves is drawn anew."""

import contextlib
import struct
import zlib

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


class LiveFigure:
    """Draws a figure's fixed parts once, and its animated artists as often as they change.

    Where a fixed part changes all the same, all is drawn once more, which takes several times as
    long; of a figure of nothing but subfigures, the one that changed, over its face colour.
    """

    def __init__(self, figure):
        self._canvas = FigureCanvasAgg(figure)
        self._figure = figure
        moving = figure.findobj(lambda artist: artist.get_animated())
        self._moving = sorted(moving, key=lambda artist: artist.get_zorder())
        self._canvas.draw()  # settles the layout
        figure.set_layout_engine("none")  # nothing may shift from one redraw to the next
        self._backgrounds = {}  # by how many times as many pixels each way
        self._draw_fixed()

    @property
    def size(self):
        """Width and height of the picture, in pixels."""
        return tuple(map(int, self._figure.bbox.size))

    def _draw_fixed(self, ratio=1):
        visible = {artist: artist.get_visible() for artist in self._moving}
        for artist in self._moving:
            artist.set_visible(False)  # animated images would be drawn into the background
        parts = self._figure.subfigs
        # what the figure has besides its parts may lie across them
        nothing_else = {*self._figure.get_children()} == {self._figure.patch, *parts}
        if ratio in self._backgrounds and nothing_else:
            self._canvas.restore_region(self._backgrounds[ratio])
            for part in parts:
                if part.stale:
                    part.draw(self._canvas.get_renderer())
            self._figure.stale = False
        else:
            self._canvas.draw()
        self._backgrounds[ratio] = self._canvas.copy_from_bbox(self._figure.bbox)
        for artist, was_visible in visible.items():
            artist.set_visible(was_visible)

    def png(self, ratio=1):
        """Return the picture as it is now as a PNG, of `ratio` times as many pixels each way."""
        if self._figure.stale:  # matplotlib's own note that a part changed which is not animated
            self._draw_fixed()
            self._backgrounds = {1: self._backgrounds[1]}
        with self._enlarged(ratio):
            if ratio not in self._backgrounds:
                self._draw_fixed(ratio)
            self._canvas.restore_region(self._backgrounds[ratio])
            for artist in self._moving:
                self._figure.draw_artist(artist)
            return _png(np.asarray(self._canvas.buffer_rgba()))

    @contextlib.contextmanager
    def _enlarged(self, ratio):
        """Give the figure `ratio` times as many pixels an inch for a while, and nothing else."""
        dpi = self._figure.dpi
        if ratio == 1:  # in a drag, where each redraw counts
            yield
            return
        try:
            self._figure.dpi = ratio * dpi
            yield
        finally:
            self._figure.dpi = dpi
            self._figure.stale = False


def _png(rgba):
    """Return uint8 RGBA pixels as a PNG file; with a filter a row, Pillow takes twice as long."""
    height, width, _ = rgba.shape
    rows = np.pad(rgba.reshape(height, -1), ((0, 0), (1, 0)))  # each begins with its filter, 0
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)  # 8 bits, red green blue alpha
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, level=1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
