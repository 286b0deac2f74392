"""How much faster qkit's ways are than the plain ones, on one machine and in one run.

``python tests/benchmarks/bench.py`` prints a table of ratios: only these mean something elsewhere.
It ends with an error where two ways that must agree do not; a ratio that misses its aim is marked.
"""

import os
import sys
import time
from functools import partial

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

import qkit as qk
from qkit._tensorflow import quiet, tensorflow

EPOCHS = 2
SEED = 0
BATCH_SIZE = 2**17 // 28**2  # what qk.accuracy takes for images of 28×28


def main():
    """Print the table; return 1 if results that must agree differ, else 0."""
    qk.setup_notebook()
    data = qk.load_data("mnist", fallback="digits")
    model = qk.models.walkthrough_cnn()
    qk.fit(model, data, epochs=1, cache=False)
    print(f"{qk.environment().summary()}\n{data}\n")
    print(f"{'seconds, median (min to max)':36}{'plain':>24}{'qkit':>24}{'ratio':>24}   aim")
    right = []
    images = data.x_test.astype(np.float64)  # as the walkthrough has them: x / 255.0
    for scheme in ("float32", "full_integer"):
        tflite = qk.convert(model, scheme, data.x_train[:300])
        started = time.perf_counter()
        qk.accuracy(tflite, data.x_test, data.y_test)
        first_s = time.perf_counter() - started
        ours = partial(accuracy, tflite, data)
        loop, bare = partial(walkthrough_loop, tflite, images), partial(bare_batches, tflite, data)
        right.append(row(f"accuracy, {scheme}: walkthrough", loop, ours, rounds=5, least=20))
        right.append(row(f"accuracy, {scheme}: bare batches", bare, ours, rounds=25, most=1.3))
        print(f"    (the first time, with its trial run in another process: {first_s:.2f} s)")
    ways = partial(plain_training, data), partial(training, data)
    right.append(row(f"training, {EPOCHS} epochs", *ways, rounds=3, least=1.6))
    large = many_layers()
    seconds_alone("inspect, 20 MB in 200 layers", partial(inspected, large), most=1)
    seconds_alone("lint, the same for five targets", partial(linted, large), most=5)
    right.append(errors_by_layer(data))
    right.append(integers(model, data))
    return 0 if all(right) else 1


def row(what, plain, ours, *, rounds, least=None, most=None, same=np.array_equal):
    """Time two ways in turn, print a line of the table, and return whether their results agree.

    Parameters
    ----------
    what : str
    plain, ours : callable
        Each returns a list of arrays.
    rounds : int
    least, most : float, optional
        The aim, one of them: how many times faster than `plain` it must be at least, or how many
        times as long as `plain` it may take.
    same : callable
        Whether two results agree; to the last bit by default.

    Returns
    -------
    bool
    """
    seconds, results = {plain: [], ours: []}, {}
    for _ in range(rounds):
        for way in seconds:  # in turn: what else the machine does hits neighbours alike
            started = time.perf_counter()
            results[way] = way()
            seconds[way].append(time.perf_counter() - started)
    faster = np.divide(seconds[plain], seconds[ours])
    ratio, aim = (faster, f"≥ {least}") if least else (1 / faster, f"≤ {most}")
    missed = np.median(ratio) < least if least else np.median(ratio) > most
    agree = all(map(same, results[plain], results[ours]))
    columns = spread(seconds[plain], 3), spread(seconds[ours], 3), spread(ratio, 2)
    remarks = ["missed"] * bool(missed) + ["RESULTS DIFFER"] * (not agree)
    print(f"{what:36}{''.join(f'{c:>24}' for c in columns)}   {'  '.join([aim, *remarks])}")
    return agree


def seconds_alone(what, ours, *, most):
    """Time a way that has no plain one beside it, and print its line: seconds, and at most so."""
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        ours()
        seconds.append(time.perf_counter() - started)
    missed = "  missed" * bool(np.median(seconds) > most)
    print(f"{what:36}{'':24}{spread(seconds, 3):>24}{'':24}   ≤ {most} s{missed}")


def many_layers():
    """Return a float file of 20 MB in 200 dense layers."""
    layers = tensorflow().keras.layers
    dense = [layers.Dense(158, activation="relu") for _ in range(200)]
    return qk.convert(tensorflow().keras.Sequential([layers.InputLayer((158,)), *dense]), "float32")


def inspected(tflite):
    """Read a file, and make its tables and its plan of memory."""
    file = qk.inspect(tflite)
    return file.to_frame(), file.operator_table, file.memory_plan.summary()


def spread(values, digits):
    """Return the median of some values and their range, as text."""
    middle, low, high = (f"{f(values):.{digits}f}" for f in (np.median, np.min, np.max))
    return f"{middle} ({low} to {high})"


def accuracy(tflite, data):
    """Predict with qkit, its checks and its interval included."""
    return [qk.accuracy(tflite, data.x_test, data.y_test).predictions]


def walkthrough_loop(tflite, images):
    """Predict as the walkthrough does: float64 images one by one, and all looked up anew."""
    tf = tensorflow()
    with quiet():
        interpreter = tf.lite.Interpreter(model_content=tflite)
    interpreter.allocate_tensors()
    predictions = []
    for image in images:
        batch = tf.expand_dims(tf.constant(image, dtype=tf.float32), axis=0)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], batch)
        interpreter.invoke()
        scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        predictions.append(np.argmax(scores))
    return [np.array(predictions)]


def linted(tflite):
    """Look for findings, for each target."""
    for target in ("cpu", "gpu", "edgetpu", "microcontroller", "ethos-u"):
        qk.lint(tflite, target)


def errors_by_layer(data):
    """Hold `layer_errors` on a depthwise network against litert-quantizer's own comparison.

    That gives accumulated errors alone; ours each operator's own, and what it does, as well.
    """
    from litert_quantizer import model_validator
    from litert_quantizer.utils.validation_utils import ValidationErrorMetric as Metric

    in_float = qk.convert(qk.models.depthwise_cnn(), "float32")
    tflite = qk.convert(in_float, "litert_full_integer", data.x_train[:100])
    x = data.x_test[:100]
    feeds = {"serving_default": [{"image": item[None]} for item in x]}
    name = qk.inspect(tflite).operators[-2].outputs[0].name

    def theirs():
        how = {"use_xnnpack": False, "num_threads": 1}
        compared = model_validator.compare_model(in_float, tflite, feeds, [Metric.MSE], **how)
        return [compared.get_all_tensor_results()[name]["mse"]]

    def ours():
        row = qk.layer_errors(in_float, tflite, x).table.iloc[-1]
        return [(row["rmse_steps"] * qk.inspect(tflite).operators[-2].outputs[0].scale[0]) ** 2]

    same = partial(np.allclose, rtol=0.05)
    return row("layer errors, 100 images: validate", theirs, ours, rounds=5, most=3, same=same)


def bare_batches(tflite, data):
    """Predict in batches, with nothing around it."""
    return [in_batches(tflite, data.x_test, num_threads=os.cpu_count()).argmax(axis=1)]


def in_batches(tflite, x, **how):
    """Return what a classifier of ten classes gives, run in batches."""
    size = min(BATCH_SIZE, len(x))
    interpreter = Interpreter(model_content=tflite, **how)
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    interpreter.resize_tensor_input(source, (size, *x.shape[1:]))
    interpreter.allocate_tensors()
    outputs = np.empty((len(x), 10), np.float32)
    for start in range(0, len(x), size):
        start = min(start, len(x) - size)
        interpreter.set_tensor(source, x[start : start + size])
        interpreter.invoke()
        outputs[start : start + size] = interpreter.get_tensor(target)
    return outputs


def integers(model, data):
    """Hold NumPy, which keeps every tensor, against the kernels whose integers it computes."""
    kernels = {"experimental_op_resolver_type": OpResolverType.BUILTIN_REF}
    right, x = [], data.x_test
    for scheme in ("full_integer", "int16_activations"):
        tflite = qk.convert(model, scheme, data.x_train[:300])

        def plain(tflite=tflite):
            return [in_batches(tflite, x, **kernels)]

        def ours(tflite=tflite):
            return [qk.run_integer(tflite, x).output]

        right.append(row(f"run_integer, {scheme}", plain, ours, rounds=5, most=3))
    return all(right)


def training(data):
    """Train with qkit, its checks included."""
    model = qk.models.walkthrough_cnn()
    qk.fit(model, data, epochs=EPOCHS, seed=SEED, cache=False)
    return model.get_weights()


def plain_training(data):
    """Train with Keras alone, on the float64 arrays that dividing pixels by 255 gives."""
    keras = tensorflow().keras
    model = qk.models.walkthrough_cnn()
    x = data.x_train.astype(np.float64)
    keras.utils.set_random_seed(SEED)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    model.fit(x, data.y_train, batch_size=32, epochs=EPOCHS, validation_split=0.1, verbose=0)
    return model.get_weights()


if __name__ == "__main__":
    sys.exit(main())
