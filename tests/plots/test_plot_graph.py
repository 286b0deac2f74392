"""The network and its memory as drawn: what stands in the boxes, on the lines, in the blocks."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import mutants_of_files as mutants
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch, PathPatch

import qkit as qk
from qkit.plots.style import dtype_look

FILES = sorted((Path(__file__).parents[1] / "files").glob("*.tflite"))


def boxes(ax):
    return [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]


def lines(ax):
    return [patch for patch in ax.patches if isinstance(patch, PathPatch)]


def said(ax):
    return [text.get_text() for text in ax.texts]


def peak(ax):
    return ax.get_legend().get_title().get_text()


def test_each_operator_is_a_box_with_its_output_and_its_macs(tflite):
    file = qk.inspect(tflite("full_integer"))
    ax = qk.plot_graph(file)
    assert said(ax)[0] == "serving_default_image:0\nfloat32 1×28×28"
    assert said(ax)[-1] == "StatefulPartitionedCall:0\nfloat32 1×10"
    assert "CONV_2D\nint8 1×26×26×12\n73,008 MACs" in said(ax)
    assert [text.partition("\n")[0] for text in said(ax)[1:-1]] == [o.name for o in file.operators]
    assert len(boxes(ax)) == len(said(ax)) == len(file.operators) + 2


def test_a_line_has_the_colour_of_its_dtype(tflite):
    ax = qk.plot_graph(qk.inspect(tflite("full_integer")))
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert words == ["float32", "int8", "int32"]
    drawn = {to_hex(line.get_edgecolor()) for line in lines(ax)}
    assert drawn == {dtype_look(word)[0].lower() for word in words}
    assert dtype_look("string") == dtype_look("bool") != dtype_look("float32")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_boxes_lie_apart_and_below_what_they_read(path):
    lies_clear(qk.plot_graph(qk.inspect(path.read_bytes())))


def lies_clear(ax):
    """Hold that no box meets another, or a line that is not its own, and that lines go down."""
    places = [box.get_bbox() for box in boxes(ax)]
    for number, box in enumerate(places):
        assert not any(box.overlaps(other) for other in places[:number])
    for line in lines(ax):
        assert line.get_path().vertices[0, 1] > line.get_path().vertices[-1, 1]
        for x, y in line.get_path().to_polygons(closed_only=False)[0][1:-1]:
            assert not any(b.x0 < x < b.x1 and b.y0 + 0.01 < y < b.y1 - 0.01 for b in places)


def test_what_passes_by_boxes_goes_around_them_and_straight_down(built):
    tensors = {name: ((1, 4), np.float32) for name in ("x", *"abcde")}
    operators = [("ADD", ("x", "x"), (name,), "AddOptions") for name in "abcd"]
    operators.append(("CONCATENATION", (*"abcd", "x"), ("e",), "ConcatenationOptions"))
    file = qk.inspect(built((tensors, operators, ["x"], ["e"])))
    lies_clear(qk.plot_graph(file))
    passing = max(lines(qk.plot_graph(file)), key=lambda line: len(line.get_path().vertices))
    assert len({*passing.get_path().vertices[3:-3, 0]}) == 1


def test_what_passes_several_boxes_is_straight_where_it_can_be(tflite):
    passed = lines(qk.plot_graph(qk.inspect(tflite("full_integer"))))
    longest = max((line.get_path().vertices for line in passed), key=len)
    assert len(longest) > 20
    assert np.ptp(longest[:, 0]) == pytest.approx(0, abs=1e-9)


def test_branches_do_not_cross_where_they_need_not(built):
    tensors = {name: ((1, 4), np.float32) for name in "xyab"}
    operators = [("ADD", (n, n), (m,), "AddOptions") for n, m in ("ya", "xb")]
    ax = qk.plot_graph(qk.inspect(built((tensors, operators, ["x", "y"], ["a", "b"]))))
    x, y, a, b, *_ = (box.get_x() for box in boxes(ax))
    assert (x < y) == (b < a)


@pytest.mark.parametrize("path", FILES[::7], ids=lambda path: path.stem)
def test_texts_lie_within_their_boxes(path):
    texts_fit(qk.plot_graph(qk.inspect(path.read_bytes())))


@pytest.mark.parametrize("length", [3, 70])
def test_long_names_and_shapes_are_cut(length, built):
    name, shape = "W" * 80, (10**6, 10**5, 10**4, 10**3)
    tensors = {f"{name}{n}": (shape, np.float32) for n in range(length + 1)}
    names = [*tensors]
    operators = [
        ("ADD", (names[n], names[n]), (names[n + 1],), "AddOptions") for n in range(length)
    ]
    file = qk.inspect(built((tensors, operators, names[:1], names[-1:])))
    ax = qk.plot_graph(file)
    texts_fit(ax)
    assert "…" in said(ax)[0]
    assert "…" in peak(qk.plot_memory_plan(file))


def texts_fit(ax):
    ax.figure.canvas.draw()
    for box, text in zip(boxes(ax), ax.texts, strict=True):
        outer, inner = box.get_window_extent(), text.get_window_extent()
        assert outer.x0 < inner.x0 < inner.x1 < outer.x1
        assert outer.y0 < inner.y0 < inner.y1 < outer.y1


def chain(built, length):
    tensors = {f"t{n}": ((1, 4), np.float32) for n in range(length + 1)}
    operators = [("ADD", (f"t{n}", f"t{n}"), (f"t{n + 1}",), "AddOptions") for n in range(length)]
    return qk.inspect(built((tensors, operators, ["t0"], [f"t{length}"])))


def test_many_operators_have_a_line_of_text_and_too_many_are_refused(built):
    assert "\n" in said(qk.plot_graph(chain(built, 58)))[1]
    assert said(qk.plot_graph(chain(built, 59)))[1] == "ADD  float32 1×4"
    with pytest.raises(ValueError, match=r"1,001 operators.*to_model_explorer\(folder\)") as error:
        qk.plot_graph(chain(built, 999))
    assert len(chain(built, 999).operator_table) == 999, str(error)


def test_axes_of_ones_own_get_smaller_texts(tflite):
    file = qk.inspect(tflite("float32"))
    _, (left, right) = plt.subplots(1, 2)
    assert qk.plot_graph(file, ax=left) is left
    assert left.texts[0].get_size() < qk.plot_graph(file).texts[0].get_size()
    assert qk.plot_memory_plan(file, ax=right) is right


def test_blocks_are_as_wide_as_lives_and_the_peak_is_named(tflite):
    file = qk.inspect(tflite("full_integer"))
    ax = qk.plot_memory_plan(file)
    assert peak(ax) == "peak 10,140 bytes at 6 MAX_POOL_2D:\nconv 8,112 + MaxPool 2,028"
    widest = max((bar for bars in ax.containers for bar in bars), key=lambda bar: bar.get_height())
    assert (widest.get_x(), widest.get_width(), widest.get_height()) == (4.5, 2, 8.112)
    assert ax.get_ylabel() == "memory, kB"
    ticks = [tick.get_text() for tick in ax.get_xticklabels()]
    assert ticks == [f"{n} {op.name}" for n, op in enumerate(file.operators)]
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert {*words} == {"alive at once", "float32", "int8", "int32"}
    assert {"conv", "MaxPool"} < {*said(ax)}


def test_of_many_that_make_the_peak_three_are_named(built):
    tensors = {name: ((1, 4), np.float32) for name in "xabcd"}
    operators = [("ADD", "xx", name, "AddOptions") for name in "abcd"]
    file = qk.inspect(built((tensors, operators, "x", "abcd")))
    said = r"peak 80 bytes at 3 ADD:\n. 16 \+ . 16 \+ . 16 \+ 2 more"
    assert re.fullmatch(said, peak(qk.plot_memory_plan(file)))


def test_large_plans_are_in_larger_units(built, tflite):
    assert qk.plot_memory_plan(qk.inspect(tflite("float32"))).get_ylabel() == "memory, kB"
    tensors = {name: ((4, 2**20), np.float32) for name in "xy"}
    large = built((tensors, [("ADD", "xx", "y", "AddOptions")], "x", "y"))
    assert qk.plot_memory_plan(qk.inspect(large)).get_ylabel() == "memory, MB"


def odd(built):
    """Yield files that hold little, or what has no size."""
    yield built(({}, [], [], []))
    yield built(({"x": ((1, 4), np.float32)}, [], ["x"], ["x"]))
    yield built(({"k": np.float32([1, 2])}, [], [], ["k"]))
    for shape in ((), (0,), (-1, 3), (2**31 - 1,) * 3):
        tensors = {name: (shape, np.float32) for name in ("x", "$y$")}
        yield built((tensors, [("ADD", ("x", "x"), ("$y$",), "AddOptions")], ["x"], ["$y$"]))
    yield built(({"x": ((), np.int8)}, [("CALL_ONCE", (), (), "CallOnceOptions")], ["x"], []))


def test_odd_files_are_drawn(built):
    for tflite in odd(built):
        file = qk.inspect(tflite)
        for plot in (qk.plot_graph, qk.plot_memory_plan):
            plot(file).figure.canvas.draw()
        assert "<table" in file._repr_html_() + file.operator_table.to_html()
        assert str(file.memory_plan)
    assert qk.plot_memory_plan(qk.inspect(next(odd(built)))).get_title().startswith("no operators")


def test_damaged_files_are_drawn_or_refused():
    drawn = 0
    for number in range(24):
        try:
            file = qk.inspect(mutants.mutant(number)[1])
        except ValueError:
            continue
        for plot in (qk.plot_graph, qk.plot_memory_plan):
            plot(file).figure.canvas.draw()
        plt.close("all")
        drawn += 1
    assert drawn > 7
