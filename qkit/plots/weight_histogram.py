"""Picture of how the weights of a layer are spread, before and after."""

import numpy as np

from qkit.plots.style import mark, new_axes

_BINS = 81  # an odd number, so that one of them is about zero
_FEW = 64  # distinct values that are drawn one by one


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
        levels, counts = np.unique(others, return_counts=True)
        label = f"{name}: {1 - others.size / v.size:.1%} zeros"
        if levels.size <= _FEW:
            ax.vlines(levels, 0.5, counts, color=colour, lw=1.2)
            ax.plot(
                levels,
                counts,
                marker,
                color=colour,
                ms=5,
                label=f"{label}, {levels.size} other values",
            )
        else:
            counts, fill = np.histogram(others, edges)[0], row == 0
            ax.stairs(
                counts, edges, fill=fill, color=colour, alpha=0.25 if fill else 1, lw=1.5,
                label=label,
            )  # fmt: skip
        zeros = v.size - others.size
        if zeros:
            ax.vlines(0, 0.5, zeros, color=colour, lw=2.5)
            ax.plot(0, zeros, marker, color=colour, ms=8, mec="white")
            ax.annotate(
                f"{zeros / v.size:.1%}", (0, zeros), (9, 0), textcoords="offset points", va="center"
            )  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(bottom=0.5)
    ax.set(xlabel="weight", ylabel="how many (logarithmic)")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax
