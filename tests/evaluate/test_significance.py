"""A difference is judged by the images on which only one of two models is right."""

from math import comb, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qkit as qk
from qkit.evaluate.accuracy import accuracy_of

Z = 1.959963984540054


def measured(right):
    """Return an Accuracy whose predictions are right where told."""
    right = np.asarray(right, bool)
    return accuracy_of(np.where(right, 3, 4), np.full(len(right), 3))


def pair(both, lost, gained, neither):
    a = [True] * (both + lost) + [False] * (gained + neither)
    b = [True] * both + [False] * lost + [True] * gained + [False] * neither
    return qk.paired(measured(a), measured(b))


def mcnemar_exact(lost, gained):
    """Return the two-sided exact p-value, from the binomial distribution itself."""
    n, fewer = lost + gained, min(lost, gained)
    return min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n)


def test_hand_worked():
    found = pair(both=5, lost=1, gained=3, neither=1)
    assert found.difference_pp == pytest.approx(20)
    assert found.p_value == pytest.approx(10 / 16)  # 2·(1 + 4)/2⁴
    assert found.lost.tolist() == [5]
    assert found.gained.tolist() == [6, 7, 8]
    # Bonett and Price: one more on each side, two more in all
    up, down, n = 4 / 12, 2 / 12, 12
    half = Z * sqrt((up + down - (up - down) ** 2) / n)
    assert found.interval_pp == pytest.approx((100 * (up - down - half), 100 * (up - down + half)))


@pytest.mark.parametrize(
    ("lost", "gained"), [(0, 1), (0, 5), (0, 6), (5, 0), (3, 3), (10, 25), (40, 41), (200, 150)]
)
def test_p_value_is_mcnemars_exact_one(lost, gained):
    assert pair(400, lost, gained, 3).p_value == pytest.approx(mcnemar_exact(lost, gained))


def test_no_p_value_is_zero():
    found = pair(0, 1200, 0, 10)
    assert found.p_value < 1e-300
    assert str(found).endswith("p < 1e-300: more than noise")


@pytest.mark.parametrize(
    ("lost", "gained", "said"),
    [(42, 25, "p = 0.0498: more than"), (188, 229, "p = 0.050005: within"), (0, 6, "p = 0.031: ")],
)
def test_p_close_to_the_limit_is_told_on_its_own_side(lost, gained, said):
    found = pair(400, lost, gained, 0)
    assert said in str(found)
    assert (found.p_value < 0.05) == ("0.050" not in found._repr_html_())


@pytest.mark.parametrize("lost", [1, 3, 8])
def test_no_more_is_lost_than_there_is(lost):
    low, high = pair(0, lost, 0, 0).interval_pp
    assert low == -100 < high < 100


def test_no_disagreement_is_no_evidence():
    found = pair(8, 0, 0, 2)
    assert (found.p_value, found.difference_pp) == (1, 0)
    assert (len(found.lost), len(found.gained), len(found.disagreements)) == (0, 0, 0)
    low, high = found.interval_pp
    assert low == pytest.approx(-high)
    assert "within the noise" in str(found)


def test_verdict_and_table():
    found = pair(both=90, lost=1, gained=12, neither=0)
    assert str(found).startswith("+10.68 points (95 % interval +3.")
    assert str(found).endswith("12 images gained and 1 lost, p = 0.0034: more than noise")
    row = found.to_frame().iloc[0]
    assert (row["lost"], row["gained"], row["p_value"]) == (1, 12, found.p_value)
    assert (row["difference_low_pp"], row["difference_high_pp"]) == found.interval_pp


def test_disagreements_count_two_different_wrong_answers():
    labels = np.array([0, 0, 0, 0])
    a = accuracy_of(np.array([0, 1, 1, 2]), labels)
    b = accuracy_of(np.array([0, 0, 2, 2]), labels)
    found = qk.paired(a, b)
    assert found.disagreements.tolist() == [1, 2]
    assert found.gained.tolist() == [1]
    assert not found.lost.size


@pytest.mark.parametrize("labels", [[0, 1, 1], [0, 1, 2, 2]], ids=["others", "more"])
def test_other_images_cannot_be_paired(labels):
    a = accuracy_of(np.array([0, 1, 2]), np.array([0, 1, 2]))
    b = accuracy_of(np.array(labels), np.array(labels))
    with pytest.raises(ValueError, match=r"different images \(3 and .*same labels in the same"):
        qk.paired(a, b)


outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(outcomes)
@settings(max_examples=60, deadline=None)
def test_lost_and_gained_account_for_the_difference(pairs):
    a, b = np.array(pairs).T
    found = qk.paired(measured(a), measured(b))
    assert found.lost.tolist() == [i for i, (x, y) in enumerate(pairs) if x and not y]
    assert found.gained.tolist() == [i for i, (x, y) in enumerate(pairs) if y and not x]
    assert found.difference_pp == pytest.approx(100 * (b.mean() - a.mean()), abs=1e-9)
    assert 0 < found.p_value <= 1
    low, high = found.interval_pp
    assert low < high
    # the interval is around the difference with one more image on each side
    n = len(pairs)
    assert low < found.difference_pp * n / (n + 2) < high


@given(outcomes)
@settings(max_examples=60, deadline=None)
def test_swapping_the_models_mirrors_the_result(pairs):
    a, b = (measured(right) for right in np.array(pairs).T)
    forth, back = qk.paired(a, b), qk.paired(b, a)
    assert forth.p_value == pytest.approx(back.p_value)
    assert forth.difference_pp == -back.difference_pp
    assert forth.interval_pp == pytest.approx((-back.interval_pp[1], -back.interval_pp[0]))
    np.testing.assert_array_equal(forth.lost, back.gained)


@given(outcomes)
@settings(max_examples=60, deadline=None)
def test_interval_of_an_accuracy_holds_it_and_stays_between_0_and_1(pairs):
    found = measured([right for right, _ in pairs])
    low, high = found.interval
    assert -1e-12 <= low <= found.accuracy + 1e-12
    assert found.accuracy - 1e-12 <= high <= 1 + 1e-12


def test_more_images_of_the_same_kind_make_the_interval_narrower_and_p_smaller():
    few, many = pair(80, 5, 15, 0), pair(800, 50, 150, 0)
    assert few.difference_pp == pytest.approx(many.difference_pp)
    assert np.diff(many.interval_pp) < np.diff(few.interval_pp) / 2.5
    assert many.p_value < few.p_value
