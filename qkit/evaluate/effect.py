"""What a change of its weights or grids does to a network: the accuracy that is left, and bytes."""

from dataclasses import dataclass

import numpy as np

from qkit.evaluate.accuracy import accuracy, judged, model_outputs, require_classes
from qkit.evaluate.significance import Paired, paired
from qkit.result import Result
from qkit.tflite.edit import opened


@dataclass(frozen=True, eq=False, repr=False)
class Effect(Result):
    """A network changed without training, held against itself in float on the same images."""

    change: object  # PrunedWeights, ClusteredWeights or Bits
    paired: Paired  # the network in float against the changed one
    x: np.ndarray  # the images that both were measured on

    def summary(self):
        """Say what the change is and what is left, with its interval and the paired test."""
        return f"{self.change.summary()}. {self.paired.against(self.change.reference_name)}"


def effect(tflite, change, x, y, *, reference=None):
    """Measure what a change does to a network, without any training.

    Parameters
    ----------
    tflite : bytes or FloatFile, from ``qk.convert(model, "float32")``
    change : PrunedWeights, ClusteredWeights or Bits
        From `qk.prune_once`, `qk.cluster_once` or `qk.simulation.bits`.
    x, y : ndarray, test images and their labels
    reference : Accuracy of the float file on the same images, where it is known

    Returns
    -------
    Effect

    Examples
    --------
    >>> import qkit as qk
    >>> data = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> pruned = effect(tflite, qk.prune_once(tflite, 0.8), data.x_test, data.y_test)
    >>> round(pruned.change.pruned_share, 2), pruned.change.size.raw_bytes
    (0.8, 81552)
    """
    if not hasattr(change, "applied"):
        raise TypeError(
            "effect: change must be what qk.prune_once, qk.cluster_once or qk.simulation.bits "
            f"returns, got {type(change).__name__}."
        )
    file = opened(tflite)
    reference = reference or accuracy(file.tflite, x, y)
    require_classes(reference, what="effect")
    changed = judged(model_outputs(change.applied(file), x), y, at=reference.at)
    return Effect(change, paired(reference, changed), x)
