"""Exercises of 07: an order that keeps two properties, a step that undoes one, a control."""

import numpy as np

from qkit.course.exercises import exercise, gained
from qkit.evaluate.census import weight_census
from qkit.networks import MOST_CLUSTERS, network
from qkit.toolchain.wrapping import copy_of
from qkit.training import fit

_FILE = "a file is what comes of it; the network itself is asked for, in float"


@exercise("07.1", "a Keras network")
def fours_and_eight(answer, model, data):
    """Ask for 2:4 in the dense kernel, eight values in each, and the images."""
    if isinstance(answer, bytes):
        return _FILE
    kernels = weight_census(answer).kernels
    dense, most = _largest(kernels), max(kernel.distinct_values for kernel in kernels)
    if dense.sparsity < 0.01:
        return "no zero is left in the dense kernel: what must a clustering be told of them?"
    if dense.two_of_four_share < 1:
        return (
            f"{dense.two_of_four_share:.1%} of the fours have two zeros: so many zeros, "
            f"{dense.sparsity:.0%}, are not yet a pattern"
        )
    if most > 8:
        return f"2:4 is there, and {most:,} values: training after clustering moved them apart"
    found = gained(model, answer, data.x_test, data.y_test).difference_pp
    return None if found > -1 else f"both are there, and {-found:.1f} points are gone"


@exercise("07.2", "a Keras network")
def still_pruned(answer, both, data):
    """Ask for the zeros and the values that the steps were to give, and for accuracy as before."""
    if isinstance(answer, bytes):
        return _FILE
    for kernel in weight_census(answer).kernels:
        if kernel.sparsity < 0.79:
            return (
                f"{kernel.name} has {kernel.sparsity:.0%} zeros, and 80 % were pruned: take the "
                "census after each step, not after the last"
            )
        if kernel.distinct_values > 16:
            return (
                f"{kernel.name} has its zeros and {kernel.distinct_values:,} values: the last "
                "step moved apart what clustering had put together"
            )
    found = gained(both, answer, data.x_test, data.y_test).difference_pp
    if found > -1:
        return None
    return (
        f"zeros and values are there, and {-found:.1f} points less than in section 1: zeros put "
        "back at the end are repaired by nothing"
    )


@exercise("07.3", "a Keras network")
def control(answer, model, data):
    """Train a control, and ask for free weights that went about as far as those of that one."""
    if isinstance(answer, bytes):
        return _FILE
    values = _largest(weight_census(answer).kernels).distinct_values
    if values <= MOST_CLUSTERS:
        return f"its weights share {values} values: a control has all but what is judged"
    went = _moved(model, answer)
    if np.isnan(went):
        return "it has the weights of `model`: the further epoch is missing, or both had it"
    ours = copy_of(model)
    fit(ours, data, epochs=1, learning_rate=1e-4)
    share = went / _moved(model, ours)
    if abs(share - 1) < 0.07:  # another seed is as near as that, half an epoch is not
        return None
    told = f"its weights went {share:.2g} times as far as an epoch at a rate of 1e-4 takes them"
    ask = "at which rate, for how many epochs" if share > 1 else "was it whole, in batches of 32"
    return f"{told}: {ask}?"


def _moved(model, later):
    """Return how far the weights of the largest kernel went, those that moved at all."""
    old, new = (max(network(each).kernels.values(), key=np.size) for each in (model, later))
    moved = abs(new - old)[new != old]
    return np.median(moved) if moved.size else np.nan


def _largest(kernels):
    return max(kernels, key=lambda kernel: kernel.count)
