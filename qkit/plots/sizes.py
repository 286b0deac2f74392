"""Picture of where the bytes go."""

from qkit.plots.style import FLOAT, INTEGER, REST, new_axes, rows_from_top

_COLOUR = {"float32": FLOAT, "float16": "#E69F00", "int8": INTEGER, "metadata": REST}
_OTHER = "#56B4E9"


def plot_sizes(sizes, *, ax=None):
    """Draw each file as a bar of its constants by dtype and its metadata, and its deflated size.

    Parameters
    ----------
    sizes : Comparison or mapping of str to Size
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes
    """
    sizes = getattr(sizes, "sizes", sizes)
    ax = ax or new_axes(len(sizes))
    seen = set()
    for row, ledger in enumerate(sizes.values()):
        left = 0
        for kind, count in {**_by_kind(ledger), "metadata": ledger.metadata_bytes}.items():
            label = None if kind in seen else kind
            seen.add(kind)
            colour = _COLOUR.get(kind, _OTHER)
            ax.barh(row, count / 1024, left=left / 1024, color=colour, label=label, height=0.62)
            left += count
        label = None if row else "whole file, deflated"
        ax.plot(ledger.deflated_bytes / 1024, row, "k|", ms=15, mew=2, label=label)
        ax.text(left / 1024, row, f" {left / 1024:.1f}", va="center")
    rows_from_top(ax, list(sizes))
    ax.set_xlabel("size of the file, KiB")
    ax.margins(x=0.09)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def _by_kind(ledger):
    """Return the constants by dtype, the small integer ones (biases, shapes) together."""
    kinds = {}
    for dtype, count in ledger.constants_bytes.items():
        kind = "int32 and int64" if dtype in ("int32", "int64") else dtype
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds
