"""What all explorers share: controls on top, then a readout in words, then the live picture."""

import base64
import contextlib
import html
import threading
import weakref
from functools import partial

import ipywidgets as ipw
from IPython import get_ipython

from qkit._tensorflow import first_line
from qkit.widgets.controls import in_columns, labels, said_change
from qkit.widgets.live import LiveFigure

_COMPUTING = threading.Lock()  # one long computation at a time, of all explorers
_DRAWING = threading.RLock()  # workers draw too, and Matplotlib is not made for two at once
SHARP, _AT_REST_S = 2, 0.25  # a moving picture is a draft; at rest it has more pixels each way
# The labels are a column, and so is what one moves; the words have a place that they do not leave.
_STYLE = """<style>
.qkit-row { display: flex; align-items: baseline; margin: 2px 0 }
.qkit-row > .widget-label:first-child { text-align: left; flex: none; margin: 0 8px 0 0 }
.qkit-row > .widget-label + * { margin-left: 0 }
.qkit-readout { height: 5.8em; overflow-y: auto; line-height: 1.4; margin: 4px 2px }
</style>"""
# explorers by the cell below which they are, and of the one that runs
_SHOWN, _SHOWN_NOW = {}, set()


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
        self.alt = alt  # what the picture shows, for who does not see it
        self._kept, self._asked, self._worker, self._failure = {}, None, None, None
        self._leads, self._refusals, self._following = leads or {}, refusals or {}, False
        self._change, self._fast, self._slow, self._image = "", "", "", ""
        self._words, self._picture = ipw.HTML(), ipw.HTML()
        self._timer = threading.Timer(0, str)  # none yet
        super().__init__([in_columns(controls), self._words, self._picture])
        self.add_class("qkit-explorer")
        self._refresh()
        self.wait()
        for name, control in controls.items():
            # by a proxy: ipywidgets keeps controls, and they must not keep the explorer
            control.observe(partial(Explorer._changed, weakref.proxy(self), name), names="value")

    @property
    def readout(self):
        """The readout as plain text: what changed, what follows, what the long computation gave.

        Of values for which that is still under way it tells nothing old.
        """
        return " ".join(filter(None, (self._change, self.said)))

    @property
    def settled(self):
        """Whether the readout is of the controls' present values, the long computation too."""
        return self._asked is None

    @property
    def model_id(self):
        """The number by which it is shown; only then it is opened."""
        if self.comm is None:
            for part in _parts(self):
                part.open()
            super().open()
            _sharpen(self, self._image)
        return super().model_id

    def open(self):
        """Wait until it is shown: whatever is open, ipywidgets keeps for ever."""

    def close(self):
        """Take it out of all outputs; it may be shown again."""
        self._timer.cancel()
        for part in _parts(self):
            part.close()
        super().close()
        vars(self).pop("_repr_mimebundle_", None)  # which ipywidgets would hide

    def png(self, ratio=1):
        """Return the picture as it is now as a PNG, of `ratio` times as many pixels each way."""
        with _DRAWING:
            return self._live.png(ratio)

    @property
    def size(self):
        """Width and height of the picture on a page, in pixels of the page."""
        return self._live.size

    @property
    def said(self):
        """The readout without what changed."""
        slow = self._slow if self.settled or not self._slow else "(being measured anew …)"
        return " ".join(filter(None, (self._fast, slow)))

    def save(self, path, *, states=200):
        """Write it to one HTML file in which its controls still move, without a kernel.

        They move through pictures that are drawn now, at most so many `states`; where all positions
        of all controls would be more, the page has every second one of the longest, and so on. What
        is typed stays as it is. The page loads nothing, and answers to mouse and keys.
        """
        from qkit.widgets.saved import save

        return save(self, path, states=states)

    def tell(self, words):
        """Begin the readout with words, until a control changes."""
        with _DRAWING:
            self._change = words
            self._show()

    def wait(self):
        """Wait for the long computation of the present values; raise what failed."""
        while worker := self._worker:
            worker.join()
        if self._failure:
            raise self._failure

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
        said = refused or f"{said_change(labels(control), old, new)}."
        self._change = f"{control.description}: {said}"
        self._refresh()

    def _refresh(self):
        """Answer the controls' present values: now what is quick, as soon as it can the rest."""
        with _DRAWING, self._telling():
            values = {name: control.value for name, control in self.controls.items()}
            last, self._failure, self._asked = self._failure, None, None
            self._fast, self._asked = self._answer(**values)
            if last or self._asked is None:
                self._slow = ""
            if self._asked is not None and self._asked not in self._kept:
                self._draw(None)
                if self._worker is None:
                    worker = threading.Thread(target=self._catch_up, daemon=True)
                    worker.start()
                    self._worker = worker
            self._settle(self._asked)

    def _catch_up(self):
        """Compute what is asked, and what is asked meanwhile; `wait` raises what fails."""
        while True:
            with _COMPUTING, contextlib.suppress(BaseException):
                with _DRAWING:
                    asked = self._asked
                    if asked is None:
                        self._worker = None
                        return
                with self._telling(asked):
                    self._kept[asked] = self._compute(asked)
                    self._settle(asked)

    def _settle(self, asked):
        """Show what is asked, with what the long computation gave where that is there by now."""
        with _DRAWING:
            if asked != self._asked:
                return  # a newer question waits for its own answer
            if asked in self._kept:
                self._draw(self._kept[asked])
                self._slow, self._asked = self._say(self._kept[asked]), None
            self._show()

    @contextlib.contextmanager
    def _telling(self, asked=None):
        """Say in the readout what fails, unless something else is asked by then."""
        try:
            yield
        except BaseException as error:  # an interrupt, too, must not leave it waiting for ever
            with _DRAWING:
                if asked in (None, self._asked):
                    self._failure, self._asked = error, None
                    if asked is None:
                        self._fast = ""
                    self._slow = (
                        "This could not be measured, and the picture is not of it: "
                        f"{type(error).__name__}: {first_line(error)}"
                    )
                    self._show_words()
            raise

    def _show(self):
        self._image = base64.b64encode(self._live.png()).decode()
        self._show_words()
        self._timer.cancel()
        if self.comm is not None and self.settled:
            asked = weakref.proxy(self), self._image
            self._timer = threading.Timer(_AT_REST_S, _sharpen, asked)
            self._timer.daemon = True
            self._timer.start()

    def _show_words(self):
        slow = html.escape(self._slow)
        if not self.settled:
            slow = f'<span style="color:#767676">{slow} (being measured anew …)</span>'
        words = f"<b>{html.escape(self._change)}</b> {html.escape(self._fast)} {slow}"
        # keys scroll what has the focus
        box = '<div class="qkit-readout" role="status" aria-live="polite" tabindex="0">'
        self._words.value = f"{_STYLE}{box}{words}</div>"
        self._show_picture(self._image)

    def _show_picture(self, image):
        alt = html.escape(f"{self.alt} {self.readout}")
        width, height = self.size
        self._picture.value = (
            f'<img alt="{alt}" width="{width}" height="{height}" '
            f'src="data:image/png;base64,{image}" style="max-width:100%;height:auto">'
        )

    # ipywidgets 7 has this method, which would leave out the picture for readers without a kernel
    _ipython_display_ = None

    def _repr_mimebundle_(self, **kwargs):
        if shell := get_ipython():
            _SHOWN_NOW.add(self)
            shell.events.register("pre_run_cell", _before_cell)
            shell.events.register("post_run_cell", _after_cell)
        view = {"version_major": 2, "version_minor": 0, "model_id": self.model_id}
        return {
            "text/plain": self.readout,
            "image/png": self._image,
            "application/vnd.jupyter.widget-view+json": view,
        }


def _sharpen(explorer, draft):
    """Show a picture with more pixels, where the draft is still of what is asked."""
    with contextlib.suppress(ReferenceError), _DRAWING:  # an explorer that is gone, by its proxy
        if explorer._image is draft and explorer.settled:
            image = explorer._live.png(SHARP)
            explorer._show_picture(base64.b64encode(image).decode())


def _parts(widget):
    """Yield the widgets that one is made of, each after those within it."""
    for value in (getattr(widget, name) for name in widget.keys):
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, ipw.Widget):
                yield from (*_parts(part), part)


def _before_cell(info):
    _SHOWN_NOW.clear()  # what was shown between two cells is no cell's


def _after_cell(result):
    """Let go of what a cell showed when it ran before, unless an output shows it now."""
    cell = getattr(result.info, "cell_id", None) or result.info.raw_cell
    before = _SHOWN.pop(cell, set())
    if _SHOWN_NOW:
        _SHOWN[cell] = {*_SHOWN_NOW}
    _SHOWN_NOW.clear()
    for explorer in before.difference(*_SHOWN.values()):
        explorer.close()
        _forget(explorer, get_ipython())


def _forget(explorer, shell):
    """Take an explorer out of what IPython keeps of its own accord: Out, _12 and __."""
    for names in (shell.user_ns["_oh"], *shell.all_ns_refs, vars(shell.displayhook)):
        for name, value in names.items():
            if value is explorer and not f"{name}".strip("_0123456789"):
                names[name] = None
