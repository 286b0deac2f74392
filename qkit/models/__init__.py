"""The networks that the notebooks quantize, a module for each kind."""

from qkit.models.architectures import (
    ARCHITECTURES,
    Architecture,
    architecture,
    settle_batch_norm,
)
from qkit.models.classifiers import depthwise_cnn, walkthrough_cnn
from qkit.models.denoiser import denoiser
from qkit.models.detector import detector
from qkit.models.masked_transformer import masked_transformer
from qkit.models.mobilenets import mobilenet_v1, mobilenet_v2
from qkit.models.readers import strip_cnn, unrolled_rnn

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "architecture",
    "denoiser",
    "depthwise_cnn",
    "detector",
    "masked_transformer",
    "mobilenet_v1",
    "mobilenet_v2",
    "settle_batch_norm",
    "strip_cnn",
    "unrolled_rnn",
    "walkthrough_cnn",
]
