"""The ledger of a file adds up, and counts each stored byte once."""

import zlib

import pytest

import qkit as qk


@pytest.mark.parametrize("name", qk.SCHEMES)
def test_ledger_adds_up(name, tflite):
    found = qk.size(tflite(name))
    assert found.size_bytes == len(tflite(name))
    assert found.metadata_bytes + sum(found.constants_bytes.values()) == found.size_bytes
    assert found.metadata_bytes > 0
    assert found.deflated_bytes == len(zlib.compress(tflite(name), 9)) < found.size_bytes
    largest = next(iter(found.constants_bytes))
    assert largest == qk.SCHEMES[name].weights


def test_float_weights_take_four_bytes_each(tflite, trained):
    assert qk.size(tflite("float32")).constants_bytes["float32"] == 4 * trained.count_params()


def test_integer_weights_take_one_byte_and_biases_four(tflite):
    constants = qk.size(tflite("full_integer")).constants_bytes
    assert constants["int8"] == 12 * 9 + 2028 * 10
    assert constants["int32"] >= 4 * (12 + 10)
    assert "float32" not in constants


def test_buffer_that_two_tensors_share_counts_once(tf, edited):
    dense = [tf.keras.layers.Dense(16, "relu", use_bias=False) for _ in range(2)]
    model = tf.keras.Sequential([tf.keras.layers.InputLayer((16,)), *dense])
    tflite = qk.convert(model, "float32")

    def share(content):
        first, second = (t for t in content.subgraphs[0].tensors if [*t.shape] == [16, 16])
        second.buffer = first.buffer

    apart, shared = qk.size(tflite), qk.size(edited(tflite, share))
    assert apart.constants_bytes["float32"] == 4 * 2 * 16 * 16
    assert shared.constants_bytes["float32"] == 4 * 16 * 16
    assert shared.metadata_bytes + sum(shared.constants_bytes.values()) == shared.size_bytes


def test_table_and_line(tflite):
    found = qk.size(tflite("float32"))
    frame = found.to_frame()
    assert frame.index.name == "item"
    assert frame.index[0] == "constants, float32"
    assert frame.index[-3:].tolist() == ["metadata", "file", "file, deflated"]
    assert frame.loc["file", "share"] == 1
    parts = frame.drop(index=["file", "file, deflated"])
    assert parts["size_bytes"].sum() == found.size_bytes
    assert str(found).startswith(f"{found.size_bytes:,} bytes (81,640 float32, ")
    assert str(found).endswith(f"{found.deflated_bytes:,} deflated")
    assert found.size_kib == found.size_bytes / 1024
    assert "81,640" in found._repr_html_()
