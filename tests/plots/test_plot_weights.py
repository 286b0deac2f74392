"""The pictures of weights show the numbers that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.plots.effects import _compose_kept


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(size=(2028, 10)).astype(np.float32)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_histogram_keeps_zeros_apart(kernel):
    pruned = np.where(np.abs(kernel) < 1, 0, kernel)
    ax = qk.plot_weight_histogram({"before": kernel, "after": pruned})
    share = np.mean(pruned == 0)
    assert legend(ax) == ["before: 0.0% zeros", f"after: {share:.1%} zeros"]
    assert ax.get_yscale() == "log"
    steps = [patch.get_data() for patch in ax.patches]
    assert [data.values.sum() for data in steps] == [kernel.size, np.count_nonzero(pruned)]
    np.testing.assert_array_equal(steps[0].edges, steps[1].edges)
    middle = steps[1].edges.searchsorted(0) - 1
    assert steps[1].values[middle] == 0 < steps[0].values[middle]
    no_zeros, zeros = (line.get_xydata().tolist() for line in ax.lines)
    assert (no_zeros, zeros) == ([], [[0, np.sum(pruned == 0)]])


def test_histogram_shows_each_of_few_values():
    ax = qk.plot_weight_histogram({"clustered": np.repeat([-1.5, 0, 0.5], [10, 20, 30])})
    assert legend(ax) == ["clustered: 33.3% zeros, 2 other values"]
    np.testing.assert_array_equal(ax.lines[0].get_data(), [[-1.5, 0, 0.5], [10, 20, 30]])
    assert not ax.patches
    one = qk.plot_weight_histogram({"one": np.ones(3)})
    assert legend(one) == ["one: 0.0% zeros, 1 other value"]
    nothing = qk.plot_weight_histogram({"nothing": np.zeros(5)})
    assert legend(nothing) == ["nothing: 100.0% zeros, 0 other values"]


def test_the_lowest_of_int8_is_drawn_as_well():
    every = np.arange(-128, 128, dtype=np.int8)
    (steps,) = qk.plot_weight_histogram({"every": every}).patches
    assert steps.get_data().values.sum() == 255  # zeros stand by themselves
    assert steps.get_data().edges[0] == -128


def test_the_largest_of_zeros_is_zero():
    ax = plt.figure().add_subplot()
    _compose_kept(ax)(np.zeros((2, 3)), np.zeros((2, 3), bool), 0.0)
    assert [text.get_text() for text in ax.texts] == ["threshold 0, largest 0"]


def drawn(ax):
    """Return a kernel's pixels, as 1 where there is a colour and 0 where they are white."""
    return np.any(np.asarray(ax.images[0].get_array()) < 1, axis=-1)


@pytest.mark.parametrize("shape", [(20, 5), (3, 3, 1, 12), (5, 1, 3, 1)])
def test_mask_shows_every_weight_in_the_row_of_its_output(shape):
    kernel = np.random.default_rng(0).normal(size=shape)
    kernel[np.abs(kernel) < 0.8] = 0
    ax = qk.plot_mask(kernel)
    np.testing.assert_array_equal(drawn(ax), np.reshape(kernel, (-1, shape[-1])).T != 0)
    assert ax.texts[0].get_text() == f"kernel: {100 * np.mean(kernel == 0):.1f} % set to 0"
    assert ax.get_ylabel() == "outputs"


def test_mask_says_which_part_of_a_large_kernel_it_shows(kernel):
    ax = qk.plot_mask(np.where(np.abs(kernel) < 1, 0, kernel))
    assert drawn(ax).shape == (10, 96)
    assert ax.texts[0].get_text().startswith("kernel (shown: 10 × 96 of 10 × 2,028): 68.")
