"""What all explorers share: controls on top, then a readout in words, then the live picture."""

import base64
import html
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import ipywidgets as ipw

from qkit.widgets.live import LiveFigure

_WORKER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qkit-explorer")


class Explorer(ipw.VBox):
    """Controls, a readout in words and a picture that follow each other.

    ``answer(**values)`` draws what is quick and returns the readout; with `compute`, beside it what
    is asked of that, hashable, or None. ``compute(asked)`` runs in another thread and is kept;
    ``draw(result)`` draws it, or a veil for None, and ``say(result)`` ends the readout. By control,
    ``leads[name](new)`` gives the values of others that it takes along, and
    ``refusals[name](new, old)`` why a value is refused, so that the old one stays, or "".
    """

    def __init__(
        self, controls, figure, answer, *, alt,
        compute=None, draw=None, say=str, leads=None, refusals=None,
    ):  # fmt: skip
        self.controls = controls
        self._live = LiveFigure(figure)
        self._answer = answer if compute else lambda **values: (answer(**values), None)
        self._compute, self._draw, self._say = compute, draw, say
        self._alt = alt
        self._lock = threading.RLock()  # the worker draws too
        self._kept, self._asked, self._future = {}, None, None
        self._leads, self._refusals, self._following = leads or {}, refusals or {}, False
        self._change, self._fast, self._slow = "", "", ""
        self._words, self._picture = ipw.HTML(), ipw.HTML()
        self._refresh()
        self.wait()
        for name, control in controls.items():
            control.observe(partial(self._changed, name), names="value")
            control.description = control.description or name
            if not control.style.description_width:
                control.style.description_width = "initial"  # else long words are cut off
        row = {"flex_flow": "row wrap", "grid_gap": "0 1.5em"}
        shown = ipw.Box([*map(_with_whole_readout, controls.values())], layout=row)
        super().__init__([shown, self._words, self._picture])

    @property
    def readout(self):
        """The readout as plain text: what changed, what follows, what the long computation gave."""
        return " ".join(filter(None, (self._change, self._fast, self._slow)))

    @property
    def settled(self):
        """Whether the readout is of the controls' present values, the long computation too."""
        return self._asked is None

    def png(self):
        """Return the picture as it is now, as the bytes of a PNG file."""
        with self._lock:
            return self._live.png()

    def tell(self, words):
        """Begin the readout with words, until a control changes."""
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
        control, old, new = change["owner"], change["old"], change["new"]
        refused = self._refusals.get(name, lambda new, old: "")(new, old)
        along = {name: old} if refused else self._leads.get(name, lambda new: {})(new)
        self._following = True
        try:
            for other, value in along.items():
                self.controls[other].value = value
        finally:
            self._following = False
        said = refused or f"{_said_change(_labels(control), old, new)}."
        self._change = f"{control.description}: {said}"
        self._refresh()

    def _refresh(self):
        """Answer the controls' present values: now what is quick, as soon as it can the rest."""
        with self._lock:
            values = {name: control.value for name, control in self.controls.items()}
            self._fast, self._asked = self._answer(**values)
            self._future = None
            if self._asked is None:
                self._slow = ""
            elif self._asked not in self._kept:
                self._draw(None)
                self._future = _WORKER.submit(self._catch_up, self._asked)
            self._settle(self._asked)

    def _catch_up(self, asked):
        """Compute what was asked, unless something else is by now; what fails is told."""
        if asked != self._asked:
            return
        try:
            self._kept[asked] = self._compute(asked)
        except Exception as error:
            self._settle(asked, f"{type(error).__name__}: {error}")
            raise
        self._settle(asked)

    def _settle(self, asked, failure=None):
        """Show what is asked, with its result or failure where that is there by now."""
        with self._lock:
            if asked != self._asked:
                return  # a newer question waits for its own answer
            if failure:
                self._slow, self._asked = failure, None
            elif asked in self._kept:
                self._draw(self._kept[asked])
                self._slow, self._asked = self._say(self._kept[asked]), None
            self._show()

    def _show(self):
        picture = base64.b64encode(self._live.png()).decode()
        slow = html.escape(self._slow)
        if not self.settled:
            slow = f'<span style="color:#767676">{slow} (being measured anew …)</span>'
        words = f"<b>{html.escape(self._change)}</b> {html.escape(self._fast)} {slow}"
        self._words.value = f'<div role="status" aria-live="polite">{words}</div>'
        alt = html.escape(f"{self._alt} {self.readout}")
        self._picture.value = (
            f'<img alt="{alt}" src="data:image/png;base64,{picture}" style="max-width:100%">'
        )

    # ipywidgets 7 has this method, which would leave out the picture for readers without a kernel
    _ipython_display_ = None

    def _repr_mimebundle_(self, **kwargs):
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {
            "text/plain": self.readout,
            "image/png": base64.b64encode(self.png()).decode(),
            "application/vnd.jupyter.widget-view+json": view,
        }


def choice(options, **given):
    """Return a control for one of several options, str or (str, value), that answers to keys.

    JupyterLab takes the arrow keys away from a dropdown: few options are buttons, more a slider.
    """
    options = list(options)
    if len(options) <= 4:
        return ipw.ToggleButtons(options=options, style={"button_width": "auto"}, **given)
    return ipw.SelectionSlider(options=options, **given)


def _with_whole_readout(control):
    """Return a control, beside a readout of its own where the slider's would cut options off."""
    words = list(_labels(control).values())
    longest = max(map(len, words), default=0)
    # of an option, a slider shows 16 characters
    if longest <= 16 or not isinstance(control, ipw.SelectionSlider):
        return control
    control.readout = False
    whole = ipw.Label(layout={"width": f"{longest}ch"})  # so that nothing moves in a drag
    ipw.dlink((control, "index"), (whole, "value"), words.__getitem__)
    return ipw.HBox([control, whole])


def _labels(control):
    """Return by value what a control shows for it; nothing where it does not choose."""
    if isinstance(control.value, bool):
        return {False: "no", True: "yes"}
    options = getattr(control, "options", ())
    return dict(o[::-1] if isinstance(o, tuple) else (o, str(o)) for o in options)


def _said_change(labels, old, new):
    if isinstance(old, tuple):  # of many chosen, what came and went
        gone = [f"without {value}" for value in old if value not in new]
        come = [f"with {value}" for value in new if value not in old]
        return ", ".join(gone + come)
    words = (labels.get(value, value) for value in (old, new))
    return " → ".join(f"{word:g}" if isinstance(word, float) else str(word) for word in words)
