"""Exercises of 03: what is right is taken, and typical mistakes are told by their name."""

from functools import cache

import numpy as np
import pytest
from scipy.stats import t

import qkit as qk
from qkit.toolchain.wrapping import copy_of


def trained(model, data, epochs, seed):
    qk.fit(model, data, epochs=epochs, seed=seed, cache=False)
    return model


def control(model, data, epochs, seed):
    return trained(copy_of(model), data, epochs, seed)


def from_new_weights(model, data, epochs, seed):
    return trained(qk.models.walkthrough_cnn(seed=5), data, epochs, seed)


def through_the_grid(model, data, epochs, seed):
    return qk.quantization_aware(model)


def merit(frame, *, points=100, opponent="control", quantile=None, deviation=None, ddof=1):
    gained = points * (frame["qat"] - frame[opponent])
    quantile = t.ppf(0.975, df=len(gained) - 1) if quantile is None else quantile
    spread = gained.std(ddof=ddof) if deviation is None else 100 * frame[deviation].std()
    return gained.mean(), quantile * spread / len(gained) ** 0.5


def but(**options):
    return lambda frame: merit(frame, **options)


def half_changed(change):
    def changed(frame):
        mean, half = merit(frame)
        return mean, change(half)

    return changed


@cache
def lab(data, epochs, seed):
    baseline = trained(qk.models.walkthrough_cnn(seed=seed), data, epochs, seed)
    return baseline, trained(qk.quantization_aware(baseline), data, epochs, seed)


@cache
def with_control(data, epochs, seed):
    baseline, aware = lab(data, epochs, seed)
    return control(baseline, data, epochs, seed), aware


def with_twice_the_epochs(data, epochs, seed):
    baseline = trained(qk.models.walkthrough_cnn(seed=seed), data, 2 * epochs, seed)
    return baseline, lab(data, epochs, seed)[1]


@cache
def both_from_new_weights(data, epochs, seed):
    aware = qk.quantization_aware(qk.models.walkthrough_cnn(seed=seed))
    return lab(data, epochs, seed)[0], trained(aware, data, epochs, seed)


def now_the_baseline_has_more(data, epochs, seed):
    return with_control(data, epochs, seed)[0], both_from_new_weights(data, epochs, seed)[1]


# By exercise: what the cell hands over, right answers, wrong ones with a part of what is said.
CASES = {
    "03.1": (
        {},
        [control, lambda *given: qk.fine_tune_with_control(*given[:2], epochs=2, seed=5).control],
        [
            (trained, "take a copy"),
            (lambda model, *rest: copy_of(model), "nothing was trained"),
            (lambda model, data, epochs, seed: control(model, data, epochs, 0), "hand it on"),
            (lambda model, data, epochs, seed: control(model, data, 1, seed), "1 epoch where 2"),
            (lambda model, data, epochs, seed: control(model, data, 3, seed), "seed 5 leave"),
            (from_new_weights, "it starts untrained"),
            (through_the_grid, "through the grid"),
            (lambda model, data: control(model, data, 2, 5), "a function of model, data, epochs"),
        ],
    ),
    "03.2": (
        {},
        [merit],
        [
            (but(points=1), "from 0 to 1"),
            (but(opponent="start"), "the gain on the start"),
            (lambda frame: -np.array(merit(frame)), "the other way round"),
            (lambda frame: (0.2, 0.2), "one difference a seed"),
            (half_changed(lambda half: half / 100), "in percentage points too"),
            (half_changed(lambda half: 2 * half), "the whole width"),
            (but(quantile=5**0.5), "how far single seeds scatter"),
            (but(quantile=1), "one standard error"),
            (but(quantile=1.96), "Student's t"),
            (but(ddof=0), "over n − 1"),
            (but(deviation="qat"), "drops out of the gain"),
            (half_changed(lambda half: 7.0), "the spread of these 5 differences"),
            (but(quantile=t.ppf(0.975, 4)), "the spread of these 3 differences"),
            (lambda frame: (0.3, 0.1963), "one difference a seed"),
            (lambda frame: merit(frame)[0], "a function of a table"),
        ],
    ),
    "03.3": (
        {},
        [with_control, with_twice_the_epochs, both_from_new_weights],
        [
            (lab, "1 behind the baseline and 2 behind QAT"),
            (now_the_baseline_has_more, "2 behind the baseline and 1 behind QAT"),
            (lambda *given: lab(*given)[::-1], "to come first"),
            (lambda data, epochs, seed: lab(data, epochs, 0), "the weights of baseline"),
            (lambda *given: (lab(*given)[0], lab(*given[:2], 0)[1]), "the weights of QAT"),
            (lambda *given: lab(*given)[0], "a function of data, epochs and seed"),
        ],
    ),
}
MARKS = {"03.1": pytest.mark.slow, "03.3": pytest.mark.slow}  # these train
