"""The kernels of a Keras model, as its forward pass uses them."""

import numpy as np


def kernels(model):
    """Return the kernels of a model: masked, clustered or on their grid, as its wrappers have them.

    Parameters
    ----------
    model : tf.keras.Model
        Plain, or wrapped for pruning, clustering or quantization-aware training.

    Returns
    -------
    dict of str to ndarray of float32
        By layer name, without what the wrappers put before it. Weights of one axis, such as
        biases, are no kernels.

    Examples
    --------
    >>> import qkit as qk
    >>> {name: kernel.shape for name, kernel in kernels(qk.models.walkthrough_cnn()).items()}
    {'conv': (3, 3, 1, 12), 'logits': (2028, 10)}
    """
    found = {}
    for layer in model.layers:
        name = getattr(layer, "layer", layer).name
        several = _used_weights(layer)
        for weight, value in several:
            own = name if len(several) == 1 else f"{name}/{weight}"
            found[own] = np.asarray(value, np.float32)
    return found


def _used_weights(layer):
    """Return pairs of name and value, for the weights of two axes or more."""
    if hasattr(layer, "quantize_config"):  # of quantization-aware training
        pairs = [
            (variable.name, quantizer(variable, False, weights=state))
            for variable, quantizer, state in layer._weight_vars
        ]
    elif hasattr(layer, "pruning_vars"):
        pairs = [(weight.name, weight * mask) for weight, mask, _ in layer.pruning_vars]
    elif hasattr(layer, "clustering_algorithms"):
        pairs = [
            (name, algorithm.get_clustered_weight(layer.pulling_indices[name], original))
            for name, algorithm in layer.clustering_algorithms.items()
            for original in (layer.original_clusterable_weights[name],)
        ]
    else:
        pairs = [(variable.name, variable) for variable in layer.weights]
    named = [(name.split("/")[-1].partition(":")[0], value) for name, value in pairs]
    return [(name, value) for name, value in named if len(value.shape) > 1]
