"""The two MobileNets among the relatives learn; apart, as they train for minutes."""

import pytest


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV1 × 0.25", "MobileNetV2 × 0.25"])
def test_mobilenets_learn_the_digits(name, on_mnist):
    value = on_mnist(name)
    assert value["float32"] > 0.92  # by seed and number of cores .946 to .966
    assert value["int16"] == pytest.approx(value["float32"], abs=0.01)
