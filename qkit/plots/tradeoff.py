"""Picture of what a scheme saves and what it costs: size against accuracy."""

import matplotlib.pyplot as plt

from qkit.evaluate.tradeoff import pareto_front
from qkit.plots.style import mark

_CROWD = 1.15  # files up to so many times the smallest are drawn once more, spread out


def plot_tradeoff(comparison, *, ax=None, deflated=False):
    """Draw accuracy against size, with intervals, and mark the Pareto front.

    A scheme is on the front where none is both smaller and more accurate. As most of them differ
    by less than their intervals, the front says which to look at first, not which is best.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes, optional
        Without one, a figure is made in which a second panel spreads the small files out.
    deflated : bool
        Take the deflated size in place of the file's.

    Returns
    -------
    matplotlib Axes
    """
    attribute = "deflated_bytes" if deflated else "size_bytes"
    kib = {name: getattr(ledger, attribute) / 1024 for name, ledger in comparison.sizes.items()}
    crowd = [name for name in kib if kib[name] <= _CROWD * min(kib.values())]
    zoom = None
    if ax is None:
        figure = plt.figure(figsize=(9, 4.4), layout="constrained")
        ax, zoom = figure.subplots(1, 2, sharey=True)
    _draw(ax, comparison, kib)
    ax.set_ylabel("accuracy, %, with 95 % interval")
    ax.set_xlabel(f"size of the {'deflated ' if deflated else ''}file, KiB")
    if zoom is None:
        ax.legend(frameon=False, fontsize="small")
        return ax
    _draw(zoom, comparison, {name: kib[name] for name in crowd})
    n = comparison.accuracies[comparison.reference].n
    ax.set_title(f"{n:,} test images of {comparison.data_name}", fontsize="medium")
    zoom.set_title("the smallest files, spread out", fontsize="medium")
    zoom.set_xlabel(ax.get_xlabel())
    zoom.margins(x=0.1)
    ax.figure.legend(
        *ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False,
        fontsize="small", title="filled: on the Pareto front, none smaller is as accurate",
    )  # fmt: skip
    return ax


def _draw(ax, comparison, kib):
    accuracies = comparison.accuracies
    front = pareto_front({name: (kib[name], accuracies[name].accuracy) for name in kib})
    # files of one size stand side by side, so that their intervals can be told apart
    spread = max(kib.values()) - min(kib.values())
    for row, (name, found) in enumerate(accuracies.items()):
        if name not in kib:
            continue
        colour, marker = mark(row)
        twins = [other for other in kib if kib[other] == kib[name]]
        x = kib[name] + 0.008 * spread * (twins.index(name) - (len(twins) - 1) / 2)
        low, y, high = (100 * v for v in (found.interval[0], found.accuracy, found.interval[1]))
        ax.errorbar(
            x, y, yerr=[[y - low], [high - y]], fmt=marker, color=colour, ms=8, capsize=3,
            lw=1, mfc=colour if name in front else "white", label=name,
        )  # fmt: skip
    corners = [(kib[name], 100 * accuracies[name].accuracy) for name in front]
    # the front goes on to the right at the level of its last corner
    corners.append((max(kib.values()), corners[-1][1]))
    ax.step(*zip(*corners, strict=True), where="post", color="0.8", lw=4, zorder=0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.3)
