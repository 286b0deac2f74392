"""A float file is opened once, by names that do not repeat, and put together again."""

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import scores
from qkit.tflite.edit import layers, opened, with_weights
from qkit.tflite.file import TfliteError


@pytest.fixture
def nameless(float_file, edited):
    """Return a file all of whose tensors have the same name."""

    def rename(model):
        for tensor in model.subgraphs[0].tensors:
            tensor.name = b"it"

    return edited(float_file, rename)


def test_taken_apart_and_put_together_it_is_the_same(tflite):
    for name in ("float32", "full_integer", "dynamic_range"):
        assert with_weights(tflite(name), {}) == tflite(name)


def test_what_is_open_is_taken_as_it_is(float_file):
    file = opened(float_file)
    assert opened(file) is file
    assert layers(file) is file.layers
    assert with_weights(file, {}) == with_weights(float_file, {})


def test_names_that_repeat_are_told_apart(nameless, float_file, digits):
    file, named = opened(nameless), opened(float_file)
    assert len(file.names) == len(qk.inspect(nameless).tensors)
    assert len({layer.name for layer in file.layers}) == 2
    x = digits.x_train[:5]
    ranges = qk.simulation.calibrated_ranges(file, x)
    same = qk.simulation.calibrated_ranges(named, x)
    assert list(ranges.values()) == list(same.values())
    simulated = [qk.simulation.at_bits(f, r) for f, r in ((file, ranges), (named, same))]
    assert np.array_equal(*(scores(f, digits.x_test[:20]) for f in simulated))
    small = qk.prune_once(file, 0.9)
    assert small.size.by_way == qk.prune_once(named, 0.9).size.by_way
    changed = [c.applied(f) for c, f in ((small, file), (qk.prune_once(named, 0.9), named))]
    assert np.array_equal(*(scores(f, digits.x_test[:20]) for f in changed))


def test_loops_and_branches_are_refused(float_file, edited):
    twice = edited(float_file, lambda model: model.subgraphs.append(model.subgraphs[0]))
    assert qk.inspect(twice).graphs == 2
    with pytest.raises(TfliteError, match="the file has 2 graphs: loops and branches"):
        opened(twice)
