"""Picture of the accuracy that is left at each sparsity."""

import numpy as np

from qkit.plots.style import REST, mark, new_axes

_APART = 0.03  # series side by side, so that their intervals do not hide each other


def plot_sparsity_accuracy(accuracies, *, reference=None, ax=None):
    """Draw accuracy against sparsity, with 95 % intervals.

    Parameters
    ----------
    accuracies : mapping of str to (mapping of float to Accuracy)
        For each series, such as a schedule or a seed, the accuracy by sparsity, from 0 to below 1.
    reference : Accuracy, optional
        Of the network before pruning: a line, with its interval as a band.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        Along the axis, each step of the same length divides the weights that are left by the same
        number.
    """
    ax = ax or new_axes()
    # before anything is drawn: limits that are set later stay clear of sparsity 1
    ax.set_xscale("function", functions=(_removed, lambda x: 1 - np.exp(-np.asarray(x, float))))
    if reference is not None:
        low, high = (100 * end for end in reference.interval)
        ax.axhspan(low, high, color=REST, alpha=0.25, lw=0)
        ax.axhline(100 * reference.accuracy, color="0.35", ls="--", lw=1.2, label="before pruning")
    offsets = _APART * (np.arange(len(accuracies)) - (len(accuracies) - 1) / 2)
    for row, (name, series) in enumerate(accuracies.items()):
        colour, marker = mark(row)
        at = 1 - (1 - np.array(sorted(series))) * np.exp(-offsets[row])
        found = [series[sparsity] for sparsity in sorted(series)]
        middle = 100 * np.array([each.accuracy for each in found])
        ends = 100 * np.array([each.interval for each in found]).T
        ax.errorbar(
            at, middle, [middle - ends[0], ends[1] - middle], fmt=f"{marker}-", color=colour, ms=5,
            lw=1.2, elinewidth=1.6, label=name,
        )  # fmt: skip
    measured = sorted({sparsity for series in accuracies.values() for sparsity in series})
    ax.set_xticks(measured, [f"{100 * sparsity:g}" for sparsity in measured])
    ax.set_xlim(
        *(
            1 - np.exp(-(_removed(end) + shift))
            for end, shift in ((measured[0], -0.12), (measured[-1], 0.12))
        )
    )
    n = next(iter(next(iter(accuracies.values())).values())).n
    ax.set(
        xlabel="weights that are zero, %",
        ylabel=f"accuracy on {n:,} test images, %,\nwith 95 % interval",
    )
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, loc="lower left")
    return ax


def _removed(sparsity):
    """Return −ln of the share of weights that are left."""
    return -np.log(np.maximum(1 - np.asarray(sparsity, float), 1e-9))
