"""Picture of which weights of a kernel are left."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from qkit.plots.style import INTEGER, new_axes

_LONGEST = 160  # inputs of a kernel that is drawn as one matrix; longer rows are folded
_EMPTY = "#DDDDDD"


def plot_mask(kernel, *, ax=None):
    """Draw which weights of a kernel are zero and which are left.

    Parameters
    ----------
    kernel : ndarray of shape (inputs, outputs) or (height, width, inputs, outputs)
        As Keras has it; for the layout of a .tflite file pass ``np.moveaxis(kernel, 0, -1)``.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        One row per output where there are few inputs. Else one tile per output: of a convolution
        its windows, one per input channel; of a dense layer its inputs, folded.

    Raises
    ------
    ValueError
        If the kernel has another number of axes.
    """
    kernel = np.asarray(kernel)
    if kernel.ndim not in (2, 4):
        raise ValueError(
            "plot_mask: the kernel must have the shape (inputs, outputs) or (height, width, "
            f"inputs, outputs), got {kernel.shape}. Draw a layer's kernel, not its bias."
        )
    left = np.moveaxis(kernel != 0, -1, 0)  # outputs first
    outputs = len(left)
    window = left.shape[1:3] if left.ndim == 4 else (1, 1)
    per_output = left.reshape(outputs, -1)
    if window == (1, 1) and per_output.shape[1] <= _LONGEST:
        picture, words = per_output.astype(float), ("inputs", "outputs")
    else:
        # (outputs, inputs, height, width): windows side by side, and outputs side by side
        windows = np.moveaxis(left.reshape(outputs, *window, -1), -1, 1).astype(float)
        tiles = np.stack([_side_by_side(of_one, gap=0) for of_one in windows])
        picture = _side_by_side(tiles, gap=max(1, tiles.shape[1] // 16))
        inside = "inputs, folded" if window == (1, 1) else f"windows of {window[0]}×{window[1]}"
        words = (f"one tile per output; within it {inside}", "")
    ax = ax or new_axes()
    ax.imshow(
        np.ma.masked_invalid(picture), cmap=ListedColormap([_EMPTY, INTEGER]), vmin=0, vmax=1,
        interpolation="nearest",
    )  # fmt: skip
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.set(xlabel=words[0], ylabel=words[1])
    share = left.mean()
    handles = [
        Patch(color=INTEGER, label=f"{share:.1%} of {kernel.size:,} weights left"),
        Patch(color=_EMPTY, label=f"{1 - share:.1%} zero"),
    ]
    ax.legend(handles=handles, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


def _side_by_side(tiles, *, gap):
    """Lay tiles of shape (n, height, width) out in rows, in a picture about as high as wide."""
    count, height, width = tiles.shape
    columns = min(count, max(1, int(np.ceil(np.sqrt(count * height / width)))))
    if gap:  # between outputs, where a picture may be wider
        columns = min(count, int(np.ceil(columns * 1.5)))
    rows = -(-count // columns)
    columns = -(-count // rows)  # no fewer in the last row than needed
    padded = np.full((rows * columns, height + gap, width + gap), np.nan)
    padded[:count, :height, :width] = tiles
    grid = padded.reshape(rows, columns, height + gap, width + gap)
    picture = grid.transpose(0, 2, 1, 3).reshape(rows * (height + gap), columns * (width + gap))
    return picture[: picture.shape[0] - gap, : picture.shape[1] - gap]
