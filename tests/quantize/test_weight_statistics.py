"""Zeros, distinct values, entropy and 2:4, against counts by hand and the library's own check."""

import collections

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import stats

from qkit.quantize.weight_statistics import (
    distinct_values,
    entropy_bits,
    sparsity,
    two_of_four_share,
)

ALL = [sparsity, distinct_values, entropy_bits, two_of_four_share]
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16, np.int8, np.int32]


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_a_tensor_by_hand(dtype):
    x = np.array([[0, 0, 0, 0], [1, -1, 0, 0], [2, 2, 2, 1]]).astype(dtype)
    assert sparsity(x) == 0.5
    assert distinct_values(x) == 4
    by_hand = 6 / 12 * 1 + 2 / 12 * np.log2(6) + 1 / 12 * np.log2(12) + 3 / 12 * np.log2(4)
    assert entropy_bits(x) == pytest.approx(by_hand, abs=1e-12)
    assert two_of_four_share(x) == pytest.approx(2 / 3)
    assert two_of_four_share(x[:2]) == 1


def test_zero_has_no_sign_and_no_tolerance():
    x = np.float32([0.0, -0.0, 1e-40, -1e-40])  # the last two are subnormal, and no zeros
    assert sparsity(x) == 0.5
    assert distinct_values(x) == 3
    assert entropy_bits(x) == 1.5
    assert entropy_bits(x.view(np.uint32)) == 2
    assert two_of_four_share(x) == 1


@pytest.mark.parametrize("count", [1_000, 4_000, 20_280])
@pytest.mark.parametrize("levels", [16, 64])
def test_half_precision_is_counted_where_numpy_fails_to_sort_it(count, levels):
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.normal(size=count).astype(np.float32)
        levels_of_x = np.linspace(x.min(), x.max(), levels, dtype=np.float32)
        x = levels_of_x[np.abs(x[:, None] - levels_of_x).argmin(axis=1)].astype(np.float16)
        counts = [*collections.Counter(x.tolist()).values()]
        assert distinct_values(x) == len(counts)
        assert entropy_bits(x) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "bits"), [([3, 3, 3], 0), (np.arange(256), 8), ([0, 1] * 50, 1), ([5], 0)]
)
def test_entropy_at_its_ends(x, bits):
    assert entropy_bits(x) == bits
    assert not np.signbit(entropy_bits(x))


@given(arrays(np.int8, st.integers(1, 300), elements=st.integers(-5, 5)))
def test_entropy_is_that_of_scipy(x):
    counts = np.unique(x, return_counts=True)[1]
    assert entropy_bits(x) == pytest.approx(stats.entropy(counts, base=2), abs=1e-12)


# of a length that is no multiple of four too; zeros are frequent enough for both answers
@settings(deadline=None)  # the first example loads TensorFlow
@given(
    arrays(np.float32, array_shapes(min_dims=2, max_dims=4), elements=st.sampled_from([0, 0, 1]))
)
def test_two_of_four_is_that_of_the_library(x):
    from qkit._tensorflow import quiet, tensorflow

    tf = tensorflow()
    with quiet():
        from tensorflow_model_optimization.python.core.sparsity.keras import pruning_utils

    theirs = pruning_utils.is_pruned_m_by_n(tf.constant(x), (2, 4), "C_IN")
    assert (two_of_four_share(x) == 1) == theirs


@pytest.mark.parametrize(
    ("x", "share"),
    [
        ([1, 1, 0, 0, 1], 1),  # a remainder of one, two: as with zeros behind
        ([1, 1, 0, 0, 1, 1], 1),
        ([1, 1, 0, 0, 1, 1, 1], 0.5),
        ([0, 1, 1, 0, 1, 1], 1),
        ([0, 0, 1, 1, 1, 1], 1),
        ([0, 1, 1, 1, 0, 0, 0, 0], 0.5),
        (np.ones((12, 3, 3, 1)), 1),
        (np.ones((4, 2)), 1),
    ],
)
def test_groups_start_at_multiples_of_four_and_the_rest_counts_as_a_group(x, share):
    assert two_of_four_share(x) == share


def test_groups_lie_along_the_last_axis():
    x = np.zeros((4, 8))
    x[0] = 1  # two of four along the columns, and not along the rows
    assert two_of_four_share(x.T) == 1
    assert two_of_four_share(x) == 0.75


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
def test_nothing_is_refused(function):
    with pytest.raises(ValueError, match=r"there are no values; the shape is \(0, 4\)"):
        function(np.zeros((0, 4)))


def test_a_single_value_has_no_neighbours():
    with pytest.raises(ValueError, match="no neighbours"):
        two_of_four_share(1.0)


def test_types_are_those_of_python():
    found = [function(np.float32([0, 1, 1])) for function in ALL]
    assert [type(value) for value in found] == [float, int, float, float]
