"""The networks that the notebooks quantize, a module for each kind."""

from qkit.models.classifiers import depthwise_cnn, walkthrough_cnn
from qkit.models.masked_transformer import masked_transformer

__all__ = ["depthwise_cnn", "masked_transformer", "walkthrough_cnn"]
