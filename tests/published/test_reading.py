"""Reading: alignments by hand and by TensorFlow, error rates by hand and by a second programme."""

import itertools

import numpy as np
import pytest

from qkit.published.reading import (
    CHARACTER_ERROR_RATE,
    WORD_ERROR_RATE,
    loss,
    read,
)

SPACE, BLANK = 10, 11
characters, words = CHARACTER_ERROR_RATE.tallies, WORD_ERROR_RATE.tallies


def sure(*steps):
    """Return logits of one strip that are sure of a symbol at each step."""
    return np.eye(12, dtype=np.float32)[list(steps)][None]


def targets(*lines):
    symbols = [["0123456789 ".index(s) for s in line] for line in lines]
    width = max(map(len, symbols)) + 1
    return np.array([row + [-1] * (width - len(row)) for row in symbols])


def logits_of(*lines, steps=24):
    """Return logits that read as these lines: a blank after each symbol."""
    paths = [
        [s for symbol in row if symbol >= 0 for s in (symbol, BLANK)] for row in targets(*lines)
    ]
    return np.concatenate([sure(*path, *[BLANK] * (steps - len(path))) for path in paths])


def edits(found, wanted):
    """Return the edit distance of two sequences, row by row of the table."""
    row = list(range(len(wanted) + 1))
    for i, a in enumerate(found, 1):
        above, row = row, [i]
        for j, b in enumerate(wanted, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@pytest.mark.parametrize(
    ("steps", "line"),
    [
        ((1, 1, 1, 2), "12"),  # a run is one symbol
        ((1, BLANK, 1), "11"),  # unless a blank divides it
        ((BLANK, BLANK), ""),
        ((3, SPACE, SPACE, BLANK, 0), "3 0"),
        ((SPACE, 5), " 5"),
        ((BLANK, 0, 0, BLANK, 0, 7), "007"),
    ],
)
def test_reading_by_hand(steps, line):
    assert read(sure(*steps)) == [line]


def test_reading_agrees_with_tensorflow(tf):
    logits = np.random.default_rng(0).normal(size=(200, 30, 12)).astype(np.float32)
    logits[..., BLANK] += 1.5
    logits[1:50:2, 1:] += 2 * logits[1:50:2, :-1]  # with longer runs
    ((found,), _) = tf.nn.ctc_greedy_decoder(logits.transpose(1, 0, 2), [30] * 200)
    dense = tf.sparse.to_dense(found, -1).numpy()
    assert read(logits) == ["".join("0123456789 "[s] for s in row if s >= 0) for row in dense]


def test_loss_is_that_of_all_paths_that_read_as_the_target(tf):
    logits = np.random.default_rng(1).normal(size=(3, 3, 12)).astype(np.float32)
    lines = ("7", "33", "1 ")  # "33" takes a blank, and so all three steps
    paths = np.array(list(itertools.product(range(12), repeat=3)))
    lines_of = np.array(read(np.eye(12)[paths]))
    log_p = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    of_path = np.exp(log_p[:, np.arange(3), paths].sum(axis=2))
    expected = [-np.log(p[lines_of == line].sum()) for p, line in zip(of_path, lines, strict=True)]
    found = loss(tf.constant(targets(*lines)), tf.constant(logits))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("found", "wanted", "by_character", "by_word"),
    [
        ("12 7", "12 7", (0, 4), (0, 2)),
        ("12 7", "127", (1, 3), (2, 1)),  # a space too many makes two words of one
        ("127", "12 7", (1, 4), (2, 2)),
        ("13 7", "12 7", (1, 4), (1, 2)),
        ("", "305", (3, 3), (1, 1)),
        ("305", "5", (2, 1), (1, 1)),  # more edits than the target is long
        ("07", "7", (1, 1), (1, 1)),  # numbers are compared as they are written
        (" 5  6", "5 6", (2, 3), (0, 2)),
    ],
)
def test_edits_by_hand(found, wanted, by_character, by_word):
    assert characters(logits_of(found), targets(wanted)).tolist() == [list(by_character)]
    assert words(logits_of(found), targets(wanted)).tolist() == [list(by_word)]


def test_edits_agree_with_a_second_programme():
    rng = np.random.default_rng(2)

    def lines():
        return ["".join(rng.choice(list("01 "), size=n)) for n in rng.integers(0, 9, size=300)]

    found, wanted = lines(), [line.strip() or "5" for line in lines()]
    logits, y = logits_of(*found), targets(*wanted)
    pairs = list(zip(found, wanted, strict=True))
    assert characters(logits, y).tolist() == [[edits(f, w), len(w)] for f, w in pairs]
    split = [(f.split(), w.split()) for f, w in pairs]
    assert words(logits, y).tolist() == [[edits(f, w), len(w)] for f, w in split]


@pytest.mark.parametrize("tallies", [characters, words])
def test_nothing_read_at_all(tallies):
    found = tallies(np.concatenate([sure(BLANK)] * 2), targets("12", "5"))
    assert found[:, 0].tolist() == found[:, 1].tolist()


def test_rates_are_over_all_strips_together():
    logits, y = logits_of("1", "22 3 4 5"), targets("7", "22 3 4 5")
    once = np.ones(2)
    for metric, rate in ((CHARACTER_ERROR_RATE, 1 / 9), (WORD_ERROR_RATE, 1 / 5)):
        assert metric.score(metric.tallies(logits, y), once) == rate
        assert not metric.higher_is_better
