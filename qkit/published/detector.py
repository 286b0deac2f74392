"""A one-stage detector of digits: a fully convolutional network that sees a scene once."""

from qkit._tensorflow import tensorflow
from qkit.published.detection import OUTPUTS
from qkit.published.scenes import CANVAS

_CHANNELS = ((16, 2), (32, 2), (64, 2), (64, 1))  # and stride, of each 3×3 convolution


def detector(*, seed=0):
    """Return a small relative of YoloV3: convolutions with BatchNorm and LeakyReLU, a box a cell.

    Four 3×3 convolutions, three of them of stride 2, then one of 1×1 that gives each of the 7×7
    cells its box, its objectness and its classes, all in one tensor.

    Parameters
    ----------
    seed : int
        Of the initial weights.

    Returns
    -------
    tf.keras.Sequential
        Input float32 of shape (n, 56, 56); output of shape (n, 7, 7, 15), see
        `qkit.published.detection.decode`. Not compiled.

    Notes
    -----
    After Redmon and Farhadi, "YOLOv3: an incremental improvement" (2018): LeakyReLU with a slope of
    0.1, and strides in place of pooling. One anchor and one resolution, where YoloV3 has three of
    each.

    Examples
    --------
    >>> detector().output_shape
    (None, 7, 7, 15)
    """
    keras = tensorflow().keras
    glorot, layers = keras.initializers.GlorotUniform, keras.layers
    blocks = []
    for number, (channels, stride) in enumerate(_CHANNELS, 1):
        blocks += [
            layers.Conv2D(
                channels, 3, stride, "same", use_bias=False,
                kernel_initializer=glorot(100 * seed + number), name=f"conv{number}",
            ),
            layers.BatchNormalization(name=f"conv{number}_bn"),
            layers.LeakyReLU(0.1, name=f"conv{number}_leaky"),
        ]  # fmt: skip
    return keras.Sequential(
        [
            layers.InputLayer((CANVAS, CANVAS), name="scene"),
            layers.Reshape((CANVAS, CANVAS, 1), name="reshape"),
            *blocks,
            layers.Conv2D(OUTPUTS, 1, kernel_initializer=glorot(100 * seed), name="cells"),
        ],
        name="detector",
    )
