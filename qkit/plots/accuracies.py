"""Picture of accuracies with their intervals."""

from qkit.plots.style import mark, new_axes, rows_from_top


def plot_accuracies(accuracies, *, ax=None):
    """Draw each accuracy as a point on its 95 % interval.

    Parameters
    ----------
    accuracies : Comparison or mapping of str to Accuracy
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    accuracies = getattr(accuracies, "accuracies", accuracies)
    ax = ax or new_axes(len(accuracies))
    for row, found in enumerate(accuracies.values()):
        colour, marker = mark(row)
        low, high = (100 * end for end in found.interval)
        ax.plot([low, high], [row, row], color=colour, lw=2)
        ax.plot(100 * found.accuracy, row, marker, color=colour, ms=7)
    n = next(iter(accuracies.values())).n
    rows_from_top(ax, list(accuracies))
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(f"accuracy on {n:,} test images, %, with 95 % interval")
    return ax
