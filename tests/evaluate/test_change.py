"""What changed between two comparisons: paired on equal items, and never said where not known."""

import dataclasses
from types import MappingProxyType

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate.accuracy import Score
from qkit.evaluate.provenance import Provenance
from qkit.evaluate.tasks import METRICS

BEFORE = {"float32": (range(20), 80, 10), "int8": (range(24), 20, 5), "gone": (range(9), 30, 9)}
AFTER = {"float32": (range(20), 80, 10), "int8": (range(50), 24, 3), "new": (range(9), 30, 9)}


def from_here(found, items="abc", **facts):
    """Return a comparison as if it were measured on some items, on this machine or another."""
    machine = dataclasses.replace(qk.environment(), **facts)
    return dataclasses.replace(found, provenance=Provenance("2026-01-01", "0.1.0", items, machine))


@pytest.fixture
def made(hand_made):
    """Return a function from rows, and facts of the machine, to a comparison made there."""
    return lambda rows, items="abc", **facts: from_here(hand_made(rows), items, **facts)


def test_on_the_same_items_it_is_what_paired_says(made):
    before, after = made(BEFORE), made(AFTER)
    found = after.against(before)
    wanted = qk.paired(before.accuracies["int8"], after.accuracies["int8"])
    assert found.differences["int8"].row == wanted.row
    row = found.table.loc["int8"]
    for column in ("difference_pp", "difference_low_pp", "difference_high_pp", "p_value"):
        assert row[column] == wanted.row[column]
    assert (row["judged"], row["verdict"], row["latency"]) == ("paired", "worse", "faster")
    assert (row["size_before_bytes"], row["size_after_bytes"]) == (20000, 24000)
    assert (row["accuracy_before"], row["accuracy_after"]) == (0.976, 0.95)
    assert found.summary() == (
        f"int8 {wanted.summary()}; 1 file of another size; faster: int8; new: new; gone: gone"
    )
    assert before.against(after).table.loc["int8", "verdict"] == "better"


def test_a_row_of_one_alone_is_new_or_gone(made):
    table = made(AFTER).against(made(BEFORE)).table
    assert table["status"].to_dict() == {
        "float32": "in both", "int8": "in both", "gone": "gone", "new": "new",
    }  # fmt: skip
    for name in ("gone", "new"):
        assert table.loc[name, ["judged", "verdict", "latency"]].tolist() == ["", "", ""]
    assert np.isnan(table.loc["new", "size_before_bytes"])


def test_on_other_items_nothing_is_paired_and_it_says_so(made):
    before, after = made(BEFORE), made(AFTER, items="another hash")
    found = after.against(before)
    row, exact = (
        found.table.loc["int8"],
        qk.paired(before.accuracies["int8"], after.accuracies["int8"]),
    )
    assert row["judged"] == "unpaired: other items or labels"
    assert row["difference_pp"] == pytest.approx(exact.difference_pp)
    # by hand: Newcombe's interval, from the ends of Wilson's
    (p, low, high), (q, now_low, now_high) = (c.accuracies["int8"].percent for c in (before, after))
    assert row["difference_low_pp"] == pytest.approx(q - p - np.hypot(q - now_low, high - p))
    assert row["difference_high_pp"] == pytest.approx(q - p + np.hypot(now_high - q, p - low))
    assert "p_value" not in found.table
    assert "unpaired: other items or labels" in found.summary()
    unknown = dataclasses.replace(before, provenance=None)
    assert set(after.against(unknown).table["judged"]) == {
        "unpaired: it is not known on which items",
        "",
    }


def test_labels_that_are_others_are_never_paired(made):
    before, after = made(BEFORE), made(AFTER)
    accuracies = {
        k: dataclasses.replace(v, labels=v.labels[::-1]) for k, v in after.accuracies.items()
    }
    after = dataclasses.replace(after, accuracies=MappingProxyType(accuracies), labels=False)
    assert (
        after.against(before).table.loc["int8", "judged"]
        == "unpaired: held against another float32"
    )


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"cpu": "a phone"}, "cpu a phone before and"),
        ({"cores": 77}, "cores 77 before and"),
        ({"vector_instructions": "none"}, "vector_instructions none before and"),
    ],
)
def test_times_of_another_machine_are_never_faster_or_slower(made, facts, why):
    found = made(AFTER).against(made(BEFORE, **facts))
    assert set(found.table["latency"]) == {"not comparable", ""}
    assert f"latencies are not comparable: {why}" in found.summary()
    assert "faster" not in found.summary()
    unknown = dataclasses.replace(made(BEFORE), provenance=None)
    assert set(made(AFTER).against(unknown).table["latency"]) == {"not comparable", ""}


def test_where_the_same_file_takes_longer_than_it_did_no_time_is_compared(made):
    slow = made(AFTER | {"float32": (range(20), 80, 15)})
    found = slow.against(made(BEFORE))
    assert found.other_times == "float32, the same file, takes 1.50 times as long as it did"
    assert set(found.table["latency"]) == {"not comparable", ""}


def test_other_threads_are_told(made):
    before = made(BEFORE)
    other = dataclasses.replace(before, latency=dataclasses.replace(before.latency, threads=4))
    assert made(AFTER).against(other).other_times == "threads 4 before and 1 now"


def test_what_is_counted_in_another_way_is_not_held_against(made):
    before, after = made(BEFORE), made(AFTER)
    named = {k: dataclasses.replace(v, name="accuracy at 0") for k, v in after.accuracies.items()}
    found = dataclasses.replace(after, accuracies=MappingProxyType(named)).against(before)
    assert not found.differences
    assert found.summary().startswith("none of 0 measurably better or worse (nothing measured")


def test_only_a_comparison_can_be_held_against(made):
    with pytest.raises(TypeError, match="against: other must be a Comparison, got dict"):
        made(AFTER).against({})


@pytest.fixture(scope="module")
def scored(tflite, digits):
    """Return a function that measures two files by a metric, on some digits from a place on."""

    def compare(metric, start=0):
        x, y = digits.x_test[start : start + 40], digits.y_test[start : start + 40]
        y = np.eye(10)[y] if metric == "RMSE" else y
        extra = {"it": tflite("pruned")}
        return qk.compare(tflite("float32"), (x, y), [], extra=extra, metric=metric)

    return compare


def test_scores_are_paired_across_files_too(scored, tmp_path):
    before, after = scored("RMSE"), scored("RMSE")
    before = qk.load_comparison(before.save(tmp_path / "before.qkit"))
    swapped = {"float32": after.accuracies["it"], "it": after.accuracies["float32"]}
    after = dataclasses.replace(after, accuracies=MappingProxyType(swapped))
    found = after.against(before)
    wanted = after.paired["it"]  # pruned against float32, as its own comparison pairs them
    assert found.differences["float32"].row == wanted.row
    row, back = found.table.loc["float32"], found.table.loc["it"]
    assert row["judged"] == "paired"
    assert wanted.interval[1] < 0, "and the lower error is the better"
    assert (row["verdict"], back["verdict"]) == ("better", "worse")
    assert (row["RMSE_before"], row["RMSE_after"]) == (
        before.accuracies["float32"].value, after.accuracies["float32"].value,
    )  # fmt: skip


def test_scores_of_other_items_or_another_numpy_are_not_paired(scored):
    before, after = scored("RMSE"), scored("RMSE", start=40)
    row = after.against(before).table.loc["it"]
    assert row["judged"] == "unpaired: other items or labels"
    assert row["difference_low"] < row["difference"] < row["difference_high"]
    versions = {**before.provenance.environment.versions, "numpy": "1.0.0"}
    environment = dataclasses.replace(before.provenance.environment, versions=versions)
    older = dataclasses.replace(before.provenance, environment=environment)
    older = dataclasses.replace(before, provenance=older)
    assert (
        before.against(older).table.loc["it", "judged"] == "unpaired: bootstrapped by another NumPy"
    )


def test_a_metric_that_is_known_by_its_name_alone_says_so(scored, tmp_path):
    def loss(y, outputs):
        return float(np.abs(outputs).mean())

    before = qk.load_comparison(scored(loss).save(tmp_path / "it.qkit"))
    row = scored(loss).against(before).table.loc["it"]
    assert row["judged"] == "paired; that 'loss' is one metric, its name alone tells"
    assert row["verdict"] == "within the noise"


def test_two_files_of_no_noise_at_all_are_within_the_noise(made):
    inf = float("inf")
    perfect = Score(
        METRICS["SQNR"], np.array([[1.0, 0.0]] * 9), 9, inf, (inf, inf), np.full(9, inf)
    )
    changes = {"accuracies": MappingProxyType({"float32": perfect}), "labels": False}
    for items in ("abc", "another hash"):
        before = dataclasses.replace(made(BEFORE), **changes)
        found = dataclasses.replace(made(AFTER, items), **changes).against(before)
        assert found.table.loc["float32", "verdict"] == "within the noise"
