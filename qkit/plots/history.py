"""Pictures of what trainings do, step by step: to the weights of a kernel, to activation ranges."""

import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, PercentFormatter

from qkit import validate
from qkit.plots.style import LITERAL, by_ratio, documented, literal, mark, named, new_axes, panel


@documented(named=["WeightHistory"])
def plot_weight_history(histories, *, kernel, figure=None):
    """Draw the share of zeros and the number of distinct values of one kernel over the steps.

    Parameters
    ----------
    histories : mapping of str to WeightHistory, of trainings by name
    kernel : str, one that all of them recorded
    """
    for name, history in histories.items():
        validate.choice(kernel, history.sparsity, name=f"plot_weight_history: the kernel of {name}")
    figure = figure or plt.figure(figsize=(9, 3.6), layout="constrained")
    zeros, values = (_over_steps(ax) for ax in figure.subplots(1, 2))
    for row, (name, history) in enumerate(histories.items()):
        colour, marker = mark(row)
        look = {"color": colour, "marker": marker, "ms": 5, "label": named(name)}
        look["lw"] = 1.5 + 1.2 * (len(histories) - 1 - row)  # of lines upon each other all are seen
        zeros.plot(history.steps, history.sparsity[kernel], **look)
        values.plot(history.steps, history.distinct_values[kernel], **look)
    zeros.set_ylim(-0.03, 1.03)
    zeros.yaxis.set_major_formatter(PercentFormatter(1))
    zeros.set_title(f"zeros in {kernel}", fontsize="medium", **LITERAL)
    by_ratio(values.yaxis)
    title = f"distinct values in {kernel} (logarithmic)"
    values.set_title(title, fontsize="medium", **LITERAL)
    handles, labels = zeros.get_legend_handles_labels()
    below = {"loc": "outside lower center", "ncols": len(labels), "frameon": False}
    literal(figure.legend(handles, labels, **below))
    return figure


@documented("RangeHistory")
def plot_range_history(history, *, ax=None):
    """Draw the ends of each grid over the training steps, and where the data's own ends are.

    Parameters
    ----------
    history : RangeHistory
    """
    ax = _over_steps(ax or new_axes())
    for row, (layer, ends) in enumerate(history.ranges.items()):
        (colour, _), name = mark(row), named(layer)
        ax.plot(history.steps, ends[:, ::-1], color=colour, label=[f"{name}: its grid", None])
        ax.fill_between(history.steps, *ends.T, color=colour, alpha=0.12)
        low, high = history.data_ranges[layer]
        ax.axhline(low, color=colour, ls=":", lw=1.5)
        ax.axhline(high, color=colour, ls=":", lw=1.5, label=f"{name}: its data")
    ax.set_ylabel("smallest and largest value")
    beside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    literal(ax.legend(frameon=False, fontsize="small", **beside))
    return ax


def _over_steps(ax):
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return panel(ax, grid="y", xlabel="training step")
