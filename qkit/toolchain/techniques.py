"""What a model can go through before it is converted, in the right order, with plain settings."""

from functools import partial

from qkit.networks import network
from qkit.toolchain.aware import fine_tune_with_control, quantization_aware
from qkit.toolchain.compress import cluster, prune
from qkit.training import fit

_EPOCHS = 2  # of all that trains through the grid, and of pruning


def _through_grid(model, data, calibration, preserve):
    aware = quantization_aware(model, calibration=calibration, preserve=preserve)
    fit(aware, data, epochs=_EPOCHS)
    return {"": aware}


def _with_control(model, data, calibration):
    tuned = fine_tune_with_control(model, data, epochs=_EPOCHS, calibration=calibration)
    return {"": tuned.qat, "control": tuned.control}


# By name: the technique it starts from, the model itself where that is empty; and the function that
# trains, from model, data and calibration images to the models it gives, its own under "".
TECHNIQUES = {
    "qat": ("", _with_control),
    "pruned": ("", lambda model, data, _: {"": prune(model, data, epochs=_EPOCHS)[0]}),
    "clustered": ("", lambda model, data, _: {"": cluster(model, data)[0]}),
    "pruned_clustered": (
        "pruned",
        lambda model, data, _: {"": cluster(model, data, preserve_sparsity=True)[0]},
    ),
    "pqat": ("pruned", partial(_through_grid, preserve="sparsity")),
    "cqat": ("clustered", partial(_through_grid, preserve="clusters")),
    "pcqat": ("pruned_clustered", partial(_through_grid, preserve="both")),
}


def train_missing(technique, model, data, trained, calibration):
    """Add to `trained`, by technique, the model asked for and what it starts from, if not there.

    The empty technique is the model itself; "qat" gives its "control" too.
    """
    if technique in ("", *trained):
        return
    network(model, what=f"compare: the technique {technique!r}")
    start, train = TECHNIQUES[technique]
    train_missing(start, model, data, trained, calibration)
    for name, made in train(trained.get(start, model), data, calibration).items():
        trained.setdefault(name or technique, made)
