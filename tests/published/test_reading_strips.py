"""Strips of numbers: seeded, apart for training and testing, and showing what their targets say."""

import dataclasses
import itertools

import numpy as np
import pytest

from qkit.published.reading import COLUMNS, SYMBOLS, data, text


@pytest.fixture(scope="module")
def strips(digits):
    return data(digits)


@pytest.fixture(scope="module")
def marked(digits):
    """Return a data set whose images tell their label, by height, and their use, by brightness.

    Halved in size, each is a block of label + 1 rows and three columns.
    """
    rows = np.arange(28)[:, None] < 2 * (np.arange(10)[:, None, None] + 1)
    block = (rows & (np.arange(28) >= 8) & (np.arange(28) < 14)).astype(np.float32)
    return dataclasses.replace(
        digits, x_train=block[digits.y_train] / 2, x_test=block[digits.y_test]
    )


def test_shapes_and_values(strips):
    for x, y in ((strips.x_train, strips.y_train), (strips.x_test, strips.y_test)):
        assert (x.shape[1:], x.dtype) == ((COLUMNS, 14), np.float32)
        assert len(x) == len(y) > 100
        assert 0 <= x.min() < x.max() <= 1
        assert (y.min(), y.max()) == (-1, len(SYMBOLS) - 1)
    assert strips.name == "strips of numbers made from digits"


@pytest.mark.slow
def test_the_same_images_give_the_same_strips(strips, digits):
    again = data(digits)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(again, name), getattr(strips, name))


def test_a_target_is_numbers_of_one_to_three_digits(strips):
    for y in (strips.y_train, strips.y_test):
        numbers = [text(row).split(" ") for row in y]
        lengths = {len(number) for line in numbers for number in line}
        assert lengths == {1, 2, 3}
        lengths = (y >= 0).sum(axis=1)
        assert all(len(text(row)) == n for row, n in zip(y, lengths, strict=True))
        assert (y[np.arange(len(y)), lengths - 1] < 10).all()  # none ends with a space


def test_a_strip_shows_what_its_target_says_with_gaps_as_spaces(marked):
    strips = data(marked)
    for x, y, bright in (
        (strips.x_train[:200], strips.y_train, 0.5),
        (strips.x_test, strips.y_test, 1),
    ):
        for strip, target in zip(x, y, strict=False):
            assert set(np.unique(strip)) == {0, np.float32(bright)}  # of its own images alone
            written, gaps = "", []
            for height, columns in itertools.groupby((strip > 0).sum(axis=1)):
                count = len(list(columns))
                if height:  # two of a kind without a gap are one block of six columns
                    written += SYMBOLS[height - 1] * (count // 3)
                else:
                    gaps.append(count)
                    written += " " if count > 2 else ""
            assert written.strip() == text(target)
            assert set(gaps[:-1]) <= {1, 2, 5, 6, 7, 8}


def test_each_test_image_is_written_once_at_most(digits):
    """Images that each hold one value of their own show who is in which strip."""
    count = len(digits.x_test)
    values = (np.arange(count, dtype=np.float32) + 1) / 1024
    x = np.zeros((count, 28, 28), np.float32)
    x[:, :, 10:16] = values[:, None, None]
    strips = data(dataclasses.replace(digits, x_test=x)).x_test
    held = [np.unique(strip[strip > 0]) for strip in strips]
    written = np.concatenate(held)
    assert len(np.unique(written)) == len(written)
    assert len(written) > 0.9 * count


def test_a_small_data_set_is_written_more_than_once(strips, digits):
    assert (strips.y_train >= 0).sum() > 20 * len(digits.x_train)
