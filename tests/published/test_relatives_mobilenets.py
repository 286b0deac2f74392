"""The two MobileNets among the relatives learn; apart, as they train for long."""

from dataclasses import replace

import pytest

from qkit.published import RELATIVES, int16_effect


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV1 × 0.25", "MobileNetV2 × 0.25"])
def test_mobilenets_learn_the_digits(name, mnist):
    train, test = slice(10_000), slice(2000)
    few = replace(
        mnist, x_train=mnist.x_train[train], y_train=mnist.y_train[train],
        x_test=mnist.x_test[test], y_test=mnist.y_test[test],
    )  # fmt: skip
    shorter = replace(RELATIVES[name], epochs=2, batch_size=32)  # a twelfth of the images
    value = {kind: s.value for kind, s in int16_effect(shorter, few, cache=False).scores.items()}
    assert value["float32"] > 0.4  # of ten classes
    assert value["int16"] == pytest.approx(value["float32"], abs=0.01)
