"""How many items a second a sweep does on one worker and on two, for docs/cluster.md.

``python tests/benchmarks/workers.py`` judges small files on 10,000 images: an item is a file.
"""

import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from distributed import Client, LocalCluster

import qkit as qk
from qkit.evaluate.sweep import sweep

ROUNDS = 9
NAMES = (
    "float32",
    "float16",
    "dynamic_range",
    "full_integer",
    "pruned",
    "clustered",
    "qat",
    "pqat",
)


def judged(shared, name):
    """Return the accuracy of a file, run on one core."""
    files, x, y = shared
    return qk.accuracy(files[name], x, y, threads=1).accuracy


def seconds(executor, shared):
    """Return what a sweep takes on workers that are there already."""
    started = time.perf_counter()
    sweep(judged, NAMES * 2, executor=executor, shared=shared)
    return time.perf_counter() - started


def main():
    """Print the medians of rounds in which each kind has its turn."""
    folder, digits = Path(__file__).parent.parent / "files", qk.load_data("digits")
    files = {name: (folder / f"trained_{name}.tflite").read_bytes() for name in NAMES}
    shared = files, np.tile(digits.x_test, (20, 1, 1)), np.tile(digits.y_test, 20)
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        executors = {"none": None}
        for n in (1, 2):
            executors["pool", n] = stack.enter_context(ProcessPoolExecutor(n, spawn))
        for n in (1, 2):
            cluster = LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=":0")
            client = stack.enter_context(Client(stack.enter_context(cluster)))
            executors["Dask", n] = client.get_executor()
        taken = {name: [] for name in executors}
        for i in range(ROUNDS + 1):
            for name, executor in executors.items():
                took = seconds(executor, shared)
                taken[name] += [took] * (i > 0)  # the first starts the workers
    for name, times in taken.items():
        print(name, f"{2 * len(NAMES) / statistics.median(times):.2f} items a second")
    for kind in ("pool", "Dask"):
        pairs = zip(taken[kind, 1], taken[kind, 2], strict=True)
        ratios = sorted(one / two for one, two in pairs)
        print(kind, f"two workers: {statistics.median(ratios):.2f} times one,", ratios)


if __name__ == "__main__":
    main()
