"""Models, data and files that many tests look at; each is made once, when first asked for."""

import contextlib
import dataclasses
import functools
import gc
import lzma
import os
import subprocess
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import qkit as qk
from qkit import _tensorflow, cache
from qkit.data import DataNotFoundError
from qkit.tflite.memory import Memory
from qkit.toolchain.schemes import find_scheme

FILES = Path(__file__).parent / "files"  # made by tools/test_files.py

# To look for garbage as often as usual took a fourteenth of the time; a test that is about what is
# freed collects by itself.
gc.set_threshold(10_000)

# Tests of these folders load TensorFlow only where they ask for the fixture `tf`, or for one that
# does, or bear the mark; what most need of a network is in `tests/files`.
LIGHT = ("tflite", "quantize", "interpreter", "evaluate", "plots", "widgets")


# Networks of which one of a kind is the quick witness; the rest of the kind is for slow runs.
# By the start of a test's name: what its parameters hold where it takes long.
HEAVY = {
    "test_equal_models_convert_to_equal_bytes": ("MobileNet", "detector", "masked", "strip"),
    "test_networks_and_their_data_fit_together": ("MobileNet", "LSTM", "denoiser"),
    "test_untrained_ones_convert_and_give_what_keras_gives": ("int16_activations", "denoiser"),
    "test_seed_decides_every_weight": ("MobileNet", "LSTM"),
    "test_interrupted_and_taken_up_again": ("",),
    "test_data_are_the_same_each_time": ("",),
    "test_two_of_four_survives_conversion": ("float", "dynamic_range"),
    "test_failed_download_says_what_was_tried_and_what_still_works": ("NASNet",),
    # of what training leaves: the pruned network, and aware copies with and without its zeros
    "test_same_bytes_as_the_plain_calls": ("cluster", "pruned", "cqat", "pqat", "int8_io"),
    "test_same_bytes_whatever_goes_in_and_out": ("unrolled",),
    "test_dtypes_in_the_file_are_those_promised": ("cluster", "cqat"),
    "test_scores_are_close_to_the_keras_models": ("cluster", "cqat"),
    "test_file_is_as_small_as_its_weights": ("cluster", "cqat"),
    "test_networks_of_other_kinds_are_explored": ("",),
    "test_functional_models_go_through": ("",),
    "test_sparsity_is_reached": ("constant",),
    "test_no_more_values_than_clusters": ("density", "linear"),
    "test_sparsity_is_not_below_what_it_was": ("",),
    "test_preserving_both_trains_something": ("",),
    "test_names_and_zeros_survive_conversion": ("float16", "dynamic_range"),
    "test_both_engines_choose_the_same_grids": ("depthwise-int", "depthwise-full_integer_int8_io"),
    "test_a_table_of_right_figures": (
        *("GRU", "LSTM", "subclassed", "recurrent in a model inside", "an operation in place"),
        *("one-hot labels", "labels in float", "points", "pictures out", "dict output", "lists"),
    ),
    "test_other_precision_is_refused_with_its_cause_and_the_way_out_works": ("own",),
    "test_what_no_calibration_survives_is_refused_and_the_way_out_works": ("layer of one's own",),
    "test_what_differs_has_another_key_and_what_does_not_the_same": (
        *("recurrent", "momentum", "wiring", "gradient", "looks_like_a_name", "frozen_model"),
        *("added_loss", "what_a_step_reports", "also_the_name", "constraint", "regularizer"),
        *("branch", "large_", "attribute_set", "test_step", "precision", "lambda", "default_arg"),
    ),
    "test_inputs_of_one_shape_keep_the_order_of_the_model": (
        "Keras 3",
        "folder",
        "function",
        "subclassed",
    ),
    "test_keras_3_in_all_its_forms": ("exported", "file"),
    "test_trainings_take_the_loss_that_targets_ask_for": ("numbers", "yes or no"),
    "test_a_pipeline_larger_than_memory_is_gone_through_again": ("None",),
    "test_of_several_outputs_the_named_one_is_judged": ("model",),
    "test_saved_model_gives_what_the_model_gives": ("int16",),
    "test_all_operators_have_integer_kernels_and_the_blank_ones_are_found": ("",),
    "test_narrow_mobilenets_have_all_their_blocks": ("2-",),
    # of explorers and pictures: one with each kind of readout
    "test_an_explorer_that_nobody_refers_to_is_freed_with_all_its_widgets": (
        "layers",
        "sparsity",
        "grid",
    ),
    "test_every_choice_of_axes_and_schemes_is_answered": ("",),
    "test_explorers_of_one_file_side_by_side_and_a_cell_give_what_each_gives_alone": ("",),
    "test_comparison_of_one": ("",),
    "test_what_is_done_otherwise_than_in_training_is_said": ("clusters",),
    "test_every_name_stands_in_the_explorer_and_its_readout_is_escaped": (
        *("bits", "layers", "calibration", "clusters"),
    ),
    "test_every_control_answers_with_what_the_arithmetic_gives": ("depthwise",),
    "test_the_readout_is_the_measurement": ("blocks", "linear", "kmeans", "density"),
    "test_long_and_empty_names_leave_room_for_the_picture": ("",),
    # of executors: threads and one kind of processes
    "test_comparison_is_the_same_but_for_its_times": ("Dask", "processes"),
    "test_the_table_is_the_same_on_an_executor": ("ProcessPool",),
    # of checks, files that a library makes, and what is long beside a shorter witness
    "test_exercise_takes_what_is_right_and_tells_what_is_wrong": ("04.1", "07", "08.3"),
    "test_ledger_is_handed_in_with_a_report": ("",),
    "test_what_is_odd_is_refused_by_ourselves": ("report", "explore_number"),
    "test_wrappers_that_were_not_taken_off_are_found": ("",),
    "test_ranges_that_no_data_have_moved_are_found": ("",),
    "test_an_unrolled_layer_that_starts_from_zeros_is_found": ("",),
    "test_an_aware_model_without_optimizations_is_found": ("",),
    "test_the_plain_converter_loses_the_bias_and_ours_keeps_it": ("",),
    "test_compare_trains_what_it_was_not_given": ("",),
    "test_files_called_as_a_row_stand_beside_it": ("",),
    "test_where_nothing_fits_the_pattern_nothing_is_trained": ("",),
    "test_twenty_megabytes_take_less_than_a_second": ("",),
    "test_the_network_is_kerass": ("",),
    "test_product_that_is_an_output_too_keeps_a_range_of_its_own": ("",),
    "test_one_int8_step_spans_the_mask": ("",),
    "test_rendering_twice_gives_the_same_bytes": ("",),
    "test_interval_holds_the_truth_about_as_often_as_it_says": ("score",),
    # doctests of what trains
    "qkit.toolchain.compress.prune": ("",),
    "qkit.toolchain.compress.cluster": ("",),
    "qkit.toolchain.aware.fine_tune_with_control": ("",),
    "qkit.toolchain.aware.range_history": ("",),
    "qkit.toolchain.history.weight_history": ("",),
    "qkit.published.relatives.int16_effect": ("",),
    "qkit.published.relatives.int16_effects": ("",),
}


def pytest_collection_modifyitems(items):
    gc.freeze()  # what was imported and collected stays: nothing is to be looked for in it
    for item in items:
        name, _, parameters = item.name.partition("[")
        if "tf" in getattr(item, "fixturenames", ()):
            item.add_marker("tensorflow")
        if any(part in parameters for part in HEAVY.get(name, ())):
            item.add_marker("slow")


@pytest.fixture(autouse=True)
def _door_to_tensorflow(request, monkeypatch):
    """Shut the one door to TensorFlow for a test that should do without."""
    folder = request.path.relative_to(Path(__file__).parent).parts[0]
    if folder in LIGHT and not request.node.get_closest_marker("tensorflow"):
        monkeypatch.setattr(_tensorflow.tensorflow, "__code__", _shut.__code__)


def _shut():
    raise AssertionError(
        "this test loads TensorFlow without saying so: ask for the fixture `tf`, or read a file of "
        "tests/files in place of building a model"
    )


@pytest.fixture(scope="session", autouse=True)
def _few_timings():
    """Let `qk.compare` take every network for a large one, and time it a few times.

    How times are measured has tests of its own, in tests/evaluate/test_latency.py.
    """
    from qkit.evaluate import compare as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LARGE_US", 0)
        patch.setattr(module, "_FEWER", {"instances": 3, "rounds": 1})
        yield


@pytest.fixture(scope="session")
def tf():
    """Return TensorFlow with Keras 2, loaded by qkit's own door."""
    from qkit._tensorflow import tensorflow

    module = tensorflow()
    gc.collect()
    gc.freeze()  # a tenth of a test's time went on looking through its objects again
    return module


@pytest.fixture(scope="session")
def digits():
    return qk.load_data("digits")


@pytest.fixture(scope="session")
def few_digits(digits):
    """Return the digits with 320 images to train on: an epoch is nine steps."""
    return dataclasses.replace(digits, x_train=digits.x_train[:320], y_train=digits.y_train[:320])


@pytest.fixture(scope="session")
def mnist():
    try:
        return qk.load_data("mnist")
    except DataNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def kept_weights():
    """Return a function from a name to the weights of a trained network, from its file."""

    def read(name):
        with np.load(FILES / f"{name}.npz") as arrays:
            return [arrays[f"arr_{i}"] for i in range(len(arrays.files))]

    return read


@pytest.fixture(scope="session")
def walkthrough(tf, kept_weights):
    """Return a function from the name of kept weights to the walkthrough's network with them."""

    def build(name):
        model = qk.models.walkthrough_cnn()
        model.set_weights(kept_weights(name))
        return model

    return build


@pytest.fixture(scope="session")
def trained(walkthrough):
    """Return the walkthrough's network, trained to about 90 % on digits; not to be changed."""
    return walkthrough("trained")


@pytest.fixture(scope="session")
def aware(trained, digits):
    """Return a quantization-aware copy of `trained` on the data's ranges; not to be changed."""
    return qk.quantization_aware(trained, calibration=digits.x_train[:300])


@pytest.fixture(scope="session")
def compressed(walkthrough):
    """Return what pruning and clustering made of `trained`, by technique; not to be changed."""
    names = ("pruned", "clustered", "pruned_clustered")
    return {name: walkthrough(f"trained_{name}") for name in names}


@pytest.fixture(scope="session")
def technique(request):
    """Return a function from a technique to its model, "" for `trained`; not to be changed."""
    preserving = {
        "pqat": ("pruned", "sparsity"),
        "cqat": ("clustered", "clusters"),
        "pcqat": ("pruned_clustered", "both"),
    }

    @functools.cache
    def model(name):
        if name in ("", "qat"):
            return request.getfixturevalue("aware" if name else "trained")
        compressed = request.getfixturevalue("compressed")
        if name in compressed:
            return compressed[name]
        start, preserve = preserving[name]
        x = request.getfixturevalue("digits").x_train[:300]
        return qk.quantization_aware(compressed[start], calibration=x, preserve=preserve)

    return model


@pytest.fixture(scope="session")
def calibration(digits):
    return digits.x_train[:60]


@pytest.fixture(scope="session")
def tflite():
    """Return a function from a scheme's name to the file of `trained` under it."""

    @functools.cache
    def file(name):
        return (FILES / f"trained_{name}.tflite").read_bytes()

    return file


@pytest.fixture(scope="module")
def mistakes_on_stored_float(tflite):
    """Let examinations of `trained` take its stored float file, in place of converting it anew."""
    from qkit.evaluate import mistakes

    whole = mistakes.convert

    def convert(model, scheme, *sample):
        return tflite("float32") if scheme == "float32" else whole(model, scheme, *sample)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mistakes, "convert", convert)
        yield


@pytest.fixture
def ship(monkeypatch):
    """Return a function that lets the entries of a cache be what comes with qkit: packed."""

    def pack(folder):
        for path in folder.glob("*.npz"):
            path.with_suffix(".npz.xz").write_bytes(lzma.compress(path.read_bytes()))
        monkeypatch.setattr(cache, "_SHIPPED", folder)

    return pack


@pytest.fixture(scope="session")
def depthwise_tflite():
    """Return a function from float32 or full_integer to a network of depthwise convolutions."""

    @functools.cache
    def file(name):
        return (FILES / f"depthwise_{name}.tflite").read_bytes()

    return file


@pytest.fixture(scope="session")
def float_file(tflite):
    return tflite("float32")


@pytest.fixture(scope="session")
def saved(request, tmp_path_factory):
    """Return a function from the name of a model's fixture to the folder of its SavedModel."""

    @functools.cache
    def folder(fixture):
        path = tmp_path_factory.mktemp("saved models") / fixture
        with qk.quiet():
            request.getfixturevalue(fixture).save(path, save_format="tf")
        return path

    return folder


@pytest.fixture(scope="session")
def converted_once(tflite, aware):
    """Let `qk.compare` take the files of `tflite`, in place of converting each time anew."""
    from qkit.evaluate import compare as comparison

    def convert(model, scheme, calibration):
        scheme = find_scheme(scheme)
        assert (model is aware) == scheme.through_grid
        assert calibration.shape[1:] == (28, 28)
        return tflite(scheme.name)

    @contextlib.contextmanager
    def patched():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(comparison, "convert", convert)
            yield

    return patched


@pytest.fixture(scope="session")
def toy_data():
    """Return 120 images of 4×4 in three classes: the brightest third of the image."""
    rng = np.random.default_rng(0)
    x = rng.random((120, 4, 4)).astype(np.float32)
    y = rng.integers(3, size=120)
    x[np.arange(120), y] += 1
    return qk.Dataset(x[:100] / 2, y[:100], x[100:] / 2, y[100:], "toy", "drawn by the tests")


@pytest.fixture(scope="session")
def toy_model(tf):
    """Return a function that builds a network for `toy_data`, the same weights each time."""

    def build(*, activation="relu", seed=0, classes=3):
        glorot, layers = tf.keras.initializers.GlorotUniform, tf.keras.layers
        return tf.keras.Sequential(
            [
                layers.InputLayer((4, 4), name="image"),
                layers.Flatten(name="flatten"),
                layers.Dense(
                    5, activation=activation, kernel_initializer=glorot(seed), name="hidden"
                ),
                layers.Dense(classes, kernel_initializer=glorot(seed + 1), name="logits"),
            ],
            name="toy",
        )

    return build


@pytest.fixture(scope="session")
def toy_tflite():
    """Return the float file of what `toy_model` builds."""
    return (FILES / "toy_float32.tflite").read_bytes()


@pytest.fixture
def changed():
    """Return a function that copies a Dataset with one value of one array changed."""

    def change(data, name, index, value):
        array = getattr(data, name).copy()
        array[index] = value
        return dataclasses.replace(data, **{name: array})

    return change


@pytest.fixture(scope="session")
def edited():
    """Return a function that edits a .tflite file through its schema."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def edit(tflite, change):
        model = schema.ModelT.InitFromPackedBuf(tflite, 0)
        change(model)
        builder = flatbuffers.Builder(len(tflite))
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    return edit


@pytest.fixture(scope="session")
def built():
    """Return a function that makes a .tflite file out of graphs, by the schema alone.

    A graph is (tensors, operators, names of inputs, names of outputs); a tensor is a constant, or
    (shape, dtype), or (either of these, scales, zero points, axis); an operator is (kind, names it
    reads or None, names it writes, name of its options or NONE, fields of these).
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def build(*graphs):
        model = schema.ModelT()
        model.version, model.buffers = 3, [schema.BufferT()]
        kinds = sorted({op[0] for _, operators, *_ in graphs for op in operators})
        model.operatorCodes = [schema.OperatorCodeT() for _ in kinds]
        for code, kind in zip(model.operatorCodes, kinds, strict=True):
            code.builtinCode = getattr(schema.BuiltinOperator, kind)
            code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 1
        model.subgraphs = [graph_of(model, kinds, *graph) for graph in graphs]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def graph_of(model, kinds, tensors, operators, inputs, outputs):
        graph, names = schema.SubGraphT(), list(tensors)
        graph.tensors = [tensor_of(model, name, given) for name, given in tensors.items()]
        graph.operators = [operator_of(kinds, names, *op) for op in operators]
        graph.inputs = np.int32([names.index(name) for name in inputs])
        graph.outputs = np.int32([names.index(name) for name in outputs])
        return graph

    def tensor_of(model, name, given):
        given, *grid = given if len(given) == 4 and isinstance(given, tuple) else [given]
        tensor, constant = schema.TensorT(), isinstance(given, np.ndarray)
        shape, dtype = (given.shape, given.dtype) if constant else given
        if grid:
            scales, zero_points, axis = grid
            tensor.quantization = schema.QuantizationParametersT(
                scale=np.float32(scales), zeroPoint=np.int64(zero_points), quantizedDimension=axis
            )
        tensor.name, tensor.shape = name.encode(), np.int32(shape)
        tensor.type = getattr(schema.TensorType, np.dtype(dtype).name.upper())
        tensor.buffer = len(model.buffers) if constant else 0
        if constant:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(given.tobytes(), np.uint8)
            bits = {schema.TensorType.INT4: 4, schema.TensorType.INT2: 2}.get(tensor.type)
            if bits:  # several in a byte, the first one lowest
                each, size = 8 // bits, -(-given.size * bits // 8)
                parts = np.resize(buffer.data & (2**bits - 1), (size, each))
                buffer.data = np.uint8(parts << np.arange(0, 8, bits)).sum(1, np.uint8)
            model.buffers.append(buffer)
        return tensor

    def operator_of(kinds, names, kind, reads, writes, options, fields=()):
        operator = schema.OperatorT()
        operator.opcodeIndex = kinds.index(kind)
        operator.inputs = np.int32([-1 if n is None else names.index(n) for n in reads])
        operator.outputs = np.int32([names.index(name) for name in writes])
        if options == "NONE":
            return operator
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, f"{options}T")()
        vars(operator.builtinOptions).update(fields)
        return operator

    return build


@pytest.fixture(scope="session")
def in_another_file(edited):
    """Return a function that moves the largest constant of a .tflite file into an external one."""
    from ai_edge_litert import schema_py_generated as schema

    def move(tflite):
        def change(content):
            kernels = [t for t in content.subgraphs[0].tensors if t.buffer]
            moved = max(kernels, key=lambda t: np.size(content.buffers[t.buffer].data))
            size = len(content.buffers[moved.buffer].data)
            content.externalBufferGroups = [schema.ExternalBufferGroupT(name="weights.bin")]
            content.externalBuffers = [schema.ExternalBufferT(id=2**31, length=size)]
            moved.buffer, moved.externalBuffer = 0, 2**31

        return edited(tflite, change)

    return move


@pytest.fixture
def run_python(tmp_path):
    """Return a function that runs code in a fresh interpreter and returns what it prints."""

    def run(code, **environment):
        environment = {**os.environ, **environment}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={name: value for name, value in environment.items() if value is not None},
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def figures():
    """Yield the numbers of the open figures before the test, and close what it opened."""
    before = set(plt.get_fignums())
    yield before
    for number in set(plt.get_fignums()) - before:
        plt.close(number)


@pytest.fixture(scope="session")
def hand_made():
    """Return a function that makes a Comparison out of plain numbers, without any model."""
    from types import MappingProxyType

    from qkit.evaluate.accuracy import accuracy_of
    from qkit.evaluate.comparison import Comparison
    from qkit.evaluate.latency import Latency
    from qkit.evaluate.size import Size

    labels = np.arange(1000) % 10

    def make(rows, **changes):
        """Take (wrong images, kB, µs) or (…, what it needs) by scheme, the reference first."""
        predictions = {name: labels.copy() for name in rows}
        for name, (wrong, *_) in rows.items():
            predictions[name][list(wrong)] += 1
        accuracies = {name: accuracy_of(p, labels) for name, p in predictions.items()}
        reference = next(iter(accuracies.values()))
        times = {name: float(row[2]) for name, row in rows.items()}
        ratio = {name: us / next(iter(times.values())) for name, us in times.items()}

        def ledger(kb):
            found = Size(int(1000 * kb), int(800 * kb), MappingProxyType({}), 0, b"")
            vars(found).update(
                entropy_coded_bytes=int(600 * kb)
            )  # there is no file to compute it of
            return found

        def around(values):
            return MappingProxyType({name: (0.9 * v, 1.1 * v) for name, v in values.items()})

        parts = {
            "models": {name: b"" for name in rows},
            "needs": {name: row[3] if len(row) > 3 else "nothing" for name, row in rows.items()},
            "accuracies": accuracies,
            "paired": {name: qk.paired(reference, found) for name, found in accuracies.items()},
            "sizes": {name: ledger(row[1]) for name, row in rows.items()},
            "latency": Latency(
                samples_us=MappingProxyType({k: np.full((2, 7), us) for k, us in times.items()}),
                overhead_us=MappingProxyType(dict.fromkeys(times, 1.0)),
                threads=1,
                cpu="a made-up CPU",
                delegates=MappingProxyType(dict.fromkeys(times, "XNNPACK")),
                median_us=MappingProxyType(times),
                interval_us=around(times),
                ratio=MappingProxyType(ratio),
                ratio_interval=around(ratio),
            ),
            "float_operators": dict.fromkeys(rows, 0),
            "memory": dict.fromkeys(rows, Memory(1000, None, MappingProxyType({}))),
            "multiply_accumulates": dict.fromkeys(rows, 10_000),
            "not_measured": {},
            "data_name": "made up",
        }  # fmt: skip
        parts |= changes
        frozen = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in parts.items()}
        return Comparison(**frozen)

    return make
