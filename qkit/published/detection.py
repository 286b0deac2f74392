"""Finding digits in scenes, in the manner of YOLO: scenes, a network, its loss, its mAP."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import zoom
from scipy.special import expit

from qkit._tensorflow import tensorflow
from qkit.data import Dataset
from qkit.evaluate.accuracy import Metric

CANVAS = 56  # pixels, height and width
MOST_DIGITS = 5
NOTHING = -1  # in place of a class, where a scene holds fewer digits than the most
_SCALES = (0.5, 0.9)
_INK = 0.2  # fainter pixels do not widen a box
_MOST_OVERLAP = 0.1  # of the smaller of two boxes
_TRIES = 20
_TRAIN_SCENES, _TEST_SCENES = 16_000, 2000

CLASSES = 10
CELLS = 7  # a side
OUTPUTS = 4 + 1 + CLASSES  # of a cell: box, objectness, classes
_CELL = CANVAS // CELLS  # pixels
_ANCHOR = np.float32([14, 10])  # pixels, height and width: about the mean box
_CHANNELS = ((16, 2), (32, 2), (64, 2), (64, 1))  # and stride, of each 3×3 convolution
_BOX_WEIGHT = 5  # of the box's squares in the loss, as in the first YOLO
_LEAST_SCORE = 0.05  # fainter detections come last in the ranking and cost time
_LARGEST_IOU = 0.5  # of two boxes of a class: of closer ones the surer stays
_MOST_DETECTIONS = 20  # in a scene
# COCO's points of recall, https://github.com/cocodataset/cocoapi (Params.recThrs).
_RECALLS = np.linspace(0, 1, 101)


def data(images):
    """Return scenes with the digits of a data set, each part with its own images alone.

    Training targets are what each cell has to say, test targets the digits themselves.
    """
    rng = np.random.default_rng(0)
    x_train, digits = scenes(images.x_train, images.y_train, _TRAIN_SCENES, rng)
    x_test, y_test = scenes(images.x_test, images.y_test, _TEST_SCENES, rng)
    name = f"digits of {images.name} scattered over canvases"
    return Dataset(x_train, cell_targets(digits), x_test, y_test, name, images.source)


def scenes(x, y, count, rng):
    """Scatter images over `count` canvases; digits are rows of class, top, left, bottom, right.

    One that finds no place in 20 tries is left out; no image comes again before all have been.
    """
    canvases = np.zeros((count, CANVAS, CANVAS), np.float32)
    digits = np.zeros((count, MOST_DIGITS, 5), np.float32)
    digits[:, :, 0] = NOTHING
    images = _each_before_any_twice(len(x), rng)
    for canvas, rows in zip(canvases, digits, strict=True):
        placed = 0
        for _ in range(rng.integers(1, MOST_DIGITS, endpoint=True)):
            image = next(images)
            ink = _ink(zoom(x[image], rng.uniform(*_SCALES), order=1))
            box = _place(ink.shape, rows[:placed, 1:], rng)
            if box is not None:
                top, left, bottom, right = box
                here = canvas[top:bottom, left:right]
                np.maximum(here, ink, out=here)
                rows[placed] = y[image], *box
                placed += 1
    return canvases, digits


def _each_before_any_twice(n, rng):
    while True:
        yield from rng.permutation(n)


def _ink(image):
    """Return the part of an image that holds the ink."""
    rows, columns = (np.flatnonzero((image > _INK).any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _place(shape, others, rng):
    """Return a box of a shape that hardly overlaps the others, or None where none was found."""
    size = np.array(shape)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1)
    for _ in range(_TRIES):
        start = rng.integers(CANVAS - size, endpoint=True)
        end = start + size
        shared = np.minimum(end, others[:, 2:]) - np.maximum(start, others[:, :2])
        overlap = np.prod(shared.clip(0), axis=1) / np.minimum(areas, size.prod())
        if (overlap <= _MOST_OVERLAP).all():
            return *start, *end
    return None


def cell_targets(digits):
    """Return whether each cell holds a centre, its class, where it lies, and the log of the size.

    Of shape (n, 7, 7, 6); where two centres share a cell, the later digit has it.
    """
    targets = np.zeros((len(digits), CELLS, CELLS, 6), np.float32)
    scene, row = np.nonzero(digits[:, :, 0] != NOTHING)
    category, start, end = np.split(digits[scene, row], [1, 3], axis=1)
    centre = (start + end) / 2 / _CELL
    cell = centre.astype(int)
    size = np.log((end - start) / _ANCHOR)
    told = [np.ones_like(category), category, centre - cell, size]
    targets[scene, cell[:, 0], cell[:, 1]] = np.concatenate(told, axis=1)
    return targets


def detector(*, seed=0):
    """Return a small relative of YoloV3 (Redmon and Farhadi, 2018), which sees a scene once.

    One anchor and one resolution, where YoloV3 has three of each.
    """
    keras = tensorflow().keras
    glorot, layers = keras.initializers.GlorotUniform, keras.layers
    blocks = []
    for number, (channels, stride) in enumerate(_CHANNELS, 1):
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
            layers.Conv2D(OUTPUTS, 1, kernel_initializer=glorot(100 * seed), name="cells"),
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
    tf = tensorflow()
    cell = np.stack(np.mgrid[:CELLS, :CELLS], axis=-1)
    centre = (cell + expit(outputs[..., :2])) * _CELL
    half = np.exp(outputs[..., 2:4]) * _ANCHOR / 2
    boxes = np.concatenate([centre - half, centre + half], axis=-1).astype(np.float32)
    scores = expit(outputs[..., 4:5]) * expit(outputs[..., 5:])
    box, score, category, count = (
        tensor.numpy()
        for tensor in tf.image.combined_non_max_suppression(
            boxes.reshape(len(outputs), -1, 1, 4),
            scores.reshape(len(outputs), -1, CLASSES),
            max_output_size_per_class=_MOST_DETECTIONS,
            max_total_size=_MOST_DETECTIONS,
            iou_threshold=_LARGEST_IOU,
            score_threshold=_LEAST_SCORE,
            clip_boxes=False,  # they are in pixels
        )
    )
    scene, row = np.nonzero(np.arange(_MOST_DETECTIONS) < count[:, None])
    return Detections(scene, category[scene, row].astype(int), box[scene, row], score[scene, row])


@dataclass(frozen=True, eq=False)
class Detections:
    """What was found."""

    scene: np.ndarray
    category: np.ndarray
    box: np.ndarray  # top, left, bottom, right
    score: np.ndarray  # how sure


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections held against the truth: all that average precision depends on."""

    scene: np.ndarray  # by class and rank, the surest first, filled up with one that is not there
    right: np.ndarray  # by class and rank, whether it finds an object
    objects: np.ndarray  # by scene and class, how many there are to be found


def match(detections, scene, category, box, *, scenes, classes=CLASSES, least_iou=0.5):
    """Match detections to objects, as COCO does, https://github.com/cocodataset/cocoapi.

    The surest chooses first: of the objects still free, the one that it overlaps most.
    """
    order = np.argsort(-detections.score, kind="stable")
    right = np.zeros(len(order), bool)
    objects = {}
    for i, place in enumerate(zip(scene, category, strict=True)):
        objects.setdefault(place, []).append(i)
    for i in order:
        free = objects.get((detections.scene[i], detections.category[i]))
        if free:
            overlaps = iou(detections.box[i], box[free])
            if overlaps.max() >= least_iou:
                right[i] = True
                free.pop(overlaps.argmax())
    ranked = [order[detections.category[order] == c] for c in range(classes)]
    most = max(map(len, ranked))
    found_in, found = np.full((classes, most), scenes), np.zeros((classes, most), bool)
    for c, ranks in enumerate(ranked):
        found_in[c, : len(ranks)] = detections.scene[ranks]
        found[c, : len(ranks)] = right[ranks]
    count = np.zeros((scenes, classes), np.int64)
    np.add.at(count, (scene, category), 1)
    return Matches(found_in, found, count)


def mean_average_precision(matches, weights):
    """Return the mean over the classes of COCO's average precision, of weighted scenes.

    A precision is the largest at its recall or above; classes without an object do not count.
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
    """Return the intersection over the union of a box and each of several others."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.prod(sides.clip(0), axis=1)
    area, areas = np.prod(box[2:] - box[:2]), np.prod(others[:, 2:] - others[:, :2], axis=1)
    return shared / (area + areas - shared)


def tallies(outputs, digits, *, least_iou=0.5):
    """Return which detections find a digit that is there, by an overlap of `least_iou`."""
    scene, row = np.nonzero(digits[:, :, 0] != NOTHING)
    true = digits[scene, row]
    truth = scene, true[:, 0].astype(int), true[:, 1:]
    return match(decode(outputs), *truth, scenes=len(digits), least_iou=least_iou)


MEAN_AVERAGE_PRECISION = Metric("mAP (IoU = 0.5)", "", True, tallies, mean_average_precision)
