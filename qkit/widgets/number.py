"""Explorer of one number: its bits and neighbours in six formats."""

import math

import ipywidgets as ipw

from qkit.plots.number import plot_numbers
from qkit.quantize.formats import nearest_numbers
from qkit.widgets.controls import yes_no
from qkit.widgets.explorer import Explorer


def explore_number(value=0.123456789, *, low=-1.0, high=1.0):
    """Explore what number formats of 32 to 4 bits keep of a value.

    Parameters
    ----------
    value : float, to begin with; typed or dragged later
    low, high : float, the range of the integer formats' grids, to begin with

    Returns
    -------
    Explorer

    Examples
    --------
    >>> explorer = explore_number(0.1)
    >>> explorer.controls["value"].value = 0.25
    >>> explorer.readout.split(";")[0]
    'value: 0.1 → 0.25. float16 keeps it exactly'
    """
    nearest_numbers(value, low, high)  # refuses what it must
    widest = 1.5 * max(abs(low), abs(high))
    ends = {"min": min(-widest, value), "max": max(widest, value), "step": widest / 1000}
    controls = {
        "value": ipw.FloatText(value),
        "drag": Drag(value, readout=False, **ends),
        "low": ipw.FloatText(low, step=0.1, description="range, low"),
        "high": ipw.FloatText(high, step=0.1, description="range, high"),
        "symmetric": yes_no(False),
    }
    figure, update = plot_numbers.live()
    shown = {"low": low, "high": high}

    def answer(value, drag, low, high, symmetric):
        refused = ""
        try:
            found = nearest_numbers(value, low, high, symmetric=symmetric)
            shown.update(low=low, high=high)
        except ValueError as error:  # the ends of the range in the wrong order, or too far apart
            why = str(error).partition(": ")[2]
            refused = f"{why[0].upper()}{why[1:]} The last range stays. "
            found = nearest_numbers(value, **shown, symmetric=symmetric)
        update(found)
        return refused + found.summary()

    alt = "Bits of each format; its numbers around the value; the relative error."
    leads = {"value": lambda value: {"drag": value}, "drag": lambda value: {"value": value}}
    refusals = dict.fromkeys(("value", "low", "high"), _unless_finite)
    return Explorer(controls, figure, answer, alt=alt, leads=leads, refusals=refusals)


def _unless_finite(new, old):
    stays = f"{new} is refused, as it must be a finite number; {old:g} stays."
    return "" if math.isfinite(new) else stays


class Drag(ipw.FloatSlider):
    """A slider that may stand between its steps, as what was typed is not to be rounded."""

    def set_state(self, sync_data):
        """Take what the browser sends, unless it has only rounded the value to a step."""
        sent = sync_data.get("value", self.value)
        # sums of steps come as 0.2999999999999998
        moved = abs(sent - self.value) > 0.5001 * self.step
        super().set_state({**sync_data, "value": float(f"{sent:.10g}") if moved else self.value})
