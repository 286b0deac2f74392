"""The published networks are Keras's own, seeded; their weights come from a file or not at all."""

import dataclasses
import socket
import sys

import numpy as np
import pytest

import qkit as qk
from qkit.data import DataNotFoundError
from qkit.published import ARCHITECTURES, architecture, settle_batch_norm
from qkit.published.architectures import narrow_mobilenet

SMALL = {"name": "MobileNet", "image_size": 32}


@pytest.fixture(scope="module")
def mobilenet():
    return architecture(**SMALL)


@pytest.fixture(scope="module")
def noise():
    return np.random.default_rng(0).uniform(-1, 1, (6, 32, 32, 3)).astype(np.float32)


def test_all_six_are_there_at_the_size_of_the_published_figures():
    assert {name: a.image_size for name, a in ARCHITECTURES.items()} == {
        "MobileNet": 224,
        "MobileNetV2": 224,
        "InceptionV3": 299,
        "ResNet101V2": 299,
        "ResNet50V2": 299,
        "NASNetMobile": 224,
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        ARCHITECTURES["MobileNet"].image_size = 96
    with pytest.raises(TypeError):
        ARCHITECTURES["VGG16"] = ARCHITECTURES["MobileNet"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_preprocessing_is_that_of_the_network(name, tf):
    pixels = np.float32([[[[0, 127.5, 255]]]])
    own = sys.modules[getattr(tf.keras.applications, name).__module__].preprocess_input
    for preprocess in (ARCHITECTURES[name].preprocess, own):
        np.testing.assert_array_equal(preprocess(pixels.copy()).ravel(), [-1, 0, 1])


def test_the_network_is_kerass(tf):
    model = architecture("MobileNetV2")
    assert (model.input_shape, model.output_shape) == ((None, 224, 224, 3), (None, 1000))
    theirs = tf.keras.applications.MobileNetV2(weights=None)
    assert [w.shape for w in model.weights] == [w.shape for w in theirs.weights]


@pytest.mark.slow
def test_seed_decides_every_bit_and_nothing_else_does(mobilenet, tf):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    again, other = architecture(**SMALL), architecture(**SMALL, seed=1)
    for first, same in zip(mobilenet.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, same)
    assert any(
        not np.array_equal(first, different)
        for first, different in zip(mobilenet.get_weights(), other.get_weights(), strict=True)
    )
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.slow
def test_names_do_not_depend_on_what_was_built_before():
    first, again = (architecture("InceptionV3", image_size=75) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in again.layers]


@pytest.mark.slow
def test_weights_from_a_file(tmp_path):
    path, saved = tmp_path / "mobilenet.h5", architecture(**SMALL, seed=7)
    saved.save_weights(path)
    loaded = architecture(**SMALL, weights=path)
    for got, expected in zip(loaded.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_what_is_not_there_is_told():
    with pytest.raises(ValueError, match=r"must be one of 'MobileNet', .* got 'mobilenet'"):
        architecture("mobilenet")
    with pytest.raises(DataNotFoundError, match=r"no file there_is_none.h5"):
        architecture("MobileNet", weights="there_is_none.h5")


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Give Keras an empty cache and a network that cannot be reached."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    def unreachable(*args, **kwargs):
        raise OSError(f"no network within {socket.getdefaulttimeout()} s")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)


@pytest.mark.parametrize("name", ["MobileNet", "NASNetMobile"])
def test_failed_download_says_what_was_tried_and_what_still_works(name, offline):
    before = socket.getdefaulttimeout()
    with pytest.raises(DataNotFoundError) as caught:
        architecture(name, weights="imagenet")
    text = str(caught.value)
    assert f"the ImageNet weights of {name} are neither in Keras's cache" in text
    assert "Fetch https://storage.googleapis.com/tensorflow/keras-applications/" in text
    assert text.count(".h5") >= 2
    assert "pass its path as weights=" in text
    assert "or use weights=None" in text
    assert "no network within 20.0 s" in text  # and not for ever
    assert socket.getdefaulttimeout() == before


def test_settling_gives_each_layer_the_statistics_of_its_input(noise, tf):
    model = architecture(**SMALL)
    first = next(
        layer for layer in model.layers if isinstance(layer, tf.keras.layers.BatchNormalization)
    )
    norms = [layer for layer in model.layers if isinstance(layer, type(first))]
    gammas, momenta = [n.gamma.numpy() for n in norms], [n.momentum for n in norms]
    settle_batch_norm(model, noise)
    flowing = tf.keras.Model(model.input, first.input)(noise).numpy()
    np.testing.assert_allclose(first.moving_mean, flowing.mean((0, 1, 2)), atol=1e-4)
    # the layer's variance is the unbiased one
    expected = flowing.var((0, 1, 2)) * (n := flowing[..., 0].size) / (n - 1)
    np.testing.assert_allclose(first.moving_variance, expected, rtol=1e-3)
    assert [n.momentum for n in norms] == momenta
    for layer, gamma in zip(norms, gammas, strict=True):
        np.testing.assert_array_equal(layer.gamma, gamma)


@pytest.mark.slow
def test_settling_lets_int16_activations_run(noise):
    model = architecture(**SMALL)
    with pytest.raises(ValueError, match="failed to prepare"):
        qk.convert(model, "int16_activations", noise)
    settle_batch_norm(model, noise)
    assert qk.convert(model, "int16_activations", noise)


def test_momentum_comes_back_after_a_failure(noise, monkeypatch):
    model = architecture(**SMALL)
    momenta = [getattr(layer, "momentum", None) for layer in model.layers]
    monkeypatch.setattr(model, "call", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        settle_batch_norm(model, noise)
    assert [getattr(layer, "momentum", None) for layer in model.layers] == momenta


@pytest.mark.parametrize(
    ("version", "blocks", "additions"),
    # at full width V2 adds in 10 blocks; here the first has 8 channels before and after, and adds
    [(1, 13, 0), (2, 17, 11)],
)
def test_narrow_mobilenets_have_all_their_blocks(version, blocks, additions):
    model = narrow_mobilenet(version)
    types = [type(layer).__name__ for layer in model.layers]
    assert types.count("DepthwiseConv2D") == blocks
    assert types.count("Add") == additions
    assert (model.input_shape, model.output_shape) == ((None, 28, 28), (None, 10))
    norms = [layer for layer in model.layers if hasattr(layer, "momentum")]
    assert {layer.momentum for layer in norms} == {0.99}
