"""Two classifiers of small images: the walkthrough's network, and one of depthwise convolutions."""

from qkit._tensorflow import tensorflow


def walkthrough_cnn(*, seed=0):
    """Return the network of the TensorFlow MNIST walkthrough, with 20,410 parameters.

    Reshape → 12 convolutions of 3×3 with ReLU → 2×2 maximum → dense layer of 10 logits. Layers bear
    fixed names, so that equal models convert to equal bytes.

    Parameters
    ----------
    seed : int
        Of the initial weights; another seed gives an independent training.

    Returns
    -------
    tf.keras.Sequential
        Input float32 of shape (n, 28, 28); output logits of shape (n, 10). Not compiled.

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
    seed : int

    Returns
    -------
    tf.keras.Sequential
        Input float32 of shape (n, 28, 28); output logits of shape (n, 10). Not compiled.

    Examples
    --------
    >>> depthwise_cnn().output_shape
    (None, 10)
    """
    keras = tensorflow().keras
    layers = keras.layers
    seeds = iter(range(seed * 100, seed * 100 + 100))

    def glorot():
        return keras.initializers.GlorotUniform(next(seeds))

    def normed(layer, *shape, name, **drawn):
        convolution = layer(*shape, padding="same", use_bias=False, name=name, **drawn)
        normal = layers.BatchNormalization(name=f"{name}_bn")
        return [convolution, normal, layers.ReLU(6, name=f"{name}_relu6")]

    def full(*shape, name):
        return normed(layers.Conv2D, *shape, name=name, kernel_initializer=glorot())

    def separable(channels, stride, name):
        drawn = {"depthwise_initializer": glorot()}
        depthwise = normed(layers.DepthwiseConv2D, 3, stride, name=f"{name}_dw", **drawn)
        return [*depthwise, *full(channels, 1, 1, name=f"{name}_pw")]

    return keras.Sequential(
        [
            layers.InputLayer((28, 28), name="image"),
            layers.Reshape((28, 28, 1), name="reshape"),
            *full(16, 3, 2, name="stem"),
            *separable(32, 1, "block1"),
            *separable(64, 2, "block2"),
            *separable(128, 1, "block3"),
            *separable(128, 1, "block4"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(10, kernel_initializer=glorot(), name="logits"),
        ],
        name="depthwise_cnn",
    )
