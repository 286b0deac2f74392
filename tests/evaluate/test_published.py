"""Published figures stand as they were published."""

import pytest

from qkit.evaluate import published


def test_techniques_are_the_guides_four():
    frame = published.techniques()
    assert frame.columns.tolist() == ["needs", "size_cut", "accuracy", "hardware"]
    assert len(frame) == 4
    assert frame.notna().all(axis=None)
    assert frame["size_cut"].tolist() == ["up to 50 %", *["up to 75 %"] * 3]
    assert frame.attrs["source"].startswith("https://ai.google.dev/")


def test_int16_table():
    frame = published.int16_activations()
    assert frame.columns.tolist() == ["float32", "int8", "int16"]
    assert len(frame) == 7
    assert frame.loc[("DeepSpeech 0.5.1 (unrolled)", "character error rate")].tolist() == [
        0.0613,
        0.4367,
        0.0652,
    ]
    assert frame.loc[("MobileNetV2", "top-1")].tolist() == [0.718, 0.7126, 0.7137]
    assert frame.stack().between(0, 1).all()
    assert "16x8" in frame.attrs["source"]


def test_walkthrough_beside_ours():
    frame = published.beside_walkthrough({"QAT accuracy, Keras": 0.98, "times smaller": 3.4})
    assert frame.columns.tolist() == ["published", "here"]
    assert frame.loc["times smaller"].tolist() == [4, 3.4]
    assert frame.loc["QAT accuracy, Keras"].tolist() == [0.9834, 0.98]


def test_figure_that_was_not_published_is_told():
    with pytest.raises(KeyError, match=r"'speed' is no figure.*float accuracy"):
        published.beside_walkthrough({"speed": 1.0})


def test_compression_claims_name_the_files_they_divide():
    frame = published.compression()
    assert frame["times_smaller"].tolist() == [3, 10, 6, 8]
    assert set(frame["before"]) == {"zipped .h5"}
    assert frame["after"].str.contains(".tflite", regex=False).all()
    assert frame.attrs["source"].count("https://www.tensorflow.org/model_optimization/") == 2
