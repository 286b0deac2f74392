"""What explorers are moved by: controls in two columns, and what these call their values."""

import ipywidgets as ipw


def choice(options, **given):
    """Return a control for one of several options, str or (str, value), that answers to keys.

    JupyterLab takes the arrow keys away from a dropdown: few options are buttons, more a slider.
    """
    options = list(options)
    if len(options) <= 4:
        return ipw.ToggleButtons(options=options, style={"button_width": "auto"}, **given)
    return ipw.SelectionSlider(options=options, **given)


def yes_no(value, **given):
    """Return a control for yes or no, in the columns where all others are."""
    return choice([("no", False), ("yes", True)], value=value, **given)


_WIDTHS = {  # of what one moves, without its label; buttons are as wide as their words
    ipw.IntSlider: "22em", ipw.FloatSlider: "22em", ipw.SelectionSlider: "22em",
    ipw.FloatText: "9em", ipw.Text: "14em", ipw.SelectMultiple: "20em",
}  # fmt: skip


def in_row(control, label):
    """Give a control a label of this width, left of it, and a width of its own."""
    control.style.description_width = label
    if width := next((w for kind, w in _WIDTHS.items() if isinstance(control, kind)), None):
        control.layout.width = f"calc({label} + {width})"
    if isinstance(control, ipw.ToggleButton):  # which bears its word itself
        control.layout.margin = f"2px 0 2px calc({label} + 8px)"
    elif isinstance(control, ipw.DOMWidget):
        control.add_class("qkit-row")


def in_columns(controls):
    """Return controls below one another, all labels as wide as the longest; many scroll."""
    for name, control in controls.items():
        control.description = control.description or name
    labelled = [c for c in controls.values() if not isinstance(c, ipw.ToggleButton)]
    label = f"{max((len(control.description) for control in labelled), default=0)}ch"
    for control in controls.values():
        in_row(control, label)
    rows = [*map(_with_whole_readout, controls.values())]
    return ipw.VBox(rows, layout={"max_height": "26em", "overflow": "auto"})


def _with_whole_readout(control):
    """Return a control, beside a readout of its own where the slider's would cut options off."""
    words = list(labels(control).values())
    longest = max(map(len, words), default=0)
    # of an option, a slider shows 16 characters
    if longest <= 16 or not isinstance(control, ipw.SelectionSlider):
        return control
    control.readout = False
    whole = ipw.Label(layout={"width": f"{longest}ch"})  # so that nothing moves in a drag
    ipw.dlink((control, "index"), (whole, "value"), words.__getitem__)
    return ipw.HBox([control, whole])


def labels(control):
    """Return by value what a control shows for it; nothing where it does not choose."""
    if isinstance(control.value, bool):
        return {False: "no", True: "yes"}
    options = getattr(control, "options", ())
    return dict(o[::-1] if isinstance(o, tuple) else (o, str(o)) for o in options)


def word(value, shown):
    """Return what a value is called: by the labels of its control, else the number itself."""
    value = shown.get(value, value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def said_change(shown, old, new):
    """Return what became of a control's value, in its own words."""
    if isinstance(old, tuple):  # of many chosen, what came and went
        gone = [f"without {value}" for value in old if value not in new]
        come = [f"with {value}" for value in new if value not in old]
        return ", ".join(gone + come)
    return f"{word(old, shown)} → {word(new, shown)}"
