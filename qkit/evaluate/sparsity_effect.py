"""What one-shot pruning does to a network: bytes of its weights, and the accuracy left."""

from dataclasses import dataclass

from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import Paired, paired
from qkit.interpreter.prune_once import PrunedWeights, prune_once
from qkit.interpreter.simulation import layers
from qkit.result import Result
from qkit.tflite.edit import with_weights


@dataclass(frozen=True, eq=False, repr=False)
class SparsityEffect(Result):
    """A network with its small weights set to 0, held against itself on the same images.

    Attributes
    ----------
    pruned : PrunedWeights
    whole : PrunedWeights
        All weights kept, stored in the same way.
    paired : Paired
        The network in float with all weights against the pruned one.
    """

    pruned: PrunedWeights
    whole: PrunedWeights
    paired: Paired

    def to_frame(self):
        """Return a DataFrame of one row."""
        frame = self.paired.to_frame()
        frame.insert(0, "pruned_share", self.pruned.pruned_share)
        frame.insert(1, "accuracy", self.paired.b.accuracy)
        frame.insert(2, "deflated_bytes", self.pruned.size.deflated_bytes)
        return frame

    def summary(self):
        """Say what is left, and that nothing was trained."""
        return f"{self.pruned.summary()}. {self.paired.against('all weights in float32')}"


def sparsity_effect(
    tflite, x, y, *, sparsity, pattern=None, storage="float32", reference=None
):  # fmt: skip
    """Measure a network whose small weights are set to 0 in one shot, without fine-tuning.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    x, y : ndarray
        Test images and their labels.
    sparsity : float
        Share of the weights to set to 0 in each layer, from 0 to below 1.
    pattern : None, "2:4" or (rows, columns)
        See `qk.magnitude_mask`; blocks are for dense layers.
    storage : {"float32", "int8"}
        How the weights are stored: int8 by output channel.
    reference : Accuracy, optional
        Of the float file on the same images, where it is known.

    Returns
    -------
    SparsityEffect

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the file, or an argument is out of its range.

    Notes
    -----
    In the file, batch normalisation is folded into the kernels, which scales each output channel,
    so that other weights are small than before the folding, where tensorflow-model-optimization
    prunes.

    Examples
    --------
    >>> import qkit as qk
    >>> data = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> effect = sparsity_effect(tflite, data.x_test, data.y_test, sparsity=0.8)
    >>> round(effect.pruned.pruned_share, 2), effect.pruned.size.raw_bytes
    (0.8, 81552)
    """
    found = layers(tflite)
    pruned = prune_once(found, sparsity, pattern=pattern, storage=storage)
    return SparsityEffect(
        pruned=pruned,
        whole=prune_once(found, 0.0, storage=storage),
        paired=paired(
            reference or accuracy(tflite, x, y),
            accuracy(with_weights(tflite, pruned.weights), x, y),
        ),
    )
