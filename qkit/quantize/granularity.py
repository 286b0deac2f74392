"""Which values of a tensor share a scale."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PerTensor:
    """One scale for a whole tensor."""

    def blocks(self, shape):
        """Return (outer, channels, inner), whose product is the size, for a tensor's shape."""
        return 1, 1, math.prod(shape)


@dataclass(frozen=True)
class PerAxis:
    """A scale for each index along one axis: kernels have one for each output channel.

    Attributes
    ----------
    axis : int
        The axis that is kept; it may count from the end.
    """

    axis: int

    def blocks(self, shape):
        """Return (outer, channels, inner), whose product is the size, for a tensor's shape."""
        if not -len(shape) <= self.axis < len(shape):
            raise ValueError(
                f"PerAxis({self.axis}): a tensor of shape {shape} has the axes 0 to "
                f"{len(shape) - 1}."
            )
        axis = self.axis % len(shape)
        return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


@dataclass(frozen=True)
class PerGroup:
    """A scale for each run of neighbours along the last axis: 4-bit weights are kept so.

    Attributes
    ----------
    size : int
        Values in a group; the last axis must be a multiple of it.
    """

    size: int

    def blocks(self, shape):
        """Return (outer, channels, inner), whose product is the size, for a tensor's shape."""
        if self.size < 1 or not shape or shape[-1] % self.size:
            last = shape[-1] if shape else 1
            fitting = [n for n in range(1, last + 1) if last % n == 0]
            raise ValueError(
                f"PerGroup({self.size}) does not divide the last axis of the shape {shape}; sizes "
                f"that do: {', '.join(map(str, fitting))}."
            )
        return 1, math.prod(shape) // self.size, self.size
