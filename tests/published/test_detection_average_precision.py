"""Average precision: by hand, against COCO's own code, and with scenes drawn more than once."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from qkit.published.detection import (
    NOTHING,
    Detections,
    Matches,
    match,
    mean_average_precision,
)

SCENES, CLASSES = 12, 3
BOX = np.array([[10, 10, 20, 20]])


def drawn(seed, *, scenes=SCENES, levels=None):
    """Return true boxes and detections near some of them, with scores on a grid if asked for."""
    rng = np.random.default_rng(seed)
    scene = np.sort(rng.integers(scenes, size=4 * scenes))
    category = rng.integers(CLASSES, size=len(scene))
    start = rng.uniform(0, 40, (len(scene), 2))
    box = np.concatenate([start, start + rng.uniform(5, 20, (len(scene), 2))], axis=1)
    guessed = np.sort(rng.integers(len(scene), size=6 * scenes))
    near = box[guessed] + rng.uniform(-2.4, 2.4, (len(guessed), 4))  # none is turned inside out
    score = rng.random(len(guessed))
    if levels:
        score = np.round(score * levels) / levels
    wrong = rng.random(len(guessed)) < 0.2
    called = np.where(wrong, rng.integers(CLASSES, size=len(guessed)), category[guessed])
    return Detections(scene[guessed], called, near, score), (scene, category, box)


def digits_of(scene, category, box, scenes):
    """Return rows of class and box by scene, filled up with rows of nothing."""
    rows = [np.column_stack([category, box])[scene == s] for s in range(scenes)]
    digits = np.full((scenes, max(map(len, rows)), 5), NOTHING, float)
    for padded, there in zip(digits, rows, strict=True):
        padded[: len(there)] = there
    return digits


def score(found, truth, weights=None, *, scenes=SCENES):
    matches = match(found, digits_of(*truth, scenes))
    return mean_average_precision(matches, np.ones(scenes) if weights is None else weights)


def one_scene(boxes, scores):
    n = len(boxes)
    return Detections(np.zeros(n, int), np.zeros(n, int), np.array(boxes, float), np.array(scores))


def in_one_scene(found, box=BOX):
    nothing = np.zeros(len(box), int)
    return match(found, digits_of(nothing, nothing, np.array(box, float), 1))


@pytest.mark.parametrize(("right_edge", "found"), [(15.0, True), (14.9, False)])
def test_half_an_overlap_is_enough(right_edge, found):
    matches = in_one_scene(one_scene([[10, 10, 20, right_edge]], [0.9]))
    assert matches.right[0].tolist() == [found]


def test_an_object_is_found_once_and_by_the_surest():
    matches = in_one_scene(one_scene([[10, 10, 20, 19], [10, 10, 20, 20]], [0.8, 0.9]))
    assert matches.right[0].tolist() == [True, False]
    exact_first = in_one_scene(one_scene([[10, 10, 20, 20], [10, 10, 20, 19]], [0.8, 0.9]))
    assert exact_first.right[0].tolist() == [True, False]  # the surer one, though the other fits


def test_a_taken_object_leaves_the_next_best():
    boxes = [[10, 10, 20, 20], [10, 13, 20, 23]]  # overlap: 70 of 130
    matches = in_one_scene(one_scene([boxes[0], boxes[0]], [0.9, 0.8]), boxes)
    assert matches.right[0].tolist() == [True, True]


@pytest.mark.parametrize(
    ("right", "objects", "expected"),
    [
        ([True], 1, 1),
        ([False, True], 1, 1 / 2),
        ([True, False], 2, 51 / 101),  # precision 1 at the recalls 0 to 0.5, nothing above
        ([True, False, True], 2, (51 + 50 * 2 / 3) / 101),
        ([False, True, True], 2, 2 / 3),  # 1/2 at recall 1/2, and 2/3 above, which counts there too
        ([False], 1, 0),
        ([], 1, 0),
    ],
)
def test_average_precision_by_hand(right, objects, expected):
    matches = Matches(
        np.zeros((1, len(right)), int), np.array([right], bool), np.array([[objects]])
    )
    assert mean_average_precision(matches, np.ones(1)) == pytest.approx(expected)


def test_classes_without_objects_do_not_count():
    matches = Matches(np.zeros((2, 1), int), np.array([[True], [False]]), np.array([[1, 0]]))
    assert mean_average_precision(matches, np.ones(1)) == 1
    assert np.isnan(mean_average_precision(matches, np.zeros(1)))


@pytest.mark.parametrize("levels", [None, 5])
@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_coco(seed, levels):
    found, truth = drawn(seed, levels=levels)
    assert score(found, truth) == pytest.approx(coco(found, *truth), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_weight_two_is_the_scene_twice(seed):
    """Weights of 0, 1 and 2 give what a set gives in which scenes are left out or come again."""
    found, (scene, category, box) = drawn(seed)
    weights = np.random.default_rng(seed).integers(3, size=SCENES)
    drawn_scenes = np.repeat(np.arange(SCENES), weights)

    def again(positions):
        """Return which entries are there, and their scene's new position."""
        rows = [np.flatnonzero(positions == s) for s in drawn_scenes]
        new = [np.full(len(r), i) for i, r in enumerate(rows)]
        return np.concatenate(rows), np.concatenate(new)

    rows, new = again(found.scene)
    repeated = Detections(new, found.category[rows], found.box[rows], found.score[rows])
    rows, new = again(scene)
    truth = new, category[rows], box[rows]
    expected = score(repeated, truth, scenes=len(drawn_scenes))
    assert score(found, (scene, category, box), weights) == pytest.approx(expected, abs=1e-12)


def coco(found, scene, category, box):
    """Return the AP at an IoU of 0.5 as COCO's own code reckons it."""

    def entries(scene, category, box, score):
        sizes = box[:, 2:] - box[:, :2]
        return [
            {
                "id": i + 1,
                "image_id": int(scene[i]),
                "category_id": int(category[i]),
                "bbox": [box[i, 1], box[i, 0], sizes[i, 1], sizes[i, 0]],
                "area": sizes[i].prod(),
                "iscrowd": 0,
                "score": float(score[i]),
            }
            for i in range(len(scene))
        ]

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": i} for i in range(SCENES)],
            "categories": [{"id": i} for i in range(CLASSES)],
            "annotations": entries(scene, category, box, np.ones(len(scene))),
        }
        truth.createIndex()
        answers = COCO()
        answers.dataset = truth.dataset | {
            "annotations": entries(found.scene, found.category, found.box, found.score)
        }
        answers.createIndex()
        evaluation = COCOeval(truth, answers, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[1]
