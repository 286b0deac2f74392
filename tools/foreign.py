"""Take .tflite files from anywhere through what the kit does with a file, and print what failed.

``python tools/foreign.py FOLDER`` (`make foreign FOLDER=…`) reads each file below a folder
(`inspect`, `size`, `weight_census`, `lint` for each target), and times it on random inputs. A
refusal in the kit's own words is printed with the file; any other error, or a ledger that does not
add up, is a fault of ours, and the exit code says so.
"""

import sys
from pathlib import Path

import numpy as np

import qkit as qk
from qkit.evaluate.operators import TARGETS
from qkit.interpreter.run import open_interpreter, taken
from qkit.tflite.file import TfliteError


def invented(tflite):
    """Return an item or two of random numbers, or small integers, for each input of a file."""
    random, x = np.random.default_rng(0), {}
    for name, (shape, dtype) in taken(open_interpreter(tflite))[0].items():
        if np.issubdtype(dtype, np.floating):
            x[name] = random.random((2, *shape)).astype(dtype)
        else:
            x[name] = random.integers(0, 2, (2, *shape)).astype(dtype)
    return x if len(x) > 1 else next(iter(x.values()))


def sized(tflite):
    """Return the ledger, if it adds up."""
    found = qk.size(tflite)
    if found.metadata_bytes + sum(found.constants_bytes.values()) != len(tflite):
        raise ArithmeticError("the ledger does not add up")
    return found


STEPS = {
    "inspect": qk.inspect,
    "size": sized,
    "weight_census": qk.weight_census,
    "lint": lambda f: [qk.lint(f, target) for target in TARGETS],
    "latency": lambda f: qk.latency({"it": f}, invented(f), instances=2, rounds=1),
}


def examined(tflite):
    """Return by step what was said against a file, and whether a fault of ours is among it."""
    said, fault = {}, False
    for name, step in STEPS.items():
        try:
            step(tflite)
        except TfliteError as error:
            said[name] = str(error)
        except Exception as error:  # what is none of our own words
            said[name], fault = f"{type(error).__name__}: {error}", True
    return said, fault


def main(folder):
    """Examine all; return 1 if there is a fault of ours."""
    paths, faults, counts = sorted(Path(folder).rglob("*.tflite")), 0, dict.fromkeys(STEPS, 0)
    for path in paths:
        said, fault = examined(path.read_bytes())
        faults += fault
        for step in STEPS:
            counts[step] += step not in said
        for reason, steps in _together(said).items():
            print(f"{'FAULT ' if fault else ''}{path.relative_to(folder)}: {steps}: {reason}")
    done = ", ".join(f"{step} {count:,}" for step, count in counts.items())
    print(f"{len(paths):,} files; answered: {done}; faults: {faults}")
    return int(faults > 0 or not paths)


def _together(said):
    reasons = {}
    for step, reason in said.items():
        reasons[reason] = f"{reasons[reason]}, {step}" if reason in reasons else step
    return reasons


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
