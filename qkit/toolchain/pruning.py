"""Pruning: small weights become zero while the others are trained on."""

from qkit._tensorflow import quiet
from qkit.toolchain.history import record_training
from qkit.toolchain.kernels import kernels
from qkit.toolchain.structure import copy_of, layers_left_alone, require_plain
from qkit.training import Settings

_SCHEDULES = ("polynomial", "constant")
_MOST_STEPS_BETWEEN_MASKS = 100  # as the library has it; fewer where there are few steps
_MASKS = 30
_RAMP = 0.75  # share of the steps in which the sparsity rises; the rest is for recovery


def prune(
    model, data, *, sparsity=0.8, schedule="polynomial", pattern=None, epochs=2, batch_size=32,
    seed=0, learning_rate=1e-3, cache=True, validation_split=0.1,
):  # fmt: skip
    """Train a copy of a model on while its smallest weights are set to zero.

    `tensorflow_model_optimization` chooses in each kernel the weights of least magnitude, masks
    them, and trains the others; a masked weight may come back when the mask is chosen anew. The
    wrappers it puts around the layers are stripped before the copy is returned, and negative zeros,
    which they leave behind, become plain ones.

    Parameters
    ----------
    model : tf.keras.Model
        Trained, Keras 2, Sequential or functional; it is left as it is.
    data : Dataset
        Or anything with `x_train` and `y_train`.
    sparsity : float
        Share of zeros in each kernel at the end; in (0, 1). The pattern "2:4" has 0.5, whatever is
        given.
    schedule : {"polynomial", "constant"}
        Whether the sparsity rises from 0 over the first three quarters of the steps, fast at first
        and then ever slower, or is there from the first step.
    pattern : None, "2:4" or (int, int)
        Which weights go together: each for itself; two of every four neighbours along the input
        channels, as sparse tensor cores want it; or blocks of rows × columns of dense kernels.
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
        If an argument is out of its range, or the model has a layer that the library cannot prune,
        or none that it can; before any training.

    References
    ----------
    M. Zhu and S. Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
    compression", 2017: the polynomial schedule, of degree 3.

    Examples
    --------
    >>> import qkit as qk
    >>> digits, model = qk.load_data("digits"), qk.models.walkthrough_cnn()
    >>> pruned, history = prune(model, digits, sparsity=0.5, epochs=1, cache=False)
    >>> [round(float(values[-1]), 2) for values in history.sparsity.values()]
    [0.5, 0.5]
    """
    _check(sparsity, schedule, pattern)
    settings = Settings(epochs, batch_size, seed, validation_split, learning_rate)
    x, y = settings.checked(model, data, what="prune")
    require_plain(model, what="prune")
    with quiet():
        from tensorflow_model_optimization.sparsity import keras as tfmot
    left_alone = layers_left_alone(
        model, _prunable, lambda known: _misfit(known, pattern), what="prune",
        remedy="give its class a method get_prunable_weights() that returns them",
    )  # fmt: skip
    steps = settings.steps_per_epoch(len(x)) * epochs

    def wrapped(layer):
        if layer.name in left_alone or not _prunable(layer):
            return layer
        return tfmot.prune_low_magnitude(
            layer, _schedule(tfmot, schedule, sparsity, steps), **_pattern_options(pattern)
        )

    pruned = copy_of(model)
    history = record_training(
        pruned, x, y, settings,
        kind=("pruning", sparsity, schedule, pattern),
        what="pruning",
        cache=cache,
        wrap=wrapped,
        unwrap=tfmot.strip_pruning,
        callbacks=[tfmot.UpdatePruningStep()],
        left_alone=left_alone,
    )  # fmt: skip
    return pruned, history


def is_pruned(model):
    """Return whether a Keras model has zeros among its kernels.

    Parameters
    ----------
    model : tf.keras.Model

    Returns
    -------
    bool
    """
    return any((kernel == 0).any() for kernel in kernels(model).values())


def _check(sparsity, schedule, pattern):
    if not (isinstance(sparsity, (int, float)) and 0 < sparsity < 1):
        raise ValueError(
            "prune: sparsity must be a share of zeros between 0 and 1, such as 0.8 for 80 %, got "
            f"{sparsity!r}."
        )
    if schedule not in _SCHEDULES:
        raise ValueError(f"prune: schedule must be 'polynomial' or 'constant', got {schedule!r}.")
    block = isinstance(pattern, (tuple, list)) and len(pattern) == 2
    if not (
        pattern in (None, "2:4") or (block and all(isinstance(n, int) and n >= 1 for n in pattern))
    ):
        raise ValueError(
            "prune: pattern must be None, '2:4' or a block (rows, columns) such as (1, 4), got "
            f"{pattern!r}."
        )


def _misfit(kernels, pattern):
    """Return why a pattern does not fit the kernels of a layer, or None."""
    inputs = kernels[0].shape[-2]
    if pattern == "2:4" and inputs % 4:
        return f"{inputs} input channels are not a multiple of 4"
    if pattern not in (None, "2:4") and any(len(kernel.shape) != 2 for kernel in kernels):
        return "blocks are for dense kernels"
    return None


def _prunable(layer):
    """Return the weights that the library prunes in a layer; None where it does not know it."""
    from tensorflow_model_optimization.python.core.sparsity.keras import prune_registry

    registry = prune_registry.PruneRegistry
    if hasattr(layer, "get_prunable_weights"):
        return layer.get_prunable_weights()
    return (
        registry.make_prunable(layer).get_prunable_weights() if registry.supports(layer) else None
    )


def _schedule(tfmot, schedule, sparsity, steps):
    every = max(1, min(_MOST_STEPS_BETWEEN_MASKS, steps // _MASKS))
    if schedule == "constant":
        return tfmot.ConstantSparsity(sparsity, begin_step=1, frequency=every)
    ramp = max(1, round(_RAMP * steps / every)) * every  # the mask is chosen at its last step too
    return tfmot.PolynomialDecay(0.0, sparsity, begin_step=0, end_step=ramp, frequency=every)


def _pattern_options(pattern):
    if pattern is None:
        return {}
    return {"sparsity_m_by_n": (2, 4)} if pattern == "2:4" else {"block_size": tuple(pattern)}
