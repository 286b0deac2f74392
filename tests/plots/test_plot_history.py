"""The pictures of trainings show what was recorded, step by step."""

from types import MappingProxyType

import numpy as np
import pytest
from matplotlib.figure import Figure

import qkit as qk
from qkit.toolchain.history import WeightHistory


def history(zeros, values):
    steps = np.arange(len(zeros))
    return WeightHistory(
        steps=steps,
        sparsity=MappingProxyType({"logits": np.array(zeros)}),
        distinct_values=MappingProxyType({"logits": np.array(values)}),
        accuracy=np.full(len(steps), np.nan),
        left_alone=MappingProxyType({}),
        from_cache=False,
    )


@pytest.fixture
def histories():
    return {"plain": history([0.8, 0.6, 0.45], [16, 90, 149]), "kept": history([0.8] * 3, [16] * 3)}


def test_each_line_is_what_its_training_recorded(histories):
    zeros, values = qk.plot_weight_history(histories, kernel="logits").axes
    for line, of_values, record in zip(zeros.lines, values.lines, histories.values(), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), record.sparsity["logits"])
        np.testing.assert_array_equal(of_values.get_ydata(), record.distinct_values["logits"])
        np.testing.assert_array_equal(line.get_xdata(), record.steps)
    assert zeros.lines[0].get_linewidth() > zeros.lines[1].get_linewidth()
    assert [line.get_label() for line in zeros.lines] == list(histories)


def test_what_was_not_recorded_is_refused(histories):
    with pytest.raises(ValueError, match=r"kernel of plain must be .*'logits'.* got 'conv'"):
        qk.plot_weight_history(histories, kernel="conv")


@pytest.fixture(scope="module")
def ranges(toy_model, toy_data):
    return qk.range_history(qk.quantization_aware(toy_model()), toy_data, steps=4, every=2)


@pytest.mark.parametrize("own", [False, True])
def test_range_history_shows_grids_and_data(ranges, own):
    given = None if own else Figure().add_subplot()
    ax = qk.plot_range_history(ranges, ax=given)
    assert given in (None, ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("training step", "smallest and largest value")
    curves = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) == len(ranges.steps)]
    expected = [ends[:, side] for ends in ranges.ranges.values() for side in (1, 0)]
    for curve in expected:
        assert any(np.array_equal(curve, drawn) for drawn in curves)
    dotted = {line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == ":"}
    assert dotted == {end for ends in ranges.data_ranges.values() for end in ends}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == [f"{name}: its {of}" for name in ranges.ranges for of in ("grid", "data")]
