"""How time and memory grow with the number of samples, and with the size of the file.

``python tests/benchmarks/growth.py`` runs each case in a process of its own, and prints how many
times as long, and how many times the memory, ten times the work takes. Marked is what grows faster
than the work does.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import qkit as qk
from qkit._tensorflow import tensorflow

SAMPLES = (1_000, 10_000, 100_000)
WIDTHS = (500, 2_236, 6_708)  # of a dense layer: files of 1, 20 and 180 MB
SLACK = 1.25  # of the time, by which a machine may be busy


def of_samples(tflite, n):
    """Judge a file on n items, and hold it against itself."""
    x = np.random.default_rng(0).random((n, 28, 28), dtype=np.float32)
    y = np.arange(n) % 10
    started = time.perf_counter()
    found = qk.accuracy(tflite, x, y)
    qk.paired(found, found)
    return time.perf_counter() - started, x.nbytes


def of_bytes(tflite, _):
    """Read a file, count its bytes and weights, and run it once."""
    width = int(qk.inspect(tflite).inputs[0].shape[1])
    started = time.perf_counter()
    qk.size(tflite)
    qk.weight_census(tflite)
    qk.outputs(tflite, np.ones((1, width), np.float32))
    return time.perf_counter() - started, len(tflite)


CASES = {"samples": of_samples, "bytes": of_bytes}


def files(folder):
    """Write the network of MNIST, and one dense layer of each width."""
    keras = tensorflow().keras
    (folder / "mnist").write_bytes(qk.convert(qk.models.walkthrough_cnn(), "float32"))
    for width in WIDTHS:
        model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(width)])
        (folder / str(width)).write_bytes(qk.convert(model, "float32"))


def measured(case, path, n):
    """Return seconds, bytes that the case is about, and peak bytes beyond those of the start."""
    command = [sys.executable, __file__, case, str(path), str(n)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    """Print the table; return 1 if anything grows faster than the work, else 0."""
    right = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files(folder)
        rows = {"samples": [("mnist", n) for n in SAMPLES], "bytes": [(str(w), 1) for w in WIDTHS]}
        for case, sizes in rows.items():
            found = [min(measured(case, folder / file, n) for _ in range(3)) for file, n in sizes]
            for (seconds, work, peak), before in zip(found, [None, *found], strict=False):
                print(f"{case:8} {work / 1e6:6.1f} MB: {seconds:6.2f} s, {peak / 1e6:6.1f} MB more")
                if before is not None:
                    grown, longer, larger = work / before[1], seconds / before[0], peak / before[2]
                    right.append(max(longer, larger) < SLACK * grown)
                    said = f"times: work {grown:.1f}, time {longer:.1f}, memory {larger:.1f}"
                    print(f"    {said}{'' if right[-1] else '  !'}")
    return 0 if all(right) else 1


def child(case, path, n):
    """Measure one case, and print it."""
    tflite = Path(path).read_bytes()
    qk.outputs(tflite, np.zeros((1, *qk.inspect(tflite).inputs[0].shape[1:]), np.float32))
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on; Linux alone
    before = held_bytes()
    seconds, work = CASES[case](tflite, int(n))
    print(json.dumps([seconds, work, held_bytes() - before]))


def held_bytes():
    """Return the most memory that this process held since its peak was forgotten."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])


if __name__ == "__main__":
    sys.exit(child(*sys.argv[1:]) if sys.argv[1:] else main())
