"""A thousand damaged files: each is measured or refused, and no process ends with one."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import qkit as qk

NUMBERS = (-1, 0, 1, 2, 7, 2**31 - 1, -(2**31))


def flip_anywhere(content, rng):
    for position in rng.integers(len(content), size=rng.integers(1, 8)):
        content[position] ^= rng.integers(1, 256)


def flip_in_the_tables(content, rng):
    # the root of the file and its first tables
    content[rng.integers(min(400, len(content)))] ^= 1 << rng.integers(8)


def replace_a_number(content, rng):
    # offsets, lengths, shapes and indices are little-endian words
    position = 4 * rng.integers(len(content) // 4)
    content[position : position + 4] = struct.pack("<i", rng.choice(NUMBERS))


def cut(content, rng):
    del content[rng.integers(len(content)) :]


MUTATIONS = (flip_anywhere, flip_in_the_tables, replace_a_number, cut)


def measure_mutations(path, count):
    """Measure damaged copies of a file; print how many gave a result and how many an error."""
    whole = Path(path).read_bytes()
    rng = np.random.default_rng(0)
    x, y = rng.random((3, 8, 8), np.float32), np.array([0, 1, 2])
    ended = {"result": 0, "refused": 0}
    for i in range(count):
        content = bytearray(whole)
        MUTATIONS[i % len(MUTATIONS)](content, rng)
        for measure in (qk.size, lambda tflite: qk.accuracy(tflite, x, y)):
            try:
                measure(bytes(content))
                ended["result"] += 1
            except ValueError:  # TfliteError is one
                ended["refused"] += 1
            except TypeError as error:  # it takes whole numbers now, such as token ids
                if "names no grid to put real values on" not in str(error):
                    raise
                ended["refused"] += 1
    print(json.dumps(ended))


@pytest.fixture(scope="module")
def small_cnn(tf):
    tf.keras.utils.set_random_seed(0)  # what kills a process is to be found again
    layers = tf.keras.layers
    return tf.keras.Sequential(
        [
            layers.InputLayer((8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(3, 3, strides=2, activation="relu"),
            layers.DepthwiseConv2D(2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    ("scheme", "count"),
    [
        ("full_integer_int8_io", 120),
        *(
            pytest.param(name, 250, marks=pytest.mark.slow)
            for name in ("float32", "float16", "full_integer", "int16_activations")
        ),
    ],
)
def test_damaged_files_are_measured_or_refused(scheme, count, small_cnn, tmp_path):
    calibration = np.random.default_rng(0).random((10, 8, 8), np.float32)
    path = tmp_path / "small.tflite"
    path.write_bytes(qk.convert(small_cnn, scheme, calibration))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_mutations as t;"
        "t.measure_mutations(sys.argv[2], int(sys.argv[3]))"
    )
    command = [sys.executable, "-X", "faulthandler", "-c", code]
    done = subprocess.run(
        [*command, str(Path(__file__).parent), str(path), str(count)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert ended["result"] + ended["refused"] == 2 * count
    assert min(ended.values()) > count // 10
