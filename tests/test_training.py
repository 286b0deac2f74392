"""Training is Keras's own, seeded to the bit, and looked up where it was done before."""

import dataclasses
import importlib.metadata
import json
import random

import numpy as np
import pytest

import qkit as qk
from qkit import training
from qkit.training import History


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def trainings(monkeypatch):
    """Return a list that grows with each training, which is only pretended."""
    for name in qk.__all__:  # a module that is first loaded while others pretend would go on so
        getattr(qk, name)
    done = []

    def pretend(model, *args, **options):
        done.append(model)
        return {"loss": [1.0], "accuracy": [0.5], "val_loss": [], "val_accuracy": []}

    monkeypatch.setattr(training, "run_epochs", pretend)
    return done


def assert_same(weights, others):
    for weight, other in zip(weights, others, strict=True):
        np.testing.assert_array_equal(weight, other)


def fitted(model, data, **options):
    history = qk.fit(
        model, data, **{"epochs": 2, "batch_size": 8, "seed": 5, "cache": False, **options}
    )
    return model.get_weights(), history


@pytest.fixture(scope="module")
def first(toy_model, toy_data):
    """Return the weights and the history of a first training, which others are held against."""
    return fitted(toy_model(), toy_data)


def test_equals_keras_own_fit_to_the_bit(tf, first, toy_model, toy_data):
    weights, history = first
    plain = toy_model()
    tf.keras.utils.set_random_seed(5)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    plain.compile("adam", loss, metrics=["accuracy"])
    x, y = toy_data.x_train, toy_data.y_train
    curves = plain.fit(x, y, batch_size=8, epochs=2, validation_split=0.1, verbose=0).history
    assert_same(weights, plain.get_weights())
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert getattr(history, name) == pytest.approx(curves[name], rel=1e-5)


@pytest.mark.slow
def test_same_weights_again_without_a_word_or_a_trace(first, toy_model, toy_data, capfd):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    expected = random.random(), np.random.random()  # noqa: NPY002
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    model = toy_model()
    assert_same(fitted(model, toy_data)[0], first[0])
    assert (random.random(), np.random.random()) == expected  # noqa: NPY002
    assert capfd.readouterr() == ("", "")
    # training on starts with a new optimizer: a copy of the weights is enough to repeat it
    copy = toy_model()
    copy.set_weights(first[0])
    assert_same(fitted(model, toy_data)[0], fitted(copy, toy_data)[0])


def test_other_seed_other_weights(first, toy_model, toy_data):
    other, _ = fitted(toy_model(), toy_data, seed=6)
    assert not np.array_equal(first[0][0], other[0])


def test_history_has_a_row_an_epoch_and_says_how_it_ended(first):
    _, history = first
    frame = history.to_frame()
    assert list(frame.columns) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert (frame.index.name, frame.index.tolist()) == ("epoch", [1, 2])
    assert str(history).startswith(f"2 epochs, training accuracy {history.accuracy[-1]:.4f}, val")
    assert str(history).endswith(" s")


def test_history_without_validation():
    history = History((0.5,), (0.75,), (), (), seconds=1.25, from_cache=False)
    assert list(history.to_frame().columns) == ["loss", "accuracy"]
    assert str(history) == "1 epoch, training accuracy 0.7500, in 1.2 s"


def test_cached_training_gives_the_same_weights_and_history(first, toy_model, toy_data):
    again, trained = fitted(toy_model(), toy_data, cache=True)
    cached, found = fitted(toy_model(), toy_data, cache=True)
    assert_same(first[0], again)
    assert_same(first[0], cached)
    assert (trained.from_cache, found.from_cache) == (False, True)
    assert dataclasses.replace(found, from_cache=False) == trained
    assert str(found).endswith("from the cache")


@pytest.mark.slow
def test_a_fit_from_the_cache_leaves_what_a_fit_leaves(tf, toy_data):
    layers, glorot = tf.keras.layers, tf.keras.initializers.GlorotUniform

    def build():
        middle = layers.Flatten(), layers.Dropout(0.5), layers.BatchNormalization()
        dense = layers.Dense(3, kernel_initializer=glorot(1))
        return tf.keras.Sequential([layers.InputLayer((4, 4)), *middle, dense])

    def left(**options):
        """Return what comes after a fit, and whether it was looked up."""
        tf.keras.utils.set_random_seed(99)
        model = build()
        _, history = fitted(model, toy_data, **options)
        dense = layers.Dense(1)
        dense.build((None, 2))
        drawn = random.random(), np.random.random(), float(tf.random.uniform(()))  # noqa: NPY002
        told = (*drawn, *dense.kernel.numpy().ravel(), int(model.optimizer.iterations))
        told += (
            model.optimizer.get_config(),
            model.evaluate(toy_data.x_test, toy_data.y_test, verbose=0),
        )
        model.fit(toy_data.x_train, toy_data.y_train, shuffle=False, verbose=0)  # goes on alike
        return (*told, [weight.tolist() for weight in model.get_weights()]), history.from_cache

    (trained, was), (cached, found), (neither, _) = (
        left(cache=True),
        left(cache=True),
        left(cache=False),
    )
    assert (was, found) == (False, True)
    assert trained == cached == neither


def test_weights_of_another_number_of_threads_are_not_served(
    trainings, toy_model, toy_data, monkeypatch
):
    for threads in ("2 threads", "1 thread", "1 thread"):
        monkeypatch.setattr(training, "machine", lambda threads=threads: threads)
        fitted(toy_model(), toy_data, cache=True)
    assert len(trainings) == 2


def test_entry_of_another_format_is_trained_again(trainings, toy_model, toy_data, cache_folder):
    fitted(toy_model(), toy_data, cache=True)
    (entry,) = cache_folder.iterdir()
    with np.load(entry) as arrays:
        arrays = dict(arrays)
    record = json.loads(str(arrays.pop("record")))
    del record["val_loss"]
    np.savez(entry, record=json.dumps(record), **arrays)
    with pytest.warns(UserWarning, match=r"val_loss.* training again"):
        assert not fitted(toy_model(), toy_data, cache=True)[1].from_cache
    assert fitted(toy_model(), toy_data, cache=True)[1].from_cache


def test_edited_code_that_trains_is_seen(trainings, toy_model, toy_data, monkeypatch):
    fitted(toy_model(), toy_data, cache=True)
    pretend = training.run_epochs

    def run_epochs(model, *args, **options):
        return pretend(model, *args, **options, shuffle=False)

    monkeypatch.setattr(training, "run_epochs", run_epochs)
    fitted(toy_model(), toy_data, cache=True)
    assert len(trainings) == 2


def test_without_the_cache_nothing_is_kept(trainings, toy_model, toy_data, cache_folder):
    fitted(toy_model(), toy_data, cache=False)
    assert len(trainings) == 1
    assert not list(cache_folder.iterdir())


def test_repeated_training_is_looked_up(trainings, toy_model, toy_data):
    for _ in range(3):
        fitted(toy_model(), toy_data, cache=True)
    assert len(trainings) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 3},
        {"seed": 6},
        {"batch_size": 16},
        {"validation_split": 0.2},
        {"learning_rate": 2e-3},
    ],
    ids=str,
)
def test_key_depends_on_the_arguments(trainings, toy_model, toy_data, options):
    fitted(toy_model(), toy_data, cache=True)
    fitted(toy_model(), toy_data, cache=True, **options)
    assert len(trainings) == 2


@pytest.mark.parametrize(
    "change",
    [("x_train", (99, 3, 3), 0.123), ("y_train", 99, 0)],
    ids=lambda change: change[0],
)
def test_key_depends_on_the_data(trainings, toy_model, toy_data, changed, change):
    data = changed(toy_data, "y_train", 99, 1)
    fitted(toy_model(), data, cache=True)
    fitted(toy_model(), changed(data, *change), cache=True)
    assert len(trainings) == 2


def test_key_does_not_depend_on_the_test_images(trainings, toy_model, toy_data, changed):
    fitted(toy_model(), toy_data, cache=True)
    fitted(toy_model(), changed(toy_data, "x_test", 0, 0), cache=True)
    assert len(trainings) == 1


def test_key_depends_on_the_architecture(trainings, toy_model, toy_data):
    fitted(toy_model(), toy_data, cache=True)
    fitted(toy_model(activation="relu6"), toy_data, cache=True)
    assert len(trainings) == 2


def test_key_depends_on_the_initial_weights(trainings, toy_model, toy_data):
    model = toy_model()
    fitted(model, toy_data, cache=True)
    *others, bias = model.get_weights()
    model.set_weights([*others, bias + 1])
    fitted(model, toy_data, cache=True)
    assert len(trainings) == 2


def test_key_depends_on_which_layer_feeds_which(trainings, tf, toy_data):
    layers = tf.keras.layers

    def build(crossed):
        image = tf.keras.Input((4, 4))
        dense = [layers.Dense(3, kernel_initializer="ones") for _ in range(2)]
        first = dense[0](layers.Flatten()(image))
        second = dense[1](first)
        logits = layers.Subtract()([first, second] if crossed else [second, first])
        return tf.keras.Model(image, logits)

    fitted(build(True), toy_data, cache=True)
    fitted(build(False), toy_data, cache=True)
    assert len(trainings) == 2


def test_key_depends_on_the_versions(trainings, toy_model, toy_data, monkeypatch):
    fitted(toy_model(), toy_data, cache=True)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0")
    fitted(toy_model(), toy_data, cache=True)
    assert len(trainings) == 2


def test_key_does_not_depend_on_what_the_process_built_before(trainings, tf, toy_data, toy_model):
    def unnamed():
        layers = tf.keras.layers
        dense = layers.Dense(3, kernel_initializer="ones")
        return tf.keras.Sequential([layers.InputLayer((4, 4)), layers.Flatten(), dense])

    for build in (unnamed, lambda: qk.quantization_aware(toy_model())):
        trainings.clear()
        models = [build(), build()]
        assert models[0].to_json() != models[1].to_json()
        for model in models:
            fitted(model, toy_data, cache=True)
        assert len(trainings) == 1


def test_damaged_entry_is_said_retrained_and_replaced(trainings, toy_model, toy_data, cache_folder):
    fitted(toy_model(), toy_data, cache=True)
    (entry,) = cache_folder.iterdir()
    entry.write_bytes(entry.read_bytes()[:-50])
    with pytest.warns(UserWarning, match=rf"{entry.name} is damaged .* training again"):
        _, history = fitted(toy_model(), toy_data, cache=True)
    assert not history.from_cache
    assert len(trainings) == 2
    assert fitted(toy_model(), toy_data, cache=True)[1].from_cache
    assert len(trainings) == 2


def test_without_write_permission_training_does_not_start(
    trainings, toy_model, toy_data, cache_folder, monkeypatch
):
    (cache_folder / "plain file").write_text("")
    monkeypatch.setenv("QKIT_CACHE", str(cache_folder / "plain file" / "below"))
    with pytest.raises(PermissionError, match="pass cache=False"):
        fitted(toy_model(), toy_data, cache=True)
    assert not trainings
    fitted(toy_model(), toy_data, cache=False)
    assert len(trainings) == 1


def test_a_shipped_training_needs_no_folder_of_ones_own(
    trainings, toy_model, toy_data, cache_folder, monkeypatch, ship
):
    fitted(toy_model(), toy_data, cache=True)
    ship(cache_folder)
    (cache_folder / "plain file").write_text("")
    monkeypatch.setenv("QKIT_CACHE", str(cache_folder / "plain file" / "below"))
    _, history = fitted(toy_model(), toy_data, cache=True)
    assert history.shipped
    assert str(history).endswith("shipped with qkit")
    assert len(trainings) == 1


def squared_error(targets, outputs):
    return (targets - outputs) ** 2


@pytest.mark.slow
def test_a_loss_of_ones_own_equals_keras_own_fit(tf, toy_model, toy_data):
    halves = dataclasses.replace(toy_data, y_train=toy_data.x_train.sum(axis=(1, 2))[:, None] / 9)
    weights, history = fitted(toy_model(classes=1), halves, loss=squared_error)
    plain = toy_model(classes=1)
    tf.keras.utils.set_random_seed(5)
    plain.compile("adam", "mse")
    x, y = halves.x_train, halves.y_train
    plain.fit(x, y, batch_size=8, epochs=2, validation_split=0.1, verbose=0)
    assert_same(weights, plain.get_weights())
    assert history.accuracy == ()
    assert len(history.val_loss) == 2
    assert "validation loss" in history.summary()
    assert "accuracy" not in history.summary()


def test_key_depends_on_the_loss(trainings, toy_model, toy_data):
    def squared_error(targets, outputs):  # of the same name, and another one
        return 2 * (targets - outputs) ** 2

    onehot = dataclasses.replace(toy_data, y_train=np.eye(3)[toy_data.y_train])
    for loss in (globals()["squared_error"], squared_error, squared_error):
        fitted(toy_model(), onehot, cache=True, loss=loss)
    assert len(trainings) == 2
