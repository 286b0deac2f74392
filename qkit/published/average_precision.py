"""Average precision of a detector: how well its boxes, ranked by their scores, find the objects."""

from dataclasses import dataclass

import numpy as np

# COCO's points of recall, https://github.com/cocodataset/cocoapi (Params.recThrs).
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Detections:
    """What a detector found in each of several scenes.

    Attributes
    ----------
    scene, category : ndarray of shape (n,), integer
        Position of the scene, and class of what was found.
    box : ndarray of shape (n, 4), float
        Top, left, bottom, right.
    score : ndarray of shape (n,), float
        The larger, the surer.
    """

    scene: np.ndarray
    category: np.ndarray
    box: np.ndarray
    score: np.ndarray


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections held against the truth: all that average precision depends on.

    Attributes
    ----------
    scene : ndarray of shape (classes, most), integer
        Of each detection, those of a class in a row, the surest first; rows are filled up with the
        number of scenes, a scene that is not there.
    right : ndarray of shape (classes, most), bool
        Whether it found an object that none before had found.
    objects : ndarray of shape (scenes, classes), int64
        How many there are to be found.
    """

    scene: np.ndarray
    right: np.ndarray
    objects: np.ndarray


def match(detections, scene, category, box, *, scenes, classes, least_iou=0.5):
    """Match detections to objects, as COCO does.

    Within a scene and a class the detections choose in the order of their scores: each takes the
    object, of those still free, that it overlaps most, if by `least_iou` or more.

    Parameters
    ----------
    detections : Detections
    scene, category : ndarray of shape (n,), integer
        Of each object that is there.
    box : ndarray of shape (n, 4), float
    scenes, classes : int
    least_iou : float
        Intersection over union at which an object counts as found.

    Returns
    -------
    Matches

    Notes
    -----
    After Lin et al., "Microsoft COCO: common objects in context" (2014), and the evaluation code of
    https://github.com/cocodataset/cocoapi. Equal scores keep the order of the detections.

    Examples
    --------
    >>> one = np.array([0])
    >>> found = Detections(one, one, np.array([[0, 0, 10, 8]]), np.array([0.9]))
    >>> match(found, one, one, np.array([[0, 0, 10, 10]]), scenes=1, classes=1).right
    array([[ True]])
    """
    order = np.argsort(-detections.score, kind="stable")
    right = np.zeros(len(order), bool)
    objects = {}
    for i in range(len(scene)):
        objects.setdefault((scene[i], category[i]), []).append(i)
    for i in order:
        free = objects.get((detections.scene[i], detections.category[i]))
        if free:
            overlaps = iou(detections.box[i], box[free])
            if overlaps.max() >= least_iou:
                right[i] = True
                free.pop(overlaps.argmax())
    ranked = [order[detections.category[order] == c] for c in range(classes)]
    most = max(map(len, ranked))
    rows = np.full((classes, most), scenes), np.zeros((classes, most), bool)
    for c, found in enumerate(ranked):
        rows[0][c, : len(found)] = detections.scene[found]
        rows[1][c, : len(found)] = right[found]
    count = np.zeros((scenes, classes), np.int64)
    np.add.at(count, (scene, category), 1)
    return Matches(*rows, count)


def mean_average_precision(matches, weights):
    """Return the mean over the classes of COCO's average precision, of weighted scenes.

    Parameters
    ----------
    matches : Matches
    weights : ndarray of shape (scenes,)
        A scene of weight 2 counts as if it were there twice.

    Returns
    -------
    float
        In [0, 1]; NaN where there is no object at all.

    Notes
    -----
    Precision is made falling, each taken as the largest at its recall or above, read off at the
    recalls 0, 0.01, …, 1, and averaged; 0 where a recall is not reached. Classes of which there is
    no object do not count. This is how YoloV3's mAP (IoU = 0.5) is reckoned.

    Examples
    --------
    One of two objects found, after a false alarm that was surer:

    >>> matches = Matches(np.array([[0, 0]]), np.array([[False, True]]), np.array([[2]]))
    >>> round(mean_average_precision(matches, np.ones(1)), 4)  # precision 1/2 at 51 of 101 recalls
    0.2525
    """
    weights = np.asarray(weights, float)
    there = weights @ matches.objects
    of_detection = np.append(weights, 0)[matches.scene]
    right = np.cumsum(of_detection * matches.right, axis=1)
    claimed = np.cumsum(of_detection, axis=1)
    precision = np.divide(right, claimed, out=np.zeros_like(right), where=claimed > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    averages = []
    for c in np.flatnonzero(there):
        reached = np.searchsorted(right[c] / there[c], _RECALLS)
        averages.append(np.append(precision[c], 0)[reached].mean())
    return float(np.mean(averages)) if averages else float("nan")


def iou(box, others):
    """Return the intersection over the union of a box and each of several others.

    Parameters
    ----------
    box : ndarray of shape (4,)
        Top, left, bottom, right.
    others : ndarray of shape (n, 4)

    Returns
    -------
    ndarray of shape (n,), float64, in [0, 1]

    Examples
    --------
    >>> iou(np.array([0, 0, 2, 2]), np.array([[0, 1, 2, 3], [5, 5, 6, 6]])).round(3).tolist()
    [0.333, 0.0]
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(sides.clip(0), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], axis=1)
    return shared / (area + areas - shared)
