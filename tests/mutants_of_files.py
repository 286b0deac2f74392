"""Damage files in every way, and see that nothing but answers and errors of qkit's own comes back.

    python tests/mutants_of_files.py [COUNT [ACCURACY]]     (`make mutants-of-files`)

COUNT damaged files (10,000) of five kinds go through what reads a file: `inspect`, `size`,
`weight_census`, `lint`, `simulation.layers`; the first ACCURACY of them (300) are run as well. A
process of its own, with 2 GiB of memory and some seconds for each, tries one after the other.
Printed is what raised an error that is none of qkit's own, what ended the process, and what took
too long. A number stands for the same damaged file each time: `mutant(number)`.
"""

import faulthandler
import json
import struct
import subprocess
import sys
import traceback
from pathlib import Path

import numpy as np

import qkit as qk
from qkit.evaluate.operators import TARGETS
from qkit.tflite.file import parsed

FILES = Path(__file__).resolve().parent / "files"
PACKAGE = Path(qk.__file__).parent
TIME_LIMIT_S = 20
MEMORY = 2 * 2**30
CALLS = "[m.measured] if run else m.READING"
EXTREMES = (-1, 0, 1, 2, 127, 2**31 - 1, -(2**31), 2**30, 2**24, 0x7F800000, 0x7FC00000)


# ---- files ----


def packed(model):
    from ai_edge_litert.tools.flatbuffer_utils import convert_object_to_bytearray

    return bytes(convert_object_to_bytearray(model))


def kernels_of(model):
    """Yield the dense kernels of a float file, and their buffers."""
    for tensor in model.subgraphs[0].tensors:
        if len(tensor.shape) == 2 and np.size(model.buffers[tensor.buffer].data) > 1:
            yield tensor, model.buffers[tensor.buffer]


def in_four_bits(tflite):
    """Return the file with dense kernels of four bits, a scale for each channel."""
    from ai_edge_litert import schema_py_generated as schema

    model = parsed(tflite)
    for tensor, buffer in kernels_of(model):
        values = buffer.data.view(np.float32).reshape(tensor.shape)
        scale = np.abs(values).max(axis=1) / 7
        integers = np.round(values / scale[:, None]).astype(np.int8).ravel() & 15
        integers = np.append(integers, np.int8([0] * (integers.size % 2)))
        buffer.data = (integers[::2] | integers[1::2] << 4).view(np.uint8)
        tensor.type = schema.TensorType.INT4
        tensor.quantization = schema.QuantizationParametersT(
            scale=scale.astype(np.float32), zeroPoint=np.zeros(len(scale), np.int64)
        )
    return packed(model)


def without_zeros(tflite):
    """Return the file with dense kernels of which half is zero and not stored."""
    from ai_edge_litert import schema_py_generated as schema

    model = parsed(tflite)
    for tensor, buffer in kernels_of(model):
        values = buffer.data.view(np.float32).reshape(tensor.shape)
        kept = np.abs(values) > np.median(np.abs(values))
        rows = schema.DimensionMetadataT(denseSize=len(values))
        columns = schema.DimensionMetadataT(
            format=schema.DimensionType.SPARSE_CSR,
            arraySegmentsType=schema.SparseIndexVector.Int32Vector,
            arraySegments=schema.Int32VectorT(np.int32([0, *np.cumsum(kept.sum(axis=1))])),
            arrayIndicesType=schema.SparseIndexVector.Uint8Vector,
            arrayIndices=schema.Uint8VectorT(np.nonzero(kept)[1].astype(np.uint8)),
        )
        tensor.sparsity = schema.SparsityParametersT(
            traversalOrder=np.int32([0, 1]), blockMap=None, dimMetadata=[rows, columns]
        )
        buffer.data = values[kept].view(np.uint8)
    return packed(model)


def read(name):
    return (FILES / f"{name}.tflite").read_bytes()


WHOLE = {
    "float": [read("zoo_backbone_float32"), read("zoo_attention_float32")],
    "int8": [read("zoo_concat_full_integer"), read("zoo_conv1d_full_integer")],
    "recurrent": [read("zoo_lstm_float32"), read("zoo_state_float32")],
    "four bits": [in_four_bits(read("toy_float32"))],
    "sparse": [without_zeros(read("toy_float32"))],
}


# ---- what is done to them ----


def flip_bits(content, other, rng):
    for position in rng.integers(len(content), size=rng.integers(1, 9)):
        content[position] ^= 1 << rng.integers(8)


def flip_in_the_tables(content, other, rng):
    # the root and the lists stand in front, names and operators behind the constants
    position = rng.integers(min(600, len(content))) * rng.choice([1, -1])
    content[position] ^= rng.integers(1, 256)


def replace_a_number(content, other, rng):
    # offsets, lengths, shapes and indices are little-endian words
    position = 4 * rng.integers(len(content) // 4)
    content[position : position + 4] = struct.pack("<q", rng.choice(EXTREMES))[:4]


def cut(content, other, rng):
    del content[rng.integers(len(content)) :]


def repeat_or_clear(content, other, rng):
    start, length = rng.integers(len(content)), rng.integers(1, 65)
    part = content[start : start + length]
    place = rng.integers(len(content))
    content[place : place + len(part)] = part if rng.random() < 0.5 else bytes(len(part))


def splice(content, other, rng):
    place = rng.integers(min(len(content), len(other)))
    content[place:] = other[place:]


DAMAGES = (flip_bits, flip_in_the_tables, replace_a_number, cut, repeat_or_clear, splice)


def mutant(number):
    """Return what a number stands for: words for it, and the damaged file."""
    rng = np.random.default_rng(number)
    kind = list(WHOLE)[number % len(WHOLE)]
    damage = DAMAGES[number // len(WHOLE) % len(DAMAGES)]
    content = bytearray(WHOLE[kind][rng.integers(len(WHOLE[kind]))])
    others = WHOLE[list(WHOLE)[rng.integers(len(WHOLE))]]
    damage(content, others[0], rng)
    return f"{number} ({kind}, {damage.__name__})", bytes(content)


# ---- what they go through ----


def inspected(tflite):
    file = qk.inspect(tflite)
    for result in (file, file.memory_plan):
        result._repr_html_(), result.summary()
    return file.operator_table.to_html(), file.memory_plan.places, file.weights, file.activations


def censused(tflite):
    return qk.weight_census(tflite).summary()


def sized(tflite):
    found = qk.size(tflite)
    assert found.metadata_bytes >= 0
    return found.to_frame(), found.summary()


def linted(tflite):
    return [(found.to_frame(), found.summary()) for found in map(qk.lint, [tflite] * 5, TARGETS)]


def measured(tflite):
    shapes = [tensor.shape[1:] for tensor in qk.inspect(tflite).inputs]
    shape = shapes[0] if len(shapes) == 1 else (4, 4)
    if len(shape) > 3 or not all(0 < n < 1000 for n in shape):  # damage may ask for any size
        shape = 4, 4
    x = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    return qk.accuracy(tflite, x, np.array([0, 1, 2]))


READING = (inspected, sized, censused, linted, qk.simulation.layers)


def raw_error(call, tflite):
    """Return words for an error that is none of qkit's own; "" for a result, or for one that is."""
    try:
        call(tflite)
    except ValueError as error:  # TfliteError is one
        last = traceback.extract_tb(error.__traceback__)[-1]
        if PACKAGE not in Path(last.filename).parents or not last.line.startswith("raise"):
            return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
    return ""


def limit_memory():
    """Allow 2 GiB more than Python has with all its modules."""
    import resource

    for call in READING:
        call(WHOLE["int8"][0] if call is not qk.simulation.layers else WHOLE["float"][0])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def try_all(first, last, calls):
    """Print, before each mutant, its number; and what it raised that is no error of qkit's own."""
    for number in range(first, last):
        print(json.dumps([number, "began"]), flush=True)
        faulthandler.dump_traceback_later(TIME_LIMIT_S, exit=True)
        what, content = mutant(number)
        for call in calls:
            if said := raw_error(call, content):
                print(json.dumps([number, f"{what}, {call.__name__}: {said}"]), flush=True)
        faulthandler.cancel_dump_traceback_later()


def findings(last, *, run=False):
    """Return what is wrong with mutants below a number, tried in a process that may end."""
    code = (
        "import mutants_of_files as m, sys; run = sys.argv[3] == 'True'; run or m.limit_memory();"
        f"m.try_all(*map(int, sys.argv[1:3]), {CALLS})"
    )
    found, first = [], 0
    while first < last:
        done = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", code, str(first), str(last), str(run)],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
        )
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        found += [said for _, said in lines if said != "began"]
        first = last
        if done.returncode:  # the last one that began ended the process: go on behind it
            first = lines[-1][0] + 1 if lines else last
            ended = f"ended it with {done.returncode}: {done.stderr[-1500:]}"
            found.append(f"{mutant(first - 1)[0]} {ended}")
    return found


def main(count=10_000, run=300):
    """Print what is wrong; end with 1 if anything is."""
    found = [*findings(int(count)), *findings(int(run), run=True)]
    for said in found:
        print(said)
    print(f"{count} damaged files read, {run} of them run: {len(found)} findings.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
