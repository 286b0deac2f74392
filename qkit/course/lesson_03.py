"""Exercises of 03: the opponent of quantization-aware training, and what it has over it."""

from functools import cache, partial

import numpy as np

from qkit.course.exercises import exercise, number
from qkit.data import Dataset
from qkit.models import walkthrough_cnn
from qkit.networks import network
from qkit.toolchain.aware import quantization_aware
from qkit.toolchain.wrapping import copy_of
from qkit.training import Settings, run_epochs

_SEED = 5  # neither 0 nor one of the notebook's


@exercise("03.1", "a function of model, data, epochs and seed that returns the trained control")
def control(answer):
    """Hold what it trains against the weights that the same training leaves."""
    first = 1, 0  # the epochs and the seed behind the start
    start = copy_of(_in_float(first))
    got = answer(start, _images(), 2, _SEED)
    if not _same(start, _in_float(first)):
        return "the model that came in is itself trained on: the start is gone, so take a copy"
    if network(got, what="03.1").aware:
        return "it is trained through the grid, and that is the one thing its opponent is without"
    for trainings, why in (
        ([first, (2, _SEED)], None),
        ([first], "it has the weights of the start: nothing was trained"),
        ([first, (2, 0)], "the seed decides on the batches: hand it on"),
        ([first, (1, _SEED)], "it had 1 epoch where 2 were asked for"),
        ([(2, _SEED)], "it starts untrained: a clone has a model's layers, not its weights"),
    ):
        if _same(got, _in_float(*trainings)):
            return why
    return f"its weights are not those that 2 epochs from the start with seed {_SEED} leave"


@exercise("03.2", "a function of a table that returns two numbers, mean and half-width,")
def merit(answer):
    """Try it on tables of five and of three seeds, the gains of which are known."""
    import pandas as pd

    opponent, gained = np.array([0.970, 0.982, 0.975, 0.972, 0.979]), 0.001 * np.arange(1, 6)
    made = {"start": opponent - 0.004, "qat": opponent + gained, "control": opponent}
    for n in (5, 3):
        mean, half = answer(pd.DataFrame(made)[:n].rename_axis("seed"))
        fault = _mean_fault(mean, 100 * gained[:n].mean())
        fault = fault or _half_width_fault(half, 100 * gained[:n], 100 * made["qat"][:n])
        if fault:
            return fault
    return None


def _mean_fault(mean, right):
    return number(
        mean,
        right,
        mistakes=[
            (right / 100, "percentage points are asked for, and the accuracies go from 0 to 1"),
            (right + 0.4, "that is the gain on the start, of which training alone gave a part"),
            (-right, "the other way round: QAT's accuracy less its control's"),
        ],
        hint="for the mean, take one difference a seed, of QAT and its control",
    )


def _half_width_fault(half, gained, qat):
    n, right = len(gained), _half_width(gained)
    error = gained.std(ddof=1) / n**0.5
    return number(
        half,
        right,
        mistakes=[
            (right / 100, "the half-width is in percentage points too"),
            (2 * right, "that is the whole width"),
            (n**0.5 * error, "that is how far single seeds scatter; their mean is surer"),
            (error, "one standard error on either side covers two cases of three, not 95 %"),
            (1.96 * error, f"the spread is from {n} seeds alone: Student's t has a wider quantile"),
            ((1 - 1 / n) ** 0.5 * right, "the spread of a sample is over n − 1 (`ddof=1`)"),
            (_half_width(qat), "a good start lifts QAT and its control, and drops out of the gain"),
        ],
        hint=f"the mean is right; for the half-width take the spread of these {n} differences",
    )


def _half_width(values):
    from scipy.stats import t

    return t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5


@exercise("03.3", "a function of data, epochs and seed that returns baseline and QAT")
def fair_opponents(answer):
    """Tell from the weights how many epochs stand behind each of the two."""
    baseline, aware = answer(_images(), 1, _SEED)
    if network(baseline, what="03.3").aware or not network(aware, what="03.3").aware:
        return "the float baseline is to come first, and then the one trained through the grid"
    one, two = (1, _SEED), (2, _SEED)  # epochs, and what they are seeded by
    floats = _epochs_behind(baseline, _in_float, {(one,): 1, (one, one): 2, (two,): 2})
    grids = _epochs_behind(aware, _through_grid, {(one,): 2, (): 1})
    for name, behind in ("baseline", floats), ("QAT", grids):
        if behind is None:
            return f"the weights of {name} are not what this seed and all of these data lead to"
    if floats == grids:
        return None
    return (
        f"asked for 1 epoch, it puts {floats} behind the baseline and {grids} behind QAT: with "
        "which weights does each begin?"
    )


def _epochs_behind(model, made, epochs):
    """Return the epochs of those trainings that lead to a model's weights; None if none does."""
    return next((n for runs, n in epochs.items() if _same(model, made(*runs))), None)


@cache
def _in_float(*trainings):
    """Return a network after trainings, each of some epochs by a seed; not to be changed."""
    if not trainings:
        return walkthrough_cnn(seed=_SEED)
    return _trained(copy_of(_in_float(*trainings[:-1])), *trainings[-1])


@cache
def _through_grid(*trainings):
    """Return what one more epoch through the grid makes of it."""
    return _trained(quantization_aware(_in_float(*trainings)), 1, _SEED)


def _trained(model, epochs, seed):
    """Train in place as `fit` does, without its line of progress, and return the model."""
    data, settings = _images(), Settings(epochs, 32, seed, 0.1, 1e-3)
    run_epochs(model, data.x_train, data.y_train, settings, [])
    return model


@cache
def _images():
    rng = np.random.default_rng(0)
    x, y = rng.random((64, 28, 28), np.float32), rng.integers(10, size=64)
    return Dataset(x, y, x[:1], y[:1], "64 images", "drawn by an exercise")


def _same(model, other):
    """Whether two models have the same weights, but for the order in which sums are added up."""
    ours, theirs = model.get_weights(), other.get_weights()
    alike = [a.shape for a in ours] == [b.shape for b in theirs]
    return alike and all(map(partial(np.allclose, rtol=0, atol=1e-5), ours, theirs))
