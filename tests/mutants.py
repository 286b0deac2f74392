"""Change one line of the package at a time, and see that a quick test notices: `make mutants`.

    python tests/mutants.py [WORDS]

Each mutation names a line by what it means (a regular expression that must match once in all of
`qkit/`), what it is turned into, and the test that should fail on it. The package and the tests are
copied to a temporary folder; the test runs there once as it is, and once for each mutation. What
survives is printed, and what is no longer there: then the mutation is to be mended, not dropped;
`test_mutants_list.py` says so in no time, with every run of the tests.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("qkit", "tests", "tools", "conftest.py", "pyproject.toml")
FIGURES = "tests/test_figures.py"
KERNELS = "tests/quantize/test_integer_kernels.py -k"
TIME_LIMIT_S = 300


@dataclass(frozen=True)
class Mutation:
    """What a line of the package is turned into, and who should see it."""

    what: str
    line: str
    into: str
    test: str = FIGURES  # for pytest: a file, with -k and a word where all of it takes long
    everywhere: bool = False  # the line may stand more than once, and is changed wherever it does


MUTATIONS = (
    # the grid
    Mutation("scale's rounding", r"scale = \(high - low\) / steps",
             "scale = np.nextafter((high - low) / steps, np.float32(1))"),
    Mutation("scale of one step more", r"steps = np\.float32\(qmax - qmin\)",
             "steps = np.float32(qmax - qmin + 1)"),
    Mutation("zero point off by one", r"return np\.clip\(away_from_zero, qmin, qmax\)",
             "return np.clip(away_from_zero + 1, qmin, qmax)"),
    Mutation("zero point cut, not rounded", r"np\.floor\(np\.abs\(real\) \+ 0\.5\)",
             "np.floor(np.abs(real))", "tests/quantize/test_grid.py"),
    Mutation("narrow range dropped", r"qmin = -qmax if symmetric else -qmax - 1",
             "qmin = -qmax - 1"),
    Mutation("0 need not be on the grid", r"np\.minimum\(low, 0\), \(channels,\)",
             "low, (channels,)"),
    Mutation("symmetric by one end", r"high = np\.maximum\(-low, high\)", "high = -low"),
    Mutation("values cut, not rounded", r"steps \+= 0\.5", "steps += 0"),
    Mutation("double precision made single first", r"np\.promote_types\(x\.dtype, np\.float32\)",
             "np.dtype(np.float32)", "tests/quantize/test_grid.py -k once"),
    Mutation("integers without their zero point", r"np\.add, qparams\.zero_point\.astype",
             "np.add, 0 * qparams.zero_point.astype"),
    Mutation("real values without a scale", r"steps \*= qparams\.scale\[:, None\]", "pass"),
    # observers
    Mutation("largest of the last batch alone", r"max\(high, self\.high\)",
             "high", "tests/quantize/test_calibration.py"),
    Mutation("interval of the wrong percentile", r"\(1 - percent / 100\) / 2",
             "(1 - percent / 100)"),
    Mutation("MSE observer's step²/6", r"step\*\*2 / 12", "step**2 / 6"),
    Mutation("moving average by another decay", r"\+= \(1 - decay\)",
             "+= (1 - decay) / 2", everywhere=True),
    Mutation("entropy keeps nothing of what it cuts off", r"kept\[-1\] \+= counts\[end:\]\.sum\(\)",
             "pass", "tests/quantize/test_calibration.py"),
    # statistics
    Mutation("McNemar one-sided", r"binomtest\(len\(gained\), discordant\)",
             'binomtest(len(gained), discordant, alternative="less")'),
    Mutation("paired interval of 90 %", r"norm\.ppf\(0\.975\)", "norm.ppf(0.95)"),
    Mutation("Bonett and Price without their pseudo-observations",
             r"\(len\(gained\) \+ 1\) / \(a\.n \+ 2\)", "len(gained) / a.n"),
    Mutation("difference the other way round", r"100 \* \(len\(gained\) - len\(lost\)\)",
             "100 * (len(lost) - len(gained))"),
    Mutation("a verdict at one in ten", r"if self\.p_value < 0\.05 else \"within the noise\"",
             'if self.p_value < 0.1 else "within the noise"'),
    Mutation("Wilson without its centre", r"proportion_ci\(0\.95, method=\"wilson\"\)",
             'proportion_ci(0.95, method="exact")'),
    Mutation("Wilson of 90 %", r"proportion_ci\(0\.95,", "proportion_ci(0.90,"),
    Mutation("bootstrap interval of 90 %", r"zip\(\(2\.5, 97\.5\), how", "zip((5, 95), how",
             "tests/evaluate/test_metric.py -k scipys"),
    Mutation("front keeps dominated points", r"if not _beating\(costs, name\)", "if costs[name]"),
    Mutation("twins beat each other", r" and \(u, v\) != \(x, y\)\]", " and k != name]"),
    Mutation("gains counted as losses", r" and self\.difference_pp < 0", ""),
    Mutation("size ratio upside down",
             r"self\.sizes\[self\.reference\]\.size_bytes / self\.sizes\[name\]\.size_bytes",
             "self.sizes[name].size_bytes / self.sizes[self.reference].size_bytes"),
    # bytes
    Mutation("deflate level", r"zlib\.compress\(content, 9\)", "zlib.compress(content, 6)"),
    Mutation("deflate level of weights", r"^_LEVEL = 6", "_LEVEL = 9"),
    Mutation("shared buffers counted twice", r"own\[:\] = False", "pass",
             "tests/evaluate/test_size.py -k share"),
    Mutation("states counted as kernels", r"for slot in _KERNELS\.get\(op\.name, \(\)\):",
             "for slot in op.slots:", "tests/test_zoo.py -k census"),
    Mutation("census follows another place", r"_source\(op\.input\(slot\), makers\)",
             "_source(op.inputs[slot] if slot < len(op.inputs) else None, makers)",
             "tests/evaluate/test_census.py -k kernel"),
    Mutation("blocks along another axis", r"values\.repeat\(times, axis\)",
             "values.repeat(times, -1 - axis)", "tests/tflite/test_values.py -k blocks"),
    Mutation("table of a code not paid for",
             r"return _spent_bits\(counts\) \+ which \+ how_often",
             "return _spent_bits(counts) + how_often"),
    Mutation("entropy in nats", r"counts @ np\.log2\(counts\.sum\(\) / counts\)",
             "counts @ np.log(counts.sum() / counts)"),
    Mutation("table of clusters a bit too wide", r"int\(self\.clusters - 1\)\.bit_length\(\)",
             "int(self.clusters + 3).bit_length()"),
    Mutation("upper four bits first", r"np\.arange\(0, 8, bits, dtype=np\.uint8\)",
             "np.arange(0, 8, bits, dtype=np.uint8)[::-1]", "tests/tflite/test_values.py -k bits"),
    Mutation("real values without zero point", r"real = \(values - zero_point\)",
             "real = (values - 0)"),
    # weights
    Mutation("equal magnitudes pruned", r"return magnitudes >= _threshold",
             "return magnitudes > _threshold"),
    Mutation("three of four", r"^KEPT_OF_FOUR = 2", "KEPT_OF_FOUR = 3"),
    Mutation("2:4 wants three zeros", r"left <= KEPT_OF_FOUR", "left < KEPT_OF_FOUR"),
    Mutation("k-means moves by the count of another",
             r"sums / np\.maximum\(counts, 1\), path\[step\]",
             "sums / np.maximum(counts + 1, 1), path[step]", "tests/quantize/test_centroids.py"),
    Mutation("decibels of amplitudes", r"np\.where\(noise, 10 \* np\.log10\(",
             "np.where(noise, 20 * np.log10("),
    Mutation("equal zeros without decibels", r"np\.log10\(np\.divide\(signal, noise\)\), np\.inf\)",
             "np.log10(np.divide(signal, noise)), np.nan)", "tests/quantize/test_errors.py"),
    Mutation("clipped from the end on", r"half = qparams\.scale / 2", "half = qparams.scale * 0"),
    # what runs
    Mutation("variables not reset", r"if stateful:  # no reset.*", "if False:",
             "tests/test_zoo.py -k lstm"),
    Mutation("answer to another file", r"if whose\.decode\(\) == key", "if said",
             "tests/tflite/test_probe.py -k no_answer"),
    Mutation("batches that mix their items", r"np\.allclose\(batch\[i\], row\[0\]",
             "np.isfinite(batch[i]).all() or np.allclose(batch[i], row[0]",
             "tests/tflite/test_probe.py -k feel_their_batch"),
    Mutation("fixed batch filled up with zeros", r"np\.resize\(a, ",
             "np.zeros(", "tests/interpreter/test_run.py -k fixed_batch"),
    Mutation("simulated 16 bits asymmetric", r"symmetric=bits == 16", "symmetric=False"),
    Mutation("simulated weights asymmetric",
             r"layer\.weights, bits=bits, symmetric=True",
             "layer.weights, bits=bits, symmetric=False"),
    Mutation("CONCATENATION with a grid of its own", r"\"CONCATENATION\", \"MAXIMUM",
             '"MAXIMUM'),
    Mutation("STRIDED_SLICE with a grid of its own", r"\"STRIDED_SLICE\", \"TILE", '"TILE'),
    Mutation("GATHER with a grid of its own", r"\"GATHER\",$", "",
             "tests/tflite/test_grids.py -k moved"),
    Mutation("SLICE with a grid of its own", r"\"SLICE\", ", "",
             "tests/tflite/test_grids.py -k moved"),
    Mutation("AVERAGE_POOL_2D with a grid of its own", r"\"AVERAGE_POOL_2D\", ", "",
             "tests/tflite/test_grids.py -k around"),
    Mutation("softmax by what it gives", r"\"SOFTMAX\": \(0, 1\), ", "",
             "tests/tflite/test_grids.py -k fixed"),
    Mutation("tanh by what it gives, in 16 bits", r"\"SOFTMAX\", \"TANH\"\)", '"SOFTMAX")',
             "tests/tflite/test_grids.py -k fixed"),
    Mutation("joined in 16 bits without rounding anew", r"if op\.name in _JOINING and given",
             "if False", "tests/tflite/test_grids.py -k joined"),
    Mutation("what is joined in 8 bits by its own range", r"joined \|= above", "pass",
             "tests/tflite/test_grids.py -k joined"),
    Mutation("memory that is written over, seen once",
             r"own\.get\(file\.overwritten\.get\(name\), \(low, high\)\)", "(low, high)",
             "tests/tflite/test_grids.py -k residual"),
    Mutation("fixed ranges with a step too few", r"step = \(fixed\[1\] - fixed\[0\]\) / 2\*\*bits",
             "step = (fixed[1] - fixed[0]) / (2**bits - 1)", "tests/tflite/test_grids.py -k power"),
    Mutation("averages off the grid", r"constants or op\.name not in _MOVING",
             "op.name not in _AVERAGING | _MOVING", "tests/tflite/test_grids.py"),
    Mutation("weights of one buffer counted for each reader",
             r"if key not in of_buffer", "if True", "tests/tflite/test_edit.py"),
    Mutation("a shared buffer is changed for all who read it",
             r"if any\(t\.buffer == number for .*\):", "if False:", "tests/tflite/test_edit.py"),
    Mutation("outputs named by another graph", r"not runner\._subgraph_index", "True",
             "tests/interpreter/test_run.py -k own_graph"),
    Mutation("each item computed with the weights of the first",
             r"if runs == 1 or op\.name in _JOINING", "if True", f"{KERNELS} each_items_own"),
    Mutation("latency in a fixed order", r"for k in rng\.permutation\(len\((\w+)\)\)",
             r"for k in range(len(\1))"),
    Mutation("interval of latency of 80 %", r"binom\.ppf\(0\.025, count", "binom.ppf(0.1, count"),
    Mutation("latencies of few by the normal distribution", r"t\.ppf\(0\.975, count - 1\)",
             "t.ppf(0.975, 10**6)"),
    # promises and keys
    Mutation("promise check skips biases", r"if bias and np\.isin\(.*", "if False:",
             "tests/toolchain/test_promise.py -k folder_in_which"),
    Mutation("range at its start not seen", r"abs\(step / _START - 1\) < 0\.01", "abs(step) < 0",
             "tests/evaluate/test_lint.py -k planted"),
    Mutation("operand may be swallowed", r"span < _LEVELS \* step", "span < 0",
             "tests/evaluate/test_lint.py -k planted"),
    Mutation("lint takes any operator", r"op\.name not in names and not any_of",
             "not op.name and not any_of", "tests/evaluate/test_lint.py -k planted"),
    Mutation("kernels for int16 taken for granted", r"taking if op\.name in WITHOUT_INT16",
             "taking if not op.name", "tests/evaluate/test_lint.py -k int16"),
    Mutation("promise check skips weights", r"elif scheme\.weights not in .*", "elif False:",
             "tests/toolchain/test_promise.py -k small_tensors"),
    Mutation("cache key without the graph", r"repr\(\(text, told\)\)", "repr(told)",
             "tests/test_training_key.py -k call_of_a_layer"),
    Mutation("cache key without the values that a graph holds", r"in \(\*held, ", "in (*held[:0], ",
             "tests/test_training_key.py -k variable_in_a_closure"),
    Mutation("cache key without the loss", r"_compile\(trained, settings, loss\)",
             "_compile(trained, settings, None)", "tests/test_training.py -k depends_on_the_loss"),
    Mutation("readout not escaped", r"\{html\.escape\(self\._fast\)\}", "{self._fast}"),
    Mutation("change in the readout not escaped", r"html\.escape\(self\._change\)", "self._change",
             "tests/widgets/test_explorer.py -k escaped"),
    Mutation("slow part of the readout not escaped", r"slow = html\.escape\(self\._slow\)",
             "slow = self._slow", "tests/widgets/test_explorer.py -k escaped"),
    Mutation("readout of the values before", r"if self\.settled or not self\._slow else",
             "if True else", "tests/widgets/test_explorer.py -k stands_greyed"),
    Mutation("last run, filled up, left out", r"range\(-\(-self\.items // ",
             "range((self.items // ",
             "tests/quantize/test_integer.py -k filled_up"),
    Mutation("alternative text not escaped", r"alt = html\.escape\((.*)\)$", r"alt = \1",
             "tests/widgets/test_explorer.py -k escaped"),
    Mutation("names in pictures are formulas", r"^LITERAL = \{\"parse_math\": False\}",
             'LITERAL = {"parse_math": True}', "tests/plots/test_plot_names.py -k every_name"),
    Mutation("explorers are kept by their controls", r"partial\(Explorer\._changed, .*, name\)",
             "partial(self._changed, name)", "tests/widgets/test_lifetime.py -k nobody"),
    Mutation("cells of the report not escaped", r"\.map\(html\.escape\)", ".map(str)",
             "tests/evaluate/test_report.py"),
    Mutation("markup of names in Markdown", r"text\.translate\(_MARKUP\)", "text",
             "tests/evaluate/test_report.py"),
    Mutation("rows of one name", r"if \(plain := _plain\(name\)\) in taken:",
             "if (plain := _plain(name)) is None:",
             "tests/evaluate/test_compare_any.py -k taken_for_one_another"),
    Mutation("nearest number not looked for", r"\+ np\.array\(\[1, 0, -1\]\)", "+ np.array([0])",
             "tests/quantize/test_formats.py -k value_that_was_typed"),
    # what comes from elsewhere
    Mutation("images of any format", r", formats=_FORMATS", "",
             "tests/test_image_folder.py -k by_another_name"),
    Mutation("size of an array not looked at", r" or count > _MOST_VALUES", "",
             "tests/test_data.py -k by_its_header"),
    # what a re-reading found that no test saw
    Mutation("fit's error of the values themselves", r"error = _measured\(x, qparams\)$",
             "error = _measured(fake_quantize(x, qparams), qparams)",
             "tests/quantize/test_errors.py"),
    Mutation("download waits for ever", r"socket\.setdefaulttimeout\(20\)",
             "pass", "tests/test_data.py -k had_says"),
    # integers, as the reference kernels have them
    Mutation("integer: half rounded up", r"half - \(\(x < 0\) & \(half > 0\)\)",
             "half", f"{KERNELS} conv"),
    Mutation("integer: multiplier off by one", r"np\.floor\(fraction \* 2\*\*31 \+ 0\.5\)",
             "np.floor(fraction * 2**31 + 1.5)", f"{KERNELS} multiplier"),
    Mutation("integer: shift vanishes too early", r"vanishes = shift < -31",
             "vanishes = shift < -30", f"{KERNELS} multiplier"),
    Mutation("integer: more than 32 bits kept", r"\(accumulator << (.*)\)\.astype\(np\.int32\)",
             r"accumulator << \1", f"{KERNELS} MUL"),
    Mutation("integer: multiplier of int16 cut", r"\(multiplier \+ \(1 << 15\)\) >> 16",
             "multiplier >> 16", f"{KERNELS} conv"),
    Mutation("integer: dense layer by multiplier and shift",
             r"return np\.int64\(nearest\(accumulator \* factor\)\)",
             "return requantize(accumulator, *multiplier_and_shift(factor))",
             f"{KERNELS} fully_connected"),
    Mutation("integer: padding's larger side first", r"\(total // 2, total - total // 2\)",
             "(total - total // 2, total // 2)", f"{KERNELS} conv"),
    Mutation("integer: zero in place of what is outside", r"padding, np\.iinfo\(x\.dtype\)\.min\)",
             "padding, 0)", f"{KERNELS} pool"),
    Mutation("integer: average cut, not rounded", r"\(np\.abs\(total\) \+ count // 2\) // count",
             "np.abs(total) // count", f"{KERNELS} pool"),
    Mutation("integer: mean's count in one bit more", r"count\.bit_length\(\) - 1, 32",
             "count.bit_length(), 32", f"{KERNELS} mean"),
    Mutation("integer: reach of exp too short", r"reach = int\(31 \* ",
             "reach = int(5 * ", f"{KERNELS} softmax"),
    Mutation("integer: table without half its error", r"nearest\(here\) - nearest\(error / 2\)",
             "nearest(here)", f"{KERNELS} softmax"),
    Mutation("integer: zero point dropped", r"np\.subtract\(values, int\(.*\), dtype=np\.float32\)",
             "np.float32(values)", f"{KERNELS} conv"),
    Mutation("integer: zero point of the output dropped", r"steps \+ int\(out\.zero_point\[0\]\)$",
             "steps + 0", f"{KERNELS} conv"),
    Mutation("integer: activation's end a step too high", r"else zero \+ int\(kernels\.nearest",
             "else zero + 1 + int(kernels.nearest", f"{KERNELS} conv"),
    Mutation("integer: relu to 6 ends at 5", r"\"RELU6\": \(0, 6\)",
             '"RELU6": (0, 5)', f"{KERNELS} activation"),
    Mutation("integer: sum of int16 on a finer grid", r"15 if short else 20",
             "20", f"{KERNELS} ADD"),
    Mutation("integer: open start of one place", r"\(0 if open_start else start\) if",
             "start if", f"{KERNELS} strided"),
)  # fmt: skip


def places(mutation, package):
    """Return the files in which a mutation's line stands, and how often."""
    pattern = re.compile(mutation.line, re.MULTILINE)
    counts = {
        path: len(pattern.findall(path.read_text(encoding="utf-8")))
        for path in sorted(package.rglob("*.py"))
    }
    return {path: count for path, count in counts.items() if count}


def passes(tests, folder):
    """Return whether tests pass in the copy of the project."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-p", "no:nbval"]
    environment = {**os.environ, "PYTHONPATH": str(folder), "CI": "true"}
    try:
        done = subprocess.run(
            [*command, "-m", "not slow", *tests.split()],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=TIME_LIMIT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    if done.returncode > 1:
        sys.exit(f"{tests}: {done.stdout.decode()[-800:]}")
    return done.returncode == 0


def tried(mutation, folder):
    """Return what became of a mutation: caught, SURVIVED, or why it could not be made."""
    found = places(mutation, folder / "qkit")
    if not found:
        return "the line is no longer there"
    if sum(found.values()) > 1 and not mutation.everywhere:
        return f"stands {sum(found.values())} times: {', '.join(path.name for path in found)}"
    before = {path: path.read_text(encoding="utf-8") for path in found}
    for path, text in before.items():
        changed = re.sub(mutation.line, mutation.into, text, flags=re.MULTILINE)
        path.write_text(changed, encoding="utf-8")
    try:
        return "SURVIVED" if passes(mutation.test, folder) else "caught"
    finally:
        for path, text in before.items():
            path.write_text(text, encoding="utf-8")


def main(words):
    """Try each mutation whose name holds the words; end with 1 unless all are caught."""
    chosen = [m for m in MUTATIONS if " ".join(words).lower() in m.what.lower()]
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in COPIED:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        ended, sound = {}, {}
        for mutation in chosen:
            if mutation.test not in sound:
                sound[mutation.test] = passes(mutation.test, folder)
            if not sound[mutation.test]:
                ended[mutation.what] = f"{mutation.test} fails without it: mend that first"
                continue
            ended[mutation.what] = tried(mutation, folder)
            print(f"{mutation.what:55} {ended[mutation.what]}", flush=True)
    missed = {what: end for what, end in ended.items() if end != "caught"}
    print(f"{len(ended) - len(missed)} of {len(ended)} mutations caught.")
    for what, end in missed.items():
        print(f"  {what}: {end}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
