"""Which activations are alive when, drawn as blocks of memory over the operators."""

import numpy as np
from matplotlib.patheffects import withStroke

from qkit.plots import style
from qkit.plots.style import documented, panel
from qkit.tflite.file import layer_name

_FEW = 60  # operators up to which each is named
_LINE = 0.13  # inches that a line of 7 points takes


@documented("TfliteFile")
def plot_memory_plan(file, *, ax=None):
    """Draw the bytes of each activation from the operator that writes it to the last that reads it.

    Blocks lie where one finds room for them; the line is what is alive, its peak marked. It is
    computed from the file: an interpreter may need more, or let two tensors share their bytes.

    Parameters
    ----------
    file : TfliteFile
    """
    plan, count = file.memory_plan, len(file.memory_plan.operators)
    if ax is None:
        ax = style.new_axes()
        ax.figure.set_size_inches(np.clip(1.5 + 0.45 * count, 7.2, 24), 5)
    named = {step: f"{step} {style.short(op.name, 22)}" for step, op in enumerate(plan.operators)}
    places = plan.places if count else {}
    blocks = [(t, plan.lifetimes[t], place) for t, place in places.items() if t.memory_bytes]
    top = max([place + t.memory_bytes for t, _, place in blocks], default=1)
    unit, factor = next(x for x in _UNITS if top >= 10 * x[1] or x[1] == 1)
    panel(ax, grid="y", xlim=(-0.5, max(count, 1) - 0.5), ylim=(0, 1.08 * top / factor))
    panel(ax, xticks=named if count <= _FEW else None, xlabel="operator", ylabel=f"memory, {unit}")
    ax.yaxis.set_major_formatter("{x:,g}")
    if count <= _FEW:
        ax.tick_params(axis="x", rotation=90, labelsize=7)
    inches = ax.get_position().size * ax.figure.get_size_inches() * 0.9
    for tensor, (first, last), place in blocks:
        steps, height = last + 1 - first, tensor.memory_bytes / factor
        colour, _ = style.dtype_look(tensor.dtype)
        look = {"color": colour, "alpha": 0.55, "ec": "white", "lw": 0.8, "label": tensor.dtype}
        ax.bar(first - 0.5, height, steps, place / factor, align="edge", **look)
        if inches[1] * tensor.memory_bytes / top / 1.08 > _LINE:
            at = first + steps / 2 - 0.5, place / factor + height / 2
            look = {"size": 7, "ha": "center", "va": "center", "zorder": 3, **style.LITERAL}
            look["path_effects"] = [withStroke(linewidth=2, foreground="white", alpha=0.7)]
            room = inches[0] * steps / count - 0.08
            ax.text(*at, style.fitting(layer_name(tensor.name), room, points=7), **look)
    if count:
        alive = np.array(plan.alive_bytes, float) / factor
        edges = np.arange(count + 1) - 0.5
        ax.stairs(alive, edges, color="black", lw=1.2, label="alive at once", baseline=None)
        ax.axvspan(plan.peak_operator - 0.5, plan.peak_operator + 0.5, color="0.85", zorder=0)
        look = {"fontsize": "small", "title": _said(plan, named), "title_fontsize": "small"}
        style.legend_above(ax, 5, **look)
    else:
        ax.set_title("no operators: nothing is kept in memory", fontsize="small")
    return ax


_UNITS = ("MB", 10**6), ("kB", 1000), ("bytes", 1)


def _said(plan, named):
    """Return in words the peak, and what makes it."""
    largest = [(layer_name(t.name), t.memory_bytes or 0) for t in plan.peak_tensors[:3]]
    made = [f"{style.short(name, 26)} {size:,}" for name, size in largest]
    made += [f"{len(plan.peak_tensors) - 3} more"] * (len(plan.peak_tensors) > 3)
    return f"peak {plan.peak_bytes:,} bytes at {named[plan.peak_operator]}:\n{' + '.join(made)}"
