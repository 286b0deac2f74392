"""A model is opened once: layers by whole path, kernels as they are used, traits that are true."""

import numpy as np
import pytest

from qkit._tensorflow import quiet
from qkit.networks import network
from qkit.tflite.file import inspect
from qkit.toolchain.techniques import TECHNIQUES


def test_plain_kernels_are_the_variables(trained):
    found = network(trained).kernels
    assert list(found) == ["conv", "logits"]
    np.testing.assert_array_equal(found["conv"], trained.get_layer("conv").kernel.numpy())
    np.testing.assert_array_equal(found["logits"], trained.get_layer("logits").kernel.numpy())


@pytest.mark.parametrize("name", ["qat", "pqat", "cqat", "pcqat"])
def test_kernels_through_the_grid_are_those_of_the_file(name, technique, tflite):
    file = inspect(tflite(name))
    scales = {t.shape: t.scale for t in file.weights if len(t.shape) > 1}
    for kernel in network(technique(name)).kernels.values():
        kernel = np.moveaxis(kernel, -1, 0)  # as a file has it
        scale = scales[kernel.shape].reshape(-1, *[1] * (kernel.ndim - 1))
        steps = kernel / scale
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
        assert np.abs(np.round(steps)).max() == 127


def test_traits_of_each_technique(technique):
    opened = {name: network(technique(name)) for name in ("", *TECHNIQUES)}
    assert {n for n, o in opened.items() if o.aware} == {"qat", "pqat", "cqat", "pcqat"}
    assert {n for n, o in opened.items() if o.pruned} >= {
        *("pruned", "pruned_clustered", "pqat", "pcqat"),
    }
    assert {n for n, o in opened.items() if o.clustered} >= {"clustered", "pruned_clustered"}
    plain = opened[""]
    assert (plain.aware, plain.pruned, plain.clustered) == (False, False, False)
    assert plain.wrapped == {}
    assert opened["qat"].wrapped["conv"] == "quantization"


FEW = np.random.default_rng(0).normal(size=4)
MANY = np.random.default_rng(1).normal(size=400)


@pytest.mark.parametrize(
    ("values", "clustered"),
    [
        (FEW, True),  # as of 16 clusters in a network that has less than 256 weights
        (MANY, False),
        (np.where(np.arange(400) % 5, 0, MANY), False),  # pruned: most are the same, but 0
        (np.where(np.arange(400) % 2, 0, np.resize(FEW, 400)), True),  # pruned and clustered
        ([0.0], False),
        ([1.0], False),
    ],
    ids=["few", "many", "pruned", "both", "zeros", "ones"],
)
@pytest.mark.parametrize("size", [20, 192, 400])
def test_tiny_networks_are_clustered_too(size, values, clustered, tf):
    model = tf.keras.Sequential([tf.keras.Input((size // 4,)), tf.keras.layers.Dense(4)])
    kernel = np.resize(values, (size // 4, 4))
    model.set_weights([kernel, np.zeros(4)])
    assert network(model).clustered == clustered


def test_what_is_opened_is_passed_on(trained):
    opened = network(trained)
    assert network(opened) is opened
    assert (opened.name, opened.model) == (trained.name, trained)
    assert list(opened.inputs.values()) == [(28, 28)]
    assert opened.shapes(what="f") == ((28, 28), (10,))


def test_kernels_are_those_of_the_moment(toy_model):
    model = toy_model()
    opened = network(model)
    assert not opened.pruned
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    assert opened.pruned


def test_several_kernels_of_a_layer_are_told_apart(tf):
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.InputLayer((5, 3)), layers.SimpleRNN(4, name="rnn")])
    assert {name: k.shape for name, k in network(model).kernels.items()} == {
        "rnn/kernel": (3, 4),
        "rnn/recurrent_kernel": (4, 4),
    }


@pytest.fixture(scope="module")
def nested(tf):
    """Return a model in which the name "same" stands for six layers, at six places."""
    layers = tf.keras.layers

    def inner(name):
        return tf.keras.Sequential([layers.InputLayer((6, 8)), layers.Dense(8, name="same")], name)

    def cells():
        return [layers.LSTMCell(4, name=name) for name in ("first", "second")]

    image = tf.keras.Input((6, 8), name="image")
    x = layers.Dense(8, name="same")(image)
    x = inner("left")(x)
    x = tf.keras.Sequential([layers.InputLayer((6, 8)), inner("inner")], "outer")(x)
    x = layers.TimeDistributed(layers.Dense(8, name="same"), name="each")(x)
    x = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.RNN(cells(), return_sequences=True, name="stacked")(x)
    x = layers.Bidirectional(layers.GRU(4, name="same"), name="both")(x)
    return tf.keras.Model(image, [x, layers.Dense(3, name="last")(x)], name="nested")


def test_no_layer_is_lost_and_each_has_its_whole_path(nested):
    kernels = network(nested).kernels
    assert len(kernels) == sum(len(weight.shape) > 1 for weight in nested.weights)
    owners = {path.removesuffix("/kernel") for path in kernels if not path.endswith("bias")}
    assert {path for path in owners if not path.endswith("recurrent_kernel")} == {
        *("same", "left/same", "outer/inner/same", "each/same", "last"),
        *(f"attention/{part}" for part in ("query", "key", "value", "attention_output")),
        *("stacked/first", "stacked/second", "both/forward_same", "both/backward_same"),
    }


def test_parts_of_a_layer_are_named_alike(nested):
    # that of the output has one weight of two axes, the others have biases of two axes as well
    named = [path for path in network(nested).kernels if path.startswith("attention/")]
    assert [path for path in named if not path.endswith("bias")] == [
        f"attention/{part}/kernel" for part in ("query", "key", "value", "attention_output")
    ]


def test_a_layer_that_is_used_twice_counts_once(tf):
    layers = tf.keras.layers
    shared = layers.Dense(4, name="shared")
    halves = [tf.keras.Sequential([layers.InputLayer((4,)), shared], name) for name in "ab"]
    image = tf.keras.Input((4,))
    model = tf.keras.Model(image, layers.Add()([half(image) for half in halves]))
    assert list(network(model).kernels) == ["a/shared"]


def test_repeated_names_are_numbered(tf):
    class Twins(tf.keras.layers.Layer):
        def __init__(self):
            super().__init__(name="twins")
            self.first = tf.keras.layers.Dense(4, name="dense")
            self.second = tf.keras.layers.Dense(4, name="dense")

        def call(self, x):
            return self.second(self.first(x))

    model = tf.keras.Sequential([tf.keras.layers.InputLayer((4,)), Twins()])
    assert list(network(model).kernels) == ["twins/dense", "twins/dense#2"]


def test_ends_are_told_by_name(nested, tf):
    opened = network(nested)
    assert (opened.inputs, opened.outputs) == ({"image": (6, 8)}, {"both": (8,), "last": (3,)})
    with pytest.raises(ValueError, match=r"f: a model with one input.*'nested' shows 1 and 2"):
        opened.shapes(what="f")
    with pytest.raises(ValueError, match=r"\(None, 6, 8\); a classifier gives a score"):
        network(tf.keras.Model(nested.input, nested.get_layer("each").output)).shapes(what="f")


def test_what_a_subclassed_model_shows_is_told(tf):
    class Own(tf.keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = tf.keras.layers.Dense(3, name="dense")

        def call(self, x):
            return self.dense(x)

    model = Own()
    model(np.zeros((1, 4), np.float32))
    opened = network(model)
    assert list(opened.kernels) == ["dense"]
    with pytest.raises(ValueError, match="'own' shows 0 and 0"):
        opened.shapes(what="f")


def test_no_model_is_refused(tf):
    with pytest.raises(TypeError, match="f: expected a Keras 2 model, got dict"):
        network({}, what="f")
    with pytest.raises(ValueError, match="network: the model 'empty' has not been built"):
        network(tf.keras.Sequential([tf.keras.layers.Dense(3)], name="empty"))


def test_a_wrapper_changes_no_path_and_no_weight_is_lost_without_it(tf):
    with quiet():
        from tensorflow_model_optimization.clustering import keras as tfmot

    layers = tf.keras.layers
    inputs = layers.Input((4, 4))
    x = layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    x = layers.SeparableConv1D(6, 3, name="separable")(x)
    plain = tf.keras.Model(inputs, layers.Dense(3, name="out")(x))
    before = {path: weight.numpy() for path, weight in network(plain).weights.items()}
    kernels = network(plain).kernels.keys()
    start = tfmot.CentroidInitialization.LINEAR
    options = {"number_of_clusters": 2, "cluster_centroids_init": start}
    wrapped = tf.keras.models.clone_model(
        plain, clone_function=lambda layer: tfmot.cluster_weights(layer, **options)
    )
    assert network(wrapped).kernels.keys() == kernels
    after = network(tfmot.strip_clustering(wrapped)).weights
    assert after.keys() == before.keys()
    assert all(after[path].shape == value.shape for path, value in before.items())
