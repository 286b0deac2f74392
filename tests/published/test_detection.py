"""The grid of cells: its targets, its loss, and what is read out of it, held against each other."""

import numpy as np
import pytest

from qkit.published.detection import (
    CELLS,
    CLASSES,
    NOTHING,
    cell_targets,
    decode,
    detector,
    loss,
    mean_average_precision,
    scenes,
    tallies,
)

SURE, NEVER = 9.0, -9.0


@pytest.fixture(scope="module")
def truth(digits):
    return scenes(digits.x_test, digits.y_test, 100, np.random.default_rng(1))[1]


def perfect(digits):
    """Return the outputs of a network that knows the targets."""
    targets = cell_targets(digits)
    outputs = np.full((len(digits), CELLS, CELLS, 5 + CLASSES), NEVER, np.float32)
    there = targets[..., 0] == 1
    _, category, *box = targets[there].T
    centre = np.clip(box[:2], 1e-6, 1 - 1e-6)
    classes = np.where(np.eye(CLASSES)[category.astype(int)] == 1, SURE, NEVER)
    told = [
        np.log(centre / (1 - centre)).T,
        np.transpose(box[2:]),
        np.full((len(classes), 1), SURE),
    ]
    outputs[there] = np.concatenate([*told, classes], axis=1)
    return outputs


def silent():
    return np.full((1, CELLS, CELLS, 5 + CLASSES), NEVER, np.float32)


def say(outputs, cell, category, score=SURE, box=(0, 0, 0, 0)):
    here = outputs[0][cell]
    here[:4] = box
    here[4] = score
    here[5 + category] = SURE
    return outputs


def by_place(rows):
    return rows[np.lexsort(rows.round().T)]


def test_targets_decode_to_the_digits_they_are_of(truth):
    for digits in truth:
        found = decode(perfect(digits[None]))
        mine = by_place(np.column_stack([found.category, found.box]))
        true = by_place(digits[digits[:, 0] != NOTHING])
        if len(mine) == len(true):  # two centres in one cell: the later digit has it
            np.testing.assert_allclose(mine, true, atol=1e-3)
        else:
            assert cell_targets(digits[None])[..., 0].sum() < len(true)


def test_a_network_that_knows_the_targets_scores_nearly_one(truth):
    score = mean_average_precision(tallies(perfect(truth), truth), np.ones(len(truth)))
    assert score > 0.98
    assert score <= 1


def test_silence_scores_nothing(truth):
    nothing = np.repeat(silent(), len(truth), axis=0)
    assert len(decode(nothing).score) == 0
    assert mean_average_precision(tallies(nothing, truth), np.ones(len(truth))) == 0


def test_box_by_hand():
    """In the cell of rows 16 to 24 and columns 8 to 16; twice the anchor's height of 14 pixels."""
    found = decode(say(silent(), (2, 1), 3, box=(0, np.log(3), np.log(2), 0)))
    assert found.category.tolist() == [3]
    np.testing.assert_allclose(found.box, [[20 - 14, 14 - 5, 20 + 14, 14 + 5]], atol=1e-5)
    assert found.score == pytest.approx([1 / (1 + np.exp(-SURE)) ** 2])


@pytest.mark.parametrize(
    ("down", "category", "kept"),
    [
        # of two boxes of 14 by 10 pixels, shifted by so much of a cell of 8 pixels
        (0.5, 3, [3]),  # 10 of 18 rows are shared: the surer stays
        (0.6, 3, [3, 3]),  # 9.2 of 18.8
        (0.5, 4, [3, 4]),  # another class
    ],
)
def test_of_close_boxes_of_a_class_the_surest_stays(down, category, kept):
    def logit(p):
        return np.log(p / (1 - p))

    outputs = say(silent(), (2, 1), 3, score=2, box=(logit(0.7), 0, 0, 0))
    say(outputs, (3, 1), category, score=1, box=(logit(down - 0.3), 0, 0, 0))
    found = decode(outputs)
    assert found.category.tolist() == kept
    assert found.score[0] > 0.8


def test_scenes_do_not_meet():
    two = np.concatenate([say(silent(), (2, 1), 3), say(silent(), (2, 1), 3)])
    assert decode(two).scene.tolist() == [0, 1]


def test_loss_is_least_at_the_targets(truth, tf):
    targets, outputs = cell_targets(truth), perfect(truth)
    best = loss(targets, outputs).numpy()
    assert best.shape == (len(truth),)
    assert best.max() < 0.2
    cells = targets[..., 0] == 1
    rng = np.random.default_rng(0)
    for part in (slice(0, 2), slice(2, 4), slice(4, 5), slice(5, None)):
        worse = outputs.copy()
        worse[..., part] += rng.normal(0, 4, worse[..., part].shape)
        assert (loss(targets, worse).numpy() > best).all()
        elsewhere = np.where(cells[..., None], outputs, worse)
        if part != slice(4, 5):  # cells without a digit answer for their objectness alone
            np.testing.assert_array_equal(loss(targets, elsewhere), best)


def test_loss_by_hand(tf):
    """One digit, all outputs 0: 5 · (0.5² + 0.5² + 0 + 1) + (10 + 49) · ln 2."""
    targets = np.zeros((1, CELLS, CELLS, 6), np.float32)
    targets[0, 1, 2] = 1, 3, 0, 1, 0, 1
    found = loss(targets, np.zeros((1, CELLS, CELLS, 5 + CLASSES), np.float32)).numpy()
    assert found == pytest.approx([5 * 1.5 + 59 * np.log(2)])


def test_a_strict_overlap_asks_for_exact_boxes():
    """A box of 14 by 10 pixels for one of 14 by 15: an intersection over union of 2/3."""
    digits = np.array([[[3, 13, 7, 27, 22]]])
    outputs = say(silent(), (2, 1), 3)
    for least_iou, right in ((0.5, True), (0.75, False)):
        assert tallies(outputs, digits, least_iou=least_iou).right[3].tolist() == [right]


def test_detector_is_built_like_yolo():
    model = detector()
    assert (model.input_shape, model.output_shape) == ((None, 56, 56), (None, 7, 7, 15))
    types = [type(layer).__name__ for layer in model.layers]
    assert {"Dense", "Flatten", "MaxPooling2D"}.isdisjoint(types)
    assert types.count("BatchNormalization") == types.count("LeakyReLU") == 4
    assert model.get_layer("conv1_leaky").alpha == pytest.approx(0.1)


def test_targets_and_boxes_by_hand():
    centred = cell_targets(np.array([[[3, 0, 5, 14, 15]]]))[0, 0, 1]  # centre at (7, 10)
    assert centred.tolist() == [1.0, 3.0, 0.875, 0.25, 0.0, 0.0]
    found = decode(say(silent(), (2, 1), 3))  # in the middle of a cell
    assert (found.category.tolist(), found.box.tolist()) == ([3], [[13.0, 7.0, 27.0, 17.0]])
