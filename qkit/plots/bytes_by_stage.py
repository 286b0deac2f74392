"""Picture of what a file takes as it is, compressed, and by its entropy floor."""

from matplotlib.ticker import NullFormatter, StrMethodFormatter

from qkit.plots.style import mark, new_axes, rows_from_top


def plot_bytes_by_stage(sizes, *, ax=None):
    """Draw each file's bytes as they are, deflated, by zstd where there is one, and the floor.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
        On a logarithmic axis: equal distances are equal ratios.
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes) + 2)
    stages = {
        "file": lambda s: s.size_bytes,
        "deflated": lambda s: s.deflated_bytes,
        "zstd": lambda s: s.zstd_bytes,
        "entropy floor": lambda s: s.entropy_coded_bytes,
    }
    found = {
        stage: [bytes_of(ledger) for ledger in sizes.values()] for stage, bytes_of in stages.items()
    }
    found = {stage: counts for stage, counts in found.items() if None not in counts}
    for row, counts in enumerate(zip(*found.values(), strict=True)):
        kib = [count / 1024 for count in counts]
        ax.plot([min(kib), max(kib)], [row, row], color="0.75", lw=2, zorder=1)
        ax.text(
            1.02, row, " → ".join(f"{n:.1f}" for n in kib), va="center", size="small",
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    for position, (stage, counts) in enumerate(found.items()):
        colour, marker = mark(position)
        ax.plot([n / 1024 for n in counts], range(len(counts)), marker, color=colour, label=stage)
    rows_from_top(ax, list(sizes))
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("size of the file, KiB (logarithmic)")
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(found))
    return ax
