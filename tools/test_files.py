"""Make tests/files: small networks, their .tflite files and what they answer.

    python tools/test_files.py [zoo ties trained depthwise toy] [--folder FOLDER]

Tests read these files, so that they load no TensorFlow and train nothing. Weights of the zoo are
drawn by NumPy, so that every machine draws the same; those of the trained networks are kept where
they are there already, for a training on another processor ends elsewhere.
"""

import argparse
import dataclasses
import json
import os
import tempfile
from pathlib import Path

import numpy as np

import qkit as qk
from qkit._tensorflow import quiet, tensorflow

FOLDER = Path(__file__).parent.parent / "tests" / "files"
SAMPLES = 8  # inputs that are stored for each network; full integer files are calibrated on them


@dataclasses.dataclass(frozen=True)
class Animal:
    """A network of the zoo: how it is built, and what its inputs are drawn from."""

    build: object
    draw: object
    schemes: tuple = ("float32", "full_integer")


def uniform(*shape):
    """Return a function that draws one input array of float32 in 0–1 from a generator."""
    return lambda rng, n: [rng.random((n, *shape), np.float32)]


def repeated(keras):
    """Build two blocks whose inner layers bear one name."""
    layers = keras.layers

    def block(name):
        inner = [layers.InputLayer((16,)), layers.Dense(16, activation="relu", name="dense")]
        return keras.Sequential(inner, name=name)

    return keras.Sequential(
        [layers.InputLayer((16,)), block("left"), block("right"), layers.Dense(3, name="head")]
    )


def attention(keras):
    """Build query, key and value of one layer."""
    layers = keras.layers
    x = keras.Input((5, 8))
    y = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    return keras.Model(x, layers.Dense(3, name="head")(layers.Flatten()(y)))


def backbone(keras):
    """Build a convolutional network as a layer of another one."""
    layers = keras.layers
    inner = keras.Sequential(
        [
            layers.InputLayer((12, 12, 3)),
            layers.Conv2D(6, 3, strides=2, use_bias=False, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.ReLU(6.0),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.Conv2D(8, 1, activation="relu", name="pointwise"),
        ],
        name="backbone",
    )
    return keras.Sequential(
        [
            layers.InputLayer((12, 12, 3)),
            inner,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, name="head"),
        ]
    )


def separable(keras):
    """Build two layers that hold two kernels each."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((12, 12, 4)),
            layers.SeparableConv2D(4, 3, activation="relu", name="first"),
            layers.SeparableConv2D(4, 3, activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )


def conv1d(keras):
    """Build two convolutions of one axis, which the file calls alike."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((20, 8)),
            layers.Conv1D(8, 3, padding="same", activation="relu", name="first"),
            layers.Conv1D(8, 3, padding="same", activation="relu", name="second"),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )


def concat(keras):
    """Build two branches, one a thousand times as large, on one grid once they are joined."""
    layers = keras.layers
    x = keras.Input((16,))
    fine, coarse = layers.Dense(8, name="fine")(x), layers.Dense(8, name="coarse")(x)
    return keras.Model(x, layers.Dense(5, name="head")(layers.Concatenate()([fine, coarse])))


def embedding(keras):
    """Build a table that is looked up by integers."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((6,), dtype="int32"),
            layers.Embedding(50, 8, name="table"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, name="head"),
        ]
    )


def lstm(keras):
    """Build a recurrent layer, which the converter makes one operator with variable tensors."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((6, 4), batch_size=1),
            layers.LSTM(8, name="lstm"),
            layers.Dense(3, name="head"),
        ]
    )


def transposed(keras):
    """Build an output that is larger than its input."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((6, 6, 2)),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="down"),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="up"),
        ]
    )


def two_inputs(keras):
    """Build two inputs of different widths."""
    layers = keras.layers
    x, z = keras.Input((8,), name="x"), keras.Input((4,), name="z")
    both = layers.Concatenate()([layers.Dense(8, activation="relu", name="wide")(x), z])
    return keras.Model([x, z], layers.Dense(3, name="head")(both))


def uint8_input(keras):
    """Build bytes of an image, which the network scales itself."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((10, 10, 1), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(3, name="head"),
        ]
    )


def state(keras):
    """Build a running sum that lives on from one run to the next."""

    class Running(keras.layers.Layer):
        def build(self, shape):
            self.total = self.add_weight(
                "total", shape=(1, 4), initializer="zeros", trainable=False
            )

        def call(self, x):
            self.total.assign_add(x)
            return self.total + 0.0

    x = keras.Input((4,), batch_size=1)
    return keras.Model(x, keras.layers.Dense(3, name="head")(Running(name="running")(x)))


def tokens(rng, n):
    """Draw integers below the size of the table."""
    return [rng.integers(50, size=(n, 6)).astype(np.int32)]


def pixels(rng, n):
    """Draw bytes."""
    return [rng.integers(256, size=(n, 10, 10, 1)).astype(np.uint8)]


ZOO = {
    "repeated": Animal(repeated, uniform(16)),
    "attention": Animal(attention, uniform(5, 8)),
    "backbone": Animal(backbone, uniform(12, 12, 3)),
    "separable": Animal(separable, uniform(12, 12, 4)),
    "conv1d": Animal(conv1d, uniform(20, 8)),
    "concat": Animal(concat, uniform(16)),
    "embedding": Animal(embedding, tokens),
    "lstm": Animal(lstm, uniform(6, 4)),
    "transposed": Animal(transposed, uniform(6, 6, 2)),
    "two_inputs": Animal(two_inputs, lambda rng, n: uniform(8)(rng, n) + uniform(4)(rng, n)),
    "uint8_input": Animal(uint8_input, pixels),
    "state": Animal(state, uniform(4), schemes=("float32",)),
}


def joined(keras, x):
    """Join small branches to large ones, some of them twice, and the input."""
    layers = keras.layers
    fine, coarse, rough = (layers.Dense(8, name=f"by_{n}")(x) for n in (1, 10, 100))
    both = layers.Concatenate()
    pairs = both([fine, coarse]), both([fine, rough]), both([x, coarse])
    return layers.Add()([layers.Dense(3)(y) for y in (*pairs, fine)])


def joined_in_turn(keras, x):
    """Join what was joined: the larger, side by side, and the smaller."""
    layers = keras.layers
    a, b, c = (layers.Dense(8, name=f"by_{n}")(x) for n in (1, 50, 5))
    beside = layers.Concatenate()([layers.Maximum()([a, b]), c])
    return layers.Dense(3)(layers.Minimum()([beside, layers.Dense(16, name="by_9")(x)]))


def inception(keras, x):
    """Join convolutions and pools, and what is pooled, twice."""
    layers = keras.layers

    def conv(factor, y):
        return layers.Conv2D(2, 3, padding="same", activation="relu", name=f"by_{factor}")(y)

    stem = conv(4, x)
    pooled = layers.MaxPooling2D(3, 1, "same")(stem)
    y = layers.Concatenate()([conv(1, stem), conv(2, pooled), pooled])
    y = layers.Concatenate()([conv(3, y), layers.AveragePooling2D(3, 1, "same")(y)])
    return layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(y))


def fixed(keras, x):
    """Give on ranges that are fixed, and add it all up."""
    layers, tf = keras.layers, tensorflow()
    kinds = tf.nn.softmax, tf.sigmoid, tf.tanh, tf.nn.log_softmax
    kinds = *kinds, lambda y: tf.nn.l2_normalize(y, axis=-1)
    given = [layers.Lambda(kind)(layers.Dense(8)(x)) for kind in kinds]
    return layers.Add()([layers.Dense(3)(y) for y in given])


def fixed_and_joined(keras, x):
    """Join what is on a fixed range to what is not."""
    layers = keras.layers
    share = layers.Dense(8, activation="softmax")(x)
    gate = layers.Reshape((2, 4))(layers.Dense(8, activation="tanh")(x))
    beside = layers.Concatenate()([share, layers.Dense(8, name="by_10")(x)])
    below = layers.Concatenate()([gate, layers.Reshape((2, 4))(layers.Dense(8, name="by_3")(x))])
    ends = beside, layers.Flatten()(below), share
    return layers.Add()([layers.Dense(3)(y) for y in ends])


def around(keras, x):
    """Pool, pad and resize."""
    layers, tf = keras.layers, tensorflow()
    sides = [[0, 0], [1, 1], [1, 1], [0, 0]]
    ways = [
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(2),
        layers.ZeroPadding2D(1),
        layers.Lambda(lambda y: tf.pad(y, sides, mode="SYMMETRIC")),
        layers.Lambda(lambda y: tf.pad(y, sides, constant_values=9.0)),
        layers.UpSampling2D(2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.GlobalAveragePooling2D(),
    ]
    return _each_way(layers, ways, x)


def moved(keras, x):
    """Take parts of an array, and put them in another order."""
    layers, tf = keras.layers, tensorflow()
    kinds = (
        lambda y: tf.transpose(y, [0, 3, 1, 2]),
        lambda y: tf.gather(y, [2, 0, 2], axis=3),
        lambda y: y[:, ::2, 1:],
        lambda y: tf.slice(y, [0, 1, 1, 0], [1, 3, 3, 2]),
        lambda y: tf.nn.space_to_depth(y, 2),
        lambda y: tf.nn.depth_to_space(y, 2),
        lambda y: tf.concat(tf.split(y, [1, 3], axis=3)[::-1], 3),
        lambda y: tf.stack(tf.unstack(y, axis=3)[::-1], axis=1),
        lambda y: tf.tile(tf.reverse(y, [1]), [1, 2, 1, 1]),
    )
    return _each_way(layers, [layers.Lambda(kind) for kind in kinds], x)


def chosen(keras, x):
    """Choose between values, or the largest, the smallest and the sum of some."""
    layers, tf = keras.layers, tensorflow()
    kinds = (
        lambda y: tf.where(y > 0.1, y, 0.2 * y),
        lambda y: tf.maximum(y, -0.3),
        lambda y: tf.reduce_max(y, [1, 2]),
        lambda y: tf.reduce_min(y, [1, 2]),
        lambda y: tf.reduce_sum(y, [1, 2]),
        lambda y: tf.abs(y) + 5.0,
    )
    return _each_way(layers, [layers.Lambda(kind) for kind in kinds], x)


def residual(keras, x):
    """Add to what was there, twice."""
    layers = keras.layers
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    for _ in range(2):
        y = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 1)(x)))
        y = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
        x = layers.Add()([y, x])
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))


def _each_way(layers, ways, x):
    """Go each way from a convolution of its own, and add up where they end."""
    found = []
    for way in ways:
        y = way(layers.Conv2D(4, 3, padding="same")(x))
        found.append(layers.Dense(3)(layers.Flatten()(y)))
    return layers.Add()(found)


# Networks in which the converter ties grids, with the shape of their input.
TIES = {
    **dict.fromkeys((joined, joined_in_turn, fixed, fixed_and_joined), (16,)),
    **dict.fromkeys((inception, around, moved, chosen, residual), (6, 6, 4)),
}


def make_ties(folder):
    """Write each network's files, in float and on grids of 8 and of 16 bits, and its input."""
    keras, arrays = tensorflow().keras, {}
    for build, shape in TIES.items():
        keras.backend.clear_session()
        x = keras.Input(shape)
        model = keras.Model(x, build(keras, x))
        rng = np.random.default_rng(0)
        for layer in model.layers:
            factor = float(layer.name.partition("by_")[2] or 1)
            layer.set_weights([factor * _drawn(rng, weight) for weight in layer.weights])
        arrays[build.__name__] = rng.normal(size=(SAMPLES, *shape)).astype(np.float32)
        schemes = "float32", "full_integer", "int16_activations"
        files = converted(model, schemes, [arrays[build.__name__]])
        for scheme, tflite in zip(schemes, files, strict=True):
            (folder / f"ties_{build.__name__}_{scheme}.tflite").write_bytes(tflite)
    np.savez_compressed(folder / "ties.npz", **arrays)


def built(name):
    """Return a network of the zoo with weights that NumPy draws, the same on every machine."""
    keras = tensorflow().keras
    keras.backend.clear_session()  # automatic names count from 1 again
    model = ZOO[name].build(keras)
    rng = np.random.default_rng(0)
    model.set_weights([_drawn(rng, variable) for variable in model.weights])
    if name == "concat":
        coarse = model.get_layer("coarse")
        coarse.set_weights([1000 * values for values in coarse.get_weights()])
        head = model.get_layer("head")
        kernel, bias = head.get_weights()
        kernel[8:] = 0  # only the fine branch decides
        head.set_weights([kernel, bias])
    return model


def _drawn(rng, variable):
    shape, name = tuple(variable.shape), variable.name
    if "variance" in name or "gamma" in name:
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if "total" in name:
        return np.zeros(shape, np.float32)
    spread = 0.1 if len(shape) < 2 else 1 / np.sqrt(np.prod(shape[:-1]))
    return rng.normal(0, spread, shape).astype(np.float32)


def samples(name):
    """Return the arrays that go into a network of the zoo, one for each input."""
    return ZOO[name].draw(np.random.default_rng(1), SAMPLES)


def converted(model, schemes, calibration):
    """Convert with TensorFlow alone, whatever qkit would say to the network; yield a file each."""
    tf = tensorflow()
    with tempfile.TemporaryDirectory() as folder, quiet():
        _save(model, folder)
        for scheme in schemes:
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            converter.experimental_enable_resource_variables = model.name == "state"
            if scheme != "float32":
                _quantize(converter, model, scheme, calibration)
            yield converter.convert()


def _save(model, folder):
    """Save what the converter reads, once for all schemes.

    Of a Keras model it saves every layer's own functions too, and anew for each scheme: the same
    bytes come of it in the end, in three times the time.
    """
    tf = tensorflow()
    holder = tf.Module()
    holder.held = model.variables

    @tf.function(input_signature=[tf.TensorSpec(x.shape, x.dtype, x.name) for x in model.inputs])
    def answers(*inputs):
        found = model(inputs[0] if len(inputs) == 1 else list(inputs), training=False)
        return dict(zip(model.output_names, tf.nest.flatten(found), strict=True))

    holder.answers = answers
    tf.saved_model.save(holder, folder, signatures=answers)


def _quantize(converter, model, scheme, calibration):
    """Let a converter put weights and activations on grids."""
    tf = tensorflow()
    kinds, kind = tf.lite.OpsSet, "TFLITE_BUILTINS_INT8"
    if scheme == "int16_activations":
        kind = "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8"
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    in_float = [kinds.TFLITE_BUILTINS] * (model.name == "model")  # what has no other kernel
    converter.target_spec.supported_ops = [kinds[kind], *in_float]
    names = [tensor.name for tensor in model.inputs]
    converter.representative_dataset = lambda: (
        dict(zip(names, (a[i : i + 1] for a in calibration), strict=True))
        if len(names) > 1
        else [calibration[0][i : i + 1]]
        for i in range(len(calibration[0]))
    )


def make_zoo(folder):
    """Write each network's files, what goes into it, what Keras answers, and its kernels' sizes."""
    facts = {}
    for name, animal in ZOO.items():
        model = built(name)
        model._name = name
        x = samples(name)
        y = _answers(model, x)
        arrays = {f"x{i}": values for i, values in enumerate(x)}
        np.savez_compressed(folder / f"zoo_{name}.npz", y=y, **arrays)
        for scheme, tflite in zip(animal.schemes, converted(model, animal.schemes, x), strict=True):
            (folder / f"zoo_{name}_{scheme}.tflite").write_bytes(tflite)
        # biases of attention have two axes, and are addends
        weights = [w for w in model.trainable_weights if "bias" not in w.name]
        kernels = [w for w in weights if len(w.shape) > 1]
        facts[name] = {
            "kernels": len(kernels),
            "kernel_values": sum(int(np.prod(w.shape)) for w in kernels),
            "schemes": list(animal.schemes),
        }
    (folder / "zoo.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _answers(model, x):
    """Return the answers of Keras, one item after the other, each from the first state."""
    start = model.get_weights()
    answers = []
    for i in range(len(x[0])):
        model.set_weights(start)
        item = [values[i : i + 1] for values in x]
        answers.append(model(item if len(item) > 1 else item[0]).numpy()[0])
    model.set_weights(start)
    return np.array(answers)


def kept_weights(path, train):
    """Return the weights in a file; where there is none, those of a training, and keep them."""
    if path.exists():
        with np.load(path) as arrays:
            return [arrays[f"arr_{i}"] for i in range(len(arrays.files))]
    weights = train().get_weights()
    np.savez_compressed(path, *weights)
    return weights


def with_kept_weights(build, path, train):
    """Return a model with the weights of a file, or of a training that is then kept there."""
    model = build()
    model.set_weights(kept_weights(path, train))
    return model


def trained_models(folder):
    """Return the walkthrough's network trained on digits, by what it went through; "" for float."""
    data, build, short = qk.load_data("digits"), qk.models.walkthrough_cnn, {"epochs": 1}

    def fitted():
        model = build()
        qk.fit(model, data, epochs=3, cache=False)
        return model

    models = {"": with_kept_weights(build, folder / "trained.npz", fitted)}
    ways = {
        "pruned": lambda: qk.prune(models[""], data, cache=False, **short),
        "clustered": lambda: qk.cluster(models[""], data, cache=False, **short),
        "pruned_clustered": lambda: qk.cluster(
            models["pruned"], data, preserve_sparsity=True, cache=False, **short
        ),
    }
    for name, way in ways.items():
        path = folder / f"trained_{name}.npz"
        models[name] = with_kept_weights(build, path, lambda way=way: way()[0])
    return models


def aware_models(models, data):
    """Return copies of `trained_models` that can be trained through the grid, by technique."""
    found, x = {}, data.x_train[:300]
    aware = {"qat": ("", None), "pqat": ("pruned", "sparsity"), "cqat": ("clustered", "clusters")}
    aware["pcqat"] = ("pruned_clustered", "both")
    for name, (start, preserve) in aware.items():
        more = {"preserve": preserve} if preserve else {}
        found[name] = qk.quantization_aware(models[start], calibration=x, **more)
    return found


def make_trained(folder):
    """Write the files of the trained network under every scheme."""
    models, data = trained_models(folder), qk.load_data("digits")
    models |= aware_models(models, data)
    for name, scheme in qk.SCHEMES.items():
        if scheme.engine != "converter":
            continue
        tflite = qk.convert(models[scheme.technique], scheme, data.x_train[:60])
        (folder / f"trained_{name}.tflite").write_bytes(tflite)


def make_depthwise(folder):
    """Write the files of a network of depthwise convolutions and batch normalisation, trained."""
    data, build = qk.load_data("digits"), qk.models.depthwise_cnn

    def fitted():
        model = build()
        qk.fit(model, data, epochs=1, cache=False)
        return model

    model = with_kept_weights(build, folder / "depthwise.npz", fitted)
    for scheme in ("float32", "full_integer"):
        tflite = qk.convert(model, scheme, data.x_train[:60])
        (folder / f"depthwise_{scheme}.tflite").write_bytes(tflite)


def toy(*, activation="relu", seed=0, classes=3):
    """Build a network of two dense layers for images of 4×4, the same weights each time."""
    keras = tensorflow().keras
    glorot, layers = keras.initializers.GlorotUniform, keras.layers
    return keras.Sequential(
        [
            layers.InputLayer((4, 4), name="image"),
            layers.Flatten(name="flatten"),
            layers.Dense(5, activation=activation, kernel_initializer=glorot(seed), name="hidden"),
            layers.Dense(classes, kernel_initializer=glorot(seed + 1), name="logits"),
        ],
        name="toy",
    )


def make_toy(folder):
    """Write the file of the toy."""
    (folder / "toy_float32.tflite").write_bytes(qk.convert(toy(), "float32"))


MAKERS = {
    "zoo": make_zoo,
    "ties": make_ties,
    "trained": make_trained,
    "depthwise": make_depthwise,
    "toy": make_toy,
}


def make_all(folder, kinds=MAKERS):
    """Write the files of all kinds, or of some, into a folder."""
    for kind in kinds:
        MAKERS[kind](folder)


def main():
    """Make the files that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(MAKERS)}; all where none is named")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    make_all(asked.folder, asked.kinds or MAKERS)


if __name__ == "__main__":
    os.environ.setdefault("QKIT_CACHE", tempfile.mkdtemp())
    main()
