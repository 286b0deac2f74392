"""Masks of magnitude pruning: held against tensorflow-model-optimization, hands and laws."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkit.quantize.magnitude import magnitude_mask

MANY = settings(max_examples=100, deadline=None)


@pytest.fixture(scope="module")
def tfmot_mask(tf):
    """Return the mask of tensorflow-model-optimization, which wants the layout of Keras."""
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_schedule import (
        ConstantSparsity,
    )

    def mask(weights, sparsity=0.5, block=(1, 1), m_by_n=None):
        pruning = pruning_impl.Pruning(
            training_step_fn=lambda: 0,
            pruning_vars=[],
            pruning_schedule=ConstantSparsity(sparsity, 0),
            block_size=list(block),
            block_pooling_type="AVG",
            sparsity_m_by_n=m_by_n,
        )
        with tf.device("CPU"):
            return pruning._maybe_update_block_mask(tf.constant(weights))[1].numpy() != 0

    return mask


def random_weights(shape, seed=0, ties=False):
    values = np.random.default_rng(seed).normal(size=shape)
    return np.float32(np.round(values, 1) if ties else values)


@pytest.mark.parametrize("ties", [False, True], ids=["all different", "with ties"])
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.3, 0.5, 0.75, 0.8, 0.9, 0.98, 0.999])
@pytest.mark.parametrize("shape", [(3, 3, 1, 12), (2028, 10), (5, 1), (1, 1), (7, 15)])
def test_each_weight_by_itself_is_as_in_tfmot(tfmot_mask, shape, sparsity, ties):
    weights = random_weights(shape, ties=ties)
    assert np.array_equal(magnitude_mask(weights, sparsity), tfmot_mask(weights, sparsity))


@pytest.mark.parametrize("ties", [False, True], ids=["all different", "with ties"])
@pytest.mark.parametrize("shape", [(3, 3, 8, 5), (3, 3, 1, 12), (2028, 10), (6, 3), (4, 7)])
def test_two_of_four_are_as_in_tfmot(tfmot_mask, shape, ties):
    weights = random_weights(shape, ties=ties)
    ours = magnitude_mask(weights.swapaxes(-1, -2), 0.5, "2:4")  # Keras has outputs last
    assert np.array_equal(ours.swapaxes(-1, -2), tfmot_mask(weights, m_by_n=(2, 4)))


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.8, 0.98])
@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((24, 20), (1, 4)),
        ((24, 20), (4, 1)),
        ((24, 20), (2, 2)),
        ((60, 10), (3, 5)),
        ((23, 19), (3, 5)),  # both overhang by one
        ((23, 19), (1, 4)),
    ],
)
def test_blocks_are_as_in_tfmot(tfmot_mask, shape, block, sparsity):
    weights = random_weights(shape)
    ours = magnitude_mask(weights, sparsity, block)
    assert np.array_equal(ours, tfmot_mask(weights, sparsity, block))
    assert np.array_equal(magnitude_mask(weights.T, sparsity, block[::-1]), ours.T)


def test_tfmot_measures_shifted_windows_where_a_block_overhangs_by_two(tfmot_mask):
    weights = np.ones((6, 2), np.float32)
    weights[3] = 9  # in the block of rows 0 to 3, and in the shifted window of rows 3 to 6
    ours, theirs = (mask(weights, 0.5, (4, 1)) for mask in (magnitude_mask, tfmot_mask))
    assert ours[:, 0].tolist() == [True] * 4 + [False] * 2
    assert theirs[:, 0].tolist() == [False] * 4 + [True] * 2


def test_by_hand():
    weights = np.float32([[0.5, -0.1, 0.2, 0.0, -0.9], [0.3, 0.3, -0.3, 0.0, 1.0]])
    assert magnitude_mask(weights, 0.8).sum() == 2  # 10 · 0.2
    assert magnitude_mask(weights, 0.75).sum() == 2  # 2.5 goes to the even number
    assert magnitude_mask(weights, 0.6).sum() == 6  # three weights of 0.3 stay together
    assert magnitude_mask(weights, 0.99).sum() == 1  # one is kept at least
    assert magnitude_mask(weights, 0).all()
    assert magnitude_mask(weights, 0, "2:4").astype(int).tolist() == [
        [1, 0, 1, 0, 1],
        [1, 1, 0, 0, 1],
    ]
    # means of the blocks: 0.2 and 0.55; 0.225 and 0.5 after 4 columns
    assert magnitude_mask(weights, 0.5, (1, 4)).astype(int).tolist() == [[0, 0, 0, 0, 1]] * 2


@MANY
@given(st.integers(0, 2**32), st.integers(1, 300), st.floats(0, 0.99), st.floats(0, 0.99))
def test_more_sparsity_keeps_a_subset(seed, size, first, second):
    weights = random_weights(size, seed)
    few, many = (magnitude_mask(weights, s) for s in sorted((first, second), reverse=True))
    assert np.all(few <= many)
    assert many.any()
    assert abs(many.sum() - size * (1 - min(first, second))) <= 1
    if not many.all():
        assert np.abs(weights[many]).min() > np.abs(weights[~many]).max()


@MANY
@given(st.integers(0, 2**32), st.tuples(st.integers(1, 5), st.integers(1, 13)))
def test_every_four_hold_two_at_most(seed, shape):
    weights = random_weights(shape, seed)
    kept = magnitude_mask(weights, 0.5, "2:4")
    for start in range(0, shape[1], 4):
        four = kept[:, start : start + 4]
        assert np.all(four.sum(axis=1) == min(2, four.shape[1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], 80), "sparsity, as 0.8 for 80 %, must be a number in [0, 1), got 80"),
        (([1.0], 1.0), "must be a number in [0, 1), got 1.0"),
        (([1.0], "half"), "must be a number in [0, 1), got 'half'"),
        (([1.0], -0.1), "got -0.1"),
        (([1.0], np.nan), "got nan"),
        (([[1.0]], 0.5, "2:5"), 'pattern must be None, "2:4" or a block'),
        (([[1.0]], 0.5, (0, 4)), "whole numbers of 1 or more"),
        (([1.0], 0.5, (1, 4)), "blocks are for matrices"),
        ((np.zeros(0), 0.5), "there are no weights"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        magnitude_mask(*arguments)
