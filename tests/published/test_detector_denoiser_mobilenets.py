"""The networks for scenes, waveforms and small images: as they say, seeded, and able to learn."""

import numpy as np
import pytest

import qkit as qk
from qkit.data import DataNotFoundError
from qkit.interpreter.run import outputs
from qkit.published import denoiser, detector, mobilenet_v1, mobilenet_v2
from qkit.published.classification import CLASSIFICATION
from qkit.published.denoising import DENOISING
from qkit.published.detection import DETECTION
from qkit.published.relatives import Relative, int16_effect

BUILDERS = [detector, denoiser, mobilenet_v1, mobilenet_v2]


def layer_types(model):
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize("build", BUILDERS)
def test_seed_decides_every_weight(build):
    def kernels(seed):
        return [w for w in build(seed=seed).get_weights() if w.ndim > 1]

    for same, other in zip(kernels(3), kernels(4), strict=True):
        assert not np.array_equal(same, other)
    for first, again in zip(kernels(3), kernels(3), strict=True):
        np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("build", BUILDERS)
def test_equal_models_convert_to_equal_bytes(build):
    assert qk.convert(build(), "float32") == qk.convert(build(), "float32")


def test_detector_is_built_like_yolo():
    model = detector()
    assert (model.input_shape, model.output_shape) == ((None, 56, 56), (None, 7, 7, 15))
    assert {"Dense", "Flatten", "MaxPooling2D"}.isdisjoint(layer_types(model))
    types = layer_types(model)
    assert types.count("BatchNormalization") == types.count("LeakyReLU") == 4
    slope = model.get_layer("conv1_leaky").alpha
    assert slope == pytest.approx(0.1)


def test_denoiser_keeps_the_length_and_sees_a_row_before_and_after():
    model = denoiser()
    assert model.input_shape == model.output_shape == (None, 784)
    wave = np.random.default_rng(0).random((2, 784), np.float32)
    wave[1] = wave[0]
    wave[1, 400] += 1
    first, second = model(wave).numpy()
    # two equal rows of a batch may differ in the last bit, by the kernels of a processor
    assert np.flatnonzero(~np.isclose(first, second, atol=1e-5))[[0, -1]].tolist() == [372, 428]


@pytest.mark.parametrize(
    ("build", "blocks", "additions"),
    # at full width V2 adds in 10 blocks; here the first has 8 channels before and after, and adds
    [(mobilenet_v1, 13, 0), (mobilenet_v2, 17, 11)],
)
def test_mobilenets_have_all_their_blocks(build, blocks, additions):
    model = build()
    types = layer_types(model)
    assert types.count("DepthwiseConv2D") == blocks
    assert types.count("Add") == additions
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))
    norms = [layer for layer in model.layers if hasattr(layer, "momentum")]
    assert {layer.momentum for layer in norms} == {0.99}


@pytest.mark.parametrize(
    ("build", "task"), [(detector, DETECTION), (denoiser, DENOISING)], ids=["detector", "denoiser"]
)
@pytest.mark.parametrize("scheme", ["full_integer", "int16_activations"])
def test_untrained_ones_convert_and_give_what_keras_gives(build, task, scheme, digits):
    x = task.data(digits).x_train[:20]
    model = build()
    found = outputs(qk.convert(model, scheme, x), x)
    true = model(x).numpy()
    coarse = 0.1 if scheme == "full_integer" else 0.02  # of the largest; the weights are int8
    assert np.abs(found - true).max() < coarse * np.abs(true).max()


@pytest.fixture(scope="module")
def mnist():
    try:
        return qk.load_data("mnist")
    except DataNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_detector_finds_digits_and_int8_costs_its_boxes_their_exactness(mnist):
    effect = int16_effect(
        Relative("detector", None, detector, DETECTION, 6, learning_rate=2e-3), mnist
    )
    score = effect.scores.score
    assert score["float32"] > 0.88
    assert score["int8"] > 0.87
    assert score["int16"] == pytest.approx(score["float32"], abs=0.005)


@pytest.mark.slow
def test_denoiser_cleans_and_int8_loses_the_quiet_ones(mnist):
    effect = int16_effect(
        Relative("denoiser", None, denoiser, DENOISING, 2, learning_rate=2e-3), mnist
    )
    score = effect.scores.score
    assert score["float32"] > 13.5  # of 5 dB
    assert score["int8"] < score["float32"] - 1
    assert score["int16"] == pytest.approx(score["float32"], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("build", "epochs"), [(mobilenet_v1, 4), (mobilenet_v2, 3)])
def test_mobilenets_learn_the_digits(build, epochs, mnist):
    own = Relative(build.__name__, None, build, CLASSIFICATION, epochs, 256, 4e-3)
    score = int16_effect(own, mnist).scores.score
    assert score["float32"] > 0.92  # by seed and number of cores .946 to .966
    assert score["int16"] == pytest.approx(score["float32"], abs=0.01)
