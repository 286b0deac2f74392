"""The networks are those of the literature, seeded, and bear fixed names."""

import numpy as np
import pytest

import qkit as qk

BUILDERS = [qk.models.walkthrough_cnn, qk.models.depthwise_cnn]


def layer_types(model):
    return [type(layer).__name__ for layer in model.layers]


def test_walkthrough_is_the_tutorials_network():
    model = qk.models.walkthrough_cnn()
    assert model.count_params() == 20_410
    assert layer_types(model) == ["Reshape", "Conv2D", "MaxPooling2D", "Flatten", "Dense"]
    assert model.get_layer("conv").activation.__name__ == "relu"
    assert model.get_layer("logits").activation.__name__ == "linear"


def test_depthwise_is_built_like_mobilenet():
    types = layer_types(qk.models.depthwise_cnn())
    assert types.count("DepthwiseConv2D") == 4
    assert types.count("BatchNormalization") == types.count("ReLU") == 9
    convolutions = [i for i, name in enumerate(types) if name.endswith("Conv2D")]
    assert all(types[i + 1 : i + 3] == ["BatchNormalization", "ReLU"] for i in convolutions)
    relu = qk.models.depthwise_cnn().get_layer("stem_relu6")
    assert relu.max_value == 6


@pytest.mark.parametrize("build", BUILDERS)
def test_model_classifies_28_by_28(build):
    model = build()
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))


@pytest.mark.parametrize("build", BUILDERS)
def test_seed_decides_every_weight(build):
    def kernels(seed):
        return [w for w in build(seed=seed).get_weights() if w.ndim > 1]

    for same, other in zip(kernels(3), kernels(4), strict=True):
        assert not np.array_equal(same, other)
    for first, again in zip(kernels(3), kernels(3), strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("build", BUILDERS)
def test_names_do_not_depend_on_what_was_built_before(build):
    names = [weight.name for weight in build().weights]
    assert names == [weight.name for weight in build().weights]
