"""Picture of what trainings do to the zeros and the distinct values of a kernel, step by step."""

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, NullFormatter, PercentFormatter, StrMethodFormatter

from qkit.plots.style import mark


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
        Zeros in the left panel, distinct values in the right one, on a logarithmic axis. Lines that
        lie upon each other stay visible: each later one is thinner.

    Raises
    ------
    ValueError
        If there is no history, or one did not record the kernel.
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
        colour, marker = mark(row)
        look = {
            "color": colour, "marker": marker, "ms": 5, "label": name,
            "lw": 1.5 + 1.2 * (len(histories) - 1 - row),
        }  # fmt: skip
        zeros.plot(history.steps, history.sparsity[kernel], **look)
        values.plot(history.steps, history.distinct_values[kernel], **look)
    zeros.set_ylim(-0.03, 1.03)
    zeros.yaxis.set_major_formatter(PercentFormatter(1))
    zeros.set_title(f"zeros in {kernel}", fontsize="medium")
    values.set_yscale("log", base=2)
    values.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    values.yaxis.set_minor_formatter(NullFormatter())
    values.set_title(f"distinct values in {kernel} (logarithmic)", fontsize="medium")
    for ax in (zeros, values):
        ax.set_xlabel("training step")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.grid(axis="y", alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *zeros.get_legend_handles_labels(), loc="outside lower center",
        ncols=len(histories), frameon=False,
    )  # fmt: skip
    return figure
