"""Any classifier gets a row for each scheme: what was measured, or why it was not."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

import qkit as qk
from qkit.evaluate import compare as module
from qkit.evaluate.accuracy import accuracy_of
from qkit.evaluate.tasks import ratio

SCHEMES = ["dynamic_range", "full_integer", "int16_activations", "qat"]


@pytest.fixture(scope="module")
def coloured(tmp_path_factory):
    """Return a folder of three classes of noisy pictures of 12×12, eight each."""
    folder, rng = tmp_path_factory.mktemp("coloured"), np.random.default_rng(0)
    for channel, name in enumerate(("a red", "b green", "c blue")):
        (folder / name).mkdir()
        for i in range(8):
            pixels = rng.integers(0, 120, (12, 12, 3))
            pixels[..., channel] += rng.integers(0, 80)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i}.png")
    return qk.load_image_folder(folder, 8, lambda pixels: pixels / 255)


def small(tf, *, norm_first=False, seed=0):
    """Return a network of BatchNorm after a convolution, or before it as in ResNet v2."""
    layers, glorot = tf.keras.layers, tf.keras.initializers.GlorotUniform
    norm, relu = layers.BatchNormalization(name="norm"), layers.ReLU(name="relu")
    conv = layers.Conv2D(40, 3, kernel_initializer=glorot(seed), name="conv")
    pool = layers.MaxPooling2D(1, name="pool")
    return tf.keras.Sequential(
        [
            layers.InputLayer((8, 8, 3), name="image"),
            *((pool, norm, relu, conv) if norm_first else (conv, norm, relu)),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, kernel_initializer=glorot(seed + 1), name="logits"),
        ],
        name="small",
    )


@pytest.fixture(scope="module")
def measured(tf, coloured):
    return qk.compare(small(tf), schemes=SCHEMES, images=coloured)


def test_rows_are_the_schemes_with_float32_first(measured):
    frame = measured.to_frame()
    assert frame.index.tolist() == ["float32", *SCHEMES]
    assert frame.index.name == "scheme"
    assert set(frame["status"]) == {"measured"}
    assert list(measured.not_measured) == ["qat"]


def test_numbers_are_those_of_the_parts(measured, coloured):
    frame, times = measured.to_frame(), measured.latency
    for name, tflite in measured.models.items():
        row = frame.loc[name]
        assert row["size_bytes"] == len(tflite)
        assert row["size_ratio"] == len(measured.models["float32"]) / len(tflite)
        assert row["latency_us"] == times.median_us[name]
        assert row["latency_low_us"] <= row["latency_us"] <= row["latency_high_us"]
        assert row["latency_ratio"] == times.ratio[name]
        assert row["latency_ratio_low"] <= row["latency_ratio"] <= row["latency_ratio_high"]
    for name, found in measured.accuracies.items():
        again = qk.accuracy(measured.models[name], coloured)
        assert found.predictions.tolist() == again.predictions.tolist()
        assert frame.loc[name, "accuracy"] == again.accuracy
        assert frame.loc[name, "difference_pp"] == pytest.approx(
            100 * (again.accuracy - measured.accuracies["float32"].accuracy)
        )
    assert frame.loc["float32", "p_value"] == 1


def test_a_large_network_is_timed_less_often(measured, coloured, monkeypatch):
    asked, given = [], measured.models["float32"]

    def latency(models, x, **options):
        asked.append((list(models), options.get("instances")))
        return qk.latency(models, x, **options)

    monkeypatch.setattr(module, "latency", latency)
    qk.compare(given, schemes=["int16_activations"], images=coloured)
    assert asked == [(["float32", "int16_activations"], 3)]
    monkeypatch.setattr(module, "_LARGE_US", 1e9)
    qk.compare(given, schemes=["int16_activations"], images=coloured)
    assert asked[1:] == [(["float32", "int16_activations"], None)]


def test_copy_that_is_not_trained_has_no_accuracy(measured):
    assert list(measured.accuracies) == ["float32", *SCHEMES[:-1]]
    row = measured.to_frame().loc["qat"]
    assert row["accuracy_status"].startswith("not measured: the copy is not trained")
    assert np.isnan(row["accuracy"])


def test_trained_copy_has_one(tf, coloured):
    model = small(tf)
    x = coloured.sample(10)
    aware = qk.quantization_aware(model, calibration=x)
    trained = {"qat": aware}
    found = qk.compare(model, schemes=["qat"], images=coloured, trained=trained)
    assert found.models["qat"] == qk.convert(aware, "qat", x)
    assert found.to_frame()["accuracy_status"].tolist()[:2] == ["measured"] * 2


def test_line_without_labels_says_size_and_time(toy_model, toy_data):
    found = qk.compare(toy_model(), schemes=["float16"], calibration=toy_data.x_train)
    kb = found.sizes["float32"].size_bytes / 1000
    assert str(found).startswith(f"float32 {kb:.1f} kB, ")
    assert "; float16 " in str(found)
    assert "times smaller, " in str(found)


def test_refusal_is_a_row_with_its_reason(tf):
    x = np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32)
    found = qk.compare(small(tf, norm_first=True), schemes=["qat", "float16"], calibration=x)
    frame = found.to_frame()
    assert frame.index.tolist() == ["float32", "float16", "qat"]
    said = frame.loc["qat", "status"]
    assert said.startswith("not possible: quantization_aware: the layer 'norm' (BatchNorm")
    assert "has no QuantizeConfig" in said
    assert "\n" not in said
    assert frame.loc["qat", "accuracy_status"] == said
    assert frame.loc["qat"].drop(["needs", "status", "accuracy_status"]).isna().all()
    assert found.summary().endswith(". Not possible: qat.")
    assert found.to_display().loc["qat", "needs beside the model"] == said
    assert f"qat: {said}." in found.notes()


def test_without_images_only_the_accuracies_are_missing(toy_model, toy_data, tmp_path):
    found = qk.compare(toy_model(), schemes=["float16"], calibration=toy_data.x_train)
    frame = found.to_frame()
    assert set(frame["status"]) == {"measured"}
    assert frame["accuracy_status"].str.startswith("not measured: pass data or images=…").all()
    assert frame["latency_us"].gt(0).all()
    assert frame["accuracy"].isna().all()
    assert "accuracy, % (95 %)" not in found.to_display()
    assert sum("pass data or images=…" in note for note in found.notes()) == 1
    assert "Measured with" in found.to_html(tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_cannot_be_measured_is_refused_before_work(toy_model, toy_data, coloured, monkeypatch):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    model, x = toy_model(), toy_data.x_train
    with pytest.raises(ValueError, match=r"are missing: pass data, calibration=…"):
        qk.compare(model)
    with pytest.raises(ValueError, match=r"compare: calibration must have the shape"):
        qk.compare(model, calibration=x[:, :3])
    with pytest.raises(ValueError, match=r"the model has 4 outputs, and the folder 3 classes"):
        qk.compare(toy_model(classes=4), calibration=x, images=coloured)
    with pytest.raises(ValueError, match=r"unknown scheme 'int7'"):
        qk.compare(model, schemes=["int7"], calibration=x)
    with pytest.raises(ValueError, match=r"'pruned' wants a model that training made"):
        qk.compare(model, schemes=["pruned"], calibration=x)
    with pytest.raises(TypeError, match="write \\['qat'\\], not 'qat'"):
        qk.compare(model, schemes="qat", calibration=x)


def named(name, scheme="float16"):
    return dataclasses.replace(qk.SCHEMES[scheme], name=name)


@pytest.mark.parametrize(
    ("schemes", "extra", "told"),
    [
        (["float16"], {"Float32": None, "float32": None}, "'Float32 (file)' and 'float32 (file)'"),
        (["float16"], {"qat ": None, "QAT": None}, "'qat ' and 'QAT'"),
        ([], {"mine": None, "Mine": None}, "'mine' and 'Mine'"),
        ([], {"my  file": None, "my file\n": None}, "'my  file' and"),
        ([], {"caf\u00e9": None, "cafe\u0301": None}, "would be taken for one another"),
        ([named("float32")], {}, "'float32' and 'float32'"),
        ([named("a"), named("a", "dynamic_range")], {}, "'a' and 'a'"),
        ([named("float16", "dynamic_range"), "float16"], {}, "'float16' and 'float16'"),
        ([named("a"), named("A")], {}, "'a' and 'A'"),
        ([], {"a": None, "A": None}, "Name one anew: extra={'mine': …}, or dataclasses"),
    ],
)
def test_names_that_would_be_taken_for_one_another_are_refused_before_work(
    schemes, extra, told, toy_model, toy_data, toy_tflite, monkeypatch
):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    files = dict.fromkeys(extra, toy_tflite)
    with pytest.raises(ValueError, match=re.escape(told)):
        qk.compare(toy_model(), toy_data, schemes, extra=files)


@pytest.mark.parametrize("name", [None, 3, b"mine", "", " \n", ("a", "b")])
def test_row_is_named_in_words(name, toy_model, toy_data, toy_tflite, monkeypatch):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    for wrong in ({"extra": {name: toy_tflite}}, {"schemes": [named(name)]}):
        with pytest.raises(TypeError, match="is no name for a row"):
            qk.compare(toy_model(), toy_data, **wrong)


def test_files_may_be_called_what_no_row_is(toy_model, toy_data, toy_tflite):
    """Names of schemes that were not asked for, and of the control that is not there otherwise."""
    extra = dict.fromkeys(("qat", "control_full_integer", "float16"), toy_tflite)
    asked = [named("dynamic_range"), named("dynamic_range"), "float32"]  # twice the same: one row
    found = qk.compare(toy_model(), toy_data, asked, extra=extra)
    assert list(found.models) == ["float32", "dynamic_range", *extra]
    assert "float16" in [
        tensor.dtype for tensor in qk.inspect(found.models["dynamic_range"]).tensors
    ]
    assert all(found.models[name] == toy_tflite for name in extra)


def test_files_called_as_a_row_stand_beside_it(toy_model, toy_data, toy_tflite):
    model, aware = toy_model(), qk.quantization_aware(toy_model())
    other = qk.prune_once(toy_tflite, 0.9).applied(toy_tflite)
    names = ("float32", " Float16", "control_full_integer")
    found = qk.compare(
        model,
        toy_data,
        ["float16", "qat"],
        trained={"qat": aware, "control": toy_model()},
        extra=dict.fromkeys(names, other),
    )
    assert found.reference == "float32"
    assert qk.weight_census(found.models["float32"]).sparsity == 0
    for name in names:
        assert found.models[f"{name} (file)"] == other
    assert found.paired["float16"].a is found.accuracies["float32"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"extra": [b"TFL3"]}, "compare: extra must be a Mapping or NoneType, got list"),
        ({"trained": "qat"}, "compare: trained must be a Mapping or NoneType, got str"),
        ({"data": 3}, "compare: data must be a qk.Dataset, or have its x_train, x_test, y_test"),
        ({"images": "folder"}, "compare: images must be a ImageFolder or NoneType, got str"),
        ({"metric": "top-1"}, "compare: metric must be one of 'F1 of labels'"),
        ({"schemes": 3}, "compare: schemes must be a Iterable or NoneType, got int"),
        ({"schemes": [None]}, "unknown scheme None"),
        ({"threads": 0}, "compare: threads must be a whole number from 1 to 1024, got 0"),
        ({"extra": {"mine": "mine.tflite"}}, "expected the bytes of a .tflite file, got str"),
    ],
)
def test_arguments_of_other_kinds_are_refused_before_work(
    wrong, told, toy_model, toy_data, monkeypatch
):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    with pytest.raises((TypeError, ValueError), match=re.escape(told)):
        qk.compare(toy_model(), **{"data": toy_data, **wrong})


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda tf: 3, TypeError, "got int"),
        (small, ValueError, "'qat' wants a model trained through the grid"),
        (
            lambda tf: qk.quantization_aware(small(tf)),
            ValueError,
            r"trained\['qat'\] is of another model: its images must have the shape \(n, 8, 8, 3\)",
        ),
    ],
)
def test_trained_models_that_do_not_fit_are_mistakes_and_no_rows(
    wrong, error, message, tf, toy_model, toy_data, monkeypatch
):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    with pytest.raises(error, match=message):
        qk.compare(toy_model(), toy_data, ["qat"], trained={"qat": wrong(tf)})


def test_constant_calibration_is_a_mistake_and_no_row(toy_model, toy_data, monkeypatch):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    same = np.full_like(toy_data.x_train, 0.5)
    with pytest.raises(ValueError, match="calibration for 'full_integer' is constant"):
        qk.compare(toy_model(), toy_data, ["full_integer"], calibration=same)


def test_what_needs_accuracies_says_so(toy_model, toy_data, measured):
    metric = qk.Metric("mean error", "dB", False, lambda outputs, y: np.ones((len(y), 2)), ratio)
    scored = qk.compare(toy_model(), toy_data, ["float16"], metric=metric)
    unlabelled = qk.compare(toy_model(), schemes=["float16"], calibration=toy_data.x_train)
    decision = qk.decision_tree.follow({"optimize": True, "smaller": False})
    for comparison, instead in (
        (scored, "has scores by the metric 'mean error' in their place"),
        (unlabelled, "was made without labelled images"),
    ):
        for ask, what in (
            (qk.tradeoff, "tradeoff: x or y"),
            (lambda c: qk.shortlist(c, drop_pp=1), "shortlist: drop_pp"),
            (lambda c: qk.disagreements(decision, c), "disagreements"),
            (qk.explore_decision_tree, "explore_decision_tree"),
        ):
            said = f"{what} needs accuracies, and this comparison {instead}. Pass class numbers"
            with pytest.raises(ValueError, match=said):
                ask(comparison)
        assert len(qk.tradeoff(comparison, "file size, kB", "latency, µs").points) == 2
        assert qk.shortlist(comparison, size_bytes=1_000_000).chosen
    # a row that was not measured is open
    assert "qat" in qk.shortlist(measured, drop_pp=1).open
    assert "qat" not in qk.tradeoff(measured).points


def test_float32_that_is_refused_is_an_error(toy_model, toy_data, monkeypatch):
    def refuse(*args):
        raise ValueError("no such thing")

    monkeypatch.setattr(module, "convert", refuse)
    with pytest.raises(ValueError, match="no such thing"):
        qk.compare(toy_model(), calibration=toy_data.x_train)


def test_control_that_is_refused_is_a_row_too(monkeypatch):
    def refuse(model, scheme, calibration):
        raise RuntimeError("Quantization not yet supported for op: 'FLOOR_MOD'. Ask for it.")

    monkeypatch.setattr(module, "convert", refuse)
    missing, trained = {}, {"qat": object(), "control": object()}
    found = module._converted([], None, None, trained, None, missing, show=str)
    assert found == ({}, {})
    reason = "not possible: Quantization not yet supported for op: 'FLOOR_MOD'"
    assert missing == {"control_float32": reason, "control_full_integer": reason}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("convert: fails in kernel.cc:3 (12.5 %).. Use another.\nMore",
         "convert: fails in kernel.cc:3 (12.5 %)"),
        ("short.", "short"),
    ],
)  # fmt: skip
def test_reason_is_the_first_sentence(said, reason):
    missing = {}
    with module._refusals(missing, "qat"):
        raise ValueError(said)
    assert missing == {"qat": f"not possible: {reason}"}


@pytest.mark.slow
def test_published_network_from_seeded_weights_in_a_file(tf, tmp_path):
    architecture = qk.published.ARCHITECTURES["MobileNet"]
    path = tmp_path / "weights.h5"
    trained = qk.published.architecture("MobileNet", image_size=32, seed=3)
    qk.published.settle_batch_norm(trained, np.random.default_rng(1).random((8, 32, 32, 3)) - 0.5)
    trained.save_weights(path)
    rng, names = np.random.default_rng(0), [f"n{i:04}" for i in range(1000)]
    for name in (names[7], names[800]):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 256, (40, 50, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.jpg")
    images = qk.load_image_folder(
        tmp_path / "images", 32, architecture.preprocess, class_names=names
    )
    model = qk.published.architecture("MobileNet", image_size=32, weights=path)
    found = qk.compare(model, schemes=["dynamic_range"], images=images)
    x, y = next(images.batches())
    expected = accuracy_of(trained(x).numpy().argmax(axis=1), y)
    assert found.accuracies["float32"].predictions.tolist() == expected.predictions.tolist()
    assert set(y) == {7, 800}
    assert found.to_frame()["accuracy_status"].tolist() == ["measured"] * 2
    few = qk.load_image_folder(tmp_path / "images", 32, architecture.preprocess)
    with pytest.raises(ValueError, match=r"1,000 outputs, and the folder 2 classes"):
        qk.compare(model, schemes=[], images=few)


def test_scheme_that_cannot_be_trained_is_a_row_too(tf):
    rng = np.random.default_rng(0)
    x, y = rng.random((30, 8, 8, 3)).astype(np.float32), np.arange(30) % 3
    data = qk.Dataset(x, y, x, y, "noise", "drawn by the tests")
    found = qk.compare(small(tf, norm_first=True), data, ["qat", "float16"])
    assert list(found.models) == ["float32", "float16"]
    assert found.not_measured["qat"].startswith(
        "not possible: quantization_aware: the layer 'norm'"
    )
    assert set(found.accuracies) == {"float32", "float16"}


def test_a_metric_of_ones_own_takes_the_place_of_accuracy(toy_model, toy_data, tmp_path):
    def tallies(outputs, labels):
        errors = np.abs(outputs - np.eye(3)[labels]).sum(axis=1)
        return np.stack([errors, np.ones(len(labels))], axis=1)

    metric = qk.Metric("mean error", "dB", False, tallies, ratio)
    found = qk.compare(toy_model(), toy_data, ["float16"], metric=metric)
    score = found.accuracies["float16"]
    again = qk.accuracy(found.models["float16"], toy_data.x_test, toy_data.y_test, metric=metric)
    assert (score.value, score.interval) == (again.value, again.interval)
    row = found.to_frame().loc["float16"]
    assert (row["mean error"], row["low"], row["high"]) == (again.value, *again.interval)
    assert row["difference"] == found.paired["float16"].difference
    shown = found.to_display().loc["float16"]
    assert shown["mean error (95 %)"].startswith(f"{again.value:.2f} dB (")
    assert "1 of 1 schemes lose nothing in mean error against float32 that 20" in str(found)
    assert "bootstrap" in found.notes()[0]
    assert "mean error" in found.to_html(tmp_path / "page.html").read_text(encoding="utf-8")
