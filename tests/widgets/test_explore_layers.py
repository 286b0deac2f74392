"""The explorer of layers: every control moved, errors and accuracy held against the measurement."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.data import drawn
from qkit.interpreter.run import intermediate
from qkit.quantize.integer_operators import grid_of
from qkit.tflite.file import TfliteError, inspect

FILES = Path(__file__).parents[1] / "files"
BITS = {"int8": (8, 8), "int16": (8, 16), "float32": (32, 32)}


@pytest.fixture(scope="module")
def in_float(depthwise_tflite):
    return depthwise_tflite("float32")


@pytest.fixture
def explorer(in_float, digits):
    return qk.explore_layers(in_float, digits, images=60)


@pytest.fixture(scope="module")
def errors(in_float, digits):
    calibration = drawn(digits.x_train, 100)
    in_int8 = qk.convert(in_float, "litert_full_integer", calibration)
    found = qk.layer_errors(in_float, in_int8, digits.x_test[:50], digits.y_test[:50])
    return found, in_int8


def panels(explorer):
    """Return the axes of the strip, of the levels and of the wrong answers."""
    return explorer._live._figure.findobj(lambda a: hasattr(a, "get_xlim"))


def test_it_begins_with_the_one_that_hurts_most_all_in_int8(explorer, errors):
    found, _ = errors
    assert explorer.controls["layer"].value == found.worst
    worst = found.table.loc[found.worst]
    assert explorer.readout.startswith(f"{worst['name']} ({worst['operator']}, goes with block4_pw")
    assert f"the output has {worst['output_sqnr_db']:.1f} then" in explorer.readout
    assert "Not in int8: nothing." in explorer.readout
    assert "Against all in int8: +0.00 points" in explorer.readout


def test_every_operator_is_picked_and_told(explorer, errors):
    table = errors[0].table
    erring = table[table["alone_sqnr_db"] < np.inf]
    control = explorer.controls["layer"]
    assert dict(control.options) == dict(zip(erring["name"], erring.index, strict=True))
    for name, number in [*control.options[::-1], control.options[-1]]:
        before, row = explorer.png(), table.loc[number]
        moved = control.value != number
        control.value = number
        assert f"{name} ({row['operator']}" in explorer.readout
        assert f"in the int8 file {row['sqnr_db']:.1f} dB with all errors" in explorer.readout
        assert f"{row['alone_sqnr_db']:.1f} with its own alone" in explorer.readout
        assert (explorer.png() != before) == moved
        explorer.wait()


@pytest.mark.slow
def test_choices_are_kept_by_layer_and_measured_together(explorer, in_float, digits):
    names = [layer.name for layer in qk.simulation.layers(in_float)]
    ranges = qk.simulation.calibrated_ranges(in_float, drawn(digits.x_train, 100))
    number = dict(explorer.controls["layer"].options)
    chosen = dict.fromkeys(("input", *names), "int8")
    for name, kind in [("stem", "float32"), ("block2_dw", "int16"), ("logits", "float32"),
                       ("stem", "int16")]:  # fmt: skip
        explorer.controls["layer"].value = number[name]
        assert explorer.controls["becomes"].value == chosen[name]
        before = explorer.png()
        explorer.controls["becomes"].value = chosen[name] = kind
        explorer.wait()
        weights, activations = ({n: BITS[k][i] for n, k in chosen.items()} for i in (0, 1))
        change = qk.simulation.bits(
            in_float, ranges, weight_bits=weights, activation_bits=activations
        )
        expected = qk.effect(in_float, change, digits.x_test[:60], digits.y_test[:60])
        assert f"{expected.paired.against('float32')}. Against all in int8: " in explorer.readout
        assert f"the weights take {change.size_bytes / 1000:.1f} kB" in explorer.readout
        assert f"{name} {kind}" in explorer.readout
        assert explorer.png() != before
        assert explorer.bits().weight_bits == change.weight_bits
        assert explorer.bits().activation_bits == change.activation_bits
    assert "Not in int8: stem int16, block2_dw int16, logits float32 (int16 is of act" in (
        explorer.readout
    )


def test_all_goes_back_to_int8_at_once(explorer):
    at_first, layer = explorer.readout, explorer.controls["layer"]
    for number in (layer.options[1][1], layer.value):
        layer.value = number
        explorer.controls["becomes"].value = "float32"
    explorer.wait()
    assert "Not in int8: stem float32, block4_pw float32." in explorer.readout
    for _ in range(2):
        explorer.controls["reset"].value = True
        explorer.wait()
        assert not explorer.controls["reset"].value
        assert explorer.controls["becomes"].value == "int8"
        assert explorer.readout == f"all back to int8: no → yes. {at_first}"
    assert {*explorer.bits().weight_bits.values()} == {8}


def test_bits_are_explored_on_from_what_was_chosen(explorer, in_float, digits):
    explorer.controls["layer"].value = dict(explorer.controls["layer"].options)["stem"]
    explorer.controls["becomes"].value = "int16"
    explorer.wait()
    bits = qk.explore_bits(in_float, digits, images=60, start=explorer.bits())
    values = {name: control.value for name, control in bits.controls.items()}
    assert values.pop("activation bits, stem") == 16
    assert {*values.values()} == {8}
    says = explorer.readout.partition("Accuracy ")[2].partition("; against")[0]
    assert f"Accuracy {says}; against" in bits.readout


def test_a_start_of_another_network_or_of_other_bits_is_refused(tflite, in_float, digits):
    other = qk.simulation.bits(tflite("float32"), {})
    with pytest.raises(ValueError, match="start is of the layers conv, logits, which are not"):
        qk.explore_bits(in_float, digits, images=20, start=other)
    odd = qk.simulation.bits(tflite("float32"), {}, weight_bits=9)
    with pytest.raises(ValueError, match="explore_bits: weight bits, conv must be one of"):
        qk.explore_bits(tflite("float32"), digits, images=20, start=odd)
    with pytest.raises(TypeError, match="explore_bits: start must be"):
        qk.explore_bits(tflite("float32"), digits, images=20, start={"conv": 8})


def test_values_of_the_float_file_are_counted_by_level(explorer, errors, in_float, digits):
    """By another way: the levels of the int8 grid from 50 items, and what is beyond."""
    _, in_int8 = errors
    op = next(op for op in inspect(in_int8).operators if op.name == "MEAN")
    grid = grid_of(op.outputs[0])
    (name,) = (o.outputs[0].name for o in inspect(in_float).operators if o.name == "MEAN")
    values = np.concatenate(
        [item[name].ravel() for item in intermediate(in_float, digits.x_test[:50], [name])]
    )
    levels = np.round(values / grid.scale[0]) + grid.zero_point[0]
    _, ax, _ = panels(explorer)
    bars, over = ax.patches[:2]
    shares = {level: np.mean(levels == level) for level in range(-128, 128)}
    drawn_at = dict(zip(bars.get_data().edges[:-1] + 0.5, bars.get_data().values, strict=True))
    for level, share in shares.items():
        assert drawn_at[level] == pytest.approx(max(share, 1e-5)), level
    beyond = np.mean((levels < -128) | (levels > 127))
    heights = over.get_data().values
    assert heights[heights > 1e-5].sum() == pytest.approx(beyond)
    used = len(np.unique(levels[(levels >= -128) & (levels <= 127)]))
    assert any(f"{used} of 256 levels used" in text.get_text() for text in ax.texts)


def test_the_strip_marks_the_row_that_is_picked_and_what_became_of_it(explorer):
    strip, *_ = panels(explorer)
    names = [label.get_text() for label in strip.get_yticklabels()]
    number = dict(explorer.controls["layer"].options)
    explorer.controls["layer"].value = number["block3_dw"]
    explorer.controls["becomes"].value = "int16"
    explorer.wait()
    (band,) = strip.collections
    row = names.index("block3_dw")
    assert [*band.get_paths()[0].vertices[:, 1]][:2] == [row - 0.5] * 2
    said = [t for t in strip.texts if t.get_animated() and t.get_visible()]
    assert [(t.get_text(), t.get_position()[1]) for t in said] == [("int16", row)]
    assert "those that hurt most" in strip.get_xlabel()


def test_values_beyond_the_grid_are_told(tflite, digits):
    data = dataclasses.replace(digits, x_test=digits.x_test * 3)
    explorer = qk.explore_layers(tflite("float32"), data, images=50)
    explorer.controls["layer"].value = explorer.controls["layer"].options[0][1]
    explorer.wait()
    _, ax, _ = panels(explorer)
    share = next(t.get_text() for t in ax.texts if "beyond the grid" in t.get_text())
    assert float(share.split()[0]) > 5


@pytest.mark.parametrize("name", ["repeated", "attention", "two_inputs", "separable"])
def test_networks_of_other_kinds_are_explored(name):
    tflite = (FILES / f"zoo_{name}_float32.tflite").read_bytes()
    rng, inputs = np.random.default_rng(0), inspect(tflite).inputs
    x = {t.name: rng.random((20, *t.shape[1:])).astype(np.float32) for t in inputs}
    x = {name.removeprefix("serving_default_").removesuffix(":0"): v for name, v in x.items()}
    x = x if len(x) > 1 else next(iter(x.values()))
    y = np.arange(20) % inspect(tflite).outputs[0].shape[-1]
    explorer = qk.explore_layers(tflite, qk.Dataset(x, y, x, y, "random", "drawn"))
    for number in dict(explorer.controls["layer"].options).values():
        explorer.controls["layer"].value = number
        explorer.controls["becomes"].value = "float32"
        explorer.wait()
    assert "n = 20" in explorer.readout


def test_what_has_no_layers_to_show_is_refused_with_the_reason(tflite, digits):
    with pytest.raises(TfliteError, match="no convolution and no dense layer with float32 weights"):
        qk.explore_layers(tflite("full_integer"), digits, images=20)
    state = (FILES / "zoo_state_float32.tflite").read_bytes()
    x = np.zeros((9, *inspect(state).inputs[0].shape[1:]), np.float32)
    with pytest.raises(TfliteError, match="2 graphs: loops and branches"):
        qk.explore_layers(state, (x, np.zeros(9, int)))
    with pytest.raises(ValueError, match="explore_layers: the number of test images"):
        qk.explore_layers(tflite("float32"), digits, images=0)
