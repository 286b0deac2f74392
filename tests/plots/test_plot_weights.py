"""The pictures of weights show the numbers that they are given."""

import numpy as np
import pytest

import qkit as qk


@pytest.fixture
def kernel():
    return np.random.default_rng(0).normal(size=(2028, 10)).astype(np.float32)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def pixels(ax):
    """Return what the picture has in each place: 1, 0, or NaN between the tiles."""
    return np.ma.filled(ax.images[0].get_array().astype(float), np.nan)


def test_histogram_keeps_zeros_apart(kernel):
    pruned = np.where(np.abs(kernel) < 1, 0, kernel)
    ax = qk.plot_weight_histogram({"before": kernel, "after": pruned})
    share = np.mean(pruned == 0)
    assert legend(ax) == ["before: 0.0% zeros", f"after: {share:.1%} zeros"]
    assert [text.get_text() for text in ax.texts] == [f"{share:.1%}"]
    assert ax.get_yscale() == "log"
    steps = [patch.get_data() for patch in ax.patches]
    assert [data.values.sum() for data in steps] == [kernel.size, np.count_nonzero(pruned)]
    np.testing.assert_array_equal(steps[0].edges, steps[1].edges)
    middle = steps[1].edges.searchsorted(0) - 1
    assert steps[1].values[middle] == 0 < steps[0].values[middle]
    np.testing.assert_array_equal(ax.lines[-1].get_data(), [[0], [np.sum(pruned == 0)]])


def test_histogram_shows_each_of_few_values():
    ax = qk.plot_weight_histogram({"clustered": np.repeat([-1.5, 0, 0.5], [10, 20, 30])})
    assert legend(ax) == ["clustered: 33.3% zeros, 2 other values"]
    np.testing.assert_array_equal(ax.lines[0].get_data(), [[-1.5, 0.5], [10, 30]])
    assert not ax.patches
    assert qk.plot_weight_histogram({"nothing": np.zeros(5)}).texts[0].get_text() == "100.0%"


def test_mask_of_a_small_dense_kernel_is_the_matrix():
    kernel = np.arange(12).reshape(4, 3) % 4
    ax = qk.plot_mask(kernel)
    np.testing.assert_array_equal(pixels(ax), kernel.T != 0)
    assert legend(ax) == ["75.0% of 12 weights left", "25.0% zero"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("inputs", "outputs")


@pytest.mark.parametrize(
    "shape", [(2028, 10), (3, 3, 1, 12), (3, 3, 16, 32), (1, 1, 300, 7), (5, 1, 3, 1)]
)
def test_mask_shows_every_weight_once(shape):
    kernel = np.random.default_rng(0).random(shape) > 0.8
    picture = pixels(qk.plot_mask(kernel))
    assert np.nansum(picture) == kernel.sum()
    assert np.isfinite(picture).sum() == kernel.size
    assert 0.3 < picture.shape[1] / picture.shape[0] < 6 or shape[-1] == 1


def test_windows_of_a_convolution_stay_whole():
    kernel = np.zeros((3, 3, 2, 4))
    kernel[:, :, 1, 2] = [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    picture = np.nan_to_num(pixels(qk.plot_mask(kernel)))
    rows, columns = np.nonzero(picture)
    window = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    np.testing.assert_array_equal(window, kernel[:, :, 1, 2])


def test_mask_refuses_what_is_no_kernel():
    with pytest.raises(ValueError, match=r"got \(10,\)\. Draw a layer's kernel, not its bias"):
        qk.plot_mask(np.zeros(10))
