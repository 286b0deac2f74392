"""Picture of activation ranges that settle."""

from qkit.plots.style import mark, new_axes


def plot_range_history(history, *, ax=None):
    """Draw the ends of each grid over the training steps, and where the data's own ends are.

    Parameters
    ----------
    history : RangeHistory
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    ax = ax or new_axes()
    for row, (layer, ends) in enumerate(history.ranges.items()):
        colour, _ = mark(row)
        ax.plot(history.steps, ends[:, 1], color=colour, label=f"{layer}: its grid")
        ax.plot(history.steps, ends[:, 0], color=colour)
        ax.fill_between(history.steps, *ends.T, color=colour, alpha=0.12)
        for end in history.data_ranges[layer]:
            label = f"{layer}: its data" if end == history.data_ranges[layer][1] else None
            ax.axhline(end, color=colour, ls=":", lw=1.5, label=label)
    ax.set_xlabel("training step")
    ax.set_ylabel("smallest and largest value")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax
