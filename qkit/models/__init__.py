"""The networks that the notebooks quantize, a module for each kind."""

from qkit.models.classifiers import depthwise_cnn, walkthrough_cnn

__all__ = ["depthwise_cnn", "walkthrough_cnn"]
