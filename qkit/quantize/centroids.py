"""Values that many weights share: where such centroids start, and how k-means moves them."""

from bisect import bisect, insort
from operator import itemgetter

import numpy as np

from qkit import validate

_MOST = 2**16  # clusters: as many as 16 bits number
_NODES = 30  # as in tensorflow-model-optimization


def initial_centroids(weights, clusters, init="kmeans++", *, seed=0):
    """Return where the centroids start: ascending, float32; some may be equal."""
    weights = np.ravel(validate.values(weights, what="initial_centroids"))
    clusters = validate.whole(clusters, name="initial_centroids: clusters", most=_MOST)
    seed = validate.whole(seed, name="initial_centroids: seed", least=0)
    start = INITS[validate.choice(init, INITS, name="initial_centroids: init")]
    return np.sort(np.float32(start(weights, clusters, np.random.default_rng(seed))))


def nearest_centroid(weights, centroids):
    """Return which centroid is nearest to each weight, the first of equally near ones."""
    levels, position = np.unique(centroids, return_index=True)
    above = np.searchsorted(levels, weights).clip(max=levels.size - 1)
    below = np.maximum(above - 1, 0)
    to_below, to_above = (np.abs(weights - levels[n]) for n in (below, above))
    first, second = position[below], position[above]
    take_below = (to_below < to_above) | ((to_below == to_above) & (first < second))
    return np.where(take_below, first, second)


def kmeans_steps(weights, centroids, steps):
    """Return the centroids before each step of k-means and after the last: (steps + 1, clusters).

    Each moves to the mean of the weights nearest to it, if there are any (S. P. Lloyd, 1982).
    """
    steps = validate.whole(steps, name="kmeans_steps: steps", least=0)
    weights = np.sort(weights, axis=None)  # neighbours are looked up faster one after the other
    path = np.empty((steps + 1, centroids.size), np.float32)
    path[0] = centroids
    for step in range(steps):
        index = nearest_centroid(weights, path[step])
        counts = np.bincount(index, minlength=centroids.size)
        sums = np.bincount(index, weights=weights, minlength=centroids.size)
        path[step + 1] = np.where(counts > 0, sums / np.maximum(counts, 1), path[step])
    return path


def _density(weights, clusters, rng):
    """Return where the share of smaller weights passes evenly spaced levels, on 30 nodes alone."""
    gap = np.float32(0.01)
    nodes = np.linspace(weights.min() - gap, weights.max() + gap, _NODES, dtype=np.float32)
    below = np.searchsorted(np.sort(weights), nodes, side="right")
    levels = np.linspace(np.float32(0.01), np.float32(1), clusters, dtype=np.float32)
    passed = np.searchsorted(np.float32(below) / np.float32(weights.size), levels, side="right")
    return nodes[np.minimum(passed, _NODES - 1)]


def _kmeans_plus_plus(weights, clusters, rng):
    """Draw weights, far ones more likely, the best of a few each (Arthur, Vassilvitskii, 2007)."""
    weights, trials = np.sort(weights), 2 + int(np.log(clusters))
    infinity = np.float32(np.inf)
    chosen = [-infinity, rng.choice(weights), infinity]
    squares = np.square(weights - chosen[1])

    def moved(candidate):
        # a new centroid is nearest only to weights between its two neighbours
        place = bisect(chosen, candidate)
        part = slice(*np.searchsorted(weights, chosen[place - 1 : place + 1]))
        left = np.minimum(squares[part], np.square(weights[part] - candidate))
        return float((squares[part] - left).sum()), candidate, part, left

    for _ in range(clusters - 1):
        total = np.cumsum(squares, dtype=np.float64)
        drawn = np.searchsorted(total, rng.random(trials) * total[-1], side="right")
        candidates = weights[drawn.clip(max=weights.size - 1)]
        _, candidate, part, squares[part] = max(map(moved, candidates), key=itemgetter(0))
        insort(chosen, candidate)
    return np.array(chosen[1:-1])


INITS = {
    "linear": lambda weights, clusters, rng: np.linspace(weights.min(), weights.max(), clusters),
    "random": lambda weights, clusters, rng: rng.uniform(weights.min(), weights.max(), clusters),
    "density": _density,
    "kmeans++": _kmeans_plus_plus,
}
