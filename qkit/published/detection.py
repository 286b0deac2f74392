"""Finding digits in scenes, in the manner of YOLO: a grid of cells, each with a box and scores."""

import numpy as np

from qkit._tensorflow import tensorflow
from qkit.evaluate.task import Task, TaskData
from qkit.published.average_precision import Detections, match, mean_average_precision
from qkit.published.scenes import CANVAS, NOTHING, scenes

CLASSES = 10
CELLS = 7  # a side
OUTPUTS = 4 + 1 + CLASSES  # of a cell: box, objectness, classes
_CELL = CANVAS // CELLS  # pixels
_ANCHOR = np.float32([14, 10])  # pixels, height and width: about the mean box
_TRAIN_SCENES, _TEST_SCENES = 16_000, 2000
_BOX_WEIGHT = 5  # of the box's squares in the loss, as in the first YOLO
_LEAST_SCORE = 0.05  # fainter detections come last in the ranking and cost time
_LARGEST_IOU = 0.5  # of two boxes of a class: of closer ones the surer stays
_MOST_DETECTIONS = 20  # in a scene


def data(images):
    """Return scenes with the digits of a data set.

    Training scenes hold training images alone, test scenes test images alone.

    Parameters
    ----------
    images : Dataset
        Of digits.

    Returns
    -------
    TaskData
        16,000 scenes to train on, whose targets are what each cell has to say, see `cell_targets`;
        and 2,000 to test on, whose targets are the digits themselves, see `scenes`.

    Examples
    --------
    >>> import qkit as qk
    >>> data(qk.load_data("digits")).x_test.shape
    (2000, 56, 56)
    """
    rng = np.random.default_rng(0)
    x_train, digits = scenes(images.x_train, images.y_train, _TRAIN_SCENES, rng)
    x_test, y_test = scenes(images.x_test, images.y_test, _TEST_SCENES, rng)
    name = f"digits of {images.name} scattered over canvases"
    return TaskData(x_train, cell_targets(digits), x_test, y_test, name)


def cell_targets(digits):
    """Return what each cell should say: the one that holds the centre of a box speaks for it.

    Parameters
    ----------
    digits : ndarray of shape (n, most, 5)
        Class, top, left, bottom, right; see `scenes`.

    Returns
    -------
    ndarray of shape (n, 7, 7, 6), float32
        Whether there is a digit; its class; where its centre lies in the cell, down and across, in
        [0, 1); and the logarithms of height and width over the anchor's. Where two centres share a
        cell, the later digit has it.

    Examples
    --------
    >>> cell_targets(np.array([[[3, 0, 5, 14, 15]]]))[0, 0, 1].tolist()  # centre at (7, 10)
    [1.0, 3.0, 0.875, 0.25, 0.0, 0.0]
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
    """Return the digits that a detector's outputs tell of, each once.

    Parameters
    ----------
    outputs : ndarray of shape (n, 7, 7, 15), float32
        Of each cell: the logits of where the box's centre lies in it, down and across; the
        logarithms of the box's height and width over the anchor's; the logit of its objectness;
        and those of the classes.

    Returns
    -------
    Detections
        With boxes in pixels, and scores that are the product of objectness and class; of boxes of a
        class that overlap by half or more, the surest.

    Examples
    --------
    >>> outputs = np.full((1, 7, 7, 15), -9, np.float32)
    >>> outputs[0, 2, 1, [0, 1, 2, 3, 4, 5 + 3]] = 0, 0, 0, 0, 9, 9  # a 3 in the middle of a cell
    >>> found = decode(outputs)
    >>> found.category.tolist(), found.box.tolist()
    ([3], [[13.0, 7.0, 27.0, 17.0]])
    """
    from scipy.special import expit

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


def tallies(outputs, digits, *, least_iou=0.5):
    """Return which detections find a digit that is there.

    Parameters
    ----------
    outputs : ndarray of shape (n, 7, 7, 15), float32
    digits : ndarray of shape (n, most, 5)
        See `scenes`.
    least_iou : float
        Intersection over union at which a digit counts as found.

    Returns
    -------
    Matches
    """
    scene, row = np.nonzero(digits[:, :, 0] != NOTHING)
    true = digits[scene, row]
    return match(
        decode(outputs), scene, true[:, 0].astype(int), true[:, 1:],
        scenes=len(digits), classes=CLASSES, least_iou=least_iou,
    )  # fmt: skip


DETECTION = Task(
    name="detection",
    metric="mAP (IoU = 0.5)",
    higher_is_better=True,
    data=data,
    loss=loss,
    tallies=tallies,
    score=mean_average_precision,
)
