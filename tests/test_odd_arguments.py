"""Each argument of each public function, odd in thirty ways: a result, or an error of our own.

An error is our own where a `raise` of the package is the last thing that ran: then somebody has
thought of what to say. Another library's words about our insides help nobody.
"""

import inspect
import os
import traceback
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit.data import Dataset

PACKAGE = Path(qk.__file__).parent

ODD = {
    "None": None,
    "-1": -1,
    "0": 0,
    "2.5": 2.5,
    "huge": 10**30,
    "nan": float("nan"),
    "inf": float("inf"),
    "''": "",
    "'abc'": "abc",
    "b''": b"",
    "zero bytes": b"\0" * 40,
    "[]": [],
    "[None]": [None],
    "{}": {},
    "{'a': None}": {"a": None},
    "{1: 2}": {1: 2},
    "(1, 2)": (1, 2),
    "object": object(),
    "True": True,
    "no items": np.empty((0, 4, 4), np.float32),
    "scalar": np.float32(1),
    "array of nan": np.full((20, 4, 4), np.nan, np.float32),
    "integers": np.arange(20),
    "strings": np.array(["a", "b"]),
    "objects": np.array([None, {}], object),
    "complex": np.ones((20, 4, 4)) * 1j,
    "ragged": [[1, 2], [3]],
    "function": lambda *args, **kwargs: None,
    "class": int,
    "path": Path("/nowhere/x"),
}
# Trained for as many epochs as asked, that is what they are for.
LONG = {("epochs", "huge"), ("steps", "huge")}
# A function of the user's own, which raises what it likes.
OWN = {("range", "class"), ("loss", "class"), ("loss", "function")}


BENCHMARK = "Inference timings in us: Init: 3, First inference: 9, Inference (avg): 6.5"
# A path as good as any: a file would be written there.
WRITTEN = {("path", "'abc'")}


class World:
    """What the calls are given where nothing is odd."""

    def __init__(self, tf, toy_model, toy_data, folder):
        self.model, self.data = toy_model(), toy_data
        self.x, self.y = toy_data.x_test, toy_data.y_test
        self.tflite = qk.convert(self.model, "float32")
        self.int8 = qk.convert(self.model, "full_integer", toy_data.x_train)
        self.aware = qk.quantization_aware(toy_model(), calibration=toy_data.x_train)
        self.accuracy = qk.accuracy(self.tflite, self.x, self.y)
        self.paired = qk.paired(self.accuracy, qk.accuracy(self.int8, self.x, self.y))
        self.comparison = qk.compare(self.model, toy_data, ["float16", "full_integer"])
        self.kept = self.comparison.save(folder / "kept.qkit")
        self.pruned = qk.prune_once(self.tflite, 0.5)
        self.effect = qk.effect(self.tflite, self.pruned, self.x, self.y)
        self.ranges = qk.simulation.calibrated_ranges(self.tflite, self.x)
        self.range_history = qk.range_history(self.aware, toy_data, steps=2, every=1)
        self.history = qk.prune(self.model, toy_data, epochs=1, cache=False)[1]
        self.kernel = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
        self.qparams = qk.grid.choose_qparams(self.kernel)
        self.answers = qk.digit_answers({"float32": self.tflite}, self.x[0])
        self.decision = qk.decision_tree.follow({"optimize": False})
        self.conv = (PACKAGE.parent / "tests/files/trained_full_integer.tflite").read_bytes()
        self.images = np.random.default_rng(1).random((3, 28, 28), np.float32)
        self.trace = qk.run_integer(self.conv, self.images)
        self.pixel = qk.pixel(self.trace, 5, row=3)
        self.calibration = qk.calibration_effect(self.tflite, toy_data, test_images=20)


@pytest.fixture(scope="module")
def world(tf, toy_model, toy_data, tmp_path_factory):
    return World(tf, toy_model, toy_data, tmp_path_factory.mktemp("kept"))


def dataset(w):
    return {name: getattr(w.data, name) for name in Dataset.__dataclass_fields__}


# By function: what it is called with where nothing is odd.
QUICK = {
    "accuracy": lambda w: {"model": w.tflite, "x": w.x, "y": w.y},
    "accuracy_of": lambda w: {"predictions": w.y, "labels": w.y},
    "activation_ranges": lambda w: {"model": w.aware},
    "Dataset": dataset,
    "calibration.min_max": lambda w: {"batches": [w.kernel]},
    "calibration.percentile": lambda w: {"batches": [w.kernel], "percent": 99.0},
    "calibration.mse": lambda w: {"batches": [w.kernel], "bits": 8, "symmetric": False},
    "calibration.entropy": lambda w: {"batches": [w.kernel], "bits": 8},
    "calibration.moving_average": lambda w: {"batches": [w.kernel], "decay": 0.9, "start": (-6, 6)},
    "calibration_effect": lambda w: {
        "tflite": w.tflite, "data": w.data, "images": "random", "one_class": 0, "sample_size": 9,
        "observer": "min–max", "bits": 8, "test_images": 9,
    },
    "check": lambda w: {"name": "01.1", "answer": 6 / 255},
    "cluster_once": lambda w: {
        "tflite": w.tflite, "clusters": 4, "init": "linear", "steps": 1, "seed": 0,
    },
    "compare": lambda w: {
        "model": w.model, "data": w.data, "schemes": ["float16"], "trained": None,
        "calibration": None, "images": None, "metric": None, "extra": None, "threads": 1,
        "executor": None,
    },
    "convert": lambda w: {
        "model": w.model, "scheme": "full_integer", "calibration": w.x, "left_in_float": (),
    },
    "decision_tree.follow": lambda w: {"answers": {"optimize": False}},
    "device_latency": lambda w: {"printed": BENCHMARK, "device": "a phone"},
    "digit_answers": lambda w: {"models": {"float32": w.tflite}, "image": w.x[0]},
    "disagreements": lambda w: {"decision": w.decision, "comparison": w.comparison},
    "effect": lambda w: {"tflite": w.tflite, "change": w.pruned, "x": w.x, "y": w.y},
    "explore_bits": lambda w: {"model": w.model, "data": w.data, "start": None},
    "explore_calibration": lambda w: {"model": w.model, "data": w.data},
    "explore_clusters": lambda w: {"model": w.model, "data": w.data},
    "explore_decision_tree": lambda w: {"comparison": w.comparison},
    "explore_digit": lambda w: {"models": {"float32": w.tflite}, "x": w.x},
    "explore_grid": lambda w: {"tensors": {"kernel": w.kernel}, "axis": 0},
    "explore_layers": lambda w: {
        "model": w.tflite, "data": w.data, "images": 9, "calibration": w.x,
    },
    "explore_mistakes": lambda w: {"model": w.model, "data": w.data, "images": 9},
    "explore_number": lambda w: {"value": 1.5},
    "explore_pixel": lambda w: {"tflite": w.conv, "x": w.images},
    "explore_schemes": lambda w: {"comparison": w.comparison},
    "explore_sparsity": lambda w: {"model": w.model, "data": w.data},
    "grid.choose_qparams": lambda w: {
        "x": w.kernel, "bits": 8, "symmetric": True, "granularity": qk.grid.PerAxis(0),
        "range": None,
    },
    "grid.dequantize": lambda w: {
        "q": qk.grid.quantize(w.kernel, w.qparams), "qparams": w.qparams,
    },
    "grid.fake_quantize": lambda w: {"x": w.kernel, "qparams": w.qparams},
    "grid.quantize": lambda w: {"x": w.kernel, "qparams": w.qparams},
    "grid_fit": lambda w: {"x": w.kernel, "qparams": w.qparams},
    "inspect": lambda w: {"tflite": w.tflite},
    "intermediate": lambda w: {"tflite": w.tflite, "x": w.x, "names": [0], "kernels": "optimized"},
    "integer.run_integer": lambda w: {"tflite": w.int8, "x": w.x},
    "kernel_differences": lambda w: {
        "trace": qk.run_integer(w.int8, w.x), "kernels": "reference",
    },
    "glossary": lambda w: {"term": "scale"},
    "latency": lambda w: {
        "models": {"it": w.tflite}, "x": w.x, "threads": 1, "instances": 2, "rounds": 1,
    },
    "layer_errors": lambda w: {"float_model": w.tflite, "tflite": w.int8, "x": w.x, "y": None},
    "load_comparison": lambda w: {"path": w.kept},
    "lint": lambda w: {"tflite": w.int8, "target": "edgetpu"},
    "load_data": lambda w: {"name": "digits", "fallback": None},
    "load_image_folder": lambda w: {"path": PACKAGE, "size": 8, "preprocess": np.asarray},
    "magnitude_mask": lambda w: {"weights": w.kernel, "sparsity": 0.5, "pattern": None},
    "mixed_precision": lambda w: {
        "model": w.tflite, "data": w.data, "max_drop_pp": None, "budget_bytes": 10**6,
        "calibration": w.x, "executor": None,
    },
    "nearest_numbers": lambda w: {"value": 1.5},
    "network": lambda w: {"model": w.model},
    "outputs": lambda w: {"tflite": w.tflite, "x": w.x, "batched": True, "threads": 1},
    "paired": lambda w: {"a": w.accuracy, "b": w.accuracy},
    "pixel": lambda w: {
        "trace": w.trace, "operator": 5, "item": 0, "row": 1, "column": 2, "filter": 3,
    },
    "plot_accuracies": lambda w: {"accuracies": w.comparison},
    "plot_bytes_by_stage": lambda w: {"sizes": {"it": qk.size(w.tflite)}},
    "plot_calibration_effect": lambda w: {"result": w.calibration},
    "plot_digit_answers": lambda w: {"result": w.answers, "image": w.x[0]},
    "plot_effect": lambda w: {"effect": w.effect, "layer": None},
    "plot_flips": lambda w: {"paired": w.paired, "x": w.x},
    "plot_graph": lambda w: {"file": qk.inspect(w.int8)},
    "plot_grid_fit": lambda w: {"result": qk.grid_fit(w.kernel, w.qparams)},
    "plot_latencies": lambda w: {"latency": w.comparison.latency},
    "plot_layer_errors": lambda w: {"result": qk.layer_errors(w.tflite, w.int8, w.x)},
    "plot_mask": lambda w: {"kernel": w.pruned.masks["hidden"]},
    "plot_memory_plan": lambda w: {"file": qk.inspect(w.int8)},
    "plot_mixed_precision": lambda w: {
        "result": qk.mixed_precision(w.tflite, w.data, budget_bytes=10**6)
    },
    "plot_pixel": lambda w: {"result": w.pixel, "theirs": {"reference": 3}, "channel": 0},
    "plot_guess": lambda w: {"guess": qk.predict("02.1", ...), "along": "x"},
    "plot_range_history": lambda w: {"history": w.range_history},
    "plot_scheme_rows": lambda w: {"tradeoff": qk.tradeoff(w.comparison)},
    "plot_sensitivity": lambda w: {
        "result": qk.sensitivity(w.tflite, w.data, bits=[4], parts=["weights"])
    },
    "plot_sizes": lambda w: {"sizes": w.comparison},
    "plot_tradeoff": lambda w: {"result": qk.tradeoff(w.comparison)},
    "plot_weight_histogram": lambda w: {"weights": {"kernel": w.kernel}},
    "plot_weight_history": lambda w: {"histories": {"it": w.history}, "kernel": "hidden"},
    "predict": lambda w: {"name": "02.1", "guess": 3, "unit": "kB", "choices": ()},
    "prune_once": lambda w: {
        "tflite": w.tflite, "sparsity": 0.5, "pattern": None, "storage": "float32",
    },
    "quantization_aware": lambda w: {"model": w.model, "calibration": w.x, "preserve": None},
    "quantization_error": lambda w: {"x": w.kernel, "qparams": w.qparams},
    "range_history": lambda w: {
        "model": w.aware, "data": w.data, "steps": 1, "every": 1, "batch_size": 8, "seed": 0,
    },
    "recommend": lambda w: {
        "model": w.tflite, "data": w.data, "target": "ethos-u", "max_drop_pp": 60.0,
        "budget_bytes": None, "budget_ram_bytes": None, "labels": False, "calibration": w.x,
    },
    "report": lambda w: {
        "comparison": w.comparison, "path": w.kept.with_suffix(".html"), "also": (),
    },
    "run_integer": lambda w: {"tflite": w.int8, "x": w.x},
    "sensitivity": lambda w: {
        "model": w.tflite, "data": w.data, "bits": [4], "parts": ["weights"],
        "calibration": w.x, "executor": None,
    },
    "shortlist": lambda w: {
        "comparison": w.comparison, "size_bytes": 10**6, "drop_pp": 1.0, "latency_us": 100.0,
        "data": "labelled training set",
    },
    "simulation.at_bits": lambda w: {"tflite": w.tflite, "ranges": w.ranges},
    "simulation.bits": lambda w: {
        "tflite": w.tflite, "ranges": w.ranges, "weight_bits": 8, "activation_bits": 8,
    },
    "simulation.calibrated_ranges": lambda w: {"tflite": w.tflite, "x": w.x},
    "simulation.layers": lambda w: {"tflite": w.tflite},
    "simulation.simulate": lambda w: {"tflite": w.tflite, "weights": {}, "activations": {}},
    "size": lambda w: {"tflite": w.tflite},
    "memory": lambda w: {"tflite": w.tflite},
    "sqnr_db": lambda w: {"x": w.kernel, "approximation": w.kernel + 1},
    "tradeoff": lambda w: {"comparison": w.comparison},
    "weight_census": lambda w: {"model_or_tflite": w.tflite},
}  # fmt: skip


def trained(w, **more):
    common = {"seed": 0, "learning_rate": 1e-3, "validation_split": 0.1, "cache": False}
    return {"model": w.model, "data": w.data, "epochs": 1, "batch_size": 64, **common, **more}


# Those that train, or convert, where an odd argument is none.
TRAINING = {
    "accuracy": lambda w: {"model": w.model, "x": w.x, "y": w.y},
    "cluster": lambda w: trained(w, clusters=4, init="linear"),
    "fine_tune_with_control": lambda w: {
        "model": w.model, "data": w.data, "epochs": 1, "calibration": w.x, "cache": False,
    },
    "fit": lambda w: trained(w, loss=None),
    "prune": lambda w: trained(w, sparsity=0.5, schedule="polynomial", pattern=None),
    "weight_history": trained,
}  # fmt: skip
# Modules, tables, what needs a notebook or an hour, and plain values.
NOT_CALLED = {
    *("models", "calibration", "grid", "simulation", "published", "decision_tree", "mistakes"),
    *("SCHEMES", "Scheme", "Metric", "quiet", "setup_notebook", "environment"),
    "ledger",
    *("plot_mistake", "plot_architectures", "plot_int16_effects", "to_keras_2"),
}
# Those that measure much where an odd argument is none.
LONG_CALLS = {
    *("compare", "explore_bits", "explore_calibration", "explore_clusters", "explore_grid"),
    *("explore_layers", "explore_mistakes", "explore_sparsity"),
}


def called(name):
    function = qk
    for part in name.split("."):
        function = getattr(function, part)
    return function


def is_own(error):
    last = traceback.extract_tb(error.__traceback__)[-1]
    return PACKAGE in Path(last.filename).parents and (last.line or "").startswith("raise")


def foreign(name, valid):
    """Yield what other libraries say of odd arguments, each in the place of a valid one."""
    for parameter in valid:
        for odd, value in ODD.items():
            if (parameter, odd) in LONG | OWN | WRITTEN:
                continue
            try:
                found = called(name)(**{**valid, parameter: value})
                if inspect.isgenerator(found):
                    list(found)
            except Exception as error:
                if not is_own(error):
                    last = traceback.extract_tb(error.__traceback__)[-1]
                    where = f"{os.path.basename(last.filename)}:{last.lineno}"
                    yield f"{parameter}={odd}: {type(error).__name__}: {str(error)[:90]} {where}"
            plt.close("all")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG_CALLS)) for name in QUICK],
)
def test_what_is_odd_is_refused_by_ourselves(name, world):
    found = list(foreign(name, QUICK[name](world)))
    assert not found, "\n".join(found)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TRAINING)
def test_what_is_odd_is_refused_before_training(name, world):
    found = list(foreign(name, TRAINING[name](world)))
    assert not found, "\n".join(found)


def test_every_public_function_is_asked():
    asked = {name.partition(".")[0] for name in (*QUICK, *TRAINING)}
    assert asked | NOT_CALLED == set(qk.__all__)
