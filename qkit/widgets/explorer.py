"""What all explorers share: controls on top, then a readout in words, then the live picture."""

import base64
import html
import threading
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import ipywidgets as ipw

from qkit.widgets.live import LiveFigure

_MOST_BUTTONS = 4
_LONGEST_READOUT = 16  # characters of an option that a slider shows whole
_WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qkit-explorer")


class Explorer(ipw.VBox):
    """Controls, a readout in words and a picture that follow each other.

    ``answer(**values)`` draws in the figure, within a frame or two, and returns the readout: the
    takeaway in a sentence or two, with numbers. What takes longer, ``compute(**values)`` returns,
    in another thread; ``settle(result)`` draws it and returns the readout's second half, and is
    told by None that the last one no longer fits. ``takes_long(**values)`` says whether there is
    anything to compute. `leads` names controls that take others along; `extras` stand below.

    What changes in the figure is ``animated``; `alt` is for readers who do not see it.
    """

    def __init__(
        self,
        controls,
        figure,
        answer,
        *,
        alt,
        compute=None,
        settle=None,
        takes_long=lambda **values: True,
        leads=None,
        extras=(),
    ):
        self.controls = MappingProxyType(dict(controls))
        self._live = LiveFigure(figure)
        self._answer, self._compute, self._settle = answer, compute, settle
        self._takes_long = takes_long if compute else lambda **values: False
        self._alt = alt
        self._lock = threading.RLock()  # the worker draws too
        self._kept, self._wanted = {}, None
        self._future, self._working = None, False
        self._leads, self._following = leads or {}, False
        self._change, self._fast, self._slow = "", "", ""
        self._words, self._picture = ipw.HTML(), ipw.HTML()
        self.refresh()
        self.wait()
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._changed(name, change), names="value")
            if not control.style.description_width:
                control.style.description_width = "initial"  # else long words are cut off
        row = ipw.Layout(flex_flow="row wrap", grid_gap="0 1.5em")
        shown = [_with_whole_readout(control) for control in self.controls.values()]
        super().__init__([ipw.Box(shown, layout=row), self._words, self._picture, *extras])

    @property
    def values(self):
        """The controls' values by name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def readout(self):
        """The readout as plain text: what changed, what follows, what the long computation gave."""
        return " ".join(filter(None, (self._change, self._fast, self._slow)))

    @property
    def settled(self):
        """Whether the readout is of the controls' present values, the long computation too."""
        return self._wanted is None

    def png(self):
        """Return the picture as it is now, as the bytes of a PNG file."""
        with self._lock:
            return self._live.png()

    def refresh(self):
        """Answer the controls' present values: now what is quick, as soon as it can the rest."""
        with self._lock:
            values = self.values
            self._fast = self._answer(**values)
            if not self._takes_long(**values):
                self._wanted, self._slow = None, ""
            else:
                self._wanted = values
                if not self._settled_from_kept():
                    self._settle(None)
                    if not self._working:
                        self._working, self._future = True, _WORKER.submit(self._catch_up)
            self._show()

    def tell(self, words):
        """Begin the readout with words, until a control changes: what a button did, or refused."""
        with self._lock:
            self._change = words
            self._show()

    def wait(self):
        """Wait for the long computation of the present values; raise what it raised."""
        if self._future is not None:
            self._future.result()

    def _changed(self, name, change):
        if self._following:
            return
        self._following = True
        try:
            for follower in self._leads.get(name, ()):
                self.controls[follower].value = change["new"]
        finally:
            self._following = False
        control = self.controls[name]
        # of a choice, the words that are shown for a value
        words = dict(_swapped(option) for option in getattr(control, "options", ()))
        old, new = (words.get(change[key], change[key]) for key in ("old", "new"))
        self._change = f"{control.description or name}: {_said_change(old, new)}."
        self.refresh()

    def _catch_up(self):
        """Compute for the newest values until no newer ones have come meanwhile."""
        while True:
            with self._lock:
                if self._wanted is None or self._settled_from_kept():
                    self._show()
                    self._working = False  # the next change starts a worker of its own
                    return
                values = self._wanted
            try:
                result = self._compute(**values)
            except Exception as error:
                with self._lock:
                    self._slow, self._wanted = f"{type(error).__name__}: {error}", None
                    self._working = False
                    self._show()
                raise
            with self._lock:
                self._kept[tuple(values.values())] = result

    def _settled_from_kept(self):
        """Draw what is wanted, and say so, if it was computed before."""
        key = tuple(self._wanted.values())
        if key in self._kept:
            self._slow, self._wanted = self._settle(self._kept[key]), None
        return self._wanted is None

    def _show(self):
        picture = base64.b64encode(self._live.png()).decode()
        slow = html.escape(self._slow)
        if not self.settled:
            slow = f'<span style="color:#767676">{slow} (being measured anew …)</span>'
        words = f"<b>{html.escape(self._change)}</b> {html.escape(self._fast)} {slow}"
        self._words.value = f'<div role="status" aria-live="polite">{words}</div>'
        alt = html.escape(f"{self._alt} {self.readout}", quote=True)
        self._picture.value = (
            f'<img alt="{alt}" src="data:image/png;base64,{picture}" style="max-width:100%">'
        )

    # ipywidgets 7 has this method, which would leave out the picture for readers without a kernel
    _ipython_display_ = None

    def _repr_mimebundle_(self, **kwargs):
        return {
            "text/plain": self.readout,
            "image/png": base64.b64encode(self.png()).decode(),
            "application/vnd.jupyter.widget-view+json": {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.model_id,
            },
        }


def choice(options, description, value=None):
    """Return a control for one of several options, str or (str, value), that answers to keys.

    JupyterLab takes the arrow keys away from a dropdown, to move between cells. Few options are
    buttons side by side, pressed with the space bar; more are a slider that the arrow keys move.
    """
    options = list(options)
    given = {} if value is None else {"value": value}
    if len(options) <= _MOST_BUTTONS:
        style = {"button_width": "auto"}
        return ipw.ToggleButtons(options=options, description=description, style=style, **given)
    return ipw.SelectionSlider(options=options, description=description, **given)


def _with_whole_readout(control):
    """Return a control, beside a readout of its own where the slider's would cut options off."""
    if not isinstance(control, ipw.SelectionSlider):
        return control
    words = [str(label) for _, label in map(_swapped, control.options)]
    longest = max(map(len, words))
    if longest <= _LONGEST_READOUT:
        return control
    control.readout = False
    whole = ipw.Label(layout=ipw.Layout(width=f"{longest}ch"))  # so that nothing moves in a drag
    ipw.dlink((control, "index"), (whole, "value"), words.__getitem__)
    return ipw.HBox([control, whole])


def _swapped(option):
    return (option[1], option[0]) if isinstance(option, tuple) else (option, option)


def _said_change(old, new):
    if isinstance(old, tuple) and isinstance(new, tuple):  # of many chosen, what came and went
        gone = [f"without {_said(value)}" for value in old if value not in new]
        come = [f"with {_said(value)}" for value in new if value not in old]
        return ", ".join(gone + come)
    return f"{_said(old)} → {_said(new)}"


def _said(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
