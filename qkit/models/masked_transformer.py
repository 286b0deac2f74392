"""A small encoder whose attention leaves out blank patches, by a large constant, as BERT does."""

import functools
import itertools

from qkit._tensorflow import tensorflow

_PATCH, _WIDTH, _HEADS = 7, 48, 4
_SIDE = 28 // _PATCH


def masked_transformer(*, mask=-10_000.0, seed=0):
    """Return a small relative of MobileBert: a transformer encoder over the patches of an image.

    16 patches of 7×7 take the place of words, and blank ones that of padding. No patch shall attend
    to them, so `block1_masked` and `block2_masked` add a large negative constant to their scores
    before the softmax, as the code of Devlin et al., "BERT" (2019), does.

    Parameters
    ----------
    mask : float, added to the scores of blank patches; no weight depends on it
    seed : int, of the initial weights

    Returns
    -------
    tf.keras.Model, not compiled, from float32 of shape (n, 28, 28) to logits of shape (n, 10)

    Examples
    --------
    >>> masked_transformer().count_params()
    60204
    """
    # All operators have kernels for int16 activations too; that is why blank patches are found by a
    # maximum and a ReLU, and the variance of a normalisation by d·d.
    keras = tensorflow().keras
    layers, seeds = keras.layers, itertools.count(100 * seed)
    glorot = map(keras.initializers.GlorotUniform, seeds)
    product, normalization, positions = _own_layers()

    def linear(width, name, size=1, **options):
        # a convolution of 1×1 over the grid of patches sees each of them alone
        options |= {"kernel_initializer": next(glorot), "name": name}
        return layers.Conv2D(width, size, size, **options)

    def heads(x, name):
        x = linear(_WIDTH, name)(x)
        x = layers.Reshape((_SIDE**2, _HEADS, -1), name=f"{name}_split")(x)
        return layers.Permute((2, 1, 3), name=f"{name}_heads")(x)

    image = keras.Input((28, 28), name="image")
    pixels = layers.Reshape((28, 28, 1), name="reshape")(image)
    ink = layers.MaxPooling2D(_PATCH, name="ink")(pixels)
    # 1 where all pixels are 0, and 0 where one is 1/255 or more; a multiplication and an addition
    # would do it in float, but their grids in int8 are too far apart for the kernel of the addition
    blank = layers.Conv2D(
        1, 1, activation="relu", kernel_initializer=keras.initializers.Constant(-256),
        bias_initializer="ones", trainable=False, name="blank",
    )(ink)  # fmt: skip
    hidden = layers.Reshape((1, 1, _SIDE**2), name="keys")(blank)
    hidden = layers.Rescaling(mask, name="mask")(hidden)
    x = linear(_WIDTH, "patches", size=_PATCH)(pixels)
    x = positions(seed=next(seeds), name="positions")(x)
    for name in ("block1", "block2"):
        query, key, value = (heads(x, f"{name}_{part}") for part in ("query", "key", "value"))
        query = layers.Rescaling((_WIDTH / _HEADS) ** -0.5, name=f"{name}_scaled")(query)
        scores = product(transpose_b=True, name=f"{name}_scores")([query, key])
        scores = layers.Add(name=f"{name}_masked")([scores, hidden])
        shares = layers.Softmax(name=f"{name}_shares")(scores)
        mixed = product(name=f"{name}_mixed")([shares, value])
        mixed = layers.Permute((2, 1, 3), name=f"{name}_patches")(mixed)
        mixed = layers.Reshape((_SIDE, _SIDE, _WIDTH), name=f"{name}_joined")(mixed)
        mixed = linear(_WIDTH, f"{name}_attention")(mixed)
        x = layers.Add(name=f"{name}_add1")([x, mixed])
        x = normalization(name=f"{name}_norm1")(x)
        wide = linear(4 * _WIDTH, f"{name}_wide", activation="relu")(x)
        x = layers.Add(name=f"{name}_add2")([x, linear(_WIDTH, f"{name}_narrow")(wide)])
        x = normalization(name=f"{name}_norm2")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    logits = layers.Dense(10, kernel_initializer=next(glorot), name="logits")(x)
    return keras.Model(image, logits, name="masked_transformer")


@functools.cache
def _own_layers():
    """Return the layers that Keras lacks; TensorFlow loads when they are needed."""
    tf = tensorflow()

    class Product(tf.keras.layers.Layer):
        """Matrix product of the last two axes of two tensors."""

        def __init__(self, transpose_b=False, **kwargs):
            super().__init__(**kwargs)
            self.transpose_b = transpose_b

        def call(self, inputs):
            return tf.matmul(*inputs, transpose_b=self.transpose_b)

        def get_config(self):
            return super().get_config() | {"transpose_b": self.transpose_b}

    class Normalization(tf.keras.layers.Layer):
        """Keras's LayerNormalization, in operators that have int16 kernels."""

        def build(self, shape):
            self.gamma = self.add_weight("gamma", shape[-1:], initializer="ones")
            self.beta = self.add_weight("beta", shape[-1:], initializer="zeros")

        def call(self, x):
            d = x - tf.reduce_mean(x, axis=-1, keepdims=True)
            variance = tf.reduce_mean(d * d, axis=-1, keepdims=True)
            return d * tf.math.rsqrt(variance + 1e-3) * self.gamma + self.beta

    class Positions(tf.keras.layers.Layer):
        """Adds a learned vector for each place."""

        def __init__(self, seed=0, **kwargs):
            super().__init__(**kwargs)
            self.seed = seed

        def build(self, shape):
            initializer = tf.keras.initializers.RandomNormal(stddev=0.02, seed=self.seed)
            self.vectors = self.add_weight("vectors", shape[1:], initializer=initializer)

        def call(self, x):
            return x + self.vectors

        def get_config(self):
            return super().get_config() | {"seed": self.seed}

    return Product, Normalization, Positions
