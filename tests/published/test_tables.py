"""Published figures stand as they were published."""

import numpy as np
import pandas as pd
import pytest

import qkit as qk
from qkit.published import tables as published


def test_techniques_are_the_guides_four():
    frame = published.techniques()
    assert frame.columns.tolist() == ["needs", "size_cut", "accuracy", "hardware"]
    assert len(frame) == 4
    assert frame.notna().all(axis=None)
    assert frame["size_cut"].tolist() == ["up to 50 %", *["up to 75 %"] * 3]
    assert frame.attrs["source"].startswith("https://ai.google.dev/")


# The official table, figure by figure, of float32, int8 and int16 activations
TABLE_2 = {
    ("Wav2letter", "word error rate"): [0.067, 0.077, 0.072],
    ("DeepSpeech 0.5.1 (unrolled)", "character error rate"): [0.0613, 0.4367, 0.0652],
    ("YoloV3", "mAP (IoU = 0.5)"): [0.577, 0.563, 0.574],
    ("MobileNetV1", "top-1"): [0.7062, 0.694, 0.6936],
    ("MobileNetV2", "top-1"): [0.718, 0.7126, 0.7137],
    ("MobileBert", "F1"): [0.8881, 0.0208, 0.8873],
    ("MobileBert", "exact match"): [0.8123, 0.0, 0.8115],
}


def test_int16_activations_are_the_official_table():
    frame = published.int16_activations()
    assert frame.columns.tolist() == ["float32", "int8", "int16"]
    assert frame.index.names == ["model", "metric"]
    assert {row: frame.loc[row].tolist() for row in frame.index} == TABLE_2
    assert list(frame.index) == list(TABLE_2)
    assert "16x8" in frame.attrs["source"]
    assert frame.attrs["source"].startswith("https://")


def test_walkthrough_beside_ours():
    frame = published.beside_walkthrough({"QAT accuracy, Keras": 0.98, "times smaller": 3.4})
    assert frame.columns.tolist() == ["published", "here"]
    assert frame.loc["times smaller"].tolist() == [4, 3.4]
    assert frame.loc["QAT accuracy, Keras"].tolist() == [0.9834, 0.98]


def test_walkthrough_is_as_it_was_published():
    figures = {
        "float accuracy": 0.9821,
        "QAT accuracy, Keras": 0.9834,
        "QAT accuracy, .tflite": 0.9832,
        "float .tflite, MiB": 0.0809,
        "QAT .tflite, MiB": 0.0238,
        "times smaller": 4.0,
        "float slower by, s": 1.34,
    }
    frame = published.beside_walkthrough(dict.fromkeys(figures, 0.5))
    assert frame["published"].to_dict() == figures
    assert frame.index.tolist() == list(figures)


def test_compression_claims_name_the_files_they_divide():
    frame = published.compression()
    assert frame.index.name == "technique"
    assert frame.reset_index().to_numpy().tolist() == [
        ["pruned 80 %", 3, "zipped .h5", "zipped .h5 and zipped .tflite, float32"],
        ["pruned 80 %, dynamic range", 10, "zipped .h5", "zipped .tflite, int8 weights"],
        ["16 clusters", 6, "zipped .h5", "zipped .h5 and zipped .tflite, float32"],
        ["16 clusters, dynamic range", 8, "zipped .h5", "zipped .tflite, int8 weights"],
    ]
    assert frame.columns.tolist() == ["times_smaller", "before", "after"]
    assert frame["times_smaller"].dtype == int
    assert frame.attrs["source"].count("https://www.tensorflow.org/model_optimization/") == 2


# The official table, figure by figure: top-1 in %, ms, MB; "–" where it has none
TABLE_1 = """
Mobilenet-v1-1-224  70.9 65.7 70.0 –   124  112  64   16.9  4.3
Mobilenet-v2-1-224  71.9 63.7 70.9 –   89   98   54   14.0  3.6
Inception_v3        78.0 77.2 77.5 –   1130 845  543  95.7  23.9
Resnet_v2_101       77.0 76.8 –    –   3973 2868 –    178.3 44.9
Nasnet-Mobile       74.0 –    –    73  –    –    –    –     –
Resnet-v2_50        75.6 –    –    75  –    –    –    –     –
"""


def test_architectures_are_the_official_table():
    frame = published.architectures()
    lines = [line.split() for line in TABLE_1.strip().splitlines()]
    assert frame.index.tolist() == [name.replace("v2_50", "v2 50") for name, *_ in lines]
    kinds = ["top1_original", "top1_ptq", "top1_qat", "top1_8_bit"]
    times = ["latency_original_ms", "latency_ptq_ms", "latency_qat_ms"]
    assert frame.columns.tolist() == [*kinds, *times, "size_original_mb", "size_optimized_mb"]
    figures = [[float("nan") if f == "–" else float(f) for f in line[1:]] for line in lines]
    ours = frame.to_numpy().copy()
    ours[:, :4] *= 100
    np.testing.assert_allclose(ours, figures, rtol=1e-12)
    assert frame.index.name == "model"
    assert set(frame.dtypes) == {np.dtype(float)}
    assert frame.loc["Mobilenet-v1-1-224", "top1_original"] == 0.709  # to the bit
    assert "Pixel 2" in frame.attrs["source"]
    assert frame.attrs["source"].count("https://") == 2


def test_every_published_network_can_be_built():
    names = [a.published_name for a in qk.published.ARCHITECTURES.values()]
    assert sorted(names) == sorted(published.architectures().index)


REFUSED = "not possible: a layer has no QuantizeConfig"
NO_IMAGES = "not measured: pass images=…"


def measured_row(architecture, scheme, mb, ratio, accuracy=None):
    row = {"architecture": architecture, "scheme": scheme, "size_bytes": 1e6 * mb}
    row |= {"latency_ratio": ratio, "latency_ratio_low": 0.9 * ratio, "status": "measured"}
    row |= {"latency_ratio_high": 1.1 * ratio, "accuracy_status": NO_IMAGES}
    if accuracy:
        row |= {"accuracy": accuracy, "accuracy_low": accuracy - 0.01}
        row |= {"accuracy_high": accuracy + 0.01, "accuracy_status": "measured"}
    return row


@pytest.fixture(scope="module")
def beside():
    rows = [
        measured_row("MobileNet", "float32", 16.9, 1.0, 0.7),
        measured_row("MobileNet", "dynamic_range", 4.4, 1.5),
        measured_row("MobileNet", "float16", 8.4, 1.1),
        measured_row("MobileNet", "qat", 4.5, 0.4),
        measured_row("ResNet101V2", "float32", 178, 1.0),
        {"architecture": "ResNet101V2", "scheme": "qat"}
        | {"status": REFUSED, "accuracy_status": REFUSED},
        measured_row("NASNetMobile", "full_integer", 6.3, 1.6, 0.72),
    ]
    return published.beside_architectures(pd.DataFrame(rows))


def cells(beside, architecture, quantity):
    chosen = (beside["architecture"] == architecture) & (beside["quantity"] == quantity)
    return beside[chosen].set_index("scheme")


def test_ours_beside_the_published_ones(beside):
    assert len(beside) == 3 * 7
    size = cells(beside, "MobileNet", "size, MB")
    assert size["published"].fillna(0).to_dict() == {
        "float32": 16.9, "dynamic_range": 4.3, "float16": 0, "qat": 4.3,
    }  # fmt: skip
    assert size["measured"].tolist() == [16.9, 4.4, 8.4, 4.5]
    assert size.loc["qat", "text"] == "4.50; published 4.3"
    time = cells(beside, "MobileNet", "latency, × float32")
    np.testing.assert_allclose(time["published"], [1, 112 / 124, np.nan, 64 / 124])
    row = time.loc["dynamic_range"]
    assert (row["low"], row["measured"], row["high"]) == pytest.approx((1.35, 1.5, 1.65))
    assert row["text"] == "1.50 (1.35 to 1.65); published 0.9032"
    assert time.loc["float16", "text"] == "1.10 (0.99 to 1.21)"
    top1 = cells(beside, "MobileNet", "top-1")["text"]
    assert top1["float32"] == "0.700 (0.690 to 0.710); published 0.709"
    assert top1["qat"] == f"{NO_IMAGES}; published 0.7"
    assert top1["float16"] == NO_IMAGES
    top1 = cells(beside, "NASNetMobile", "top-1")["text"]
    assert top1["full_integer"] == "0.720 (0.710 to 0.730); published 0.73"


def test_what_is_not_possible_keeps_its_reason(beside):
    refused = beside[(beside["architecture"] == "ResNet101V2") & (beside["scheme"] == "qat")]
    assert refused["status"].tolist() == [REFUSED] * 3
    assert refused["measured"].isna().all()
    assert refused["text"].tolist() == [REFUSED] * 3  # the published table has no such cell either
