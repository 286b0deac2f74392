"""Two classifiers of small images: the walkthrough's network, and one of depthwise convolutions."""

import itertools

from qkit._tensorflow import tensorflow


def walkthrough_cnn(*, seed=0):
    """Return the network of the TensorFlow MNIST walkthrough, with 20,410 parameters.

    Layers bear fixed names, here and below, so that equal models convert to equal bytes.

    Parameters
    ----------
    seed : int, of the initial weights

    Returns
    -------
    tf.keras.Sequential, not compiled, from float32 of shape (n, 28, 28) to logits of shape (n, 10)

    Examples
    --------
    >>> walkthrough_cnn().count_params()
    20410
    """
    keras = tensorflow().keras
    glorot, layers = keras.initializers.GlorotUniform, keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((28, 28), name="image"),
            layers.Reshape((28, 28, 1), name="reshape"),
            layers.Conv2D(12, 3, activation="relu", kernel_initializer=glorot(seed), name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(10, kernel_initializer=glorot(seed + 1), name="logits"),
        ],
        name="walkthrough_cnn",
    )


def depthwise_cnn(*, seed=0):
    """Return a small relative of MobileNet: depthwise-separable blocks, BatchNorm, ReLU6.

    After Howard et al., "MobileNets" (2017): a full convolution of stride 2, then four blocks of a
    3×3 depthwise and a 1×1 pointwise convolution.

    Parameters
    ----------
    seed : int, of the initial weights

    Returns
    -------
    tf.keras.Sequential, not compiled, from float32 of shape (n, 28, 28) to logits of shape (n, 10)

    Examples
    --------
    >>> depthwise_cnn().output_shape
    (None, 10)
    """
    keras = tensorflow().keras
    layers = keras.layers
    glorot = map(keras.initializers.GlorotUniform, itertools.count(100 * seed))

    def normed(layer, *shape, name, drawn="kernel"):
        options = {"name": name, f"{drawn}_initializer": next(glorot)}
        return [
            layer(*shape, padding="same", use_bias=False, **options),
            layers.BatchNormalization(name=f"{name}_bn"),
            layers.ReLU(6, name=f"{name}_relu6"),
        ]

    blocks = normed(layers.Conv2D, 16, 3, 2, name="stem")
    for number, (channels, stride) in enumerate(((32, 1), (64, 2), (128, 1), (128, 1)), 1):
        name = f"block{number}"
        blocks += normed(layers.DepthwiseConv2D, 3, stride, name=f"{name}_dw", drawn="depthwise")
        blocks += normed(layers.Conv2D, channels, 1, name=f"{name}_pw")
    return keras.Sequential(
        [
            layers.InputLayer((28, 28), name="image"),
            layers.Reshape((28, 28, 1), name="reshape"),
            *blocks,
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(10, kernel_initializer=next(glorot), name="logits"),
        ],
        name="depthwise_cnn",
    )
