"""A footprint has a row for each scheme: what was measured, or why it was not."""

import numpy as np
import pytest
from PIL import Image

import qkit as qk
from qkit.evaluate import footprint as module
from qkit.evaluate.accuracy import from_predictions

SCHEMES = ["dynamic_range", "full_integer", "int16_activations", "qat"]


@pytest.fixture
def patient(monkeypatch):
    """Let the measurements of latency be few."""
    monkeypatch.setattr(module, "_QUICK", {"instances": 3, "rounds": 2})
    monkeypatch.setattr(module, "_SLOW", {"instances": 2, "rounds": 1})


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_QUICK", {"instances": 3, "rounds": 2})
        patch.setattr(module, "_SLOW", {"instances": 2, "rounds": 1})
        return qk.footprint(small(tf), SCHEMES, images=coloured)


def test_rows_are_the_schemes_with_float32_first(measured):
    frame = measured.to_frame()
    assert frame.index.tolist() == ["float32", *SCHEMES]
    assert frame.index.name == "scheme"
    assert set(frame["status"]) == {"measured"}
    assert measured.not_possible == {}


def test_numbers_are_those_of_the_parts(measured, coloured):
    frame = measured.to_frame()
    for name, tflite in measured.models.items():
        row, times = frame.loc[name], measured.latencies[name]
        assert row["size_bytes"] == len(tflite)
        assert row["size_ratio"] == len(measured.models["float32"]) / len(tflite)
        assert row["latency_ms"] == times.median_us[name] / 1000
        assert row["latency_low_ms"] <= row["latency_ms"] <= row["latency_high_ms"]
        assert row["latency_ratio"] == times.ratio[name]
        assert row["latency_ratio_low"] <= row["latency_ratio"] <= row["latency_ratio_high"]
        assert next(iter(times.median_us)) == "float32"
    for name, found in measured.accuracies.items():
        again = qk.accuracy(measured.models[name], coloured)
        assert found.predictions.tolist() == again.predictions.tolist()
        assert frame.loc[name, "accuracy"] == again.accuracy
        assert frame.loc[name, "difference_pp"] == pytest.approx(
            100 * (again.accuracy - measured.accuracies["float32"].accuracy)
        )
    assert frame.loc["float32", "p_value"] == 1


def test_slow_kernels_are_timed_apart_and_beside_float32(measured):
    assert list(measured.latencies["int16_activations"].median_us) == [
        "float32",
        "int16_activations",
    ]
    others = [name for name in measured.models if name != "int16_activations"]
    assert list(measured.latencies["qat"].median_us) == others
    assert measured.latencies["qat"] is measured.latencies["float32"]


def test_copy_that_is_not_trained_has_no_accuracy(measured):
    assert list(measured.accuracies) == ["float32", *SCHEMES[:-1]]
    row = measured.to_frame().loc["qat"]
    assert row["accuracy_status"].startswith("not measured: the copy is not trained")
    assert np.isnan(row["accuracy"])


def test_trained_copy_has_one(tf, coloured, patient):
    model = small(tf)
    x = coloured.sample(10)
    aware = qk.quantization_aware(model, calibration=x)
    found = qk.footprint(model, ["qat"], images=coloured, qat=aware)
    assert found.models["qat"] == qk.convert(aware, "qat", x)
    assert found.to_frame()["accuracy_status"].tolist() == ["measured"] * 2


def test_line(measured):
    text = measured.summary()
    size = len(measured.models["float32"]) / 1e6
    assert text.startswith(f"small: float32 {size:.2f} MB, ")
    assert "; full_integer " in text
    assert "times smaller, " in text


def test_refusal_is_a_row_with_its_reason(tf, patient):
    x = np.random.default_rng(0).random((4, 8, 8, 3)).astype(np.float32)
    found = qk.footprint(small(tf, norm_first=True), ["qat", "float16"], calibration=x)
    frame = found.to_frame()
    assert frame.index.tolist() == ["float32", "float16", "qat"]
    said = frame.loc["qat", "status"]
    assert said.startswith("not possible: quantization_aware: the layer 'norm' (BatchNorm")
    assert "has no QuantizeConfig" in said
    assert "\n" not in said
    assert frame.loc["qat", "accuracy_status"] == said
    assert frame.loc["qat"].drop(["status", "accuracy_status"]).isna().all()
    assert found.summary().endswith("; qat not possible")


def test_without_images_only_the_accuracies_are_missing(toy_model, toy_data, patient):
    found = qk.footprint(toy_model(), ["float16"], calibration=toy_data.x_train)
    frame = found.to_frame()
    assert set(frame["status"]) == {"measured"}
    assert frame["accuracy_status"].str.startswith("not measured: pass images=…").all()
    assert frame["latency_ms"].gt(0).all()
    assert frame["accuracy"].isna().all()


def test_what_cannot_be_measured_is_refused_before_work(toy_model, toy_data, coloured, monkeypatch):
    monkeypatch.setattr(module, "convert", lambda *a: pytest.fail("work has begun"))
    model, x = toy_model(), toy_data.x_train
    with pytest.raises(ValueError, match=r"are missing: pass calibration=…"):
        qk.footprint(model)
    with pytest.raises(ValueError, match=r"footprint: calibration must have the shape"):
        qk.footprint(model, calibration=x[:, :3])
    with pytest.raises(ValueError, match=r"the model has 4 outputs, and the folder 3 classes"):
        qk.footprint(toy_model(classes=4), calibration=x, images=coloured)
    with pytest.raises(ValueError, match=r"unknown scheme 'int7'"):
        qk.footprint(model, ["int7"], calibration=x)
    with pytest.raises(ValueError, match=r"'pruned' wants a model that training made"):
        qk.footprint(model, ["pruned"], calibration=x)
    with pytest.raises(TypeError, match=r"schemes must be a list, got 'qat'; try \['qat'\]"):
        qk.footprint(model, "qat", calibration=x)
    with pytest.raises(TypeError, match="expected a Keras 2 model, got str"):
        qk.footprint("model", calibration=x)


def test_float32_that_is_refused_is_an_error(toy_model, toy_data, monkeypatch):
    def refuse(*args):
        raise ValueError("no such thing")

    monkeypatch.setattr(module, "convert", refuse)
    with pytest.raises(ValueError, match="no such thing"):
        qk.footprint(toy_model(), calibration=toy_data.x_train)


def test_first_sentence_is_one_line():
    error = ValueError("convert: fails in kernel.cc:3 (12.5 %).. Use another.\nMore")
    assert module._first_sentence(error) == "convert: fails in kernel.cc:3 (12.5 %)"
    assert module._first_sentence(ValueError("short.")) == "short"


@pytest.mark.slow
def test_published_network_from_seeded_weights_in_a_file(tmp_path, patient):
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
    found = qk.footprint(model, ["dynamic_range"], images=images)
    x, y = next(images.batches())
    expected = from_predictions(trained.predict(x, verbose=0).argmax(axis=1), y)
    assert found.accuracies["float32"].predictions.tolist() == expected.predictions.tolist()
    assert set(y) == {7, 800}
    assert found.to_frame()["accuracy_status"].tolist() == ["measured"] * 2
    few = qk.load_image_folder(tmp_path / "images", 32, architecture.preprocess)
    with pytest.raises(ValueError, match=r"1,000 outputs, and the folder 2 classes"):
        qk.footprint(model, [], images=few)
