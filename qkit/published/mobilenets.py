"""MobileNetV1 and MobileNetV2 at a quarter of their width, for images of 28×28."""

from qkit._tensorflow import quiet, tensorflow
from qkit.training import seeded

_WIDTH = 0.25
_SIZE = 32  # pixels: the smallest that Keras builds them for, as they halve it five times
_IMAGE = 28
_MOMENTUM = 0.99  # of BatchNorm; MobileNetV2's 0.999 still remembers its start after 1,000 steps


def mobilenet_v1(*, seed=0):
    """Return Keras's MobileNet at width 0.25, on images of 28×28 with a margin of 2.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Model
        Input float32 of shape (n, 28, 28); output logits of shape (n, 10). Not compiled.

    Notes
    -----
    Howard et al., "MobileNets: efficient convolutional neural networks for mobile vision
    applications" (2017): all 13 depthwise-separable blocks are there. The published head's dropout
    of one activation in a thousand is left out.

    Examples
    --------
    >>> mobilenet_v1().output_shape
    (None, 10)
    """
    return _classifier("MobileNet", "mobilenet_v1", seed)


def mobilenet_v2(*, seed=0):
    """Return Keras's MobileNetV2 at width 0.25, on images of 28×28 with a margin of 2.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Model
        Input float32 of shape (n, 28, 28); output logits of shape (n, 10). Not compiled.

    Notes
    -----
    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks" (2018): all 17 blocks
    are there. The momentum of its BatchNorm is 0.99 in place of 0.999, as training is short.

    Examples
    --------
    >>> mobilenet_v2().output_shape
    (None, 10)
    """
    return _classifier("MobileNetV2", "mobilenet_v2", seed)


def _classifier(published, name, seed):
    keras = tensorflow().keras
    layers, margin = keras.layers, (_SIZE - _IMAGE) // 2
    with quiet(), seeded(seed):
        image = layers.Input((_IMAGE, _IMAGE), name="image")
        x = layers.Reshape((_IMAGE, _IMAGE, 1), name="reshape")(image)
        x = layers.ZeroPadding2D(margin, name="margin")(x)
        body = getattr(keras.applications, published)(
            input_shape=(_SIZE, _SIZE, 1), input_tensor=x, alpha=_WIDTH,
            include_top=False, weights=None,
        )  # fmt: skip
        for layer in body.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = _MOMENTUM
        x = layers.GlobalAveragePooling2D(name="mean")(body.output)
        return keras.Model(image, layers.Dense(10, name="logits")(x), name=name)
