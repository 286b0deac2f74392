"""What passes a check comes out in the dtype that the work needs; what does not is told why."""

import ml_dtypes
import numpy as np
import pytest

from qkit import validate


def test_images_come_out_as_float32_in_c_order():
    x = validate.images(np.zeros((3, 2)).T, (3,), what="f: x")
    assert (x.dtype, x.shape, x.flags.c_contiguous) == (np.float32, (2, 3), True)
    assert validate.images(np.zeros((2, 3, 4)), None, what="f: x").shape == (2, 3, 4)


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((28, 28), r"got \(28, 28\)\. That is a single image: pass x\[None\]\."),
        ((2, 28, 28, 1), r"Drop the last axis: x\[\.\.\., 0\]\."),
        ((2, 28), r"f: x must have the shape \(n, 28, 28\), got \(2, 28\)\.$"),
    ],
)
def test_images_of_another_shape_are_told_the_way_out(shape, hint):
    with pytest.raises(ValueError, match=hint):
        validate.images(np.zeros(shape), (28, 28), what="f: x")
    with pytest.raises(ValueError, match=r"Add a last axis: x\[\.\.\., None\]\."):
        validate.images(np.zeros((2, 28, 28)), (28, 28, 1), what="f: x")


def test_values_come_out_as_float32_and_floating_ones_as_they_are():
    assert validate.values([0.5], what="f").dtype == np.float32
    for dtype in (np.float16, np.float64, ml_dtypes.bfloat16):
        assert validate.floating(np.array([0.5], dtype), what="f").dtype == dtype
    for other in (np.array([1]), np.array([True]), np.array(["a"]), np.array([1j])):
        with pytest.raises(TypeError, match="f: the values must be floating point, got"):
            validate.floating(other, what="f")


def test_finite_values_whose_sum_is_not_are_finite():
    huge = np.full(9, 3e38, np.float32)
    np.testing.assert_array_equal(validate.values(huge, what="f"), huge)
    with pytest.raises(ValueError, match=r"f: 1 of 9 values are NaN or infinite in float32"):
        validate.values(np.where(np.arange(9) == 4, np.float64(1e39), huge), what="f")


def test_labels_and_targets():
    y = validate.labels(np.uint8([0, 9]), count=2, classes=10, what="f: y")
    assert (y.dtype, y.tolist()) == (np.int64, [0, 9])
    assert validate.targets([[1, -1], [2, 3]], count=2, what="f: y").shape == (2, 2)


def test_choice_and_whole_number():
    assert validate.choice("a", ("a", None), name="f: kind") == "a"
    with pytest.raises(ValueError, match=r"^f: kind must be one of 'a', None; got 'b'\.$"):
        validate.choice("b", ("a", None), name="f: kind")
    assert type(validate.whole(np.int32(3), name="f: n")) is int
    assert validate.whole(0, name="f: n", least=0) == 0
    for wrong in (0, -1, 2.0, True, "3", None):
        with pytest.raises(ValueError, match=r"f: n must be a whole number of 1 or more, got "):
            validate.whole(wrong, name="f: n")
