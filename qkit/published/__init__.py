"""What others published, held against one's own machine: tables, architectures, small relatives."""

from qkit.published.architectures import ARCHITECTURES, architecture, settle_batch_norm
from qkit.published.relatives import RELATIVES, Relative, int16_effect, int16_effects, int16_table
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
    "Relative",
    "architecture",
    "architectures",
    "beside_architectures",
    "beside_walkthrough",
    "compression",
    "int16_activations",
    "int16_effect",
    "int16_effects",
    "int16_table",
    "settle_batch_norm",
    "techniques",
]
