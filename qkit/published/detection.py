"""Finding digits in scenes, in the manner of YOLO: scenes, a network, its loss, its mAP."""

import itertools
from collections import namedtuple

import numpy as np
from scipy.ndimage import find_objects, zoom
from scipy.special import expit

from qkit._tensorflow import tensorflow
from qkit.data import Dataset
from qkit.evaluate.tasks import Metric

CANVAS = 56  # pixels, height and width
MOST_DIGITS = 5
NOTHING = -1  # in place of a class, where a scene holds fewer digits than the most
CLASSES = 10
CELLS = 7  # a side
_TRAIN_SCENES = 16_000
_CELL = CANVAS // CELLS  # pixels
_ANCHOR = np.float32([14, 10])  # pixels, height and width: about the mean box
_BOX_WEIGHT = 5  # of the box's squares in the loss, as in the first YOLO
_MOST_DETECTIONS = 20  # in a scene
# COCO's points of recall, https://github.com/cocodataset/cocoapi (Params.recThrs).
_RECALLS = np.linspace(0, 1, 101)

# What was found, in which scene; a box is top, left, bottom, right, and a score says how sure.
Detections = namedtuple("Detections", ["scene", "category", "box", "score"])
# Detections held against the truth, by class, the surest first: the scene of each and whether it
# is right; and by scene and class, how many digits there are to be found.
Matches = namedtuple("Matches", ["scene", "right", "objects"])


def data(images):
    """Return scenes of a data set's digits; targets are the digits, for training told by cell."""
    rng = np.random.default_rng(0)
    x_train, digits = scenes(images.x_train, images.y_train, _TRAIN_SCENES, rng)
    test = scenes(images.x_test, images.y_test, _TRAIN_SCENES // 8, rng)
    name = f"digits of {images.name} scattered over canvases"
    return Dataset(x_train, cell_targets(digits), *test, name, images.source)


def scenes(x, y, count, rng):
    """Scatter images over `count` canvases; digits are rows of class, top, left, bottom, right.

    One that finds no place in 20 tries is left out; no image comes again before all have been.
    """
    canvases = np.zeros((count, CANVAS, CANVAS), np.float32)
    digits = np.zeros((count, MOST_DIGITS, 5), np.float32)
    digits[:, :, 0] = NOTHING
    items = (item for _ in itertools.count() for item in rng.permutation(len(x)))
    for canvas, rows in zip(canvases, digits, strict=True):
        placed = 0
        for item in itertools.islice(items, rng.integers(1, MOST_DIGITS, endpoint=True)):
            image = zoom(x[item], rng.uniform(0.5, 0.9), order=1)
            (inked,) = find_objects((image > 0.2).astype(int))  # fainter pixels widen no box
            ink = image[inked]
            box = _place(ink.shape, rows[:placed, 1:], rng)
            if box is not None:
                top, left, bottom, right = box
                here = canvas[top:bottom, left:right]
                np.maximum(here, ink, out=here)
                rows[placed] = y[item], *box
                placed += 1
    return canvases, digits


def _place(size, others, rng):
    """Return a box of a size that hardly overlaps the others, or None where none was found."""
    for _ in range(20):
        start = rng.integers(np.subtract(CANVAS, size), endpoint=True)
        box = np.append(start, start + size)
        shared, area, areas = _areas(box, others)
        if (shared <= 0.1 * np.minimum(area, areas)).all():
            return box
    return None


def _areas(box, others):
    """Return what a box shares with each of several others, its area, and theirs."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    area, areas = (np.prod(b[..., 2:] - b[..., :2], axis=-1) for b in (box, others))
    return np.prod(sides.clip(0), axis=1), area, areas


def cell_targets(digits):
    """Return by cell if it holds a centre, its class, where it lies, and the log of the size."""
    targets = np.zeros((len(digits), CELLS, CELLS, 6), np.float32)
    scene, row = np.nonzero(digits[:, :, 0] != NOTHING)
    category, start, end = np.split(digits[scene, row], [1, 3], axis=1)
    centre = (start + end) / 2 / _CELL
    cell = centre.astype(int)
    size = np.log((end - start) / _ANCHOR)
    told = np.hstack([np.ones_like(category), category, centre - cell, size])
    targets[scene, cell[:, 0], cell[:, 1]] = told  # of two centres in a cell, the later one
    return targets


def detector(*, seed=0):
    """Return a small relative of YoloV3 (Redmon and Farhadi, 2018): one anchor, one resolution."""
    keras = tensorflow().keras
    glorot, layers = keras.initializers.GlorotUniform, keras.layers
    blocks = []
    for number, (channels, stride) in enumerate(((16, 2), (32, 2), (64, 2), (64, 1)), 1):
        blocks += [
            layers.Conv2D(
                channels, 3, stride, "same", use_bias=False,
                kernel_initializer=glorot(100 * seed + number), name=f"conv{number}",
            ),
            layers.BatchNormalization(name=f"conv{number}_bn"),
            layers.LeakyReLU(0.1, name=f"conv{number}_leaky"),
        ]  # fmt: skip
    return keras.Sequential(
        [
            layers.InputLayer((CANVAS, CANVAS), name="scene"),
            layers.Reshape((CANVAS, CANVAS, 1), name="reshape"),
            *blocks,
            layers.Conv2D(4 + 1 + CLASSES, 1, kernel_initializer=glorot(100 * seed), name="cells"),
        ],
        name="detector",
    )


def loss(targets, outputs):
    """Return YOLO's loss: cross-entropies of objectness and classes, and squares for the box.

    Parameters
    ----------
    targets : tensor of shape (n, 7, 7, 6)
        See `cell_targets`.
    outputs : tensor of shape (n, 7, 7, 15)
        See `decode`.

    Returns
    -------
    tensor of shape (n,)

    Notes
    -----
    After Redmon and Farhadi, "YOLOv3: an incremental improvement" (2018), with one anchor. Only the
    cells with a digit answer for box and classes.
    """
    tf = tensorflow()
    cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
    present, category, centre, size = tf.split(targets, [1, 1, 2, 2], axis=-1)
    box_centre, box_size, objectness, classes = tf.split(outputs, [2, 2, 1, CLASSES], axis=-1)
    one_hot = tf.one_hot(tf.cast(category[..., 0], tf.int32), CLASSES)
    squares = (tf.sigmoid(box_centre) - centre) ** 2 + (box_size - size) ** 2
    for_digit = _BOX_WEIGHT * squares
    per_cell = tf.reduce_sum(for_digit, -1) + tf.reduce_sum(cross_entropy(one_hot, classes), -1)
    per_cell = present[..., 0] * per_cell + cross_entropy(present, objectness)[..., 0]
    return tf.reduce_sum(per_cell, axis=[1, 2])


def decode(outputs):
    """Return the digits that outputs tell of: of boxes of a class that overlap by half, the surest.

    A cell says where its centre lies, how much larger than the anchor it is, and its scores.
    """
    n = len(outputs)
    cell = np.stack(np.mgrid[:CELLS, :CELLS], axis=-1)
    centre = (cell + expit(outputs[..., :2])) * _CELL
    half = np.exp(outputs[..., 2:4]) * _ANCHOR / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32)
    scores = expit(outputs[..., 4:5]) * expit(outputs[..., 5:])
    found = tensorflow().image.combined_non_max_suppression(
        boxes.reshape(n, -1, 1, 4), scores.reshape(n, -1, CLASSES),
        _MOST_DETECTIONS, _MOST_DETECTIONS, clip_boxes=False, iou_threshold=0.5,
        score_threshold=0.05,  # fainter ones come last in the ranking and cost time
    )  # fmt: skip
    box, score, category, count = (tensor.numpy() for tensor in found)
    scene, row = np.nonzero(np.arange(_MOST_DETECTIONS) < count[:, None])
    return Detections(scene, category[scene, row].astype(int), box[scene, row], score[scene, row])


def match(found, digits, *, least_iou=0.5):
    """Match detections to digits as COCO does: the surest takes the free one it overlaps most."""
    right = np.zeros(len(found.score), bool)
    order = np.argsort(-found.score, kind="stable")
    free = digits.copy()
    for i in order:
        rows = free[found.scene[i]]
        shared, area, areas = _areas(found.box[i], rows[:, 1:])
        iou = shared / (area + areas - shared) * (rows[:, 0] == found.category[i])
        best = iou.argmax()
        if iou[best] >= least_iou:
            right[i], rows[best, 0] = True, NOTHING
    ranked = [order[found.category[order] == c] for c in range(CLASSES)]
    objects = (digits[:, :, :1] == np.arange(CLASSES)).sum(axis=1)
    return Matches([found.scene[r] for r in ranked], [right[r] for r in ranked], objects)


def mean_average_precision(matches, weights):
    """Return COCO's average precision of weighted scenes, its mean over the classes there are."""
    weights = np.asarray(weights, float)
    there = weights @ matches.objects
    averages = []
    for c in np.flatnonzero(there):
        drawn = weights[matches.scene[c]]
        right, claimed = np.cumsum([drawn * matches.right[c], drawn], axis=1)
        precision = np.divide(right, claimed, out=np.zeros_like(right), where=claimed > 0)
        precision = np.maximum.accumulate(precision[::-1])[::-1]  # at this recall or above
        reached = np.searchsorted(right / there[c], _RECALLS)
        averages.append(np.append(precision, 0)[reached].mean())
    return float(np.mean(averages)) if averages else float("nan")


def tallies(outputs, digits, *, least_iou=0.5):
    """Return which detections find a digit that is there, by an overlap of `least_iou`."""
    return match(decode(outputs), digits, least_iou=least_iou)


MEAN_AVERAGE_PRECISION = Metric("mAP (IoU = 0.5)", "", True, tallies, mean_average_precision)
