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
    Mutation("values cut, not rounded", r"steps \+= np\.float32\(0\.5\)",
             "steps += np.float32(0)"),
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
    Mutation("bootstrap interval of 90 %", r"np\.percentile\(draws, \[2\.5, 97\.5\]\)",
             "np.percentile(draws, [5, 95])", "tests/evaluate/test_metric.py -k scipys"),
    Mutation("front keeps dominated points", r"if not _beating\(costs, name\)", "if costs[name]"),
    Mutation("twins beat each other", r" and \(u, v\) != \(x, y\)\]", " and k != name]"),
    Mutation("gains counted as losses", r" and self\.difference_pp < 0", ""),
    Mutation("size ratio upside down",
             r"self\.sizes\[self\.reference\]\.size_bytes / self\.sizes\[name\]\.size_bytes",
             "self.sizes[name].size_bytes / self.sizes[self.reference].size_bytes"),
    # bytes
    Mutation("deflate level", r"zlib\.compress\(content, 9\)", "zlib.compress(content, 6)"),
    Mutation("deflate level of weights", r"^_LEVEL = 6", "_LEVEL = 9"),
    Mutation("shared buffers counted twice", r"stored\.setdefault\(tensor\.buffer, tensor\)",
             "stored[len(stored)] = tensor", "tests/evaluate/test_size.py"),
    Mutation("table of a code not paid for",
             r"return _spent_bits\(counts\) \+ which \+ how_often",
             "return _spent_bits(counts) + how_often"),
    Mutation("entropy in nats", r"counts @ np\.log2\(counts\.sum\(\) / counts\)",
             "counts @ np.log(counts.sum() / counts)"),
    Mutation("table of clusters a bit too wide", r"int\(self\.clusters - 1\)\.bit_length\(\)",
             "int(self.clusters + 3).bit_length()"),
    Mutation("upper four bits first", r"np\.stack\(\[low, data\.view\(np\.int8\) >> 4\], axis=-1\)",
             "np.stack([data.view(np.int8) >> 4, low], axis=-1)"),
    Mutation("real values without zero point", r"values - tensor\.zero_point\.reshape\(shape\)",
             "values - 0"),
    # weights
    Mutation("equal magnitudes pruned", r"return magnitudes >= _threshold",
             "return magnitudes > _threshold"),
    Mutation("three of four", r"^KEPT_OF_FOUR = 2", "KEPT_OF_FOUR = 3"),
    Mutation("2:4 wants three zeros", r"left <= KEPT_OF_FOUR", "left < KEPT_OF_FOUR"),
    Mutation("k-means moves by the count of another",
             r"sums / np\.maximum\(counts, 1\), path\[step\]",
             "sums / np.maximum(counts + 1, 1), path[step]", "tests/quantize/test_centroids.py"),
    Mutation("decibels of amplitudes", r"return 10 \* np\.log10\(np\.divide\(",
             "return 20 * np.log10(np.divide("),
    Mutation("clipped from the end on", r"half = qparams\.scale / 2", "half = qparams.scale * 0"),
    # what runs
    Mutation("variables not reset", r"interpreter\.reset_all_variables\(\).*", "pass",
             "tests/test_zoo.py -k lstm", everywhere=True),
    Mutation("simulated 16 bits asymmetric", r"symmetric=bits == 16", "symmetric=False"),
    Mutation("simulated weights asymmetric",
             r"layer\.weights, bits=bits, symmetric=True",
             "layer.weights, bits=bits, symmetric=False"),
    Mutation("CONCATENATION with a grid of its own", r"\"CONCATENATION\", ", ""),
    Mutation("STRIDED_SLICE with a grid of its own", r"\"STRIDED_SLICE\", ", ""),
    Mutation("latency in a fixed order", r"for k in rng\.permutation\(len\((\w+)\)\)",
             r"for k in range(len(\1))"),
    Mutation("interval of latency of 80 %",
             r"np\.median, method=\"percentile\", rng=0, n_resamples=2000",
             'np.median, method="percentile", rng=0, n_resamples=2000, confidence_level=0.8'),
    # promises and keys
    Mutation("promise check skips biases", r"if bias and np\.isin\(.*", "if False:",
             "tests/toolchain/test_promise.py -k folder_in_which"),
    Mutation("promise check skips weights", r"elif scheme\.weights not in .*", "elif False:",
             "tests/toolchain/test_promise.py -k small_tensors"),
    Mutation("cache key without the loss", r"own = \(\) if loss is None else .*", "own = ()",
             "tests/test_training.py -k key_depends"),
    Mutation("cache key without the weights", r"for array in \(\*model\.get_weights\(\), x, y\):",
             "for array in (x, y):", "tests/test_training.py -k key_depends"),
    Mutation("readout not escaped", r"\{html\.escape\(self\._fast\)\}", "{self._fast}"),
    Mutation("cells of the report not escaped", r"\.map\(html\.escape\)", ".map(str)",
             "tests/evaluate/test_report.py"),
    # what a re-reading found that no test saw
    Mutation("fit's error of the values themselves", r"error = _measured\(x, qparams\)$",
             "error = _measured(fake_quantize(x, qparams), qparams)",
             "tests/quantize/test_errors.py"),
    Mutation("download waits for ever", r"socket\.setdefaulttimeout\(20\)",
             "pass", "tests/test_data.py -k had_says"),
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
