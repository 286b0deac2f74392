"""The networks that the notebooks quantize, a module for each kind."""

from qkit.models.architectures import (
    ARCHITECTURES,
    Architecture,
    architecture,
    settle_batch_norm,
)
from qkit.models.classifiers import depthwise_cnn, walkthrough_cnn

__all__ = [
    "ARCHITECTURES",
    "Architecture",
    "architecture",
    "depthwise_cnn",
    "settle_batch_norm",
    "walkthrough_cnn",
]
