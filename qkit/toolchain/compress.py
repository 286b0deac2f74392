"""Training that compresses: small weights become zero, or weights share a few values."""

from functools import partial

import numpy as np

from qkit import validate
from qkit._tensorflow import quiet
from qkit.networks import MOST_CLUSTERS
from qkit.toolchain.history import record_training
from qkit.toolchain.wrapping import copy_of, require_compressed, require_plain
from qkit.training import prepared

_MOST_STEPS_BETWEEN_MASKS = 100  # as the library has it; fewer where there are few steps
_MASKS = 30
_RAMP = 0.75  # share of the steps in which the sparsity rises; the rest is for recovery
# By our words, the names in `tfmot.clustering.keras.CentroidInitialization`.
_INITIALISATIONS = {
    "kmeans++": "KMEANS_PLUS_PLUS",
    "linear": "LINEAR",
    "random": "RANDOM",
    "density": "DENSITY_BASED",
}


def prune(
    model, data, *, sparsity=0.8, schedule="polynomial", pattern=None, epochs=2, batch_size=32,
    seed=0, learning_rate=1e-3, cache=True, validation_split=0.1, loss=None,
):  # fmt: skip
    """Train a copy of a model on while its smallest weights are set to zero.

    `tensorflow_model_optimization` masks in each kernel the weights of least magnitude and trains
    the others; a masked weight may come back when the mask is chosen anew.

    Parameters
    ----------
    model : tf.keras.Model, trained, Sequential or functional; it is left as it is
    data : Dataset
    sparsity : float in (0, 1), share of zeros in each kernel at the end; "2:4" has 0.5
    schedule : {"polynomial", "constant"}
        Whether the sparsity rises over three quarters of the steps, ever slower, or is there from
        the first one.
    pattern : None, "2:4" or (int, int)
        Which weights go together: each for itself; two of every four neighbours along the input
        channels, as sparse tensor cores want it; or blocks of rows × columns of dense kernels.
    epochs, batch_size, seed, learning_rate, cache, validation_split, loss : as for `fit`

    Returns
    -------
    (tf.keras.Model, WeightHistory), the copy, stripped; its kernels and accuracy by step

    References
    ----------
    M. Zhu and S. Gupta, "To prune, or not to prune", 2017: the polynomial schedule, of degree 3.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> pruned, history = prune(model, digits, sparsity=0.5, epochs=1, cache=False)
    >>> [round(float(values[-1]), 2) for values in history.sparsity.values()]
    [0.5, 0.5]
    """
    _check_pruning(sparsity, schedule, pattern)
    opened, settings, loss, x, y = prepared(
        model, data, "prune", epochs, batch_size, seed, cache, validation_split, learning_rate, loss
    )
    steps = settings.steps_per_epoch(len(x)) * epochs
    with quiet():
        from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry
        from tensorflow_model_optimization.sparsity import keras as tfmot
    return _compressed(
        opened, x, y, settings, cache, loss, what="prune",
        kind=("pruning", sparsity, schedule, pattern),
        said=f"pruning {pattern or f'to {sparsity:.0%}'}, {schedule}, seed {seed}",
        known=partial(_known, prune_registry.PruneRegistry, "prunable"),
        remedy="give its class a method get_prunable_weights() that returns them",
        misfit=lambda weights: _misfit(weights, pattern),
        wrap=lambda layer: tfmot.prune_low_magnitude(
            layer,
            _schedule(tfmot, schedule, sparsity, steps),
            block_size=(1, 1) if pattern in (None, "2:4") else tuple(pattern),
            sparsity_m_by_n=(2, 4) if pattern == "2:4" else None,
        ),
        unwrap=tfmot.strip_pruning, callbacks=[tfmot.UpdatePruningStep()],
    )  # fmt: skip


def cluster(
    model, data, *, clusters=16, init="kmeans++", per_channel=False, preserve_sparsity=False,
    epochs=1, batch_size=32, seed=0, learning_rate=1e-4, cache=True, validation_split=0.1,
    loss=None,
):  # fmt: skip
    """Train a copy of a model on while each kernel holds only a few distinct values.

    `tensorflow_model_optimization` puts every weight of a kernel on the nearest of its centroids
    and trains those; weights may change over to another one.

    Parameters
    ----------
    model : tf.keras.Model, trained, Sequential or functional; it is left as it is
    data : Dataset
    clusters : int, values that a kernel may hold, 2 to 256; from 3 on with `preserve_sparsity`
    init : {"kmeans++", "linear", "random", "density"}
        Where the centroids start: drawn with a preference for far-off weights; evenly between
        smallest and largest weight; drawn evenly between them; or evenly in the weights' ranks.
    per_channel : bool, whether each output channel of a convolution has centroids of its own
    preserve_sparsity : bool, whether zeros stay zero, or go to the nearest centroid
    epochs, batch_size, seed, learning_rate, cache, validation_split, loss : as for `fit`

    Returns
    -------
    (tf.keras.Model, WeightHistory), the copy, stripped; its kernels and accuracy by step

    References
    ----------
    S. Han, H. Mao and W. J. Dally, "Deep compression", ICLR 2016: three of the initialisations.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> clustered, history = cluster(model, digits, clusters=4, cache=False)
    >>> max(int(values[-1]) for values in history.distinct_values.values()) <= 4
    True
    """
    _check_clustering(clusters, init, preserve_sparsity)
    opened, settings, loss, x, y = prepared(
        model, data, "cluster", epochs, batch_size, seed, cache, validation_split, learning_rate,
        loss,
    )  # fmt: skip
    require_compressed(opened, zeros=preserve_sparsity, why="cluster: preserve_sparsity=True")
    with quiet():
        from tensorflow_model_optimization.clustering import keras as tfmot
        from tensorflow_model_optimization.python.core.clustering.keras import clustering_registry
        from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
            cluster as experimental,
        )
    return _compressed(
        opened, x, y, settings, cache, loss, what="cluster",
        kind=("clustering", int(clusters), init, per_channel, preserve_sparsity),
        said=f"clustering to {clusters} values, {init}, rate {learning_rate:g}, seed {seed}",
        known=partial(_known, clustering_registry.ClusteringRegistry, "clusterable"),
        remedy="derive its class from tfmot.clustering.keras.ClusterableLayer",
        misfit=lambda weights: _too_small(weights[0][1], clusters, per_channel),
        wrap=lambda layer: experimental.cluster_weights(
            layer,
            number_of_clusters=int(clusters),
            cluster_centroids_init=tfmot.CentroidInitialization[_INITIALISATIONS[init]],
            cluster_per_channel=per_channel, preserve_sparsity=preserve_sparsity,
        ),
        unwrap=tfmot.strip_clustering,
    )  # fmt: skip


def _compressed(
    opened, x, y, settings, cache, loss, *, what, kind, said, known, remedy, misfit, wrap, unwrap,
    callbacks=(),
):  # fmt: skip
    """Train a copy with wrappers around the layers that fit; return it, stripped, and a record."""
    require_plain(opened, what=what)
    copy = copy_of(opened.model)
    # asked of a copy of its own, as the library teaches its layers to answer
    left_alone = _left_alone(copy_of(opened.model), what, known, remedy, misfit)

    def wrapped(layer):
        return wrap(layer) if known(layer) and layer.name not in left_alone else layer

    history = record_training(
        copy, x, y, settings, kind=kind, what=said, cache=cache, left_alone=left_alone,
        wrap=wrapped, unwrap=unwrap, callbacks=callbacks, loss=loss,
    )  # fmt: skip
    return copy, history


def _left_alone(model, what, known, remedy, misfit):
    """Return by name the layers with kernels that the library will not compress, and why."""
    found = {}
    having = [layer for layer in model.layers if any(w.shape.rank > 1 for w in layer.weights)]
    for layer in having:
        kind, weights = type(layer).__name__, known(layer)
        if weights is None:
            raise ValueError(
                f"{what}: the library does not know which weights of the layer {layer.name!r} "
                f"({kind}) to {what}. Replace it by a layer of Keras, or {remedy}."
            )
        reason = misfit(weights) if weights else f"the library {what}s nothing in a {kind}"
        if reason:
            found[layer.name] = reason
    if len(found) == len(having):
        reasons = "; ".join(f"{name}: {why}" for name, why in found.items()) or "It has no kernels"
        raise ValueError(f"{what}: there is nothing to {what} in {model.name!r}. {reasons}.")
    return found


def _check_pruning(sparsity, schedule, pattern):
    validate.number(sparsity, "(0, 1)", name="prune: sparsity, as 0.8 for 80 %,")
    validate.choice(schedule, ("polynomial", "constant"), name="prune: schedule")
    block = isinstance(pattern, (tuple, list)) and [*map(type, pattern)] == [int, int]
    named = pattern is None or (isinstance(pattern, str) and pattern == "2:4")
    if not named and not (block and min(pattern) >= 1):
        raise ValueError(
            "prune: pattern must be None, '2:4' or a block (rows, columns) such as (1, 4), got "
            f"{pattern!r}."
        )


def _check_clustering(clusters, init, preserve_sparsity):
    validate.instance(preserve_sparsity, bool, name="cluster: preserve_sparsity")
    least = 3 if preserve_sparsity else 2
    also = " with preserve_sparsity, as one of them is zero," if preserve_sparsity else ""
    validate.whole(clusters, name=f"cluster: clusters{also}", least=least, most=MOST_CLUSTERS)
    validate.choice(init, _INITIALISATIONS, name="cluster: init")


def _misfit(kernels, pattern):
    """Return why a pattern does not fit the kernels of a layer, or None."""
    inputs = kernels[0].shape[-2]
    if pattern == "2:4" and inputs % 4:
        return f"{inputs} input channels are not a multiple of 4"
    if pattern not in (None, "2:4") and any(len(kernel.shape) != 2 for kernel in kernels):
        return "blocks are for dense kernels"
    return None


def _known(registry, which, layer):
    """Return the weights of a layer that the library works on; None where it does not know it."""
    told = f"get_{which}_weights"
    if not hasattr(layer, told) and registry.supports(layer):
        getattr(registry, f"make_{which}")(layer)
    return getattr(layer, told)() if hasattr(layer, told) else None


def _schedule(tfmot, schedule, sparsity, steps):
    every = max(1, min(_MOST_STEPS_BETWEEN_MASKS, steps // _MASKS))
    if schedule == "constant":
        return tfmot.ConstantSparsity(sparsity, begin_step=1, frequency=every)
    ramp = max(1, round(_RAMP * steps / every)) * every  # the mask is chosen at its last step too
    return tfmot.PolynomialDecay(0.0, sparsity, begin_step=0, end_step=ramp, frequency=every)


def _too_small(kernel, clusters, per_channel):
    """Return why a kernel is not worth so many clusters, or None."""
    channels = kernel.shape[-1] if per_channel and len(kernel.shape) == 4 else 1
    weights = int(np.prod(kernel.shape)) // channels
    told = f"{weights} weights are no more than {clusters} clusters"
    return told if weights <= clusters else None
