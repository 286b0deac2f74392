"""Pictures of a layer's weights: how they are spread, and which of them are left."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from qkit.plots.style import INTEGER, mark, new_axes

_BINS = 81  # an odd number, so that one of them is about zero
_FEW = 64  # distinct values that are drawn one by one
_LONGEST = 160  # inputs of a kernel that is drawn as one matrix; longer rows are folded
_EMPTY = "#DDDDDD"


def plot_weight_histogram(weights, *, ax=None):
    """Draw how often weights of each size occur, on a logarithmic axis, and zeros by themselves.

    Parameters
    ----------
    weights : mapping of str to ndarray
        The same layer in several states, such as "before" and "after"; on one scale, so integers
        as they are stored do not go with real values.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Zeros are left out of the bins and drawn as a spike, with their share in the legend; so is
        each value where there are no more than 64, as after clustering.
    """
    ax = ax or new_axes()
    values = {name: np.asarray(w, np.float64).ravel() for name, w in weights.items()}
    reach = max(np.abs(v).max() for v in values.values()) or 1.0
    edges = np.linspace(-reach, reach, _BINS + 1)
    for row, (name, v) in enumerate(values.items()):
        colour, marker = mark(row)
        others = v[v != 0]
        zeros = v.size - others.size
        levels, counts = np.unique(others, return_counts=True)
        label = f"{name}: {zeros / v.size:.1%} zeros"
        if levels.size <= _FEW:
            ax.vlines(levels, 0.5, counts, color=colour, lw=1.2)
            label += f", {levels.size} other values"
            ax.plot(levels, counts, marker, color=colour, ms=5, label=label)
        else:
            look = {"fill": True, "alpha": 0.25} if row == 0 else {"lw": 1.5}
            ax.stairs(np.histogram(others, edges)[0], edges, color=colour, label=label, **look)
        if zeros:
            ax.vlines(0, 0.5, zeros, color=colour, lw=2.5)
            ax.plot(0, zeros, marker, color=colour, ms=8, mec="white")
            place = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(f"{zeros / v.size:.1%}", (0, zeros), **place)
    ax.set(yscale="log", xlabel="weight", ylabel="how many (logarithmic)")
    ax.set_ylim(bottom=0.5)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


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
    """
    kernel = np.asarray(kernel)
    if kernel.ndim not in (2, 4):
        raise ValueError(
            "plot_mask: the kernel must have the shape (inputs, outputs) or (height, width, "
            f"inputs, outputs), got {kernel.shape}. Draw a layer's kernel, not its bias."
        )
    ax = ax or new_axes()
    left = np.moveaxis(kernel != 0, -1, 0).astype(float)  # outputs first
    outputs, *window, inputs = left.shape
    window = tuple(window) or (1, 1)
    if window == (1, 1) and inputs <= _LONGEST:
        pixels = left.reshape(outputs, inputs)
        ax.set(xlabel="inputs", ylabel="outputs")
    else:
        # (outputs, inputs, height, width): windows side by side, and outputs side by side
        windows = np.moveaxis(left.reshape(outputs, *window, inputs), -1, 1)
        tiles = np.stack([_side_by_side(of_one, gap=0) for of_one in windows])
        pixels = _side_by_side(tiles, gap=max(1, tiles.shape[1] // 16))
        inside = "inputs, folded" if window == (1, 1) else f"windows of {window[0]}×{window[1]}"
        ax.set_xlabel(f"one tile per output; within it {inside}")
    colours = ListedColormap([_EMPTY, INTEGER])
    ax.imshow(pixels, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    words = f"{left.mean():.1%} of {kernel.size:,} weights left", f"{1 - left.mean():.1%} zero"
    handles = [Patch(color=c, label=w) for c, w in zip((INTEGER, _EMPTY), words, strict=True)]
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
