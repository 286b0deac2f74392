"""Values that many weights share: where such centroids start, and how k-means moves them."""

from bisect import bisect, insort

import numpy as np

from qkit import validate

_DENSITY_NODES, _DENSITY_GAP = 30, 0.01  # as in tensorflow-model-optimization
_LEAST_PROBABILITY = 0.01
INITS = ("linear", "random", "density", "kmeans++")


def initial_centroids(weights, clusters, init="kmeans++", *, seed=0):
    """Return where the centroids of a weight tensor start.

    Parameters
    ----------
    weights : array_like of floating point
    clusters : int
        How many centroids; 1 or more.
    init : {"linear", "random", "density", "kmeans++"}
        "linear": evenly from the smallest to the largest weight. "random": drawn evenly between
        them. "density": where the share of smaller weights passes evenly spaced levels, on 30
        nodes. "kmeans++": drawn from the weights, far ones more likely, the best of a few each
        time.
    seed : int
        Of "random" and "kmeans++".

    Returns
    -------
    ndarray of shape (clusters,), float32
        Ascending; some may be equal.

    Raises
    ------
    TypeError
        If the weights are not floating point.
    ValueError
        If a weight is NaN or infinite, there are none, or an argument is out of its range.

    Notes
    -----
    "linear" and "density" give the numbers of tensorflow-model-optimization; the draws of the other
    two follow the same rule with another generator. Its "density" promises to interpolate between
    the nodes and does not: it solves its line for the wrong ordinate and gets the upper node back.
    Levels that pass within one pair of nodes thus become one centroid, so that fewer values are in
    use than were asked for.

    References
    ----------
    S. Han, H. Mao, W. J. Dally, "Deep compression", ICLR 2016: linear, random and density. D.
    Arthur, S. Vassilvitskii, "k-means++", SODA 2007. tensorflow-model-optimization,
    `clustering_centroids.py`.

    Examples
    --------
    >>> initial_centroids(np.float32([-1.0, 0.1, 0.2, 3.0]), 3, "linear")
    array([-1.,  1.,  3.], dtype=float32)
    """
    weights = _checked(weights, what="initial_centroids")
    if isinstance(clusters, bool) or not isinstance(clusters, (int, np.integer)) or clusters < 1:
        raise ValueError(
            f"initial_centroids: clusters must be a whole number of 1 or more, got {clusters!r}."
        )
    if init not in INITS:
        raise ValueError(
            f"initial_centroids: init must be one of {', '.join(map(repr, INITS))}, got {init!r}."
        )
    low, high = weights.min(), weights.max()
    rng = np.random.default_rng(seed)
    if init == "linear":
        found = np.linspace(low, high, clusters)
    elif init == "random":
        found = rng.uniform(low, high, clusters)
    elif init == "density":
        found = _density(weights, clusters, low, high)
    else:
        found = _kmeans_plus_plus(weights, clusters, rng)
    return np.sort(found.astype(np.float32))


def nearest_centroid(weights, centroids):
    """Return the position of the nearest centroid of each weight.

    Parameters
    ----------
    weights : array_like of floating point
    centroids : array_like of shape (clusters,), floating point
        In any order.

    Returns
    -------
    ndarray of the shape of `weights`, int64
        Between two that are equally near, the one that comes first in `centroids`.

    Raises
    ------
    TypeError, ValueError
        If the values are no finite floating point, or there are no centroids.

    Examples
    --------
    >>> nearest_centroid(np.float32([-5.0, 0.4, 0.5, 9.0]), np.float32([0.0, 1.0]))
    array([0, 0, 0, 1])
    """
    weights = validate.values(weights, what="nearest_centroid: weights")
    centroids = _checked(centroids, what="nearest_centroid: centroids")
    # in one dimension only the neighbours on either side can be nearest
    levels, position = np.unique(centroids, return_index=True)
    above = np.searchsorted(levels, weights).clip(max=levels.size - 1)
    below = np.maximum(above - 1, 0)
    to_below, to_above = (np.abs(weights - levels[n]) for n in (below, above))
    first, second = position[below], position[above]
    take_below = (to_below < to_above) | ((to_below == to_above) & (first < second))
    return np.where(take_below, first, second)


def kmeans_steps(weights, centroids, steps):
    """Return how k-means moves centroids: each to the mean of the weights that are nearest to it.

    Parameters
    ----------
    weights : array_like of floating point
    centroids : array_like of shape (clusters,), floating point
        Where they start.
    steps : int
        How many moves; 0 or more.

    Returns
    -------
    ndarray of shape (steps + 1, clusters), float32
        The centroids before each move and after the last; one that no weight is nearest to stays
        where it is.

    Raises
    ------
    TypeError, ValueError
        If the values are no finite floating point, there are none, or `steps` is below 0.

    Notes
    -----
    tensorflow-model-optimization moves centroids by the gradient of the loss instead, while it
    trains.

    References
    ----------
    S. P. Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 28
    (1982).

    Examples
    --------
    >>> kmeans_steps(np.float32([0, 1, 8, 10]), np.float32([0, 1]), 2)
    array([[0.       , 1.       ],
           [0.       , 6.3333335],
           [0.5      , 9.       ]], dtype=float32)
    """
    weights = _checked(weights, what="kmeans_steps: weights")
    centroids = _checked(centroids, what="kmeans_steps: centroids")
    if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
        raise ValueError(f"kmeans_steps: steps must be a whole number of 0 or more, got {steps!r}.")
    weights = np.sort(weights)  # neighbours are looked up faster one after the other
    path = np.empty((steps + 1, centroids.size), np.float32)
    path[0] = centroids
    for step in range(steps):
        index = nearest_centroid(weights, path[step])
        counts = np.bincount(index, minlength=centroids.size)
        sums = np.bincount(index, weights=weights, minlength=centroids.size)
        path[step + 1] = np.where(counts > 0, sums / np.maximum(counts, 1), path[step])
    return path


def _density(weights, clusters, low, high):
    gap = np.float32(_DENSITY_GAP)
    nodes = np.linspace(low - gap, high + gap, _DENSITY_NODES, dtype=np.float32)
    below = np.searchsorted(np.sort(weights), nodes, side="right")
    share = np.float32(below) / np.float32(weights.size)
    levels = np.linspace(np.float32(_LEAST_PROBABILITY), np.float32(1), clusters, dtype=np.float32)
    passed = np.searchsorted(share, levels, side="right")
    return nodes[np.minimum(passed, _DENSITY_NODES - 1)]  # and no interpolation: see the notes


def _kmeans_plus_plus(weights, clusters, rng):
    weights, trials = np.sort(weights), 2 + int(np.log(clusters))
    chosen = [rng.choice(weights)]
    squares = np.square(weights - chosen[0])
    while len(chosen) < clusters:
        total = np.cumsum(squares, dtype=np.float64)
        drawn = np.searchsorted(total, rng.random(trials) * total[-1], side="right")
        best, most = None, -1.0
        for candidate in weights[drawn.clip(max=weights.size - 1)]:
            # a new centroid is nearest only to weights between its two neighbours
            place = bisect(chosen, candidate)
            start = np.searchsorted(weights, chosen[place - 1]) if place else 0
            end = np.searchsorted(weights, chosen[place]) if place < len(chosen) else weights.size
            part = slice(start, end)
            left = np.minimum(squares[part], np.square(weights[part] - candidate))
            gained = float((squares[part] - left).sum())
            if gained > most:
                best, most = (candidate, part, left), gained
        candidate, part, squares[part] = best
        insort(chosen, candidate)
    return np.array(chosen)


def _checked(x, *, what):
    x = np.ravel(validate.values(x, what=what))
    if x.size == 0:
        raise ValueError(f"{what}: there are no values.")
    return x
