"""The masked transformer: int8 activations ruin it, for its mask alone; int16 ones do not."""

import functools
import itertools
import os

import numpy as np
import pytest

import qkit as qk
from qkit.interpreter.run import intermediate, outputs
from qkit.tflite.file import inspect

SCHEMES = {"int8": "full_integer", "int16": "int16_activations"}
ADDED = "masked_transformer/block1_masked/add"
PRODUCT = "masked_transformer/block1_scores/MatMul"


@pytest.fixture(scope="module")
def files(digits):
    """Return a function from a mask and a kind of activations to the file of the same weights."""
    model = qk.models.masked_transformer(seed=1)

    @functools.cache
    def convert(kind, mask):
        other = qk.models.masked_transformer(mask=mask)
        other.set_weights(model.get_weights())
        return qk.convert(other, SCHEMES.get(kind, kind), digits.x_train[:20])

    return convert


def blank_in_part(images):
    images = images.copy()
    images[:, :14] = 0  # the upper half: eight patches
    return images


def test_it_is_the_network_that_its_docstring_tells():
    model = qk.models.masked_transformer()
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))
    assert model.count_params() == 60_204
    assert not model.get_layer("blank").trainable


def test_seed_decides_the_weights_and_the_mask_none_of_them():
    def kernels(**arguments):
        weights = qk.models.masked_transformer(**arguments).trainable_weights
        return [w.numpy() for w in weights if len(w.shape) > 1]

    for same, again, other in zip(
        kernels(seed=3), kernels(seed=3, mask=-1), kernels(seed=4), strict=True
    ):
        np.testing.assert_array_equal(same, again)
        assert not np.array_equal(same, other)


def test_names_do_not_depend_on_what_was_built_before():
    names = [weight.name for weight in qk.models.masked_transformer().weights]
    assert names == [weight.name for weight in qk.models.masked_transformer().weights]


def test_it_can_be_cloned(tf):
    model = qk.models.masked_transformer()
    clone = tf.keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = np.random.default_rng(0).random((3, 28, 28), np.float32)
    np.testing.assert_array_equal(clone(x), model(x))


def test_blank_patches_are_those_without_ink(tf):
    model = qk.models.masked_transformer()
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 0, 0] = 1 / 255  # the least that a pixel can have, in the first patch
    image[0, 20, 27] = 1  # in the last but none of the third row of patches
    seen = tf.keras.Model(model.input, model.get_layer("mask").output)(image).numpy().ravel()
    assert np.flatnonzero(seen == 0).tolist() == [0, 2 * 4 + 3]
    assert set(seen) == {0, -10_000}


def test_no_patch_attends_to_a_blank_one(tf, digits):
    model = qk.models.masked_transformer()
    shares = tf.keras.Model(model.input, model.get_layer("block2_shares").output)
    given = shares(blank_in_part(digits.x_test[:5])).numpy()
    assert given[..., :8].max() == 0
    np.testing.assert_allclose(given.sum(axis=-1), 1, rtol=1e-5)


def test_normalization_is_that_of_keras(tf):
    layer = qk.models.masked_transformer().get_layer("block1_norm1")
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 4, 48)).astype(np.float32)
    np.testing.assert_allclose(layer(x), tf.keras.layers.LayerNormalization()(x), atol=1e-5)


def test_file_computes_what_the_model_does(files, digits):
    model = qk.models.masked_transformer(seed=1)
    x = blank_in_part(digits.x_test[:20])
    given = outputs(files("float32", -10_000.0), x)
    np.testing.assert_allclose(given, model(x), atol=1e-4)


@pytest.mark.parametrize("kind", SCHEMES)
def test_all_operators_have_integer_kernels_and_the_blank_ones_are_found(kind, files, digits):
    tflite = files(kind, -10_000.0)
    assert not inspect(tflite).float_operators
    name = "masked_transformer/mask/mul"
    x = blank_in_part(digits.x_test[:3])
    exact = intermediate(files("float32", -10_000.0), x, [name])
    for expected, given in zip(exact, intermediate(tflite, x, [name]), strict=True):
        np.testing.assert_array_equal(expected[name] == 0, given[name] == given[name].max())


def test_one_int8_step_spans_the_mask(files):
    step = {
        kind: next(t.scale[0] for t in inspect(files(kind, -10_000.0)).tensors if t.name == ADDED)
        for kind in SCHEMES
    }
    assert step["int8"] == pytest.approx(10_000 / 255, rel=0.01)
    assert step["int16"] == pytest.approx(10_000 / 32_767, rel=0.01)


def test_calibration_gives_the_scores_the_range_of_the_sum(files, digits):
    """The addition writes over its input, which then has the mask's range: a trap of the tool."""
    x = blank_in_part(digits.x_test[:5])
    exact = [values[PRODUCT] for values in intermediate(files("float32", -10_000.0), x, [PRODUCT])]
    (tensor,) = (t for t in inspect(files("int8", -10_000.0)).tensors if t.name == PRODUCT)
    assert tensor.scale[0] > 2 * np.abs(exact).max()


def test_product_that_is_an_output_too_keeps_a_range_of_its_own(tf, digits):
    model = qk.models.masked_transformer(seed=1)
    ends = [model.output, model.get_layer("block1_scores").output]
    kept = tf.keras.Model(model.input, ends)
    tflite = qk.convert(kept, "full_integer", digits.x_train[:20])
    products = [op.outputs[0] for op in inspect(tflite).operators if op.name == "BATCH_MATMUL"]
    steps = [tensor.scale[0] for tensor in products if tensor.shape[2] == tensor.shape[3]]
    assert steps[0] < 1 < 30 < steps[1]


GENUINE = os.environ.get("QKIT_DATA")


@pytest.fixture(scope="module")
def on_mnist(mnist):
    """Return the accuracies on 2,000 test images by kind of activations and mask."""
    model = qk.models.masked_transformer()
    qk.fit(model, mnist, epochs=2)
    x, y = mnist.x_test[:2000], mnist.y_test[:2000]
    found = {}
    for kind, mask in [("float32", -1e4), *itertools.product(SCHEMES, (-1e4, -100.0))]:
        other = qk.models.masked_transformer(mask=mask)
        other.set_weights(model.get_weights())
        tflite = qk.convert(other, SCHEMES.get(kind, kind), mnist.x_train[:300])
        found[kind, mask] = qk.accuracy(tflite, x, y)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not GENUINE, reason="QKIT_DATA names no folder with the genuine MNIST")
class TestOnMnist:
    def test_float_is_of_use(self, on_mnist):
        assert on_mnist["float32", -1e4].accuracy > 0.92

    def test_int8_loses_five_points_and_more(self, on_mnist):
        assert qk.paired(on_mnist["float32", -1e4], on_mnist["int8", -1e4]).difference_pp < -5

    def test_int16_is_within_half_a_point(self, on_mnist):
        lost = qk.paired(on_mnist["float32", -1e4], on_mnist["int16", -1e4]).difference_pp
        assert abs(lost) <= 0.5

    @pytest.mark.parametrize("kind", SCHEMES)
    def test_a_smaller_mask_recovers(self, kind, on_mnist):
        assert (
            abs(qk.paired(on_mnist["float32", -1e4], on_mnist[kind, -100.0]).difference_pp) <= 0.5
        )
