"""What users get wrong, one line a case: the error names the thing and the remedy."""
# ruff: noqa: E501 - a case stays on its line, so that the table can be read down

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

import qkit as qk
from qkit._tensorflow import KerasVersionError
from qkit.data import DataError
from qkit.quantize.grid import (
    PerAxis,
    PerGroup,
    PerTensor,
    choose_qparams,
    dequantize,
    fake_quantize,
    quantize,
)
from qkit.tflite.file import TfliteError


def two_inputs(tf):
    left, right = tf.keras.Input((4, 4), name="left"), tf.keras.Input((4, 4), name="right")
    added = tf.keras.layers.Flatten()(tf.keras.layers.Add()([left, right]))
    return tf.keras.Model([left, right], tf.keras.layers.Dense(3)(added), name="double")


def keras_3():
    import keras

    return keras.Sequential([keras.layers.InputLayer((4, 4)), keras.layers.Flatten()])


@pytest.fixture(scope="module")
def models(tf, toy_model):
    """Return the models of the table, and the files made of them."""
    double = two_inputs(tf)
    regression = toy_model(classes=1)
    return {
        "model": toy_model(),
        "double": double,
        "regression": regression,
        "unbuilt": tf.keras.Sequential([tf.keras.layers.Dense(3)], name="unbuilt"),
        "keras_3": keras_3(),
        "double_file": qk.convert(double, "float32"),
        "regression_file": qk.convert(regression, "float32"),
        "aware": qk.quantization_aware(toy_model()),
    }


@pytest.fixture
def g(models, toy_tflite, toy_data, changed, hand_made, monkeypatch, tmp_path):
    """Return all that the calls of the table are given."""
    (tmp_path / "plain file").write_text("no folder")
    x, y = toy_data.x_test, toy_data.y_test

    def without_cache():
        monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "plain file" / "below"))

    def with_nan(array):
        array = array.copy()
        array[5, 2, 2] = np.nan
        return array

    return SimpleNamespace(
        **models,
        tflite=toy_tflite,
        data=toy_data,
        x=x,
        y=y,
        n=len(x),
        nan=with_nan(x),
        infinite=np.where(x > 0.5, np.inf, x),
        pixels=(255 * x).astype(np.uint8),
        one_hot=np.eye(3)[y],
        folder=tmp_path,
        changed=changed,
        compared=hand_made({"float32": (range(5), 80, 10), "mine": (range(9), 20, 5)}),
        without_cache=without_cache,
    )


def replaced(g, **arrays):
    return dataclasses.replace(g.data, **arrays)


def case(name, call, error, *fragments):
    return pytest.param(call, error, fragments, id=name)


def fit(g, model=None, data=None, **options):
    return qk.fit(model or g.model, data or g.data, **{"epochs": 1, "cache": False, **options})


# fmt: off
MODELS = [
    case("convert a number", lambda g: qk.convert(7, "float32"), TypeError, "convert: expected a Keras 2 model, got int", "walkthrough_cnn()"),
    case("convert bytes of no file", lambda g: qk.convert(b"no .tflite file", "float32"), ValueError, "bytes 4 to 8 must read b'TFL3'"),
    case("aware of a file", lambda g: qk.quantization_aware(g.tflite), TypeError, "got bytes: nothing can be trained in a .tflite file", "Train where it comes from"),
    case("fit None", lambda g: qk.fit(None, g.data, epochs=1), TypeError, "fit: expected a Keras 2 model, got NoneType"),
    case("aware of a list", lambda g: qk.quantization_aware([1]), TypeError, "quantization_aware: expected a Keras 2 model, got list"),
    case("prune Keras 3", lambda g: qk.prune(g.keras_3, g.data), KerasVersionError, "is a Keras 3 model (made with `import keras`)", "qk.to_keras_2(model)"),
    case("fit Keras 3", lambda g: fit(g, g.keras_3), KerasVersionError, "fit: Sequential is a Keras 3 model", "qk.to_keras_2(model)"),
    case("aware of Keras 3", lambda g: qk.quantization_aware(g.keras_3), KerasVersionError, "Keras 3 model", "qk.to_keras_2(model)"),
    case("convert unbuilt", lambda g: qk.convert(g.unbuilt, "float32"), ValueError, "'unbuilt' has not been built", "input_shape"),
    case("fit two inputs", lambda g: fit(g, g.double), ValueError, "fit: a model with one input and one output is wanted; 'double'", "2 and 1"),
    case("fit two inputs to a loss", lambda g: fit(g, g.double, loss=abs), ValueError, "fit: a model with one input and one output is wanted; 'double'"),
    case("fit words", lambda g: fit(g, data=replaced(g, y_train=np.array(["a"] * 100)), loss=abs), TypeError, "fit: data.y_train must hold numbers"),
    case("fit too few targets", lambda g: fit(g, data=replaced(g, y_train=g.data.y_train[:9]), loss=abs), ValueError, "one entry for each of 100 inputs, got (9,)"),
    case("fit targets with NaN", lambda g: fit(g, data=replaced(g, y_train=np.full(100, np.nan)), loss=abs), ValueError, "NaN or infinite"),
    case("accuracy of two inputs", lambda g: qk.accuracy(g.double, g.x, g.y), ValueError, "accuracy: x: the model takes 'left'", "a list or a dict of arrays"),
    case("calibrate two inputs", lambda g: qk.convert(g.double, "full_integer", g.x), ValueError, "the model takes 'left'", "a list or a dict of arrays"),
    case("SavedModel that is none", lambda g: qk.convert(str(g.folder), "float32"), ValueError, "is not the folder of a SavedModel", "model.save(folder, save_format='tf')"),
    case("SavedModel that is not there", lambda g: qk.convert(g.folder / "nowhere", "float32"), ValueError, "nowhere", "holds no saved_model.pb"),
    case("qat of a plain model", lambda g: qk.convert(g.model, "qat"), ValueError, "'toy' is a plain one", "qk.quantization_aware(model)"),
]

FILES = [
    case("path in place of bytes", lambda g: qk.accuracy("model.tflite", g.x, g.y), TypeError, "expected the bytes of a .tflite file, got str", "read_bytes()"),
    case("size of a path", lambda g: qk.size("model.tflite"), TypeError, "got str", "read_bytes()"),
    case("size of a model", lambda g: qk.size(g.model), TypeError, "got Sequential", "qk.convert(model, ...)"),
    case("inspect a path", lambda g: qk.inspect("model.tflite"), TypeError, "got str", "read_bytes()"),
    case("no bytes", lambda g: qk.size(b""), TfliteError, "these 0 bytes are no .tflite file", "cut off"),
    case("other file", lambda g: qk.size(b"PK\3\4 an archive"), TfliteError, "must read b'TFL3', got b' an '", "another one"),
    case("truncated", lambda g: qk.size(g.tflite[: len(g.tflite) // 2]), TfliteError, "file is damaged", "cut off"),
    case("head alone", lambda g: qk.accuracy(g.tflite[:8], g.x, g.y), TfliteError, "is it damaged?"),
    case("zeros after the head", lambda g: qk.size(g.tflite[:8] + bytes(len(g.tflite))), TfliteError, "file is damaged"),
    case("ones after the head", lambda g: qk.size(g.tflite[:8] + b"\xff" * 999), TfliteError, "file is damaged"),
    case("file of two inputs", lambda g: qk.accuracy(g.double_file, g.x, g.y), ValueError, "the model takes 'left' ('n', 4, 4), 'right'", "a list or a dict of arrays; got ndarray"),
    case("latency of a path", lambda g: qk.latency({"a": "model.tflite"}, g.x), TypeError, "got str", "read_bytes()"),
    case("latency of two inputs", lambda g: qk.latency({"a": g.double_file}, g.x), ValueError, "a list or a dict of arrays"),
    case("damaged extra file", lambda g: qk.compare(g.model, g.data, [], extra={"mine": b"?"}), TfliteError, "no .tflite file"),
]

IMAGES = [
    case("NaN pixels", lambda g: qk.accuracy(g.tflite, g.nan, g.y), ValueError, "accuracy: x holds 1 values that are NaN or infinite", "item 5", "Clean the data"),
    case("infinite pixels", lambda g: qk.accuracy(g.tflite, g.infinite, g.y), ValueError, "NaN or infinite"),
    case("uint8 pixels", lambda g: qk.accuracy(g.tflite, g.pixels, g.y), TypeError, "got uint8", "pass x.astype('float32')", "x / 255"),
    case("text for pixels", lambda g: qk.accuracy(g.tflite, g.x.astype(str), g.y), TypeError, "must hold floating-point values"),
    case("wrong shape", lambda g: qk.accuracy(g.tflite, g.x[:, :3], g.y), ValueError, "must have the shape (n, 4, 4), got (20, 3, 4)"),
    case("channel axis too many", lambda g: qk.accuracy(g.tflite, g.x[..., None], g.y), ValueError, "Drop the last axis: x[..., 0]"),
    case("single image", lambda g: qk.accuracy(g.tflite, g.x[0], g.y), ValueError, "That is a single image: pass x[None]"),
    case("no images", lambda g: qk.accuracy(g.tflite, g.x[:0], g.y[:0]), ValueError, "accuracy: x is empty"),
    case("no images, Keras", lambda g: qk.accuracy(g.model, g.x[:0], g.y[:0]), ValueError, "accuracy: x is empty"),
    case("fit without images", lambda g: fit(g, data=replaced(g, x_train=g.x[:0], y_train=g.y[:0])), ValueError, "fit: data.x_train is empty"),
    case("fit NaN", lambda g: fit(g, data=replaced(g, x_train=g.nan, y_train=g.y)), ValueError, "fit: data.x_train holds 1 values that are NaN"),
    case("fit uint8", lambda g: fit(g, data=replaced(g, x_train=g.pixels, y_train=g.y)), TypeError, "fit: data.x_train", "by 255"),
    case("fit wrong shape", lambda g: fit(g, data=replaced(g, x_train=g.x[:, 1:], y_train=g.y)), ValueError, "fit: data.x_train must have the shape (n, 4, 4)"),
    case("latency without images", lambda g: qk.latency({"a": g.tflite}, g.x[:0]), ValueError, "latency: x is empty"),
    case("latency of a single image", lambda g: qk.latency({"a": g.tflite}, g.x[0]), ValueError, "latency: x must have the shape (n, 4, 4)"),
]

LABELS = [
    case("label too large", lambda g: qk.accuracy(g.tflite, g.x, g.y + 1), ValueError, "accuracy: y holds the label 3", "labels must be 0 to 2"),
    case("label negative", lambda g: qk.accuracy(g.tflite, g.x, g.y - 1), ValueError, "holds the label -1"),
    case("float labels", lambda g: qk.accuracy(g.tflite, g.x, g.y + 0.5), ValueError, "float64, cannot be held against outputs of shape (20, 3)", "from 0 to 2"),
    case("too few labels", lambda g: qk.accuracy(g.tflite, g.x, g.y[:5]), ValueError, "one entry for each of 20 inputs, got (5,)"),
    case("no labels", lambda g: qk.accuracy(g.tflite, g.x, None), ValueError, "accuracy: y is missing", "qk.compare(model, x)"),
    case("fit label too large", lambda g: fit(g, data=g.changed(g.data, "y_train", 7, 3)), ValueError, "fit: data.y_train holds the label 3", "0 to 2"),
    case("fit one-hot", lambda g: fit(g, data=replaced(g, x_train=g.x, y_train=g.one_hot)), ValueError, "data.y_train looks one-hot"),
]

ARGUMENTS = [
    case("unknown scheme", lambda g: qk.convert(g.model, "dinamic_range"), ValueError, "unknown scheme 'dinamic_range'", "Did you mean 'dynamic_range'?"),
    case("unknown scheme to compare", lambda g: qk.compare(g.model, g.data, ["int8"]), ValueError, "unknown scheme 'int8'", "There are: float32"),
    case("schemes as a string", lambda g: qk.compare(g.model, g.data, "float16"), TypeError, "write ['float16'], not 'float16'"),
    case("compare with a technique that is none", lambda g: qk.compare(g.model, g.data, trained={"quat": g.model}), ValueError, "'quat', which is no technique", "'control'"),
    case("pruned of a plain model", lambda g: qk.convert(g.model, "pruned"), ValueError, "'toy' has no zero among its weights", "qk.prune(model, data)"),
    case("clustered of a plain model", lambda g: qk.convert(g.model, "clustered"), ValueError, "of 'toy' holds one value alone, or more than 256 distinct values", "qk.cluster(model, data)"),
    case("prune to a percentage", lambda g: qk.prune(g.model, g.data, sparsity=80), ValueError, "got 80", "0.8 for 80 %"),
    case("prune by another schedule", lambda g: qk.prune(g.model, g.data, schedule="linear"), ValueError, "got 'linear'", "'polynomial', 'constant'"),
    case("prune in another pattern", lambda g: qk.prune(g.model, g.data, pattern="4:8"), ValueError, "got '4:8'", "(rows, columns)"),
    case("prune an aware model", lambda g: qk.prune(g.aware, g.data), ValueError, "quantization-aware already", "before the grid"),
    case("prune no epoch", lambda g: qk.prune(g.model, g.data, epochs=0), ValueError, "prune: epochs", "got 0"),
    case("one cluster", lambda g: qk.cluster(g.model, g.data, clusters=1), ValueError, "from 2 to 256", "got 1"),
    case("two clusters, one of them zero", lambda g: qk.cluster(g.model, g.data, clusters=2, preserve_sparsity=True), ValueError, "from 3 to 256", "one of them is zero"),
    case("cluster from elsewhere", lambda g: qk.cluster(g.model, g.data, init="kmeans"), ValueError, "got 'kmeans'", "'kmeans++'"),
    case("as many clusters as weights", lambda g: qk.cluster(g.model, g.data, clusters=256), ValueError, "nothing to cluster in 'toy'", "no more than 256 clusters"),
    case("preserve zeros that are not there", lambda g: qk.cluster(g.model, g.data, clusters=4, preserve_sparsity=True), ValueError, "'toy' has no zero among its weights", "qk.prune(model, data)"),
    case("preserve what is unknown", lambda g: qk.quantization_aware(g.model, preserve="zeros"), ValueError, "got 'zeros'", "'both'"),
    case("preserve sparsity that is not there", lambda g: qk.quantization_aware(g.model, preserve="sparsity"), ValueError, "'toy' has no zero among its weights", "qk.prune(model, data)"),
    case("negative epochs", lambda g: fit(g, epochs=-1), ValueError, "epochs must be a whole number of 1 or more, got -1"),
    case("no epochs", lambda g: fit(g, epochs=0), ValueError, "epochs", "got 0"),
    case("epochs and a half", lambda g: fit(g, epochs=1.5), ValueError, "epochs must be a whole number", "got 1.5"),
    case("epochs True", lambda g: fit(g, epochs=True), ValueError, "epochs must be a whole number", "got True"),
    case("epochs in words", lambda g: fit(g, epochs="ten"), ValueError, "epochs must be a whole number", "got 'ten'"),
    case("batch_size 0", lambda g: fit(g, batch_size=0), ValueError, "batch_size must be a whole number from 1 to"),
    case("validation_split 1", lambda g: fit(g, validation_split=1), ValueError, "validation_split must be a number in [0, 1), got 1"),
    case("validation_split negative", lambda g: fit(g, validation_split=-0.1), ValueError, "validation_split must be a number in [0, 1)"),
    case("cache that cannot be written", lambda g: (g.without_cache(), fit(g, cache=True)), PermissionError, "cannot write its cache to", "Set QKIT_CACHE", "cache=False"),
    case("latency of nothing", lambda g: qk.latency({}, g.x), TypeError, "one entry or more", "{'float32': tflite}"),
    case("latency of a list", lambda g: qk.latency([g.tflite], g.x), TypeError, "must be a dict", "got list"),
    case("compare with two names alike", lambda g: qk.compare(g.model, g.data, ["float16"], extra={"a": g.tflite, "A": g.tflite}), ValueError, "'a' and 'A'", "taken for one another", "extra={'mine': …}"),
    case("compare with files in a list", lambda g: qk.compare(g.model, g.data, extra=[g.tflite]), TypeError, "compare: extra must be a Mapping", "got list"),
    case("compare on a data set's name", lambda g: qk.compare(g.model, "mnist"), TypeError, "compare: data must be a qk.Dataset", "got str"),
    case("paired of numbers", lambda g: qk.paired(0.98, 0.97), TypeError, "two accuracies are wanted", "got float and float"),
    case("paired of nothing", lambda g: qk.paired(None, None), TypeError, "got NoneType and NoneType"),
    case("paired of predictions", lambda g: qk.paired(g.y, g.y), TypeError, "got ndarray and ndarray"),
    case("accuracy of no predictions", lambda g: qk.accuracy_of([], []), ValueError, "one prediction a label, and one or more", "(0,) and (0,)"),
    case("tradeoff of a table", lambda g: qk.tradeoff(g.compared.to_frame()), TypeError, "tradeoff: comparison must be a Comparison, got DataFrame"),
    case("tradeoff by a list", lambda g: qk.tradeoff(g.compared, ["latency, µs"]), ValueError, "tradeoff: x must be one of", "got ['latency, µs']"),
    case("tradeoff by an array", lambda g: qk.tradeoff(g.compared, np.zeros(3)), ValueError, "tradeoff: x must be one of", "got array"),
    case("tradeoff of a number of schemes", lambda g: qk.tradeoff(g.compared, schemes=2), TypeError, "tradeoff: schemes must be a Iterable, got int"),
    case("tradeoff of a scheme that is not there", lambda g: qk.tradeoff(g.compared, schemes=[None]), ValueError, "a scheme must be one of 'float32', 'mine'", "got None"),
    case("shortlist of a list", lambda g: qk.shortlist([g.compared], size_bytes=1), TypeError, "shortlist: comparison must be a Comparison, got list"),
    case("shortlist by a size in words", lambda g: qk.shortlist(g.compared, size_bytes="30 KiB"), ValueError, "size_bytes must be 0 or more, got '30 KiB'"),
    case("shortlist by two latencies", lambda g: qk.shortlist(g.compared, latency_us=np.ones(2)), ValueError, "latency_us must be 0 or more, got array"),
    case("disagreements of a scheme's name", lambda g: qk.disagreements("qat", g.compared), TypeError, "disagreements: decision must be a Decision, got str"),
    case("disagreements of no comparison", lambda g: qk.disagreements(qk.decision_tree.follow({"optimize": False}), None), TypeError, "disagreements: comparison must be a Comparison, got NoneType"),
    case("latency of an array", lambda g: qk.latency(np.zeros(0), g.x), TypeError, "must be a dict", "got ndarray"),
    case("latency on no images", lambda g: qk.latency({"a": g.tflite}, None), TypeError, "latency: x must be an array of images, got NoneType"),
    case("latency on no threads", lambda g: qk.latency({"a": g.tflite}, g.x, threads=0, instances=2), ValueError, "threads"),
    case("latency of one instance", lambda g: qk.latency({"a": g.tflite}, g.x, instances=1), ValueError, "latency: instances must be a whole number from 2 to"),
    case("unknown data set", lambda g: qk.load_data("MNIST"), ValueError, "load_data: name must be one of 'mnist'", "got 'MNIST'"),
    case("paired with others", lambda g: qk.paired(qk.accuracy(g.tflite, g.x, g.y), qk.accuracy(g.tflite, g.x[:5], g.y[:5])), ValueError, "different images (20 and 5)", "same labels"),
    case("ranges of a plain model", lambda g: qk.range_history(g.model, g.data, steps=1), ValueError, "has no ranges to follow", "qk.quantization_aware"),
    case("aware twice", lambda g: qk.quantization_aware(g.aware), ValueError, "is quantization-aware already", "wrap the float model"),
    case("misspelt name", lambda g: qk.acuracy, AttributeError, "no attribute 'acuracy'", "accuracy"),
]

GRIDS = [
    case("bits 1", lambda g: choose_qparams(g.x, bits=1), ValueError, "bits must be an integer from 2 to 16, got 1"),
    case("bits 17", lambda g: choose_qparams(g.x, bits=17), ValueError, "got 17"),
    case("bits 8.0", lambda g: choose_qparams(g.x, bits=8.0), ValueError, "must be an integer", "got 8.0"),
    case("unknown rule", lambda g: choose_qparams(g.x, rule="tflite"), ValueError, "rule must be one of 'converter', 'fake_quant'; got 'tflite'"),
    case("granularity in words", lambda g: choose_qparams(g.x, granularity="per_channel"), TypeError, "PerAxis(axis)", "got 'per_channel'"),
    case("granularity's class", lambda g: choose_qparams(g.x, granularity=PerTensor), TypeError, "granularity must be PerTensor()"),
    case("axis that is not there", lambda g: choose_qparams(g.x, granularity=PerAxis(3)), ValueError, "PerAxis(3): a tensor of shape (20, 4, 4) has the axes 0 to 2"),
    case("groups that do not fit", lambda g: choose_qparams(g.x, granularity=PerGroup(3)), ValueError, "PerGroup(3) does not divide the last axis", "sizes that do: 1, 2, 4"),
    case("groups of nothing", lambda g: choose_qparams(g.x, granularity=PerGroup(0)), ValueError, "PerGroup(0)"),
    case("range the wrong way", lambda g: choose_qparams(g.x, range=(1, -1)), ValueError, "the smaller end first, got (1.0, -1.0)"),
    case("range infinite", lambda g: choose_qparams(g.x, range=(0, np.inf)), ValueError, "range must be finite"),
    case("range in words", lambda g: choose_qparams(g.x, range="mse"), ValueError, "a function such as qk.calibration.min_max, got 'mse'"),
    case("range of other channels", lambda g: choose_qparams(g.x, range=(np.zeros(3), np.ones(3)), granularity=PerAxis(2)), ValueError, "two arrays of shape (4,)", "got the shapes (3,) and (3,)"),
    case("integers to quantize", lambda g: quantize(g.pixels, choose_qparams(g.x)), TypeError, "quantize: the values must be floating point, got uint8", "dequantize them first"),
    case("NaN to quantize", lambda g: quantize(g.nan, choose_qparams(g.x)), ValueError, "1 of 320 values are NaN or infinite", "np.clip"),
    case("floats to dequantize", lambda g: dequantize(g.x, choose_qparams(g.x)), TypeError, "q must hold integers, got float32", "Call quantize first"),
    case("grid of another tensor", lambda g: fake_quantize(g.x[..., :3], choose_qparams(g.x, granularity=PerAxis(-1))), ValueError, "has 3 channels", "the grid has 4", "another tensor?"),
    case("error of nothing", lambda g: qk.quantization_error(g.x[:0], choose_qparams(g.x)), ValueError, "no values to measure, shape (0, 4, 4)"),
    case("error of a scale", lambda g: qk.quantization_error(g.x, 0.1), TypeError, "quantization_error: qparams must be a QParams, got float"),
    case("fit of no grid", lambda g: qk.grid_fit(g.x, None), TypeError, "qparams must be a QParams, got NoneType"),
    case("quantize by bits", lambda g: quantize(g.x, 8), TypeError, "quantize: qparams must be a QParams, got int"),
    case("fake_quantize by a scale", lambda g: fake_quantize(g.x, g.x), TypeError, "fake_quantize: qparams must be a QParams, got ndarray"),
    case("dequantize by nothing", lambda g: dequantize(g.y, None), TypeError, "dequantize: qparams must be a QParams, got NoneType"),
    case("rows of different lengths", lambda g: choose_qparams([[1.0], [1.0, 2.0]]), ValueError, "choose_qparams: x must be an array"),
    case("sqnr of rows of different lengths", lambda g: qk.sqnr_db([[1.0], [1.0, 2.0]], g.x), ValueError, "sqnr_db must be an array"),
    case("sqnr of different shapes", lambda g: qk.sqnr_db(g.x, g.x[:1]), ValueError, "sqnr_db: the shapes must be equal"),
    case("sqnr of words", lambda g: qk.sqnr_db("x", "y"), TypeError, "sqnr_db: the values must be floating point"),
    case("number in words", lambda g: qk.nearest_numbers("a tenth"), TypeError, "nearest_numbers: value, low and high must be numbers", "a tenth"),
    case("number of no value", lambda g: qk.nearest_numbers(None), TypeError, "value, low and high must be numbers", "NoneType"),
    case("number beyond all floats", lambda g: qk.nearest_numbers(10**400), TypeError, "value, low and high must be numbers", "too large"),
    case("percent 0", lambda g: qk.calibration.percentile([g.x], 0), ValueError, "percent must be a number in (0, 100], got 0"),
    case("stream without values", lambda g: qk.calibration.mse(iter([])), ValueError, "Was the generator used up before?"),
]

CALIBRATION = [
    case("missing", lambda g: None, ValueError, "calibration for 'full_integer' is missing", "calibration=data.x_train[:300]"),
    case("empty", lambda g: g.x[:0], ValueError, "calibration for 'full_integer' is empty"),
    case("NaN", lambda g: g.nan, ValueError, "calibration for 'full_integer' holds 1 values that are NaN"),
    case("constant", lambda g: np.full_like(g.x, 0.5), ValueError, "is constant: every value is 0.5", "as the model will see them"),
    case("wrong shape", lambda g: g.x[:, :, 1:], ValueError, "must have the shape (n, 4, 4), got (20, 4, 3)"),
    case("single image", lambda g: g.x[0], ValueError, "That is a single image: pass x[None]"),
    case("uint8", lambda g: g.pixels, TypeError, "got uint8", "by 255"),
    case("whole data set", lambda g: g.data, TypeError, "must be an array of images, got Dataset"),
    case("text", lambda g: "x_train", TypeError, "must be an array of images, got str"),
]
# fmt: on


def assert_told(error, fragments):
    for fragment in fragments:
        assert fragment in str(error.value)


@pytest.mark.parametrize(
    ("call", "expected", "fragments"), [*MODELS, *FILES, *IMAGES, *LABELS, *ARGUMENTS, *GRIDS]
)
def test_bad_input_is_told(call, expected, fragments, g):
    with pytest.raises(expected) as error:
        call(g)
    assert_told(error, fragments)


@pytest.mark.parametrize(("calibration", "expected", "fragments"), CALIBRATION)
def test_bad_calibration_is_told(calibration, expected, fragments, g):
    with pytest.raises(expected) as error:
        qk.convert(g.model, "full_integer", calibration(g))
    assert_told(error, fragments)


def test_bad_training_data_leave_the_model_as_it_was(g):
    before = g.model.get_weights()
    with pytest.raises(ValueError, match="holds the label 3"):
        fit(g, data=g.changed(g.data, "y_train", 7, 3))
    for weight, kept in zip(g.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_bad_calibration_is_told_before_tensorflow_starts(run_python):
    code = (
        "import sys, numpy as np, qkit as qk\n"
        "x = np.random.default_rng(0).random((5, 4, 4), np.float32)\n"
        "nan = np.where(x == x.max(), np.nan, x)\n"
        "for bad in (None, x[:0], nan, x / 0 * x, np.ones_like(x), 'x_train'):\n"
        "    try:\n"
        "        qk.convert('a folder of a SavedModel', 'int16_activations', bad)\n"
        "    except (TypeError, ValueError) as error:\n"
        "        print(error)\n"
        "    assert 'tensorflow' not in sys.modules\n"
    )
    said = run_python(code).splitlines()
    assert len(said) == 6
    assert all("calibration for 'int16_activations'" in line for line in said)


def test_errors_are_of_the_kinds_that_python_users_catch():
    assert issubclass(TfliteError, ValueError)
    assert issubclass(DataError, ValueError)
    assert issubclass(KerasVersionError, RuntimeError)
