"""The networks of the published tables, as Keras builds them, whole or a quarter as wide."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from qkit import validate
from qkit._tensorflow import first_line, impatient, quiet, tensorflow
from qkit.data import DataNotFoundError
from qkit.training import seeded


@dataclass(frozen=True)
class Architecture:
    """A network of a published table, by the name of its constructor in tf.keras.applications."""

    published_name: str
    image_size: int = 224  # pixels, height and width, at which the published figures were measured

    def preprocess(self, pixels):
        """Return pixels of 0 to 255, perhaps in place, from -1 to 1, as all six were trained on."""
        return tensorflow().keras.applications.imagenet_utils.preprocess_input(pixels, mode="tf")


# The published ResNets are TF-Slim's, whose figures are of 299 pixels, not of Keras's default 224:
# https://github.com/google-research/tf-slim/tree/main, footnote of the table of checkpoints.
ARCHITECTURES = MappingProxyType(
    {
        "MobileNet": Architecture("Mobilenet-v1-1-224"),
        "MobileNetV2": Architecture("Mobilenet-v2-1-224"),
        "InceptionV3": Architecture("Inception_v3", 299),
        "ResNet101V2": Architecture("Resnet_v2_101", 299),
        "ResNet50V2": Architecture("Resnet-v2 50", 299),
        "NASNetMobile": Architecture("Nasnet-Mobile"),
    }
)


def architecture(name, *, weights=None, seed=0, image_size=None):
    """Build a network of the published tables.

    Parameters
    ----------
    name : str, a key of `ARCHITECTURES`
    weights : None, which draws them, "imagenet", which Keras downloads, or the path of a file
    seed : int, of the weights that are drawn
    image_size : int, optional, in pixels; by default that of the published figures

    Returns
    -------
    tf.keras.Model, from what ``ARCHITECTURES[name].preprocess`` returns to 1,000 probabilities

    Examples
    --------
    >>> architecture("MobileNet").count_params()
    4253864
    """
    validate.choice(name, ARCHITECTURES, name="architecture: name")
    size = image_size or ARCHITECTURES[name].image_size
    if weights == "imagenet":
        return _downloaded(name, size)
    if weights is not None and not Path(weights).is_file():
        raise DataNotFoundError(
            f"architecture: weights must be None, 'imagenet' or a file of weights; there is no "
            f"file {weights}."
        )
    model = _built(name, size, None, seed)
    if weights is None:
        return model
    try:
        with quiet():
            model.load_weights(str(weights))
    except Exception as error:  # formats fail in ways of their own
        raise ValueError(
            f"architecture: {weights} does not hold the weights of {model.name!r} ({error}). Save "
            "them with model.save_weights, or take Keras's own file for this network."
        ) from error
    return model


def settle_batch_norm(model, x):
    """Give the BatchNorm layers of a model the statistics of a batch, in place and in one pass.

    Untrained ones take mean 0 and variance 1 for granted, so that in a deep network activations
    fade from layer to layer, until the integer kernels refuse their grids.

    Parameters
    ----------
    model : tf.keras.Model, whose frozen layers stay as they are
    x : ndarray of shape (n, *image), float, a few images on the scale the model takes

    Examples
    --------
    >>> import qkit as qk
    >>> model = qk.models.depthwise_cnn()
    >>> settle_batch_norm(model, qk.load_data("digits").x_train[:100])
    >>> bool(model.get_layer("stem_bn").moving_mean.numpy().any())
    True
    """
    kind = tensorflow().keras.layers.BatchNormalization
    with ExitStack() as stack:
        for layer in model.submodules:
            if isinstance(layer, kind):
                stack.callback(setattr, layer, "momentum", layer.momentum)
                layer.momentum = 0.0  # the batch's statistics take the place of the old ones
        with quiet(), seeded(0):  # dropout draws
            model(x, training=True)


def narrow_mobilenet(version, *, seed=0):
    """Return Keras's MobileNet, version 1 (without its dropout) or 2, at width 0.25, for 28×28."""
    keras = tensorflow().keras
    layers = keras.layers
    build = keras.applications.MobileNet if version == 1 else keras.applications.MobileNetV2
    with quiet(), seeded(seed):
        image = layers.Input((28, 28), name="image")
        x = layers.Reshape((28, 28, 1), name="reshape")(image)
        x = layers.ZeroPadding2D(2, name="margin")(x)  # Keras builds them for 32 pixels and more
        body = build((32, 32, 1), alpha=0.25, include_top=False, weights=None, input_tensor=x)
        for layer in body.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = 0.99  # 0.999 still remembers its start after 1,000 steps
        x = layers.GlobalAveragePooling2D(name="mean")(body.output)
        return keras.Model(image, layers.Dense(10, name="logits")(x), name=f"mobilenet_v{version}")


def _built(name, size, weights, seed):
    keras = tensorflow().keras
    keras.backend.reset_uids()  # layers are numbered; equal networks shall convert to equal bytes
    with quiet(), seeded(seed):
        return getattr(keras.applications, name)(weights=weights, input_shape=(size, size, 3))


def _downloaded(name, size):
    try:
        with impatient():
            return _built(name, size, "imagenet", 0)
    except Exception as error:
        text = first_line(error)
        address = re.search(r"https?://\S+", text)
        raise DataNotFoundError(
            f"architecture: the ImageNet weights of {name} are neither in Keras's cache "
            f"(~/.keras/models) nor to be downloaded ({text}). Fetch "
            f"{address[0] if address else 'the file'} on a machine with a network and pass its "
            "path as weights=…; or use weights=None: size and latency do not depend on the "
            "weights, and only the accuracies stay empty."
        ) from error
