"""Whatever network, task and data one comes with: a table whose figures a plain loop gives too."""

import contextlib
import dataclasses
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

import qkit as qk
from qkit.evaluate.accuracy import judged
from qkit.evaluate.tasks import METRICS
from qkit.samples import gathered, labelled

RNG = np.random.default_rng(0)
X = RNG.random((120, 12)).astype(np.float32)
THREE = (3 * X[:, 0]).astype(np.int64)
YES = X[:, 0] > 0.5
SUM = X[:, :3].sum(axis=1)
SEVERAL = (X[:, :5] > 0.5).astype(np.int64)
SEVERAL[:5] = 0  # not one of them is a class
META = RNG.random((120, 4)).astype(np.float32)
PICTURES = RNG.random((40, 16, 16, 3)).astype(np.float32)
PIXELS = (PICTURES.mean(axis=3) * 4).astype(np.int64)
OF_PICTURES = np.arange(40) % 3
STEPS = RNG.random((40, 3, 4)).astype(np.float32)
TOKENS = RNG.integers(0, 500, (120, 8)).astype(np.int32)
SCHEMES = ["float16", "full_integer"]


def dense(n, activation=None, *, size=12, keras=None):
    """Return a function from TensorFlow to a network of two layers, of Keras 2 or another."""

    def build(tf):
        k = keras or tf.keras
        hidden = k.layers.Dense(32, activation="relu")
        layers = [k.Input((size,)), hidden, k.layers.Dense(n, activation=activation)]
        return k.Sequential(layers)

    return build


def convolution(classes, activation=None):
    def build(tf):
        layers = tf.keras.layers
        inside = layers.Conv2D(8, 3, padding="same", activation="relu")
        last = layers.Conv2D(classes, 1, activation=activation)
        return tf.keras.Sequential([tf.keras.Input((16, 16, 3)), inside, last])

    return build


def pooled(*first, shape=(16, 16, 3), dtype=None, batch_size=None):
    def build(tf):
        layers = tf.keras.layers
        given = tf.keras.Input(shape, dtype=dtype, batch_size=batch_size)
        x = given
        for name, argument in first:
            x = getattr(layers, name)(argument)(x)
        x = layers.Conv2D(8, 3, activation="relu")(x)
        return tf.keras.Model(given, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))

    return build


def recurrent(kind):
    def build(tf):
        layers = tf.keras.layers
        inside = layers.Bidirectional(layers.GRU(4)) if kind == "both" else getattr(layers, kind)(4)
        return tf.keras.Sequential([tf.keras.Input((3, 4)), inside, layers.Dense(3)])

    return build


def recurrent_inside(tf):
    """Return a network with a loop in a model inside, beside a layer of one's own."""

    class Twice(tf.keras.layers.Layer):
        def call(self, x):
            return 2 * x

    layers, given = tf.keras.layers, tf.keras.Input((3, 4))
    inside = tf.keras.Sequential([tf.keras.Input((3, 4)), Twice(), layers.SimpleRNN(4)])
    return tf.keras.Model(given, layers.Dense(3)(inside(given)))


def of_tokens(dtype):
    def build(tf):
        layers = tf.keras.layers
        parts = [layers.Embedding(500, 16), layers.GlobalAveragePooling1D(), layers.Dense(3)]
        return tf.keras.Sequential([tf.keras.Input((8,), dtype=dtype), *parts])

    return build


def two_inputs(tf):
    layers = tf.keras.layers
    table, meta = tf.keras.Input((12,), name="table"), tf.keras.Input((4,), name="meta")
    x = layers.Concatenate()([table, meta])
    return tf.keras.Model([table, meta], layers.Dense(3)(layers.Dense(16, activation="relu")(x)))


def dict_output(tf):
    given = tf.keras.Input((12,))
    return tf.keras.Model(given, {"class": tf.keras.layers.Dense(3)(given)})


def subclassed(tf):
    class Net(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.a = tf.keras.layers.Dense(32, activation="relu")
            self.b = tf.keras.layers.Dense(3)

        def call(self, x):
            return self.b(self.a(x))

    net = Net()
    net(X[:1])
    return net


def mixed(tf):
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        layers = tf.keras.layers
        inside = [layers.Dense(32), layers.BatchNormalization(), layers.ReLU()]
        last = layers.Dense(3, dtype="float32")
        return tf.keras.Sequential([tf.keras.Input((12,)), *inside, last])
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def written_as_plus(tf):
    layers = tf.keras.layers
    given = tf.keras.Input((12,))
    hidden = layers.Dense(16, activation="relu")(given)
    return tf.keras.Model(given, layers.Dense(3)(layers.Dense(16)(hidden) + hidden))


def pairs_of(tf, batch=None):
    found = tf.data.Dataset.from_tensor_slices((X, THREE))
    return found if batch is None else found.batch(batch)


def right(outputs, y):
    return np.mean(outputs.argmax(axis=1) == np.ravel(y))


def rmse(outputs, y):
    return np.sqrt(np.mean((np.ravel(outputs) - np.ravel(y)) ** 2))


def at(threshold):
    return lambda outputs, y: np.mean((np.ravel(outputs) > threshold) == np.ravel(y))


def mean_iou(outputs, y):
    found = outputs.argmax(axis=3) if outputs.shape[3] > 1 else outputs > 0.5
    return jaccard_score(np.ravel(y), np.ravel(found), average="macro")


def f1(outputs, y):
    return f1_score(y, outputs > 0.5, average="micro")


# By kind: the network, items, targets, name of what is counted, and that by other code than ours.
KINDS = {
    "classes": (dense(3), X, THREE, "accuracy", right),
    "softmax, labels in a column": (dense(3, "softmax"), X, THREE[:, None], "accuracy", right),
    "labels in float": (dense(3), X, THREE.astype(np.float32), "accuracy", right),
    "one-hot labels": (
        dense(3), X, np.eye(3)[THREE], "accuracy", lambda given, y: right(given, y.argmax(1)),
    ),
    "one sigmoid": (dense(1, "sigmoid"), X, YES, "accuracy at 0.5", at(0.5)),
    "one logit": (dense(1), X, YES[:, None].astype(int), "accuracy at 0", at(0)),
    "regression": (dense(1), X, SUM, "RMSE", rmse),
    "points": (dense(2), X, X[:, :2], "RMSE", rmse),
    "several labels": (dense(5, "sigmoid"), X, SEVERAL, "F1 of labels", f1),
    "segmentation": (convolution(4), PICTURES, PIXELS, "mean IoU", mean_iou),
    "mask": (convolution(1, "sigmoid"), PICTURES, PIXELS[..., None] > 1, "mean IoU", mean_iou),
    "pictures out": (convolution(3), PICTURES, PICTURES, "RMSE", rmse),
    "free height and width": (
        pooled(shape=(None, None, 3)), PICTURES, OF_PICTURES, "accuracy", right,
    ),
    "fixed batch": (pooled(batch_size=8), PICTURES, OF_PICTURES, "accuracy", right),
    "uint8": (
        pooled(("Rescaling", 1 / 255), dtype="uint8"),
        (255 * PICTURES).astype(np.uint8), OF_PICTURES, "accuracy", right,
    ),
    "pixels that the network scales": (
        pooled(("Rescaling", 1 / 255)),
        (255 * PICTURES).astype(np.uint8), OF_PICTURES, "accuracy", right,
    ),
    "token ids": (of_tokens("int32"), TOKENS, TOKENS[:, 0] % 3, "accuracy", right),
    "LSTM": (recurrent("LSTM"), STEPS, OF_PICTURES, "accuracy", right),
    "GRU, both ways": (recurrent("both"), STEPS, OF_PICTURES, "accuracy", right),
    "recurrent in a model inside": (recurrent_inside, STEPS, OF_PICTURES, "accuracy", right),
    "two inputs, a list": (two_inputs, [X, META], THREE, "accuracy", right),
    "two inputs, by name": (two_inputs, {"meta": META, "table": X}, THREE, "accuracy", right),
    "dict output": (dict_output, X, THREE, "accuracy", right),
    "subclassed": (subclassed, X, THREE, "accuracy", right),
    "mixed precision": (mixed, X, THREE, "accuracy", right),
    "an operation in place of a layer": (written_as_plus, X, THREE, "accuracy", right),
    "lists": (dense(3), X.tolist(), THREE.tolist(), "accuracy", right),
}  # fmt: skip


def predicted(model, x):
    """Return what Keras gives."""
    if isinstance(x, dict):
        x = [x["table"], x["meta"]]
    given = model(np.array(x) if isinstance(x[0], list) else x)
    return np.asarray(next(iter(given.values())) if isinstance(given, dict) else given)


ROOM = {"float32": 1e-5, "float16": 0.03, "full_integer": 0.1}


@pytest.mark.parametrize(
    "scheme", ["full_integer", pytest.param("float16", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_right_figures(kind, scheme, tf):
    tf.keras.utils.set_random_seed(0)
    build, x, y, name, count = KINDS[kind]
    model = build(tf)
    found = qk.compare(model, (x, y), [scheme])
    assert [*found.models] == ["float32", scheme], found.not_measured
    expected = count(predicted(model, x), np.asarray(y))
    for row in found.models:
        judged = found.accuracies[row]
        measured = judged.value if hasattr(judged, "metric") else judged.accuracy
        assert measured == pytest.approx(expected, abs=ROOM[row]), row
        assert (judged.metric.name if hasattr(judged, "metric") else judged.name) == name
    assert found.to_display().columns[0].startswith(name)


def stream_of(pairs):
    item = ((12,), np.float32)
    stream, _ = gathered(pairs, {"x": item}, large=True)
    return dataclasses.replace(stream, item=item)


@pytest.mark.parametrize("batch", [None, 16])
def test_a_pipeline_larger_than_memory_is_gone_through_again(batch, tf, monkeypatch):
    tf.keras.utils.set_random_seed(0)
    model, pipeline = dense(3)(tf), pairs_of(tf, batch)
    whole = qk.compare(model, pipeline, ["full_integer"])
    monkeypatch.setattr("qkit.samples._IN_MEMORY", 1000)
    found = qk.compare(model, pipeline, ["full_integer"])
    for name, file in whole.models.items():
        assert found.models[name] == file, "ranges are chosen from the same items"
        assert (found.accuracies[name].predictions == whole.accuracies[name].predictions).all()
    alone = qk.compare(model, pipeline.map(lambda x, _: x), ["float16"])
    assert alone.accuracies["float16"].n == 120


@pytest.mark.parametrize(
    ("form", "scheme"), [("Keras 2", "full_integer"), ("SavedModel", "int16_activations")]
)
def test_a_batch_that_is_written_into_the_graph_is_calibrated_whole(form, scheme, tf, tmp_path):
    # the constant of the RESHAPE says 6 items: a sample of one stopped the converter
    tf.keras.utils.set_random_seed(0)
    layers = tf.keras.layers
    given = tf.keras.Input((16, 48), batch_size=6)
    model = tf.keras.Model(given, layers.Conv2D(2, 3)(layers.Reshape((16, 16, 3))(given)))
    x = PICTURES.reshape(40, 16, 48).copy()  # of seven runs, the last lacks two items
    x[-1] *= 3  # the range hangs on what is in it
    if form == "SavedModel":
        model.save(tmp_path, save_format="tf")
    file = qk.convert(model if form == "Keras 2" else tmp_path, scheme, x)
    runs = [model(np.resize(x[i : i + 6], (6, 16, 48))) for i in range(0, 40, 6)]
    wanted = np.concatenate(runs)[:40]
    assert np.abs(qk.outputs(file, x) - wanted).max() < 0.02 * np.ptp(wanted)


def test_a_pipeline_that_shuffles_each_time_is_refused_if_it_is_large(tf, monkeypatch):
    monkeypatch.setattr("qkit.samples._IN_MEMORY", 1000)
    pairs, shuffling = pairs_of(tf), {"buffer_size": 120, "seed": 1}
    with pytest.raises(ValueError, match="reshuffle_each_iteration=False"):
        qk.compare(dense(3)(tf), pairs.shuffle(**shuffling), ["float16"])
    with pytest.raises(ValueError, match="other items than the first time"):  # fewer of them
        list(dataclasses.replace(stream_of(pairs), data=pairs.take(70)).parts())
    still = pairs.shuffle(**shuffling, reshuffle_each_iteration=False)
    assert qk.compare(dense(3)(tf), still, ["float16"]).accuracies
    with pytest.raises(ValueError, match=r"compare: data.* must have the shape"):
        qk.compare(dense(3, size=5)(tf), pairs, ["float16"])


def test_the_worst_item_is_told_of_signals(tf):
    tf.keras.utils.set_random_seed(0)
    found = qk.compare(dense(1)(tf), X, ["full_integer"])
    wanted, given = (qk.outputs(found.models[k], X) for k in ("float32", "full_integer"))
    each = 10 * np.log10(
        np.sum(wanted**2, axis=1) / np.maximum(np.sum((wanted - given) ** 2, 1), 1e-30)
    )
    place, worst = found.accuracies["full_integer"].worst
    assert place == each.argmin()
    assert worst == pytest.approx(each.min(), abs=1e-3)
    assert f"worst item {worst:.2f} dB, no. {place}" in str(found.accuracies["full_integer"])
    assert found.accuracies["float32"].worst[1] == np.inf
    assert qk.compare(dense(1)(tf), (X, SUM), ["float16"]).accuracies["float16"].worst is None


def test_labels_that_are_words(tf):
    tf.keras.utils.set_random_seed(0)
    model, names = dense(3)(tf), ["low", "middle", "high"]
    words = [names[number] for number in THREE]
    expected = right(np.asarray(model(X)), THREE)
    for y in (words, np.array(words), np.array(words, object)):
        found = qk.compare(model, (X, y), [], class_names=names)
        assert found.accuracies["float32"].accuracy == expected
    assert qk.accuracy(model, X, words, class_names=names).accuracy == expected
    _, y = gathered(tf.data.Dataset.from_tensor_slices((X, words)))  # bytes by now
    assert qk.accuracy(model, X, y, class_names=names).accuracy == expected
    file = found.models["float32"]
    for call in (qk.compare, qk.sensitivity):
        with pytest.raises(TypeError, match=r"y = \[names.index\(word\).* class_names=names"):
            call(file, (X, words))
    y = [names.index(word) for word in words]
    assert qk.accuracy(model, X, y).accuracy == expected
    assert qk.sensitivity(file, (X, y), bits=[8], parts=["weights"]).n == 120
    with pytest.raises(ValueError, match="holds 'high', which class_names has not: 'low', 'mid"):
        qk.accuracy(model, X, words, class_names=names[:2])
    for odd in ("low", 3, X[0, 0]):
        with pytest.raises(TypeError, match="class_names must be a list of words"):
            qk.accuracy(model, X, words, class_names=odd)
    with pytest.raises(ValueError, match="a name twice"):
        qk.accuracy(model, X, words, class_names=["low", "low", "high"])
    assert qk.accuracy(model, X, THREE, class_names=names).accuracy == expected


def two_heads(tf):
    layers = tf.keras.layers
    given = tf.keras.Input((12,))
    hidden = layers.Dense(16, activation="relu")(given)
    heads = [layers.Dense(3, name="kind")(hidden), layers.Dense(2, name="box")(hidden)]
    return tf.keras.Model(given, heads)


@pytest.mark.parametrize("given", ["model", "file"])
def test_of_several_outputs_the_named_one_is_judged(given, tf):
    tf.keras.utils.set_random_seed(0)
    model = two_heads(tf)
    kinds, boxes = (out.numpy() for out in model(X))
    source = model if given == "model" else qk.convert(model, "float32")
    both = {"kind": THREE, "box": X[:, :2]}
    for y, schemes in ((both, ["full_integer"]), (THREE, [])):
        found = qk.compare(source, (X, y), schemes, metric={"kind": None})
        assert found.accuracies["float32"].accuracy == right(kinds, THREE)
        assert len(found.paired) == 1 + len(schemes)
    found = qk.compare(source, (X, both), [], metric={"box": "MAE"})
    assert found.accuracies["float32"].value == pytest.approx(np.abs(boxes - X[:, :2]).mean(), 1e-5)
    assert qk.compare(source, X, ["float16"], metric={"kind": None}).accuracies["float16"].n == 120
    assert qk.accuracy(source, X, both, metric={"kind": None}).accuracy == right(kinds, THREE)
    if given == "file":
        np.testing.assert_allclose(qk.outputs(source, X)["box"], boxes, atol=1e-5)


def test_which_output_is_judged_is_asked_for_in_words_that_work(tf):
    model = two_heads(tf)
    with pytest.raises(ValueError, match=r"'kind', 'box', .* metric=\{'kind': None\}"):
        qk.compare(model, (X, THREE), SCHEMES)
    with pytest.raises(ValueError, match="'face', and the model has 'kind', 'box'"):
        qk.compare(model, (X, THREE), SCHEMES, metric={"face": None})
    with pytest.raises(ValueError, match="names 2 outputs, and one is judged at a time"):
        qk.compare(model, (X, THREE), SCHEMES, metric={"kind": None, "box": None})
    with pytest.raises(ValueError, match="y has 'box', and nothing of 'kind'"):
        qk.accuracy(model, X, {"box": X[:, :2]}, metric={"kind": None})
    with pytest.raises(ValueError, match="only one: leave the name out"):
        qk.compare(dense(3)(tf), (X, THREE), SCHEMES, metric={"kind": None})


@pytest.mark.parametrize("how", ["object", "file", "exported"])
def test_keras_3_in_all_its_forms(how, tf, tmp_path):
    import keras

    keras.utils.set_random_seed(0)
    model = dense(3, keras=keras)(tf)
    expected = right(np.asarray(model(X)), THREE)
    given = model
    if how == "file":
        given = tmp_path / "model.keras"
        model.save(given)
    if how == "exported":
        given = str(tmp_path / "exported")
        model.export(given, verbose=False)
    found = qk.compare(given, (X, THREE), [*SCHEMES, "qat"][: 3 if how == "object" else 2])
    assert found.accuracies["float32"].accuracy == expected
    assert qk.accuracy(model, X, THREE).accuracy == expected
    if how == "object":
        assert "qk.to_keras_2(model) makes its twin" in found.not_measured["qat"]


def residual(keras):
    layers, given = keras.layers, keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", use_bias=False)(given)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPooling2D()(layers.Conv2D(4, 3, padding="same")(x) + x)
    return keras.Model(given, layers.Dense(3)(layers.Dropout(0.2)(layers.Flatten()(x))))


def of_steps(keras):
    layers = keras.layers
    inside = [layers.Bidirectional(layers.LSTM(3, return_sequences=True)), layers.GRU(2)]
    return keras.Sequential([keras.Input((3, 4)), *inside, layers.Dense(3)])


def attentive(keras):
    given = keras.Input((6, 8))
    x = keras.layers.MultiHeadAttention(2, 4)(given, given)
    x = keras.layers.LeakyReLU(0.1)(keras.layers.LayerNormalization()(x))
    return keras.Model(given, keras.layers.Dense(3)(keras.layers.Flatten()(x)))


def of_two(keras):
    ends = keras.Input((4,), name="a"), keras.Input((5,), name="b")
    inner = keras.Sequential([keras.Input((9,)), keras.layers.Dense(5, activation="relu")])
    x = inner(keras.layers.Concatenate()([*ends]))
    return keras.Model([*ends], [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])


@pytest.mark.parametrize("build", [residual, of_steps, attentive, of_two])
def test_a_twin_of_keras_3_gives_the_same(build, tf):
    import keras

    model = build(keras)
    twin = qk.to_keras_2(model)
    x = [RNG.random((5, *t.shape[1:])).astype(np.float32) for t in model.inputs]
    x = x if len(x) > 1 else x[0]
    for a, b in zip(tf.nest.flatten(model(x)), tf.nest.flatten(twin(x)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)
    assert isinstance(twin, tf.keras.Model)
    assert {weight.shape for weight in twin.get_weights()} == {w.shape for w in model.get_weights()}


def test_a_fixed_batch_of_keras_3_is_kept_by_its_twin_as_lint_says(tf):
    import keras

    layers = [keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(3)]
    model = keras.Sequential([keras.Input((16, 16, 3), batch_size=1), *layers])
    opened, kept = qk.convert(model, "float32"), qk.convert(qk.to_keras_2(model), "float32")
    (found,) = qk.lint(opened, "gpu").findings
    assert found.code == "shape-at-run-time"
    assert "qk.to_keras_2(model)" in found.remedy
    assert qk.lint(kept, "gpu").findings == ()


def test_a_twin_goes_through_the_grid_and_is_the_way_out_for_pruning(tf):
    import keras

    aware = qk.quantization_aware(qk.to_keras_2(residual(keras)))
    assert any(layer.name.startswith("quant_add") for layer in aware.layers)
    data = qk.Dataset(PICTURES[:, :8, :8], OF_PICTURES, PICTURES[:, :8, :8], OF_PICTURES, "p", "")
    with pytest.raises(RuntimeError, match=r"qk.to_keras_2\(model\) makes its twin"):
        qk.prune(residual(keras), data, epochs=1, cache=False)


@pytest.mark.slow
def test_a_twin_is_pruned(tf):
    import keras

    data = qk.Dataset(PICTURES[:, :8, :8], OF_PICTURES, PICTURES[:, :8, :8], OF_PICTURES, "p", "")
    pruned, _ = qk.prune(qk.to_keras_2(residual(keras)), data, epochs=1, cache=False)
    assert qk.weight_census(pruned).sparsity > 0.7


def test_what_has_no_twin_is_named(tf):
    import keras

    class Own(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    given = keras.Input((4,))
    with pytest.raises(ValueError, match=r"Keras 2 has no twin of 'mine' \(Own\)"):
        qk.to_keras_2(keras.Model(given, Own(name="mine")(given)))
    with pytest.raises(ValueError, match=r"Keras 2 has no twin of 'multiply.*Write it with layers"):
        qk.to_keras_2(keras.Model(given, 2 * given))
    with pytest.raises(TypeError, match="expected a Keras 3 model, got Sequential"):
        qk.to_keras_2(dense(3)(tf))


@pytest.mark.slow
def test_loops_of_keras_3_are_written_out_and_elsewhere_that_is_the_way_out(tf, tmp_path):
    import keras

    def net(unroll):
        layer = keras.layers.Bidirectional(keras.layers.LSTM(3, unroll=unroll))
        inside = keras.Sequential([keras.Input((3, 4)), layer])
        return keras.Sequential([keras.Input((3, 4)), inside, keras.layers.Dense(3)])

    model = net(unroll=False)
    expected = np.asarray(model(STEPS))
    for scheme, room in (("float32", 1e-5), ("full_integer", 0.1)):
        given = qk.outputs(qk.convert(model, scheme, STEPS), STEPS)
        np.testing.assert_allclose(given, expected, atol=room)
    model.export(str(tmp_path / "loop"), verbose=False)
    with pytest.raises(ValueError, match=r"a loop.*unroll=True and the same weights"):
        qk.convert(tmp_path / "loop", "float32")
    advised = net(unroll=True)
    advised.set_weights(model.get_weights())
    advised.export(str(tmp_path / "out"), verbose=False)
    given = qk.outputs(qk.convert(tmp_path / "out", "float32"), STEPS)
    np.testing.assert_allclose(given, expected, atol=1e-5)


def stepwise(tf, written_out):
    """Return by name what runs in a loop or in a branch, or the same written out as advised."""
    layers = tf.keras.layers

    class Encoder(layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.recurrent = layers.SimpleRNN(4, unroll=written_out)

        def call(self, x):
            return self.recurrent(x)

    def summed(x):
        if written_out:
            return tf.add_n([tf.tanh(x[:, step]) for step in range(3)])
        body = lambda step, total: (step + 1, total + tf.tanh(x[:, step]))  # noqa: E731
        return tf.while_loop(lambda step, _: step < 3, body, (0, tf.zeros_like(x[:, 0])))[1]

    def chosen(x):
        some = tf.reduce_sum(x) > 0
        if written_out:
            return tf.where(some, 2 * x[:, 0], x[:, 1])
        return tf.cond(some, lambda: 2 * x[:, 0], lambda: x[:, 1])

    return {
        "layer of one's own": Encoder(),
        "tf.while_loop": layers.Lambda(summed),
        "tf.cond": layers.Lambda(chosen),
    }


@pytest.mark.parametrize("name", ["layer of one's own", "tf.while_loop", "tf.cond"])
def test_what_no_calibration_survives_is_refused_and_the_way_out_works(name, tf):
    def net(written_out):
        given = tf.keras.Input((3, 4))
        inside = stepwise(tf, written_out)[name]
        return tf.keras.Model(given, tf.keras.layers.Dense(3)(inside(given)))

    model, advised = net(written_out=False), net(written_out=True)
    with pytest.raises(ValueError, match=r"(WHILE|IF), a loop .*unroll=True.* a for of.*tf.where"):
        qk.convert(model, "full_integer", STEPS)
    advised.set_weights(model.get_weights())
    given = qk.outputs(qk.convert(advised, "litert_full_integer", STEPS), STEPS)
    np.testing.assert_allclose(given, model(STEPS), atol=0.05)


@contextlib.contextmanager
def under_policy(keras, name):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


@pytest.mark.parametrize("version", [2, 3])
def test_mixed_precision_in_a_model_inside_becomes_float32(version, tf):
    import keras

    keras = tf.keras if version == 2 else keras

    class Own(keras.layers.Layer):
        def __init__(self, **options):
            super().__init__(**options)
            self.dense = keras.layers.Dense(8, activation="relu")

        def call(self, x):
            return self.dense(x)

    with under_policy(keras, "mixed_float16"):  # as most leave it
        given, last = keras.Input((12,)), keras.layers.Dense(3, dtype="float32")
        inside = keras.Sequential([keras.Input((12,)), keras.layers.Dense(8), Own()])
        model = keras.Model(given, last(inside(given)))
        tflite = qk.convert(model, "float32")
        assert keras.mixed_precision.global_policy().name == "mixed_float16"
    np.testing.assert_allclose(qk.outputs(tflite, X), np.asarray(model(X)), atol=0.01)


@pytest.mark.parametrize(
    ("build", "kind"), [(subclassed, "mixed_float16"), (dense(3), "float64")], ids=["own", "whole"]
)
def test_other_precision_is_refused_with_its_cause_and_the_way_out_works(build, kind, tf):
    tf.keras.backend.set_floatx("float64" if kind == "float64" else "float32")
    try:
        with under_policy(tf.keras, kind):
            model = build(tf)
    finally:
        tf.keras.backend.set_floatx("float32")
    with pytest.raises(ValueError, match=r"f(loat)?(16|64), and LiteRT .*'float32', and give it"):
        qk.convert(model, "float32")
    new = build(tf)
    new.set_weights(model.get_weights())
    given = qk.outputs(qk.convert(new, "float32"), X)
    np.testing.assert_allclose(given, np.asarray(model(X)), atol=0.01)


def test_a_keras_file_of_keras_2_is_read_by_it(tf, tmp_path):
    model = dense(3)(tf)
    model.save(tmp_path / "model.keras")
    assert qk.convert(tmp_path / "model.keras", "float32") == qk.convert(model, "float32")


def test_a_concrete_function(tf):
    net = subclassed(tf)
    function = tf.function(lambda x: net(x))
    concrete = function.get_concrete_function(tf.TensorSpec((None, 12), tf.float32))
    given = qk.outputs(qk.convert(concrete, "float32"), X)
    np.testing.assert_allclose(given, net(X), atol=1e-5)


@pytest.mark.parametrize("form", ["items", "batches", "generator", "tensors", "pandas"])
def test_data_in_other_forms(form, tf):
    import pandas as pd

    tf.keras.utils.set_random_seed(0)
    model = dense(3)(tf)
    data = {
        "items": lambda: pairs_of(tf),
        "batches": lambda: pairs_of(tf, 32),
        "generator": lambda: zip(X, THREE, strict=True),
        "tensors": lambda: (tf.constant(X), tf.constant(THREE)),
        "pandas": lambda: (pd.DataFrame(X), pd.Series(THREE)),
    }[form]()
    found = qk.compare(model, data, []).accuracies["float32"]
    np.testing.assert_array_equal(found.predictions, predicted(model, X).argmax(axis=1))
    np.testing.assert_array_equal(found.labels, THREE)


def test_calibration_that_says_nothing_is_refused_in_any_form(tf):
    model = dense(3)(tf)
    for same in (np.ones((9, 12)).tolist(), tf.ones((9, 12)), iter(np.ones((9, 12)))):
        with pytest.raises(ValueError, match="is constant: every value is 1"):
            qk.convert(model, "full_integer", same)


def test_many_inputs_are_told_apart_at_once(tf):
    given = [tf.keras.Input((4,)) for _ in range(14)]
    model = tf.keras.Model(given, tf.keras.layers.Add()(given))
    x = [np.full((2, 4), i, np.float32) for i in range(14)]
    assert qk.accuracy(model, x, 0 * x[0] + sum(range(14))).value == 0


def weighed(tf, how, folder):
    """Return a model of three inputs of one shape, whose order is not the alphabet's."""
    import keras as keras_3

    keras = keras_3 if "Keras 3" in how else tf.keras
    if "subclassed" in how:

        class Net(keras.Model):
            def call(self, inputs):
                return inputs[0] + 10 * inputs[1] + 100 * inputs[2]

        model = Net()
        model(ALIKE)
        return model
    names = ("zeta", "alpha", "mid")
    if "function" in how:
        spec = {name: tf.TensorSpec((None, 4), name=name) for name in names}
        function = tf.function(lambda zeta, alpha, mid: zeta + 10 * alpha + 100 * mid)
        function = function.get_concrete_function(*spec.values())
        if "folder" in how:
            tf.saved_model.save(tf.Module(), str(folder), signatures=function)
        return folder if "folder" in how else function
    given = [keras.Input((4,), name=name) for name in names]
    scaled = [keras.layers.Rescaling(10.0**i)(each) for i, each in enumerate(given)]
    model = keras.Model(given, keras.layers.Add()(scaled))
    if "folder" not in how:
        return model
    if keras is keras_3:
        model.export(folder, verbose=False)
    else:
        model.save(folder)
    return folder


ALIKE = [RNG.random((40, 4)).astype(np.float32) for _ in range(3)]


@pytest.mark.parametrize(
    "how",
    ["Keras 2", "Keras 2 folder", "subclassed", "Keras 3", "Keras 3 folder", "function"],
)
def test_inputs_of_one_shape_keep_the_order_of_the_model(how, tf, tmp_path):
    """The order of a signature's names changes from run to run, and that of a file is another."""
    model, y = weighed(tf, how, tmp_path), ALIKE[0] + 10 * ALIKE[1] + 100 * ALIKE[2]
    found = qk.compare(model, (ALIKE, y), ["full_integer"])
    np.testing.assert_allclose(qk.outputs(found.models["full_integer"], ALIKE), y, atol=1)
    assert found.accuracies["float32"].value < 1e-4
    assert found.accuracies["full_integer"].value < 1


def test_inputs_of_one_shape_without_an_order_are_asked_for_by_name(tf, tmp_path):
    folder = weighed(tf, "function folder", tmp_path)
    with pytest.raises(ValueError, match=r"no order that the model tells.*\{'alpha': …\}"):
        qk.convert(folder, "full_integer", ALIKE)
    named = dict(zip(("zeta", "alpha", "mid"), ALIKE, strict=True))
    tflite = qk.convert(folder, "full_integer", named)
    y = ALIKE[0] + 10 * ALIKE[1] + 100 * ALIKE[2]
    np.testing.assert_allclose(qk.outputs(tflite, named), y, atol=1)


TWO = {"picture": ((16, 16, 3), np.float32), "meta": ((4,), np.float32)}
OF_TWO = {"picture": PICTURES, "meta": META[:40]}


@pytest.mark.parametrize("batch", [None, 16])
@pytest.mark.parametrize("form", ["dict", "dict of another order", "tuple", "list", "unlabelled"])
def test_pipelines_of_several_inputs_are_what_fit_takes(form, batch, tf):
    takes = dict(reversed(TWO.items())) if "another" in form else TWO  # tf.data sorts the names
    given = OF_TWO if "dict" in form else tuple(OF_TWO.values())
    given = (given,) if form == "unlabelled" else (given, OF_PICTURES)
    data = tf.data.Dataset.from_tensor_slices(given)
    data = data if batch is None else data.batch(batch)
    if form == "list":  # as a generator may give it
        data = [([*map(np.asarray, x)], y) for x, y in data].__iter__()
    found = labelled(data, takes, what="test")
    for name, wanted in OF_TWO.items():
        np.testing.assert_array_equal(found.x_test[name], wanted)
    np.testing.assert_array_equal(found.y_test, None if form == "unlabelled" else OF_PICTURES)


class GoesRound:
    """Batches far beyond its length, as Keras makes of arrays."""

    def __len__(self):
        return 4

    def __iter__(self):
        return iter(5 * [(X[i : i + 32], THREE[i : i + 32]) for i in range(0, 120, 32)])


def test_a_pipeline_without_end_is_read_once_or_refused_in_words_that_work(tf):
    takes, data = {"table": ((12,), np.float32)}, tf.data
    assert pairs_of(tf).repeat().cardinality() == data.INFINITE_CARDINALITY
    # of an end that is not told, so that the test has one
    told = data.experimental.assert_cardinality(data.INFINITE_CARDINALITY)
    endless = pairs_of(tf, 32).apply(told)
    with pytest.raises(ValueError, match=r"no end. Leave .repeat\(\) out, .* data.take\(n\)"):
        labelled(endless, takes, what="test")
    for data in (endless.take(4), GoesRound()):
        found = labelled(data, takes, what="test")
        np.testing.assert_array_equal(found.x_test, X)
        np.testing.assert_array_equal(found.y_test, THREE)


def test_weights_of_items_are_refused_in_words_that_work(tf):
    takes, weighed = {"table": ((12,), np.float32)}, (X, THREE, np.ones(120))
    pipeline = tf.data.Dataset.from_tensor_slices(weighed).batch(32)
    of_three = tf.data.Dataset.from_tensor_slices((tuple(ALIKE), *np.ones((2, 40))))
    three = dict.fromkeys("abc", ((4,), np.float32))
    for data, inputs in ((weighed, takes), (pipeline, takes), (of_three, three)):
        with pytest.raises(ValueError, match=r"Pass \(x, y\); of .* data.map\(lambda x, y, w: "):
            labelled(data, inputs, what="test")
    for data in (weighed[:2], pipeline.map(lambda x, y, w: (x, y))):
        np.testing.assert_array_equal(labelled(data, takes, what="test").y_test, THREE)
    assert [*labelled(tuple(ALIKE), three, what="test").x_test] == ["a", "b", "c"]


def test_two_inputs_out_of_a_pipeline_by_name(tf):
    model = two_inputs(tf)
    named = tf.data.Dataset.from_tensor_slices(({"meta": META, "table": X}, THREE)).batch(16)
    found = qk.compare(model, named, []).accuracies["float32"]
    np.testing.assert_array_equal(found.predictions, predicted(model, [X, META]).argmax(axis=1))


def test_without_labels_answers_are_held_against_those_in_float(tf, figures):
    found = qk.compare(dense(3)(tf), X, SCHEMES)
    in_float, in_int8 = (qk.outputs(found.models[k], X) for k in ("float32", "full_integer"))
    same = np.mean(in_float.argmax(axis=1) == in_int8.argmax(axis=1))
    told = found.accuracies["full_integer"]
    assert (told.accuracy, told.name) == (same, "agreement with float32")
    assert not found.paired
    assert "without labels" in found.notes()[0]
    assert f"full_integer: agreement with float32 {same:.4f}" in found.summary()
    assert found.to_display().loc["float32"].iloc[0] == "–"
    with pytest.raises(ValueError, match="was made without labelled images"):
        qk.plot_tradeoff(found)


@pytest.mark.slow
def test_without_labels_real_outputs_have_a_signal_and_noise(tf):
    found = qk.compare(dense(2)(tf), X, SCHEMES, metric="SQNR")
    assert found.accuracies["full_integer"].value > 20
    alone = qk.compare(dense(1)(tf), X, SCHEMES)
    in_float, in_int8 = (qk.outputs(alone.models[k], X) for k in ("float32", "full_integer"))
    told = alone.accuracies["full_integer"]
    assert told.metric.name == "SQNR"
    assert told.value == pytest.approx(qk.sqnr_db(in_float, in_int8), abs=1e-3)
    low, high = told.interval
    assert low < told.value < high
    assert "dB" in alone.to_display().loc["full_integer"].iloc[0]


@pytest.mark.parametrize("name", METRICS)
def test_metrics_by_name_are_those_of_others(name, tf):
    from sklearn import metrics

    outputs, y = RNG.normal(size=(200, 4)), RNG.normal(size=(200, 4))
    classes, pixels = RNG.random((9, 5, 5, 3)), RNG.integers(0, 3, (9, 5, 5))
    labels = (RNG.random((200, 4)) > 0.5).astype(int)
    given, wanted, expected = {
        "F1 of labels": (outputs, labels, f1_score(labels, outputs > 0, average="micro")),
        "mean IoU": (classes, pixels, mean_iou(classes, pixels)),
        "pixel accuracy": (classes, pixels, np.mean(classes.argmax(axis=3) == pixels)),
        "RMSE": (outputs, y, rmse(outputs, y)),
        "MAE": (outputs, y, metrics.mean_absolute_error(y, outputs)),
        "R²": (outputs, y, metrics.r2_score(y, outputs)),
        "SQNR": (outputs, y, qk.sqnr_db(y.astype(np.float32), outputs.astype(np.float32))),
    }[name]
    metric = METRICS[name]
    tallies = metric.tallies(given, wanted)
    assert metric.score(tallies, np.ones(len(given))) == pytest.approx(expected, rel=1e-5)
    # weight 2 is the item twice
    twice = np.arange(len(given)) % 2 + 1
    again = np.repeat(np.arange(len(given)), twice)
    doubled = metric.score(metric.tallies(given[again], wanted[again]), np.ones(len(again)))
    assert metric.score(tallies, twice) == pytest.approx(doubled)


def test_a_threshold_is_that_of_the_float_file_for_all(monkeypatch, tf):
    from qkit.evaluate import compare as module

    def nearly(tflite, x, **how):  # in integers, what is hardly below 0 is 0: no logit to look at
        found = outputs(tflite, x)
        found = np.where(np.isin(THREE, (1, 2))[:, None], 0.3, -0.01)
        return found.astype(np.float32) if in_float(tflite) else np.maximum(found, 0)

    def in_float(tflite):
        return {t.dtype for t in qk.inspect(tflite).weights} == {"float32"}

    outputs = module.model_outputs
    monkeypatch.setattr(module, "model_outputs", nearly)
    found = qk.compare(dense(1)(tf), (X, THREE > 0), ["full_integer"])
    assert [a.accuracy for a in found.accuracies.values()] == [1, 1]
    assert {a.name for a in found.accuracies.values()} == {"accuracy at 0"}
    alone = [judged(values, THREE > 0) for values in (np.float32([[-1], [1]] * 60), X[:, :1])]
    with pytest.raises(ValueError, match=r"is the accuracy at 0, the other the accuracy at 0\.5"):
        qk.paired(*alone)


@pytest.mark.slow
def test_a_function_of_scikit_learns_is_a_metric(tf):
    from sklearn.metrics import mean_absolute_error

    model = dense(1)(tf)
    found = qk.compare(model, (X, SUM), ["full_integer"], metric=mean_absolute_error)
    expected = mean_absolute_error(SUM, predicted(model, X))
    told = found.accuracies["float32"]
    assert told.value == pytest.approx(expected, abs=1e-5)
    assert (told.metric.name, told.metric.higher_is_better) == ("mean absolute error", False)
    assert found.paired["full_integer"].worse == (found.paired["full_integer"].interval[0] > 0)
    for wrong, told in (
        (lambda y, outputs: None, "return a number: float"),
        (dict, "take .y, out"),
    ):
        with pytest.raises(ValueError, match=told):
            qk.accuracy(model, X, SUM, metric=wrong)


def test_a_signature_is_used_by_its_name_or_the_usual_one(tf, tmp_path):
    class Two(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def serving_default(self, x):
            return {"y": 2 * x}

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
        def other(self, x):
            return {"y": -x}

    both = Two()
    named = {"other": both.other, "serving_default": both.serving_default}
    tf.saved_model.save(both, str(tmp_path / "both"), signatures=named)
    given = qk.outputs(qk.convert(tmp_path / "both", "float32"), META)
    np.testing.assert_allclose(given, 2 * META, rtol=1e-6)
    named = {"first": both.serving_default, "other": both.other}
    tf.saved_model.save(both, str(tmp_path / "none"), signatures=named)
    with pytest.raises(ValueError, match=r"2 signatures, .*'first'.*no serving_default"):
        qk.convert(tmp_path / "none", "float32")
    given = qk.outputs(qk.convert(tmp_path / "none", "float32", signature="other"), META)
    np.testing.assert_allclose(given, -META, rtol=1e-6)
    with pytest.raises(ValueError, match=r"signature='first'; where .* qk.convert\(folder, "):
        qk.sensitivity(tmp_path / "none", META)
    file = qk.convert(tmp_path / "none", "float32", signature="first")
    assert qk.layer_errors(file, file, META).n == 120
    found = qk.compare(tmp_path / "none", (META, -META), ["float16"], signature="other")
    assert found.accuracies["float32"].value == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match=r"2 signatures.*none called 'third'"):
        qk.convert(tmp_path / "both", "float32", signature="third")
    with pytest.raises(ValueError, match=r"signature='other' is for the folder of a SavedModel"):
        qk.convert(dense(3)(tf), "float32", signature="other")


def weights_lost(tf, value):
    model = dense(3)(tf)
    kernel = model.layers[0].kernel.numpy()
    kernel[3, 4] = value
    model.layers[0].kernel.assign(kernel)
    return model


@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_lost_are_refused_with_their_layer(value, saved, tf):
    model = weights_lost(tf, value)
    with tempfile.TemporaryDirectory() as folder:
        if saved:
            model.save(folder, save_format="tf")
        with pytest.raises(ValueError, match=r"1 of 384 weights in '.*kernel' are NaN or infinite"):
            qk.convert(Path(folder) if saved else model, "full_integer", X)


def test_a_mask_that_buries_what_a_softmax_weighs_is_refused_and_the_remedy_works(tf):
    def attention(mask):
        given = tf.keras.Input((6, 8))
        scores = tf.matmul(given, given, transpose_b=True)
        hidden = tf.constant(mask * np.triu(np.ones((6, 6), np.float32), 1))
        mixed = tf.matmul(tf.nn.softmax(scores + hidden), given)
        return tf.keras.Model(given, tf.keras.layers.Flatten()(mixed))

    x = 3 * RNG.random((50, 6, 8)).astype(np.float32)
    for scheme in ("full_integer", "int16_activations"):
        with pytest.raises(ValueError, match=r"rounds all else to zero. Use a mask of −100"):
            qk.convert(attention(-1e9), scheme, x)
    mild = qk.outputs(qk.convert(attention(-100.0), "full_integer", x), x)
    assert qk.sqnr_db(qk.outputs(qk.convert(attention(-1e9), "float32"), x), mild) > 15


def test_token_ids_do_not_go_through_a_grid_and_the_remedy_works(tf):
    ids = TOKENS.astype(np.float32)
    kept = of_tokens("int32")(tf)
    lost = of_tokens("float32")(tf)
    lost.set_weights(kept.get_weights())
    with pytest.raises(ValueError, match=r"GATHER takes go through .*steps of 1.9.*dtype='int32'"):
        qk.convert(lost, "full_integer_int8_io", ids)
    in_float = qk.outputs(qk.convert(lost, "float32"), ids)
    for model, x, scheme in ((kept, TOKENS, "full_integer_int8_io"), (lost, ids, "full_integer")):
        tflite = qk.convert(model, scheme, x)
        assert qk.sqnr_db(in_float, qk.outputs(tflite, x)) > 25


def test_mistakes_of_a_table_are_said_and_not_drawn(tf, figures):
    model, data = dense(3)(tf), qk.Dataset(X, THREE, X, THREE, "rows", "here")
    with pytest.raises(ValueError, match=r"explore_mistakes shows images.* \(12,\). qk.mistakes"):
        qk.explore_mistakes(model, data)
    found = qk.mistakes.examine(model, data, qk.mistakes.Recipe(), images=50)
    assert found.summary().startswith("accuracy: ")
    with pytest.raises(ValueError, match="plot_mistake shows images"):
        qk.plot_mistake(found)
    assert {*plt.get_fignums()} == figures, "none was left open"


@pytest.mark.slow
def test_what_shows_right_and_wrong_answers_says_so_of_other_tasks(tf, figures):
    model = dense(1)(tf)
    data = qk.Dataset(X, SUM, X, SUM, "sums", "here")
    for call in (
        lambda: qk.explore_bits(model, data),
        lambda: qk.explore_sparsity(model, data),
        lambda: qk.explore_clusters(model, data),
        lambda: qk.calibration_effect(qk.convert(model, "float32"), data),
    ):
        with pytest.raises(ValueError, match=r"shows which answers are right.* RMSE is counted"):
            call()
    found = qk.compare(model, data, ["float16"])
    assert qk.plot_accuracies(found).get_xlabel() == ("RMSE on 120 test items, with 95 % interval")
    with pytest.raises(ValueError, match=r"scores by the metric 'RMSE'.*plot_accuracies"):
        qk.explore_schemes(found)


def test_an_operation_written_out_is_told_with_the_layer_that_works(tf):
    with pytest.raises(ValueError, match=r"is written as an operation.*layers\.Add\(\)"):
        qk.quantization_aware(written_as_plus(tf))
    layers = tf.keras.layers
    given = tf.keras.Input((12,))
    hidden = layers.Dense(16, activation="relu")(given)
    added = layers.Add()([layers.Dense(16)(hidden), hidden])
    advised = tf.keras.Model(given, layers.Dense(3)(added))
    advised.set_weights(written_as_plus(tf).get_weights())
    assert qk.quantization_aware(advised).layers


def test_several_outputs_are_told_and_the_one_that_counts_is_measured(tf):
    given = tf.keras.Input((12,))
    hidden = tf.keras.layers.Dense(8)(given)
    both = [tf.keras.layers.Dense(n)(hidden) for n in (3, 2)]
    model = tf.keras.Model(given, both)
    with pytest.raises(ValueError, match=r"has 2 outputs.*one is judged at a time"):
        qk.compare(model, (X, THREE), ["float16"])
    counted = tf.keras.Model(model.input, model.outputs[0])
    assert qk.compare(counted, (X, THREE), ["float16"]).accuracies


# By name: the network, targets, the loss that is given, and a word of the one that is taken.
LOSSES = {
    "yes or no": (dense(1, "sigmoid"), YES.astype(int), None, "binary"),
    "numbers": (dense(1), SUM, None, "mean_squared"),
    "numbers, a loss by name": (dense(1), SUM, "mae", "mean_absolute"),
    "several labels": (dense(5, "sigmoid"), SEVERAL, None, "binary"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_trainings_take_the_loss_that_targets_ask_for(kind, tf):
    from types import SimpleNamespace

    tf.keras.utils.set_random_seed(0)
    build, y, loss, told = LOSSES[kind]
    model = build(tf)
    given = SimpleNamespace(x_train=X, y_train=y)
    first = qk.fit(model, given, epochs=3, learning_rate=0.01, cache=False, loss=loss)
    assert first.loss[-1] < first.loss[0]
    assert told in (getattr(model.loss, "name", "") or model.loss.__name__)


@pytest.mark.slow
def test_compressions_take_the_loss_that_targets_ask_for(tf):
    from types import SimpleNamespace

    # of several labels an item, the loss for one class an item would stop
    model, given = dense(5, "sigmoid")(tf), SimpleNamespace(x_train=X, y_train=SEVERAL)
    pruned, _ = qk.prune(model, given, epochs=1, sparsity=0.5, cache=False)
    assert qk.weight_census(pruned).sparsity > 0.4
    clustered, _ = qk.cluster(model, given, clusters=4, cache=False)
    assert max(kernel.distinct_values for kernel in qk.weight_census(clustered).kernels) <= 4
