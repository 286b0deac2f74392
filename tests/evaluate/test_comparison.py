"""The table of schemes: one row each, units in the names, the control standing, one HTML file."""

import dataclasses
import re

import pytest

import qkit as qk
from qkit import cache
from qkit.evaluate import compare as comparison

BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]

COLUMNS = [
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "difference_pp",
    "difference_low_pp",
    "difference_high_pp",
    "p_value",
    "lost",
    "gained",
    "size_bytes",
    "deflated_bytes",
    "size_ratio",
    "activations_bytes",
    "multiply_accumulates",
    "latency_us",
    "latency_low_us",
    "latency_high_us",
    "latency_ratio",
    "latency_ratio_low",
    "latency_ratio_high",
    "python_overhead_us",
    "delegate",
    "float_operators",
    "needs",
    "status",
    "accuracy_status",
]


@pytest.fixture(scope="module")
def compared(trained, aware, digits, tflite, converted_once):
    """Return a comparison with a control; the trained model itself stands for it."""
    with converted_once():
        return qk.compare(
            trained,
            digits,
            ["dynamic_range", "qat"],
            trained={"qat": aware, "control": trained},
            extra={"<b>mine|": tflite("float16")},
        )


@pytest.fixture(scope="module")
def uncontrolled(trained, aware, digits, converted_once):
    with converted_once():
        return qk.compare(trained, digits, ["qat"], trained={"qat": aware})


ROWS = ["float32", "dynamic_range", "qat", "control_float32", "control_full_integer", "<b>mine|"]


def test_a_row_each_and_the_reference_first(compared, tflite):
    frame = compared.to_frame()
    assert frame.index.tolist() == ROWS == list(compared.models)
    assert frame.index.name == "scheme"
    assert frame.columns.tolist() == COLUMNS
    assert frame.notna().all(axis=None)
    assert compared.reference == "float32"
    assert compared.models["float32"] == tflite("float32")


def test_row_holds_what_the_parts_measure(compared, digits):
    frame = compared.to_frame()
    for name, file in compared.models.items():
        row, found = frame.loc[name], qk.accuracy(file, digits.x_test, digits.y_test)
        assert row["accuracy"] == found.accuracy == compared.accuracies[name].accuracy
        assert (row["accuracy_low"], row["accuracy_high"]) == found.interval
        assert row["size_bytes"] == len(file)
        assert row["deflated_bytes"] == qk.size(file).deflated_bytes
        assert row["size_ratio"] == len(compared.models["float32"]) / len(file)
        assert row["latency_us"] == compared.latency.median_us[name]
        difference = 100 * (found.accuracy - frame.loc["float32", "accuracy"])
        assert row["difference_pp"] == pytest.approx(difference)
    reference = frame.loc["float32"]
    assert (reference["p_value"], reference["size_ratio"], reference["latency_ratio"]) == (1, 1, 1)


def test_float_operators_are_counted(compared):
    count = compared.to_frame()["float_operators"]
    assert count["qat"] == count["control_full_integer"] == 0
    assert count["float32"] == count["dynamic_range"] > 0


def test_needs_say_what_each_row_cost(compared):
    assert compared.needs == {
        "float32": "nothing",
        "dynamic_range": "nothing",
        "qat": "labelled training data",
        "control_float32": "labelled training data",
        "control_full_integer": "labelled training data",
        "<b>mine|": "–",
    }


def test_control_rows_stand_even_where_they_were_not_measured(uncontrolled):
    frame = uncontrolled.to_frame()
    assert frame.index.tolist() == ["float32", "qat", "control_float32", "control_full_integer"]
    for name in ("control_float32", "control_full_integer"):
        assert frame.loc[name].drop(["status", "accuracy_status"]).isna().all()
        assert frame.loc[name, "status"].startswith("not measured: pass trained={…, 'control'")
        row = uncontrolled.to_display().loc[name]
        assert set(row.drop("needs beside the model")) == {"–"}
    assert sum("pass trained=" in note for note in uncontrolled.notes()) == 2
    assert "pass trained=" in uncontrolled._repr_html_()


def test_without_qat_there_is_no_control(toy_model, toy_data, capfd):
    found = qk.compare(toy_model(), toy_data, ["float32"])
    assert capfd.readouterr() == ("", "")
    assert list(found.models) == ["float32"]
    assert not found.not_measured
    assert str(found).startswith("0 of 0 schemes lose no accuracy")
    assert "control" not in str(found)


def test_summary_names_what_is_small_and_fast(compared):
    others = compared.to_frame().loc[["dynamic_range", "qat", "<b>mine|"]]
    kept = others[(others["p_value"] >= 0.05) | (others["difference_pp"] >= 0)]
    text = compared.summary()
    assert text.startswith(f"{len(kept)} of 3 schemes lose no accuracy against float32 that 500")
    assert f"{kept['size_bytes'].idxmin()} is the smallest file" in text
    packed = kept["deflated_bytes"].idxmin()
    deflated = {name: qk.size(file).deflated_bytes for name, file in compared.models.items()}
    times = deflated["float32"] / deflated[packed]
    assert f"{packed} the smallest deflated ({times:.2f} times)" in text
    assert f"{kept['latency_us'].idxmin()} the fastest" in text


def test_summary_names_the_rows_that_lose(compared, digits):
    upside_down = qk.accuracy(compared.models["qat"], digits.x_test[:, ::-1], digits.y_test)
    accuracies = {**compared.accuracies, "qat": upside_down}
    reference = accuracies["float32"]
    spoilt = dataclasses.replace(
        compared,
        accuracies=accuracies,
        paired={name: qk.paired(reference, found) for name, found in accuracies.items()},
    )
    assert spoilt.summary().startswith("2 of 3 schemes lose no accuracy")
    assert "(qat do)" in spoilt.summary()


def test_summary_holds_qat_against_its_control_or_says_that_there_is_none(compared, uncontrolled):
    accuracies = compared.accuracies
    against = qk.paired(accuracies["control_full_integer"], accuracies["qat"])
    assert f"qat against control_full_integer, which had the same epochs: {against}" in str(
        compared
    )
    assert "qat has no control here" in str(uncontrolled)


def test_display_rounds_and_keeps_the_intervals(compared):
    shown, frame = compared.to_display(), compared.to_frame()
    row = frame.loc["qat"]
    assert shown.loc["qat", "times smaller"] == f"{row['size_ratio']:.2f}"
    assert shown.loc["qat", "file, bytes"] == f"{row['size_bytes']:,.0f}"
    assert shown.loc["qat", "accuracy, % (95 %)"].startswith(f"{100 * row['accuracy']:.2f} (")
    assert shown.loc["float32", "p"] == "–"
    assert "500 test images of digits; p from McNemar's exact test" in compared.notes()[0]
    assert "1 thread(s)" in compared.notes()[1]
    assert qk.environment().cpu in compared.notes()[1]


def test_costs_are_those_of_the_files(compared):
    frame = compared.to_frame()
    for name, tflite in compared.models.items():
        assert frame.loc[name, "activations_bytes"] == qk.memory(tflite).activations_bytes
        assert frame.loc[name, "multiply_accumulates"] == 26 * 26 * 12 * 9 + 2028 * 10
    assert frame.loc["qat", "activations_bytes"] * 3 < frame.loc["float32", "activations_bytes"]
    assert "activations, bytes" in compared.to_display()
    assert "arena, bytes" not in compared._repr_markdown_()


def test_row_as_a_sentence(hand_made):
    from qkit.evaluate.report import sentence

    found = hand_made({"float32": (range(20), 80, 10), "mine": (range(19), 20, 5, "–")})
    low, high = found.accuracies["float32"].interval
    assert sentence(found, "float32") == (
        f"float32: 98.00 % right (95 % interval {100 * low:.2f} to {100 * high:.2f}), 80.0 kB "
        "(1.00 times smaller; deflated 64.0 kB), 10.0 µs an inference (1.00 times the time), no "
        "float operators; needs no data."
    )
    assert "+0.10 points against float32 (p = 1.000: within the noise)" in sentence(found, "mine")


def test_size_cut_is_negative_for_a_larger_file(hand_made):
    found = hand_made({"float32": (range(5), 80, 10), "larger": (range(5), 100, 10)})
    assert found.size_cut("larger") == -25


def test_markdown_is_a_table(compared):
    lines = compared._repr_markdown_().splitlines()
    assert len(lines) == 2 + len(ROWS)
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert len(columns) == 1, "each row has the same number of cells"
    assert set(lines[1]) == set("|- ")


def test_html_is_one_file_that_asks_for_nothing_else(compared, tmp_path):
    path = tmp_path / "a report.html"
    assert compared.to_html(str(path)) == path
    page = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|src=|href=|@import|url\(|<script|<link", page)
    assert "charset=utf-8" in page
    assert "<b>mine" not in page
    assert "&lt;b&gt;mine" in page
    assert "Measured with" in page


def test_html_that_cannot_be_written_leaves_the_old_one(compared, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(cache.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        compared.to_html(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_all_schemes_that_need_no_training_are_the_default(toy_data, toy_model, monkeypatch):
    asked = []

    def convert(model, scheme, calibration):
        asked.append((scheme.name, len(calibration)))
        raise ValueError("that will do")

    monkeypatch.setattr(comparison, "convert", convert)
    chosen = comparison._chosen(None, {})
    plain = [name for name in BY_CONVERTER if not qk.SCHEMES[name].technique]
    assert [s.name for s in chosen] == plain
    assert [s.name for s in comparison._chosen(None, {"pqat": toy_model()})] == [*plain, "pqat"]
    with pytest.raises(ValueError, match="that will do"):
        qk.compare(toy_model(), toy_data)
    assert asked == [("float32", 100)], "calibration is drawn from the training images"


@pytest.mark.slow
def test_all_schemes_in_one_call_and_what_was_trained_for_them_is_not_trained_again(
    trained, few_digits, monkeypatch
):
    made_by_training = [n for n in BY_CONVERTER if qk.SCHEMES[n].technique]
    made_by_training += [f"{t}+full_integer" for t in ("pruned", "clustered")]
    plain = [n for n in BY_CONVERTER if not qk.SCHEMES[n].technique]
    controls = ["control_float32", "control_full_integer"]
    first = qk.compare(trained, few_digits, [*plain, *made_by_training])
    assert list(first.models) == [*plain, *made_by_training, *controls]
    assert first.to_frame()["deflated_bytes"].idxmin() == "pcqat"
    assert not first.not_measured

    def load(*key):
        looked_up.append(real_load(*key))
        return looked_up[-1]

    looked_up, real_load = [], cache.load
    monkeypatch.setattr(cache, "load", load)
    through_the_grid = ["qat", "pqat", "cqat", "pcqat"]  # which start from all the others
    again = qk.compare(trained, few_digits, through_the_grid)
    assert list(again.models) == ["float32", *through_the_grid, *controls]
    assert len(looked_up) == 8  # seven techniques, and the control of one
    assert all(looked_up)
    for name, found in again.accuracies.items():  # names in the files differ, as Keras counts on
        assert (found.predictions == first.accuracies[name].predictions).all(), name
