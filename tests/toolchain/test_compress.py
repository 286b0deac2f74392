"""Pruning reaches its sparsity, clustering its number of values; the model is left alone."""

import numpy as np
import pytest

import qkit as qk
from qkit.networks import network
from qkit.quantize.coding import distinct_values, sparsity


@pytest.fixture(scope="module")
def tfmot(tf):
    with qk.quiet():
        import tensorflow_model_optimization

        return tensorflow_model_optimization


def short(model, data, **options):
    return qk.prune(model, data, **{"epochs": 1, "cache": False, **options})


def clustered(model, data, **options):
    return qk.cluster(model, data, **{"cache": False, **options})


@pytest.fixture(scope="module")
def compressed(trained, few_digits):
    """Return what pruning and clustering make of `trained` today."""
    pruned, _ = short(trained, few_digits)
    both, _ = clustered(pruned, few_digits, preserve_sparsity=True)
    return {
        "pruned": pruned,
        "clustered": clustered(trained, few_digits)[0],
        "pruned_clustered": both,
    }


@pytest.fixture
def separable(tf):
    """Return what builds a small network of a convolution, a depthwise and a dense layer."""
    layers = tf.keras.layers

    def build():
        return tf.keras.Sequential(
            [
                layers.InputLayer((28, 28), name="image"),
                layers.Reshape((28, 28, 1), name="reshape"),
                layers.Conv2D(8, 3, 4, name="stem"),
                layers.DepthwiseConv2D(3, name="deep"),
                layers.Flatten(name="flatten"),
                layers.Dense(10, name="logits"),
            ]
        )

    return build


@pytest.mark.parametrize(("schedule", "share"), [("polynomial", 0.9), ("constant", 0.5)])
def test_sparsity_is_reached(schedule, share, trained, few_digits):
    model, history = short(trained, few_digits, sparsity=share, schedule=schedule)
    for name, kernel in network(model).kernels.items():
        assert sparsity(kernel) == pytest.approx(share, abs=0.5 / min(kernel.size, 1000) + 1e-3)
        assert history.sparsity[name][-1] == sparsity(kernel)
        assert history.distinct_values[name][-1] == np.unique(kernel).size
    rising = history.sparsity["logits"]
    assert rising[0] == 0
    if schedule == "polynomial":
        assert (np.diff(rising) >= 0).all()
        assert len(np.unique(rising)) > 5
    else:
        assert (rising[1:] == rising[-1]).all()


@pytest.mark.slow
def test_history_counts_steps_and_ends_with_the_model_returned(trained, digits):
    model, history = short(trained, digits, epochs=2)
    per_epoch = int(np.ceil(int(len(digits.x_train) * 0.9) / 32))
    assert history.steps[0] == 0
    assert history.steps[-1] == 2 * per_epoch
    assert (np.diff(history.steps) > 0).all()
    assert len(history.steps) >= 20
    held_out = slice(int(len(digits.x_train) * 0.9), None)
    x, y = digits.x_train[held_out], digits.y_train[held_out]
    assert history.accuracy[-1] == pytest.approx(qk.accuracy(model, x, y).accuracy, abs=1e-9)
    assert history.accuracy[0] == pytest.approx(qk.accuracy(trained, x, y).accuracy, abs=1e-9)
    assert f"logits 0.0% → {sparsity(network(model).kernels['logits']):.1%} zeros" in str(history)


@pytest.mark.parametrize("name", ["pruned", "clustered"])
def test_the_model_is_left_alone_and_the_copy_is_stripped(name, trained, compressed, kept_weights):
    before, model = kept_weights("trained"), compressed[name]
    assert [type(layer) for layer in model.layers] == [type(layer) for layer in trained.layers]
    assert [layer.name for layer in model.layers] == [layer.name for layer in trained.layers]
    assert [w.shape for w in model.get_weights()] == [w.shape for w in before]
    for weight, old in zip(trained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    assert not {id(v) for v in model.variables} & {id(v) for v in trained.variables}


@pytest.mark.slow
def test_two_of_four_along_the_input_channels(tfmot, trained, few_digits):
    from tensorflow_model_optimization.python.core.sparsity.keras import pruning_utils

    model, history = short(trained, few_digits, pattern="2:4")
    dense, conv = (model.get_layer(name).kernel for name in ("logits", "conv"))
    groups = np.count_nonzero(dense.numpy().T.reshape(10, -1, 4), axis=-1)
    assert (groups <= 2).all()
    assert pruning_utils.is_pruned_m_by_n(dense)
    assert sparsity(conv.numpy()) == 0
    assert history.left_alone == {"conv": "1 input channels are not a multiple of 4"}
    assert "left alone: conv (1 input channels are not a multiple of 4)" in str(history)


def test_where_nothing_fits_the_pattern_nothing_is_trained(tf, toy_data):
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((4, 4)), layers.Flatten(), layers.Dense(3), layers.Dense(3, name="last")]
    )
    _, history = short(model, toy_data, pattern="2:4")
    assert history.left_alone == {"last": "3 input channels are not a multiple of 4"}
    alone = tf.keras.Sequential([layers.InputLayer((4, 4)), layers.Lambda(lambda x: x[:, 0, :3])])
    for train in (qk.prune, qk.cluster):
        with pytest.raises(ValueError, match="It has no kernels"):
            train(alone, toy_data)
    three = tf.keras.Sequential([layers.InputLayer((3,)), layers.Dense(3, name="last")])
    narrow = qk.Dataset(toy_data.x_train[:, 0, :3], toy_data.y_train, None, None, "narrow", "")
    with pytest.raises(ValueError, match=r"nothing to prune.*last: 3 input channels are not"):
        qk.prune(three, narrow, pattern="2:4")


@pytest.mark.slow
def test_blocks_go_together(trained, few_digits):
    model, history = short(trained, few_digits, sparsity=0.75, pattern=(4, 2))
    blocks = (model.get_layer("logits").kernel.numpy() != 0).reshape(507, 4, 5, 2)
    kept = blocks.sum(axis=(1, 3))
    assert set(np.unique(kept)) == {0, 8}
    assert np.mean(kept == 0) == pytest.approx(0.75, abs=0.01)
    assert "blocks are for dense kernels" in history.left_alone["conv"]


@pytest.mark.slow
def test_depthwise_kernels_are_named_and_not_skipped_in_silence(few_digits, separable):
    model, history = short(separable(), few_digits)
    assert set(history.left_alone) == {"deep"}
    assert "DepthwiseConv2D" in history.left_alone["deep"]
    for name, kernel in network(model).kernels.items():
        assert (sparsity(kernel) > 0.7) == (name != "deep")


def test_a_layer_unknown_to_the_library_is_refused_by_name(tf, toy_data):
    class Scaled(tf.keras.layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight("kernel", shape=(shape[-1], shape[-1]))

        def call(self, x):
            return x @ self.kernel

    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.InputLayer((4, 4)), layers.Flatten(), Scaled(name="own"), layers.Dense(3)]
    )
    with pytest.raises(ValueError, match=r"layer 'own' \(Scaled\).*get_prunable_weights"):
        qk.prune(model, toy_data)
    with pytest.raises(ValueError, match=r"layer 'own' \(Scaled\).*ClusterableLayer"):
        qk.cluster(model, toy_data)


def test_seeded_to_the_bit_and_looked_up(trained, few_digits, compressed):
    first, told = qk.prune(trained, few_digits, epochs=1)
    again, looked_up = qk.prune(trained, few_digits, epochs=1)
    anew = compressed["pruned"]  # trained without the cache
    assert (told.from_cache, looked_up.from_cache) == (False, True)
    for weight, second, third in zip(
        first.get_weights(), again.get_weights(), anew.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weight, second)
        np.testing.assert_array_equal(weight, third)
    for name in ("steps", "sparsity", "distinct_values", "accuracy"):
        np.testing.assert_equal(getattr(told, name), getattr(looked_up, name))


def test_forgetting_to_strip_is_found_and_explained(tf, tfmot, trained, digits):
    wrapped = tfmot.sparsity.keras.prune_low_magnitude(tf.keras.models.clone_model(trained))
    with pytest.raises(ValueError, match=r"still wrapped for pruning.*strip_pruning\(model\)"):
        qk.convert(wrapped, "float32")
    tied = tfmot.clustering.keras.cluster_weights(
        tf.keras.models.clone_model(trained),
        number_of_clusters=4,
        cluster_centroids_init=tfmot.clustering.keras.CentroidInitialization.LINEAR,
    )
    for refuse in (
        lambda: qk.convert(tied, "full_integer", digits.x_train[:9]),
        lambda: qk.quantization_aware(tied),
        lambda: qk.prune(tied, digits),
    ):
        with pytest.raises(ValueError, match="strip_clustering"):
            refuse()
    stripped = tfmot.sparsity.keras.strip_pruning(wrapped)
    assert qk.convert(stripped, "float32")[4:8] == b"TFL3"


def test_zeros_have_no_sign(tf, compressed, trained):
    """The library leaves −0.0 behind, in which a compressor sees another value."""
    for name in ("pruned", "pruned_clustered"):
        for kernel in network(compressed[name]).kernels.values():
            assert not np.signbit(kernel[kernel == 0]).any()
    model, other = compressed["pruned"], tf.keras.models.clone_model(trained)
    signs = np.sign(trained.get_layer("logits").get_weights()[0]).astype(np.float32)
    other.set_weights(model.get_weights())
    kernel, bias = other.get_layer("logits").get_weights()
    other.get_layer("logits").set_weights([np.where(kernel == 0, 0 * signs, kernel), bias])
    plain, signed = (qk.size(qk.convert(m, "float32")).deflated_bytes for m in (model, other))
    assert plain < 0.95 * signed


def test_zeros_shrink_the_deflated_file_alone(trained, compressed):
    dense, pruned = (
        qk.size(qk.convert(model, "float32")) for model in (trained, compressed["pruned"])
    )
    assert pruned.size_bytes == dense.size_bytes
    assert pruned.deflated_bytes < 0.45 * dense.deflated_bytes


@pytest.mark.parametrize("init", ["linear", "density"])  # others are drawn below, and by default
def test_no_more_values_than_clusters(init, trained, few_digits):
    model, history = clustered(trained, few_digits, clusters=5, init=init)
    for name, kernel in network(model).kernels.items():
        assert 2 <= distinct_values(kernel) <= 5
        assert history.distinct_values[name][-1] == distinct_values(kernel)
        assert history.distinct_values[name][0] <= 5
    assert history.left_alone == {}


@pytest.mark.slow
def test_each_channel_has_its_own_values(few_digits, separable):
    model, history = clustered(separable(), few_digits, clusters=3, per_channel=True)
    assert set(history.left_alone) == {"deep"}
    conv = model.get_layer("stem").kernel.numpy()
    assert max(distinct_values(conv[..., c]) for c in range(8)) <= 3
    assert 3 < distinct_values(conv) <= 24
    assert distinct_values(model.get_layer("logits").kernel.numpy()) <= 3


def test_centroids_are_trained(trained, few_digits, compressed):
    still, _ = clustered(trained, few_digits, learning_rate=0.0)
    assert not np.array_equal(
        *(np.unique(network(model).kernels["logits"]) for model in (still, compressed["clustered"]))
    )


def test_layers_with_too_few_weights_and_depthwise_ones_are_named(few_digits, separable):
    _, history = clustered(separable(), few_digits, clusters=16, per_channel=True)
    assert set(history.left_alone) == {"stem", "deep"}
    assert history.left_alone["stem"] == "9 weights are no more than 16 clusters"


@pytest.mark.slow
def test_drawn_centroids_are_seeded_to_the_bit(trained, few_digits):
    first, second = (
        clustered(trained, few_digits, clusters=4, init="random", seed=1)[0] for _ in range(2)
    )
    for weight, again in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, again)


def test_zeros_survive_where_asked_for_and_only_there(compressed, few_digits):
    pruned = compressed["pruned"]
    kept = compressed["pruned_clustered"]
    lost, _ = clustered(pruned, few_digits)
    for name, before in network(pruned).kernels.items():
        assert sparsity(network(kept).kernels[name]) >= sparsity(before) > 0.75
        assert distinct_values(network(kept).kernels[name]) <= 16
        assert sparsity(network(lost).kernels[name]) < 0.01


@pytest.mark.slow
def test_the_other_way_round_pruning_unties_the_clusters(compressed, few_digits):
    before = compressed["clustered"]
    pruned, _ = short(before, few_digits)
    assert distinct_values(network(before).kernels["logits"]) <= 16
    assert distinct_values(network(pruned).kernels["logits"]) > 1_000
