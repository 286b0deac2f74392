"""What all explorers share, on a small one: a line that goes through a slider's value."""

import base64
import html
import io
import re
import threading
import time

import ipywidgets as ipw
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from qkit.widgets.controls import choice, yes_no
from qkit.widgets.explorer import Explorer, _sharpen
from qkit.widgets.live import LiveFigure


def line_explorer(compute=None, slow=lambda height: True):
    figure = Figure(figsize=(3, 2), layout="constrained")
    ax = figure.add_subplot(xlim=(0, 10), ylim=(0, 10))
    (line,) = ax.plot([1, 9], [0, 0], animated=True)

    def answer(height, steep):
        line.set_ydata([height, height + 3 * steep])
        said = f"The line is at {height}."
        return (said, height if slow(height) else None) if compute else said

    def draw(result):
        line.set_alpha(0.3 if result is None else 1)

    controls = {
        "height": ipw.IntSlider(2, 0, 10, description="height"),
        "steep": ipw.Checkbox(False, description="steep"),
    }
    return Explorer(
        controls,
        figure,
        answer,
        alt="A line.",
        compute=compute,
        draw=draw,
        say="Its square is {}.".format,
    )


def picture(explorer):
    return explorer.children[2].value


def test_a_control_moves_the_picture_and_the_readout_says_what_changed():
    explorer = line_explorer()
    before = picture(explorer)
    explorer.controls["height"].value = 7
    assert explorer.readout == "height: 2 → 7. The line is at 7."
    assert picture(explorer) != before
    explorer.controls["height"].value = 2
    assert picture(explorer).partition("src=")[2] == before.partition("src=")[2]


def test_the_picture_is_what_a_full_draw_gives():
    explorer = line_explorer()
    explorer.controls["steep"].value = True
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.add_subplot(xlim=(0, 10), ylim=(0, 10)).plot([1, 9], [2, 5])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    shown = np.asarray(Image.open(io.BytesIO(explorer.png())))
    assert np.array_equal(shown, np.asarray(canvas.buffer_rgba()))


def size_of(explorer):
    """Return the pixels of the image that is shown."""
    image = re.search('base64,([^"]*)', picture(explorer))[1]
    return Image.open(io.BytesIO(base64.b64decode(image))).size


@pytest.mark.parametrize("changed", [False, True])
def test_the_sharp_picture_is_what_a_full_draw_in_more_pixels_gives(changed):
    explorer, figure = line_explorer(), Figure(figsize=(3, 2), dpi=200, layout="constrained")
    ax = figure.add_subplot(xlim=(0, 10), ylim=(0, 10))
    draft, before = explorer.png(), explorer.png(2)
    explorer.controls["steep"].value = True
    FigureCanvasAgg(figure).draw()
    figure.set_layout_engine("none")
    for axes in (ax, *explorer._live._figure.axes)[: 2 * changed]:
        axes.set(xlim=(0, 20), xticks=[0, 7])  # a fixed part
    ax.plot([1, 9], [2, 5])
    figure.canvas.draw()
    shown = np.asarray(Image.open(io.BytesIO(explorer.png(2))))
    assert shown.shape == (400, 600, 4)
    assert np.array_equal(shown, np.asarray(figure.canvas.buffer_rgba()))
    if not changed:
        explorer.controls["steep"].value = False
        assert (explorer.png(), explorer.png(2)) == (draft, before)


def test_the_sharp_picture_does_not_draw_the_fixed_parts_anew(monkeypatch):
    explorer = line_explorer()
    explorer.png(2)
    monkeypatch.setattr(explorer._live, "_draw_fixed", lambda *ratio: pytest.fail("drawn anew"))
    for height in (1, 9):
        explorer.controls["height"].value = height
        explorer.png(2)


def test_a_picture_is_sharp_when_shown_a_draft_when_it_moves_and_sharp_at_rest():
    explorer = line_explorer()
    assert size_of(explorer) == (300, 200)
    assert base64.b64decode(explorer._repr_mimebundle_()["image/png"]) == explorer.png()
    assert size_of(explorer) == (600, 400)
    explorer.controls["height"].value = 7
    assert size_of(explorer) == (300, 200)
    explorer._timer.join(10)
    assert size_of(explorer) == (600, 400)
    assert 'width="300" height="200"' in picture(explorer)
    assert "height: 2 → 7." in picture(explorer)
    explorer.close()


def test_a_picture_that_moved_on_or_is_closed_is_not_sharpened():
    explorer = line_explorer()
    assert explorer.model_id
    explorer.controls["height"].value = 3
    older = explorer._image
    explorer.controls["height"].value = 4
    _sharpen(explorer, older)
    assert size_of(explorer) == (300, 200)
    explorer.close()
    explorer._timer.join(10)
    assert size_of(explorer) == (300, 200)
    _sharpen(explorer, explorer._image)
    assert size_of(explorer) == (600, 400)


def test_labels_are_as_wide_as_the_longest_and_many_controls_scroll():
    controls = {
        "a": ipw.IntSlider(0, 0, 10),
        "a longer one": choice("xyz"),
        "act": ipw.ToggleButton(description="a button that bears its word"),
        "b": yes_no(False),
    }
    explorer = Explorer(controls, Figure(), lambda **values: "", alt="Nothing.")
    columns = explorer.children[0]
    assert columns.children == tuple(controls.values())
    widths = [controls[name].style.description_width for name in ("a", "a longer one", "b")]
    assert widths == ["12ch"] * 3
    assert controls["act"].layout.margin == "2px 0 2px calc(12ch + 8px)"
    assert columns.layout.overflow == "auto"


def test_a_fixed_part_that_changes_is_drawn_anew():
    explorer = line_explorer()
    ax = explorer._live._figure.axes[0]
    before = explorer.png()
    ax.set(xlim=(0, 20), xlabel="twice as wide")
    explorer.controls["height"].value = 5
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.add_subplot(xlim=(0, 10), ylim=(0, 10)).plot([1, 9], [5, 5])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    figure.set_layout_engine("none")  # the explorer's layout is settled once
    figure.axes[0].set(xlim=(0, 20), xlabel="twice as wide")
    canvas.draw()
    shown = np.asarray(Image.open(io.BytesIO(explorer.png())))
    assert np.array_equal(shown, np.asarray(canvas.buffer_rgba()))
    ax.set(xlim=(0, 10), xlabel="")
    explorer.controls["height"].value = 2
    assert explorer.png() == before


def two_halves(limits, title=None):
    figure = Figure(figsize=(4, 2), layout="none")
    grid = figure.add_gridspec(1, 2)
    for place, limit in zip(grid, limits, strict=True):
        part = figure.add_subfigure(place, facecolor="white")
        ax = part.add_axes((0.2, 0.2, 0.7, 0.6), xlim=(0, limit))
        ax.plot([0, 1], [0, 1], animated=True)
    if title:
        figure.suptitle(title)
    return figure


def test_of_subfigures_only_those_that_changed_are_drawn_anew():
    figure = two_halves((1, 1))
    live, drawn = LiveFigure(figure), []
    for part in figure.subfigs:
        draw = part.draw
        part.draw = lambda renderer, part=part, draw=draw: (drawn.append(part), draw(renderer))
    live.png()
    assert not drawn
    for changed, limits in ((1, (1, 5)), (0, (7, 5))):
        for limit in (99, limits[changed]):
            figure.axes[changed].set_xlim(0, limit)
            live.png()
        assert set(drawn) == {figure.subfigs[changed]}
        assert live.png() == LiveFigure(two_halves(limits)).png()
        assert len(drawn) == 2
        drawn.clear()


def test_what_lies_across_subfigures_stays():
    figure = two_halves((1, 1), "before")
    live = LiveFigure(figure)
    figure.axes[0].set_xlim(0, 5)
    assert live.png() == LiveFigure(two_halves((5, 1), "before")).png()
    figure.suptitle("after")
    assert live.png() == LiveFigure(two_halves((5, 1), "after")).png()


def test_the_fixed_parts_are_drawn_once_while_only_animated_ones_move(monkeypatch):
    explorer = line_explorer()
    monkeypatch.setattr(explorer._live, "_draw_fixed", lambda: pytest.fail("drawn anew"))
    for height in (1, 9, 4):
        explorer.controls["height"].value = height


def test_words_told_stand_until_a_control_changes():
    explorer = line_explorer()
    explorer.controls["height"].value = 7
    explorer.tell("Nothing was saved.")
    assert explorer.readout == "Nothing was saved. The line is at 7."
    assert "Nothing was saved." in explorer.children[1].value
    explorer.controls["height"].value = 8
    assert explorer.readout == "height: 7 → 8. The line is at 8."


def test_alternative_text_is_the_picture_and_the_readout_without_markup():
    explorer = line_explorer()
    explorer.alt = 'A "line" < a curve.'
    explorer._refresh()
    assert 'alt="A &quot;line&quot; &lt; a curve. The line is at 2."' in picture(explorer)


def test_whatever_others_named_is_escaped_in_words_and_picture():
    control = choice(["<i>one</i>", "<i>two</i>"])
    explorer = Explorer(
        {"<em>name</em>": control}, Figure(figsize=(1, 1)),
        lambda **values: ("<u>quick</u>", control.value), alt="<q>alt</q>", compute=str.upper,
        draw=lambda result: None, say="<s>{}</s>".format,
    )  # fmt: skip
    control.value = "<i>two</i>"
    explorer.wait()
    assert explorer.readout == (
        "<em>name</em>: <i>one</i> → <i>two</i>. <u>quick</u> <s><I>TWO</I></s>"
    )
    words, image = (part.value for part in explorer.children[1:])
    said = html.escape("<u>quick</u> <s><I>TWO</I></s>")
    changed = html.escape("<em>name</em>: <i>one</i> → <i>two</i>.")
    assert f"<b>{changed}</b> {said}</div>" in words
    assert f'alt="{html.escape("<q>alt</q>")} {changed} {said}"' in image
    explorer.tell("<i>told</i>")
    assert "<b>&lt;i&gt;told&lt;/i&gt;</b>" in explorer.children[1].value


def test_a_reader_without_a_kernel_gets_picture_and_words():
    explorer = line_explorer()
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == explorer.readout
    assert base64.b64decode(bundle["image/png"]) == explorer.png()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id


@pytest.mark.parametrize("error", [ZeroDivisionError("by\nnothing"), KeyboardInterrupt()])
def test_an_error_in_an_answer_reaches_the_caller_and_is_told(error):
    explorer, before = line_explorer(), "The line is at 2."
    answer, failing = explorer._answer, [error]

    def once(**values):
        if failing:
            raise failing.pop()
        return answer(**values)

    explorer._answer = once
    with pytest.raises(type(error)):
        explorer.controls["height"].value = 3
    said = str(error).partition("\n")[0] or "KeyboardInterrupt"
    assert explorer.readout == (
        "height: 2 → 3. This could not be measured, and the picture is not of it: "
        f"{type(error).__name__}: {said}"
    )
    assert explorer.settled
    for shown in explorer.children[1:]:
        assert said in shown.value
        assert before not in shown.value
    explorer.controls["height"].value = 4
    assert explorer.readout == "height: 3 → 4. The line is at 4."
    explorer.wait()


def test_a_long_computation_does_not_block_and_the_last_value_stands_greyed():
    go_on, asked = threading.Event(), []

    def compute(height):
        asked.append(height)
        assert len(asked) == 1 or go_on.wait(10)
        return height**2

    explorer = line_explorer(compute)
    assert explorer.settled
    assert explorer.readout.endswith("Its square is 4.")
    for height in (3, 4, 5, 6):
        started = time.perf_counter()
        explorer.controls["height"].value = height
        assert time.perf_counter() - started < 5  # it would wait 10 s
    assert not explorer.settled
    words = explorer.children[1].value
    assert "The line is at 6." in words
    assert "color:#767676" in words.partition("Its square is 4.")[0]
    assert explorer.readout == "height: 5 → 6. The line is at 6. (being measured anew …)"
    go_on.set()
    explorer.wait()
    assert explorer.settled
    assert explorer.readout == "height: 5 → 6. The line is at 6. Its square is 36."
    assert len(asked) <= 3, "what was passed by on the way is not computed"
    assert asked[-1] == 6


def test_a_setting_met_before_is_answered_at_once():
    asked = []
    explorer = line_explorer(lambda height: asked.append(height) or height**2)
    for height in (3, 2, 3):
        explorer.controls["height"].value = height
        explorer.wait()
    assert asked == [2, 3]
    explorer.controls["height"].value = 2
    assert explorer.settled


def test_only_what_takes_long_is_computed_beside():
    asked = []
    explorer = line_explorer(
        lambda height: asked.append(height) or height**2,
        slow=lambda height: height > 5,
    )
    assert explorer.readout == "The line is at 2."
    explorer.controls["height"].value = 6
    explorer.wait()
    explorer.controls["height"].value = 4
    assert explorer.settled
    assert explorer.readout == "height: 6 → 4. The line is at 4."
    assert asked == [6]


@pytest.mark.parametrize("step", ["_compute", "_draw", "_say"])
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_measurement_is_told_and_the_next_change_measures_again(step, kind):
    explorer = line_explorer(lambda height: height**2)
    original, failing = getattr(explorer, step), [kind("no <square> for 5\nat all")]

    def once(given):
        if failing and given is not None:
            raise failing.pop()
        return original(given)

    setattr(explorer, step, once)
    explorer.controls["height"].value = 5
    with pytest.raises(kind, match="for 5"):
        explorer.wait()
    assert explorer.settled
    assert explorer.readout == (
        "height: 2 → 5. The line is at 5. This could not be measured, and the picture is not of "
        f"it: {kind.__name__}: no <square> for 5"
    )
    for shown in explorer.children[1:]:
        assert "no &lt;square&gt; for 5" in shown.value
        assert "measured anew" not in shown.value
        assert "at all" not in shown.value
    assert "Its square is 4" not in picture(explorer)
    for height in (6, 5):
        explorer.controls["height"].value = height
        explorer.wait()
        assert explorer.readout.endswith(f"Its square is {height**2}.")


def test_a_picture_that_cannot_be_drawn_is_told(monkeypatch):
    explorer = line_explorer()
    monkeypatch.setattr(explorer._live, "png", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        explorer.controls["height"].value = 3
    assert "ZeroDivisionError: division by zero" in explorer.children[1].value
    monkeypatch.undo()
    explorer.controls["height"].value = 4
    assert explorer.readout == "height: 3 → 4. The line is at 4."


def test_a_failure_that_comes_late_leaves_the_newer_question_its_answer():
    begun, go_on = threading.Event(), threading.Event()

    def compute(height):
        if height == 5:
            begun.set()
            go_on.wait()
            raise ValueError("five will not do")
        return height**2

    explorer = line_explorer(compute)
    explorer.controls["height"].value = 5
    begun.wait()
    explorer.controls["height"].value = 6
    go_on.set()
    explorer.wait()
    assert explorer.settled
    assert explorer.readout.endswith("Its square is 36.")


def test_workers_of_two_explorers_take_turns_and_each_gets_its_own():
    at_once, most, go_on = [], [], threading.Event()

    def compute(height):
        if height > 2:
            at_once.append(height)
            most.append(len(at_once))
            go_on.wait(10)
            at_once.remove(height)
        return 10 * height

    explorers = [line_explorer(compute) for _ in range(3)]
    for height, explorer in enumerate(explorers, 3):
        explorer.controls["height"].value = height
    assert not any(explorer.settled for explorer in explorers)
    go_on.set()
    for height, explorer in enumerate(explorers, 3):
        explorer.wait()
        assert explorer.readout.endswith(f"The line is at {height}. Its square is {10 * height}.")
    assert max(most) == 1


def test_explorers_leave_no_figures_open():
    open_before = plt.get_fignums()
    line_explorer(lambda height: height)
    assert plt.get_fignums() == open_before


def test_a_slider_shows_long_options_whole():
    long, short = ([f"{word} {n}" for n in range(9)] for word in ("clustered+full_integer", "8"))
    sliders = {"long": choice(long, value=long[0]), "short": choice(short, value="8 1")}
    explorer = Explorer(sliders, Figure(), lambda long, short: long, alt="Nothing.")
    beside, plain = explorer.children[0].children
    slider, readout = beside.children
    assert (slider, plain) == tuple(sliders.values())
    assert (slider.readout, plain.readout) == (False, True)
    assert (readout.layout.width, readout.value) == ("24ch", long[0])
    for option in long[::-1]:
        slider.value = option
        assert readout.value == option


@pytest.mark.parametrize(("n", "kind"), [(1, ipw.ToggleButtons), (9, ipw.SelectionSlider)])
def test_a_choice_answers_to_keys_and_starts_where_it_is_told(n, kind):
    options = [f"option {i}" for i in range(n)]
    control = choice(options, value=options[-1])
    assert isinstance(control, kind)
    assert control.value == options[-1]
    assert choice(options).value == options[0]
