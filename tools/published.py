"""Measure the published architectures and store the table that notebook 11 shows.

``python tools/published.py`` measures the networks that are missing in the table, one after the
other; stopped and started again, it goes on where it was. ``python tools/published.py MobileNet``
measures that one anew. Each network runs in a process of its own, so that its memory comes back and
a crash costs one network; the table is replaced in one step whenever one is done. With ``--images``
and trained weights the accuracies are filled in as well.
"""

import argparse
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

import qkit as qk
from qkit.cache import write_atomically
from qkit.data import DataNotFoundError
from qkit.published import ARCHITECTURES, architecture, settle_batch_norm

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "notebooks" / "published_architectures.csv"
SCHEMES = ("float32", "dynamic_range", "float16", "full_integer", "int16_activations", "qat")

_NOISE_IMAGES = 8  # size and latency do not depend on what they show
_LOOK_S = 0.2
_COLUMNS = (
    *("scheme", "size_bytes", "size_ratio", "latency_ms", "latency_low_ms", "latency_high_ms"),
    *("latency_ratio", "latency_ratio_low", "latency_ratio_high", "status"),
    *("accuracy", "accuracy_low", "accuracy_high"),
    *("difference_pp", "difference_low_pp", "difference_high_pp", "p_value", "accuracy_status"),
)
_PACKAGES = ("tensorflow", "tf-keras", "tensorflow-model-optimization", "ai-edge-litert")


def measure(name, options):
    """Return the rows of one network, one for each scheme."""
    size = options.image_size or ARCHITECTURES[name].image_size
    preprocess, weights, images, missing = ARCHITECTURES[name].preprocess, None, None, ""
    if options.images:
        try:
            weights = options.weights
            model = architecture(name, weights=weights, image_size=size)
            images = qk.load_image_folder(
                options.images, size, preprocess, class_names=_class_names(options)
            )
        except DataNotFoundError as error:
            weights, images, missing = None, None, f"not measured: {error}"
    if weights is None:
        model = architecture(name, image_size=size)
        pixels = np.random.default_rng(0).uniform(0, 255, (_NOISE_IMAGES, size, size, 3))
        calibration = preprocess(pixels.astype(np.float32))
        settle_batch_norm(model, calibration)
    else:
        calibration = None  # drawn from the images
    found = qk.compare(
        model,
        schemes=options.schemes,
        calibration=calibration,
        images=images,
        threads=options.threads,
    )
    rows = found.to_frame().reset_index()
    for end in ("", "_low", "_high"):
        rows[f"latency{end}_ms"] = rows[f"latency{end}_us"] / 1e3
    rows = rows.reindex(columns=_COLUMNS)
    if missing:
        rows.loc[rows["status"] == "measured", "accuracy_status"] = missing
    here = qk.environment()
    rows.insert(0, "architecture", name)
    rows.insert(1, "image_size", size)
    rows["weights"] = "drawn" if weights is None else str(weights)
    rows["date"] = datetime.date.today().isoformat()
    rows["cpu"], rows["threads"] = here.cpu, options.threads
    rows["vector_instructions"] = here.vector_instructions
    rows["python"] = here.python
    for package in _PACKAGES:
        rows[package] = here.versions[package]
    return rows


def measured_apart(name, arguments):
    """Return the rows of a network, measured in a process of its own, or None where that failed.

    With the largest memory that the process and its helpers held together, and its seconds.
    """
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "rows.csv"
        command = [sys.executable, __file__, *arguments, "--rows-to", str(result), "--", name]
        # a session of its own: Ctrl-C comes to this process alone, which then ends the other
        child = subprocess.Popen(command, start_new_session=True)
        try:
            while child.poll() is None:
                peak = max(peak, _memory_bytes(child.pid))
                time.sleep(_LOOK_S)
        finally:
            child.kill()
            child.wait()
        if child.returncode or not result.is_file():
            return None
        rows = pd.read_csv(result)
    rows["peak_memory_mb"] = round(peak / 1e6)
    rows["seconds"] = round(time.perf_counter() - started)
    return rows


def stored(path):
    """Return the table as it is on disk; empty where there is none."""
    if not path.is_file():
        return pd.DataFrame({"architecture": []})
    table = pd.read_csv(path)
    if "architecture" not in table or not set(table["architecture"]) <= set(ARCHITECTURES):
        raise SystemExit(f"{path} is no table of this tool. Name another file: --out FILE")
    return table


def store(path, table, rows):
    """Put the rows of one network in the place of its old ones, in the order of `ARCHITECTURES`."""
    kept = table[~table["architecture"].isin(rows["architecture"])]
    parts = [part for part in (kept, rows) if len(part)]
    places = {name: place for place, name in enumerate(ARCHITECTURES)}
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values("architecture", key=lambda names: names.map(places), kind="stable")
    write_atomically(path, table.to_csv(index=False, float_format="%.10g").encode())
    return table


def options_of(arguments):
    """Return the command's options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to measure anew")
    parser.add_argument("--out", type=Path, default=TABLE, help="the table, a CSV file")
    parser.add_argument("--threads", type=int, default=1, help="of the latency measurement")
    parser.add_argument("--schemes", nargs="+", default=SCHEMES, metavar="SCHEME")
    parser.add_argument("--image-size", type=int, help="in place of the published one")
    parser.add_argument("--images", help="a folder of labelled images, for the accuracies")
    parser.add_argument("--class-names", type=Path, help="names of its sub-folders, one a line")
    parser.add_argument("--weights", default="imagenet", help="imagenet, or a file of weights")
    parser.add_argument("--rows-to", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(ARCHITECTURES)
    if unknown:
        parser.error(f"unknown network {min(unknown)}; there are {', '.join(ARCHITECTURES)}")
    return options


def main(arguments):
    """Measure what is missing, or what is named; return 0, 1 after a failure, 130 if stopped."""
    options = options_of(arguments)
    if options.rows_to:
        _end_with_parent()
        rows = measure(options.names[0], options)
        write_atomically(options.rows_to, rows.to_csv(index=False).encode())
        return 0
    passed_on = [a for a in arguments if a not in ("--", *options.names)]
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    table, failed = stored(options.out), 0
    names = options.names or [n for n in ARCHITECTURES if n not in set(table["architecture"])]
    if not names:
        print(
            f"all {len(ARCHITECTURES)} networks are in {options.out}; name one to measure it anew"
        )
    for place, name in enumerate(names, 1):
        print(f"{name}, {place} of {len(names)} …", flush=True)
        try:
            rows = measured_apart(name, passed_on)
        except KeyboardInterrupt:
            print(
                f"stopped at {name}; the same command goes on. {options.out} is complete up to it"
            )
            return 130
        if rows is None:
            failed = 1
            print(f"{name} FAILED and is left out", flush=True)
            continue
        table = store(options.out, table, rows)
        last = rows.iloc[0]
        print(
            f"{name:14} {last['seconds']:5.0f} s, at most {last['peak_memory_mb'] / 1e3:.1f} GB, "
            f"{(rows['status'] == 'measured').sum()} of {len(rows)} schemes",
            flush=True,
        )
    return failed


def _class_names(options):
    return options.class_names.read_text().split() if options.class_names else None


def _memory_bytes(pid):
    """Return what a process and those it started hold now; what they share counts twice."""
    held = 0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            held += each.memory_info().rss
    except psutil.Error:  # one ended meanwhile
        pass
    return held


def _end_with_parent():
    """End this process when the one that started it is gone: nobody waits for its rows."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(_LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
