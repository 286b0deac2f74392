"""Clustering: a few values for all weights of a kernel, and the values are trained."""

import numpy as np

from qkit._tensorflow import quiet
from qkit.quantize.coding import distinct_values
from qkit.toolchain.history import record_training
from qkit.toolchain.kernels import kernels
from qkit.toolchain.pruning import is_pruned
from qkit.toolchain.structure import copy_of, layers_left_alone, require_plain
from qkit.training import Settings

MOST_CLUSTERS = 256  # more distinct values than 8 bits can number are none to speak of
# By our words, the names in `tfmot.clustering.keras.CentroidInitialization`.
INITIALISATIONS = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "random": "RANDOM",
    "density": "DENSITY_BASED",
}


def cluster(
    model, data, *, clusters=16, init="kmeans++", per_channel=False, preserve_sparsity=False,
    epochs=1, batch_size=32, seed=0, learning_rate=1e-4, cache=True, validation_split=0.1,
):  # fmt: skip
    """Train a copy of a model on while each kernel holds only a few distinct values.

    `tensorflow_model_optimization` chooses centroids for each kernel, puts every weight on the
    nearest one, and trains the centroids; weights may change over to another centroid. The wrappers
    it puts around the layers are stripped before the copy is returned.

    Parameters
    ----------
    model : tf.keras.Model
        Trained, Keras 2, Sequential or functional; it is left as it is.
    data : Dataset
        Or anything with `x_train` and `y_train`.
    clusters : int
        Distinct values a kernel may hold, 2 to 256; 3 or more with `preserve_sparsity`, of which
        one is zero.
    init : {"kmeans++", "linear", "random", "density"}
        Where the centroids start: drawn with a preference for far-off weights; evenly between
        smallest and largest weight; drawn evenly between them; or evenly in the weights' ranks.
    per_channel : bool
        Whether each output channel of a convolution has centroids of its own; dense kernels have
        one set in any case.
    preserve_sparsity : bool
        Whether the zeros of a pruned model stay zero. Without it they go to the nearest centroid.
    epochs, batch_size, seed, learning_rate, cache, validation_split
        As for `fit`.

    Returns
    -------
    (tf.keras.Model, WeightHistory)
        The stripped copy; and sparsity, distinct values and held-out accuracy by step, with the
        layers that were left alone and why.

    Raises
    ------
    KerasVersionError, TypeError, ValueError
        If an argument is out of its range, or the model has a layer that the library cannot
        cluster, or none that it can; before any training.

    References
    ----------
    S. Han, H. Mao and W. J. Dally, "Deep compression", ICLR 2016: shared weights, trained, and
    three of the four initialisations.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> clustered, history = cluster(model, digits, clusters=4, cache=False)
    >>> max(int(values[-1]) for values in history.distinct_values.values()) <= 4
    True
    """
    _check(clusters, init, preserve_sparsity)
    settings = Settings(epochs, batch_size, seed, validation_split, learning_rate)
    x, y = settings.checked(model, data, what="cluster")
    require_plain(model, what="cluster")
    with quiet():
        from tensorflow_model_optimization.clustering import keras as tfmot
        from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
            cluster as experimental,
        )
    left_alone = layers_left_alone(
        model, _clusterable, lambda known: _too_small(known[0], clusters, per_channel),
        what="cluster", remedy="derive its class from tfmot.clustering.keras.ClusterableLayer",
    )  # fmt: skip
    if preserve_sparsity and not is_pruned(model):
        raise ValueError(
            f"cluster: preserve_sparsity=True, but {model.name!r} has no zero to preserve. Prune "
            "it first: pruned, history = qk.prune(model, data)."
        )

    def wrapped(layer):
        if layer.name in left_alone or not _clusterable(layer):
            return layer
        return experimental.cluster_weights(
            layer,
            number_of_clusters=int(clusters),
            cluster_centroids_init=tfmot.CentroidInitialization[INITIALISATIONS[init]],
            cluster_per_channel=per_channel,
            preserve_sparsity=preserve_sparsity,
        )

    clustered = copy_of(model)
    history = record_training(
        clustered, x, y, settings,
        kind=("clustering", int(clusters), init, per_channel, preserve_sparsity),
        what="clustering",
        cache=cache,
        wrap=wrapped,
        unwrap=tfmot.strip_clustering,
        left_alone=left_alone,
    )  # fmt: skip
    return clustered, history


def is_clustered(model):
    """Return whether the largest kernel of a Keras model holds a few distinct values only.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    bool
    """
    largest = max(kernels(model).values(), key=np.size, default=np.empty(0))
    return distinct_values(largest) <= MOST_CLUSTERS < largest.size


def _check(clusters, init, preserve_sparsity):
    least = 3 if preserve_sparsity else 2
    whole = isinstance(clusters, int) and not isinstance(clusters, bool)
    if not (whole and least <= clusters <= MOST_CLUSTERS):
        also = " with preserve_sparsity, as one of them is zero" if preserve_sparsity else ""
        raise ValueError(
            f"cluster: clusters must be a whole number from {least} to {MOST_CLUSTERS}{also}, got "
            f"{clusters!r}."
        )
    if init not in INITIALISATIONS:
        raise ValueError(
            f"cluster: init must be one of {', '.join(map(repr, INITIALISATIONS))}, got {init!r}."
        )


def _too_small(kernel, clusters, per_channel):
    """Return why a kernel is not worth so many clusters, or None."""
    channels = kernel.shape[-1] if per_channel and len(kernel.shape) == 4 else 1
    weights = int(np.prod(kernel.shape)) // channels
    return (
        f"{weights} weights are no more than {clusters} clusters" if weights <= clusters else None
    )


def _clusterable(layer):
    """Return the weights that the library clusters in a layer; None where it does not know it."""
    from tensorflow_model_optimization.python.core.clustering.keras import clustering_registry

    registry = clustering_registry.ClusteringRegistry
    if not hasattr(layer, "get_clusterable_weights"):
        if not registry.supports(layer):
            return None
        registry.make_clusterable(layer)
    return [weight for _, weight in layer.get_clusterable_weights()]
