"""The ledger of a file adds up, and counts each stored byte once."""

import zlib

import numpy as np
import pytest

import qkit as qk
from qkit.evaluate import size as size_module
from qkit.quantize.coding import entropy_coded_bytes
from qkit.toolchain.wrapping import copy_of

BY_CONVERTER = [name for name, scheme in qk.SCHEMES.items() if scheme.engine == "converter"]


@pytest.mark.parametrize("name", BY_CONVERTER)
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
    totals = ["file", "file, deflated", "file, entropy floor"]
    assert frame.index[-len(totals) - 1 :].tolist() == ["metadata", *totals]
    assert frame.loc["file", "share"] == 1
    assert frame.loc["file, entropy floor", "size_bytes"] == found.entropy_coded_bytes
    parts = frame.drop(index=totals)
    assert parts["size_bytes"].sum() == found.size_bytes
    assert str(found).startswith(f"{found.size_bytes:,} bytes (81,640 float32, ")
    assert f"{found.deflated_bytes:,} deflated, {found.entropy_coded_bytes:,} entropy" in str(found)
    assert "81,640" in found._repr_html_()


@pytest.mark.parametrize("name", BY_CONVERTER)
def test_floor_is_the_sum_of_its_parts(name, tflite):
    found, rest, coded = qk.size(tflite(name)), tflite(name), 0
    for tensor in qk.inspect(rest).tensors:  # cut out, each where it is found
        if tensor.constant:
            whole = {"float32": "u4", "float16": "u2", "int32": "u4", "int64": "u8"}
            coded += entropy_coded_bytes(tensor.data.view(whole.get(tensor.dtype, "u1")))
            if tensor.size_bytes > 8:
                rest = rest.replace(tensor.data.tobytes(), b"", 1)
    assert coded < sum(found.constants_bytes.values())
    deflated = len(zlib.compress(rest, 9))
    assert found.entropy_coded_bytes - coded == pytest.approx(deflated, rel=0.05)


def test_a_ledger_of_a_large_file_takes_what_a_table_needs_alone(tflite, monkeypatch):
    monkeypatch.setattr(size_module, "entropy_coded_bytes", None)
    assert qk.size(tflite("float32")).deflated_bytes > 0


@pytest.fixture(scope="module")
def kernel_changed(trained):
    """Return a function from a rule for the dense kernel to the int8 file's ledger."""

    def change(rule, scheme="dynamic_range"):
        copy = copy_of(trained)
        kernel, bias = copy.get_layer("logits").get_weights()
        copy.get_layer("logits").set_weights([rule(kernel), bias])
        return qk.size(qk.convert(copy, scheme))

    return change


def unchanged(kernel):
    return kernel


def smallest_to_zero(kernel):
    return np.where(np.abs(kernel) < np.quantile(np.abs(kernel), 0.8), np.float32(0), kernel)


def to_sixteen(kernel):
    levels = np.quantile(kernel, np.arange(0.5, 16) / 16).astype(np.float32)
    return levels[np.abs(kernel[..., None] - levels).argmin(axis=-1)]


def to_sixteen_and_zero(kernel):
    return smallest_to_zero(to_sixteen(kernel))


@pytest.mark.parametrize("rule", [unchanged, smallest_to_zero, to_sixteen, to_sixteen_and_zero])
@pytest.mark.parametrize("scheme", ["float32", "float16", "dynamic_range"])
def test_deflate_stays_above_the_floor_where_weights_are_scattered(rule, scheme, kernel_changed):
    found = kernel_changed(rule, scheme)
    assert found.entropy_coded_bytes < found.deflated_bytes < found.size_bytes


def test_deflate_goes_below_the_floor_where_weights_form_patterns(kernel_changed):
    def thirty_nine_times_the_same(kernel):
        return np.tile(kernel[:52], (39, 1))

    found = kernel_changed(thirty_nine_times_the_same)
    assert found.deflated_bytes < 0.5 * found.entropy_coded_bytes


def test_negative_zeros_cost_what_they_do_not_tell(kernel_changed):
    def masked(kernel):  # as a product with a mask has it
        return kernel * (smallest_to_zero(kernel) != 0)

    without, with_signs = (kernel_changed(rule, "float32") for rule in (smallest_to_zero, masked))
    assert with_signs.deflated_bytes > 1.05 * without.deflated_bytes
    signs = with_signs.entropy_coded_bytes - without.entropy_coded_bytes
    assert signs == pytest.approx(0.8 * 20280 / 8, rel=0.01)  # a bit for each zero


def test_a_file_that_cannot_be_run_has_a_size(toy_tflite, edited):
    def to_custom(content):
        for code in content.operatorCodes:
            code.builtinCode, code.deprecatedBuiltinCode = 32, 32
            code.customCode = "edgetpu-custom-op"

    plain, custom = qk.size(toy_tflite), qk.size(edited(toy_tflite, to_custom))
    assert {op.name for op in qk.inspect(custom.tflite).operators} == {"CUSTOM"}
    assert custom.constants_bytes == plain.constants_bytes
    assert custom.entropy_coded_bytes > 0


def largest(content):
    return max(content.buffers, key=lambda buffer: np.size(buffer.data))


def test_constants_of_which_an_item_is_cut_off_are_counted_by_bytes(toy_tflite, edited):
    def cut(content):
        largest(content).data = largest(content).data[:-3]

    plain, shorter = qk.size(toy_tflite), qk.size(edited(toy_tflite, cut))
    assert shorter.constants_bytes["float32"] == plain.constants_bytes["float32"] - 3
    assert "entropy floor" in shorter.summary()


def test_bytes_that_several_constants_read_in_part_count_once(toy_tflite, edited):
    values = np.arange(400, dtype=np.uint8)

    def overlap(content):
        """Let one read the first 320 bytes behind the tables, another all of them."""
        content.buffers[1].data, content.buffers[1].offset, content.buffers[1].size = None, at, 320
        content.buffers[2].data, content.buffers[2].offset, content.buffers[2].size = None, at, 400
        for tensor, number in zip(content.subgraphs[0].tensors, (1, 2), strict=False):
            tensor.buffer = number

    at = 2**30
    at = len(edited(toy_tflite, overlap))
    found = qk.size(edited(toy_tflite, overlap) + values.tobytes())
    rest = sum(t.size_bytes for t in qk.inspect(found.tflite).tensors if t.buffer > 2)
    assert sum(found.constants_bytes.values()) == 400 + rest
    assert found.metadata_bytes == at - rest


def test_constants_of_other_files_are_told_and_not_counted(toy_tflite, in_another_file):
    plain, moved = qk.size(toy_tflite), qk.size(in_another_file(toy_tflite))
    assert moved.elsewhere_bytes == 320
    assert moved.constants_bytes["float32"] == plain.constants_bytes["float32"] - 320
    assert moved.metadata_bytes + sum(moved.constants_bytes.values()) == moved.size_bytes
    assert str(moved).endswith("; 320 more in other files")
    assert "other files" not in str(plain)
