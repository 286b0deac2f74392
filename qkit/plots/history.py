"""Pictures of what trainings do, step by step: to the weights of a kernel, to activation ranges."""

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter

from qkit.plots.style import mark, new_axes


def plot_weight_history(histories, *, kernel, figure=None):
    """Draw the share of zeros and the number of distinct values of one kernel over the steps.

    Parameters
    ----------
    histories : mapping of str to WeightHistory
        Trainings by name, for example of one model with and without something preserved.
    kernel : str
        One that all of them recorded.
    figure : matplotlib Figure, optional

    Returns
    -------
    matplotlib Figure
        Lines that lie upon each other stay visible: each later one is thinner.
    """
    if not histories:
        raise ValueError(
            "plot_weight_history: histories is empty; give one or more by name, such as "
            "{'plain': qk.weight_history(model, data)}."
        )
    for name, history in histories.items():
        if kernel not in history.sparsity:
            raise ValueError(
                f"plot_weight_history: {name!r} has no kernel {kernel!r}. It has: "
                f"{', '.join(history.sparsity)}."
            )
    figure = figure or plt.figure(figsize=(9, 3.6), layout="constrained")
    zeros, values = figure.subplots(1, 2)
    for row, (name, history) in enumerate(histories.items()):
        look = dict(zip(("color", "marker"), mark(row), strict=True), ms=5, label=name)
        look["lw"] = 1.5 + 1.2 * (len(histories) - 1 - row)
        zeros.plot(history.steps, history.sparsity[kernel], **look)
        values.plot(history.steps, history.distinct_values[kernel], **look)
    zeros.set_ylim(-0.03, 1.03)
    zeros.yaxis.set_major_formatter(PercentFormatter(1))
    zeros.set_title(f"zeros in {kernel}", fontsize="medium")
    values.set_yscale("log", base=2)
    values.yaxis.set_major_formatter("{x:,g}")
    values.yaxis.set_minor_formatter(NullFormatter())
    values.set_title(f"distinct values in {kernel} (logarithmic)", fontsize="medium")
    for ax in (zeros, values):
        _over_steps(ax)
    figure.legend(
        *zeros.get_legend_handles_labels(), loc="outside lower center", ncols=len(histories),
        frameon=False,
    )  # fmt: skip
    return figure


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
        ax.plot(history.steps, ends[:, ::-1], color=colour, label=[f"{layer}: its grid", None])
        ax.fill_between(history.steps, *ends.T, color=colour, alpha=0.12)
        low, high = history.data_ranges[layer]
        ax.axhline(low, color=colour, ls=":", lw=1.5)
        ax.axhline(high, color=colour, ls=":", lw=1.5, label=f"{layer}: its data")
    _over_steps(ax)
    ax.set_ylabel("smallest and largest value")
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _over_steps(ax):
    ax.set_xlabel("training step")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.grid(axis="y", alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
