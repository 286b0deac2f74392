"""What one-shot clustering does to a network: bytes of its weights, and the accuracy left."""

from dataclasses import dataclass

from qkit.evaluate.accuracy import accuracy
from qkit.evaluate.significance import Paired, paired
from qkit.interpreter.cluster_once import ClusteredWeights, cluster_once
from qkit.interpreter.simulation import layers
from qkit.quantize.coding import StoredBytes, stored_bytes
from qkit.result import Result
from qkit.tflite.edit import with_weights


@dataclass(frozen=True, eq=False, repr=False)
class ClustersEffect(Result):
    """A network whose weights share a few values, held against itself on the same images.

    Attributes
    ----------
    clustered : ClusteredWeights
    size_before : StoredBytes
    paired : Paired
        The network before against the clustered one.
    """

    clustered: ClusteredWeights
    size_before: StoredBytes
    paired: Paired

    def to_frame(self):
        """Return a DataFrame of one row."""
        frame = self.paired.to_frame()
        frame.insert(0, "clusters", self.clustered.clusters)
        frame.insert(1, "accuracy", self.paired.b.accuracy)
        frame.insert(2, "deflated_bytes", self.clustered.size.deflated_bytes)
        return frame

    def summary(self):
        """Say what is left, and that nothing was trained."""
        return f"{self.clustered.summary()}. {self.paired.against('the weights as they were')}"


def clusters_effect(
    tflite, x, y, *, clusters, init="kmeans++", steps=0, seed=0, reference=None
):  # fmt: skip
    """Measure a network whose weights share a few values, in one shot, without fine-tuning.

    Parameters
    ----------
    tflite : bytes
        From ``qk.convert(model, "float32")``.
    x, y : ndarray
        Test images and their labels.
    clusters : int
        Values for each layer, 1 or more.
    init : {"linear", "random", "density", "kmeans++"}
        Where they start; see `qk.centroids.initial_centroids`.
    steps : int
        Of k-means, by which they move on; 0 or more.
    seed : int
        Of "random" and "kmeans++".
    reference : Accuracy, optional
        Of the float file on the same images, where it is known.

    Returns
    -------
    ClustersEffect

    Raises
    ------
    TypeError, ValueError
        If the data do not fit the file, or an argument is out of its range.

    Examples
    --------
    >>> import qkit as qk
    >>> data = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> effect = clusters_effect(tflite, data.x_test, data.y_test, clusters=16)
    >>> effect.clustered.table_bytes < effect.size_before.raw_bytes / 7
    True
    """
    found = layers(tflite)
    clustered = cluster_once(found, clusters, init=init, steps=steps, seed=seed)
    return ClustersEffect(
        clustered=clustered,
        size_before=stored_bytes(layer.weights for layer in found),
        paired=paired(
            reference or accuracy(tflite, x, y),
            accuracy(with_weights(tflite, clustered.weights), x, y),
        ),
    )
