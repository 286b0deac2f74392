"""Trainings that differ have keys that differ; what was built before, and where, does not count."""

import functools
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit import training, training_key

SETTINGS = training.Settings(1, 8, 0, 0.1, 1e-3)


def named(model, *, loss=None, functions=()):
    """Return the name of a training on made-up data, or None where it is not looked up."""
    shape, rng = model.input_shape[1:], np.random.default_rng(0)
    x = rng.random((20, *shape)).astype(np.float32)
    y = rng.random((20, 3)).astype(np.float32) if loss else rng.integers(3, size=20)
    with training.quiet(), training.seeded(0):
        training._compile(model, SETTINGS, loss)
        digest = training_key.training_digest(model, x, y)
    return digest and training_key.key_of(digest, functions)


@pytest.fixture(scope="module")
def net(tf):
    """Return a function that puts layers between two dense ones, of the same weights each time."""
    layers, glorot = tf.keras.layers, tf.keras.initializers.GlorotUniform

    def build(*middle, base=None, first=None, **dense):
        first = first or layers.Dense(5, kernel_initializer=glorot(0), **dense)
        last = layers.Dense(3, kernel_initializer=glorot(1))
        parts = [layers.InputLayer((4, 4)), layers.Flatten(), first, *middle, last]
        return (base or tf.keras.Sequential)(parts, name="net")

    return build


GAIN = 1.0


def helper(x):
    return GAIN * x


def pairs():
    """Return by name a function from TensorFlow, `net` and 1 or 3 to a model that they change."""
    found = {}

    def case(function):
        found[function.__name__] = function
        return function

    def scaling(tf, scaled, **options):
        layer = type("Scale", (tf.keras.layers.Layer,), {"call": lambda self, x: scaled(self, x)})
        return layer(**options)

    @case
    def call_of_a_layer(tf, net, n):
        return net(scaling(tf, lambda self, x: n * x))

    @case
    def gradient_of_ones_own(tf, net, n):
        @tf.custom_gradient
        def rounded(x):
            return tf.round(x), lambda dy: n * dy

        return net(tf.keras.layers.Lambda(rounded))

    @case
    def helper_of_a_module(tf, net, n):
        globals()["GAIN"] = float(n)
        return net(scaling(tf, lambda self, x: helper(x)))

    @case
    def attribute_set_after_building(tf, net, n):
        model = net(scaling(tf, lambda self, x: getattr(self, "gain", 1.0) * x))
        model.layers[2].gain = float(n)
        return model

    @case
    def default_argument(tf, net, n):
        def scaled(x, gain=float(n)):
            return gain * x

        return net(tf.keras.layers.Lambda(scaled))

    @case
    def lambda_in_a_loop(tf, net, n):
        return net(tf.keras.layers.Lambda([lambda x, i=i: i * x for i in range(4)][n]))

    @case
    def small_array_in_a_closure(tf, net, n):
        array = np.full(5, n, np.float32)
        return net(tf.keras.layers.Lambda(lambda x: x * array))

    @case
    def large_array_in_a_closure(tf, net, n):
        array = np.full((5, 500), n, np.float32)
        return net(tf.keras.layers.Lambda(lambda x: x * tf.reduce_mean(array)))

    @case
    def large_tensor_in_a_closure(tf, net, n):
        tensor = tf.fill((5, 500), float(n))
        return net(tf.keras.layers.Lambda(lambda x: x * tf.reduce_mean(tensor)))

    @case
    def variable_in_a_closure(tf, net, n):
        variable = tf.Variable(float(n))
        return net(scaling(tf, lambda self, x: x * variable))

    @case
    def activation(tf, net, n):
        return net(tf.keras.layers.Activation(lambda x: n * x))

    @case
    def config_that_looks_like_a_name(tf, net, n):
        kind = f"gain_{n}"
        return net(scaling(tf, lambda self, x: x * (1.0 if kind == "gain_1" else 3.0)))

    @case
    def activation_that_is_also_the_name(tf, net, n):
        name = {1: "relu", 3: "tanh"}[n]
        return net(tf.keras.layers.Activation(name, name=name))

    @case
    def branch_of_inference_alone(tf, net, n):
        def call(self, x, training=None):
            return x if training else n * x

        return net(type("Layer", (tf.keras.layers.Layer,), {"call": call})())

    @case
    def train_step(tf, net, n):
        def train_step(self, data):
            x, y = data
            return tf.keras.Sequential.train_step(self, (n * x, y))

        return net(base=type("Own", (tf.keras.Sequential,), {"train_step": train_step}))

    @case
    def test_step(tf, net, n):
        def test_step(self, data):
            return tf.keras.Sequential.test_step(self, (n * data[0], data[1]))

        return net(base=type("Own", (tf.keras.Sequential,), {"test_step": test_step}))

    @case
    def added_loss(tf, net, n):
        model = net()
        model.add_loss(lambda: n * tf.reduce_sum(model.layers[1].kernel ** 2))
        return model

    @case
    def regularizer(tf, net, n):
        class Own(tf.keras.regularizers.Regularizer):
            def __init__(self, strength):
                self.strength = strength

            def __call__(self, weight):
                return self.strength * tf.reduce_sum(weight**2)

        return net(kernel_regularizer=Own(n))

    @case
    def constraint(tf, net, n):
        return net(kernel_constraint=lambda w: tf.clip_by_value(w, -n, n))

    @case
    def dropout_rate(tf, net, n):
        return net(tf.keras.layers.Dropout(n / 10))

    @case
    def momentum_of_statistics(tf, net, n):
        return net(tf.keras.layers.BatchNormalization(momentum=n / 10))

    @case
    def frozen_layer(tf, net, n):
        model = net()
        model.layers[1].trainable = n == 1
        return model

    @case
    def precision(tf, net, n):
        return net(dtype={1: "float32", 3: "mixed_bfloat16"}[n])

    @case
    def wiring_inside_a_nested_model(tf, net, n):
        image = tf.keras.Input((5,))
        dense = [tf.keras.layers.Dense(5, kernel_initializer="ones") for _ in range(2)]
        one = dense[0](image)
        two = dense[1](one)
        ends = [one, two] if n == 1 else [two, one]
        return net(tf.keras.Model(image, tf.keras.layers.Subtract()(ends)))

    @case
    def frozen_model_inside(tf, net, n):
        inner = tf.keras.Sequential([tf.keras.layers.Dense(5, "relu", kernel_initializer="ones")])
        inner.trainable = n == 1
        return net(inner)

    @case
    def inside_a_recurrent_layer(tf, net, n):
        gain, ones = float(n), {"kernel_initializer": "ones", "recurrent_initializer": "ones"}
        rnn = tf.keras.layers.LSTM(2, activation=lambda x: gain * x, **ones)
        return net(tf.keras.layers.Reshape((5, 1)), rnn)

    @case
    def what_a_step_reports(tf, net, n):
        def train_step(self, data):
            both = [
                value for _, value in sorted(tf.keras.Sequential.train_step(self, data).items())
            ]
            return {"loss": both[n > 1], "accuracy": both[n == 1]}

        return net(base=type("Own", (tf.keras.Sequential,), {"train_step": train_step}))

    return found


PAIRS = pairs()


@pytest.mark.parametrize("name", PAIRS)
def test_what_differs_has_another_key_and_what_does_not_the_same(tf, net, name):
    keys = [named(PAIRS[name](tf, net, n)) for n in (1, 3, 1)]
    assert all(keys)
    assert keys[0] == keys[2] != keys[1]


def losses():
    """Return functions from TensorFlow and 1 or 3 to a loss."""

    def closure(tf, n):
        return lambda y, out: n * tf.reduce_mean((y - out) ** 2, axis=-1)

    def partial(tf, n):
        def loss(y, out, factor):
            return factor * tf.reduce_mean((y - out) ** 2, axis=-1)

        return functools.partial(loss, factor=n)

    def instance(tf, n):
        class Loss:
            def __call__(self, y, out):
                return self.factor * tf.reduce_mean((y - out) ** 2, axis=-1)

        loss = Loss()
        loss.factor = n
        return loss

    def keras(tf, n):
        return tf.keras.losses.Huber(delta=n)

    return [closure, partial, instance, keras]


@pytest.mark.parametrize("loss", losses(), ids=lambda loss: loss.__name__)
def test_a_loss_counts_by_what_it_computes(tf, net, loss):
    keys = [named(net(), loss=loss(tf, n)) for n in (1, 3, 1)]
    assert keys[0] == keys[2] != keys[1]


def unseen():
    """Return by name a function from TensorFlow and `net` to a model that no graph tells."""

    def loop_of_ones_own(tf, net):
        def fit(self, *args, **options):
            return super(self.__class__, self).fit(*args, **options)

        return net(base=type("Own", (tf.keras.Sequential,), {"fit": fit}))

    def loop_of_ones_own_in_one_model(tf, net):
        model = net()
        model.make_train_function = lambda force=False: None
        return model

    def python_in_the_graph(tf, net):
        def scaled(x):
            return tf.ensure_shape(tf.numpy_function(lambda v: 2 * v, [x], tf.float32), x.shape)

        return net(tf.keras.layers.Lambda(scaled))

    def file_in_the_graph(tf, net):
        def scaled(x):
            return x * tf.strings.to_number(tf.io.read_file("gain.txt"))

        return net(tf.keras.layers.Lambda(scaled))

    def lines_of_a_file_in_the_graph(tf, net):
        def scaled(x):
            lines = tf.data.TextLineDataset("gain.txt")
            return x * lines.reduce(0.0, lambda gain, line: gain + tf.strings.to_number(line))

        return net(tf.keras.layers.Lambda(scaled))

    def texts_in_a_closure(tf, net):
        texts = tf.fill((200,), "2.0")

        def scaled(x):
            return x * tf.reduce_mean(tf.strings.to_number(texts))

        return net(tf.keras.layers.Lambda(scaled))

    def table_in_the_graph(tf, net):
        pairs = tf.lookup.KeyValueTensorInitializer([1], [2.0])
        table, one = tf.lookup.StaticHashTable(pairs, 0.0), tf.constant(1)
        layer = type(
            "Table", (tf.keras.layers.Layer,), {"call": lambda self, x: x * table.lookup(one)}
        )
        return net(layer())

    def layer_that_counts_its_draws(tf, net):
        return net(tf.keras.layers.Dropout(0.5, seed=3))

    def layer_with_a_generator(tf, net):
        return net(tf.keras.layers.Dropout(0.5, force_generator=True))

    def variable_beside_that_moves(tf, net):
        count = tf.Variable(0.0)

        def call(self, x):
            return x * count.assign_add(1.0)

        return net(type("Counting", (tf.keras.layers.Layer,), {"call": call})())

    def layer_that_runs_eagerly(tf, net):
        does = {"call": lambda self, x: 2 * x, "compute_output_shape": lambda self, shape: shape}
        return net(type("Eager", (tf.keras.layers.Layer,), does)(dynamic=True))

    def several_devices(tf, net):
        with tf.distribute.MirroredStrategy(["/cpu:0"]).scope():
            return net()

    return [each for each in locals().values() if callable(each)]


@pytest.mark.parametrize("build", unseen(), ids=lambda build: build.__name__)
def test_what_no_graph_tells_is_not_looked_up(tf, net, build):
    assert named(build(tf, net)) is None


def test_nothing_is_looked_up_while_functions_run_eagerly(tf, net):
    tf.config.run_functions_eagerly(True)
    try:
        assert named(net()) is None
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.slow
def test_what_is_not_looked_up_is_not_stored(tf, net, toy_data, tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    for _ in range(2):
        model = loop = net()
        model.make_train_function = lambda force=False, loop=loop: type(loop).make_train_function(
            loop, force
        )
        assert not qk.fit(model, toy_data, epochs=1).from_cache
    assert not list(tmp_path.iterdir())


def recurrent(tf):
    ones = {"kernel_initializer": "ones", "recurrent_initializer": "ones"}
    layers = tf.keras.layers
    parts = [layers.LSTM(2, **ones), layers.Dropout(0.5)]
    parts += [layers.Dense(3, kernel_initializer="ones")]
    return tf.keras.Sequential([layers.InputLayer((4, 3)), *parts])


ELSEWHERE = """
from qkit._tensorflow import tensorflow
tf = tensorflow()
tf.config.threading.set_intra_op_parallelism_threads(1)
import test_training_key as here
here.recurrent(tf)
print(here.named(here.recurrent(tf)), here.training_key.machine())
"""


@pytest.mark.slow
def test_another_process_finds_the_same_key_and_tells_its_threads(tf, run_python):
    folder = str(Path(__file__).parent)
    said = run_python(
        f"import sys; sys.path.insert(0, {folder!r})\n{ELSEWHERE}", PYTHONHASHSEED="1"
    )
    key, _, machine = said.splitlines()[-1].partition(" ")
    assert key == named(recurrent(tf))
    assert machine != training_key.machine()


def test_code_counts_without_its_comments_and_its_layout():
    def plain(x):
        return x + 1

    first = training_key.code(plain)

    def plain(x):
        """Say what it does."""
        # and why
        return x + \
            1  # fmt: skip

    second = training_key.code(plain)

    def plain(x):
        return x + 2

    assert first == second != training_key.code(plain)


def test_every_constant_of_code_counts():
    def first(x, deep=False):
        return sorted(x, reverse=True)

    def second(x, deep=False):
        return sorted(x, reverse=False)

    def third(x, deep=True):
        return sorted(x, reverse=True)

    texts = {training_key.code(each).replace(each.__name__, "f") for each in (first, second, third)}
    assert len(texts) == 3


def test_code_around_the_graph_counts(net):
    def one(x):
        return x

    def other(x):
        return x, x

    keys = [named(net(), functions=[function]) for function in (one, other, one)]
    assert keys[0] == keys[2] != keys[1]
