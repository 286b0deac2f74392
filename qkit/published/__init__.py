"""What others published, held against one's own machine: tables, architectures, small relatives."""

from qkit.published.architectures import (
    ARCHITECTURES,
    Architecture,
    architecture,
    settle_batch_norm,
)
from qkit.published.denoiser import denoiser
from qkit.published.detector import detector
from qkit.published.mobilenets import mobilenet_v1, mobilenet_v2
from qkit.published.readers import strip_cnn, unrolled_rnn
from qkit.published.relatives import (
    RELATIVES,
    Int16Effect,
    Relative,
    int16_effect,
    int16_table,
)
from qkit.published.tables import (
    architectures,
    beside_architectures,
    beside_walkthrough,
    compression,
    int16_activations,
    techniques,
)

__all__ = [
    "ARCHITECTURES",
    "RELATIVES",
    "Architecture",
    "Int16Effect",
    "Relative",
    "architecture",
    "architectures",
    "beside_architectures",
    "beside_walkthrough",
    "compression",
    "denoiser",
    "detector",
    "int16_activations",
    "int16_effect",
    "int16_table",
    "mobilenet_v1",
    "mobilenet_v2",
    "settle_batch_norm",
    "strip_cnn",
    "techniques",
    "unrolled_rnn",
]
