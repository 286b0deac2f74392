"""Telling the digits apart: the images as they are, and the share of right answers."""

import numpy as np

from qkit.evaluate.task import Task, TaskData, ratio


def data(images):
    """Return the images and labels of a data set.

    Parameters
    ----------
    images : Dataset

    Returns
    -------
    TaskData
    """
    return TaskData(images.x_train, images.y_train, images.x_test, images.y_test, images.name)


def tallies(outputs, labels):
    """Return, for each image, whether the largest score is the label's, and 1.

    Parameters
    ----------
    outputs : ndarray of shape (n, classes)
    labels : ndarray of shape (n,), integer

    Returns
    -------
    ndarray of shape (n, 2), int64

    Examples
    --------
    >>> tallies(np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([1, 1])).tolist()
    [[1, 1], [0, 1]]
    """
    right = outputs.argmax(axis=1) == labels
    return np.stack([right, np.ones_like(right)], axis=1).astype(np.int64)


CLASSIFICATION = Task(
    name="classification",
    metric="top-1",
    higher_is_better=True,
    data=data,
    loss=None,
    tallies=tallies,
    score=ratio,
)
