"""How long an inference takes on another device, from what the benchmark printed there."""

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qkit import validate
from qkit.result import Result

_NUMBER = r"[-+]?[\d.]+(?:e[-+]?\d+)?"
_TIMINGS = rf"Inference timings in us: .*Inference \(avg\): (?P<mean>{_NUMBER})"
_MEDIAN = rf"Inference \(median\): +{_NUMBER} ms"
_WANTED = (
    'Pass the result_json of litert-benchmark, with "latency": {"median_ms": …}, or its dict; or '
    "what this or TensorFlow's benchmark_model prints, with 'Inference (median): … ms' or "
    "'Inference timings in us: …, Inference (avg): …'; or a path of either."
)


@dataclass(frozen=True, eq=False, repr=False)
class DeviceLatency(Result):
    """Time of one inference of a file, as a tool measured it elsewhere; None is not told."""

    tool: str
    statistic: str  # "median" or "mean", as the tool has it
    latency_us: float
    p5_us: float | None  # of the single runs
    p95_us: float | None
    runs: int | None
    rounded_us: float  # to what step the tool rounds its figures
    device: str  # as the user calls it: the tools do not
    delegate: str | None  # of benchmark_model the one that was applied, else the accelerators
    threads: int | None
    file_bytes: tuple | None  # between which the size of the file is, as the tool tells it

    @property
    def row(self):
        """The figures of the table."""
        numbers = ("latency_us", "p5_us", "p95_us", "runs", "rounded_us")
        words = ("tool", "statistic", "device", "delegate", "threads")
        return {name: getattr(self, name) for name in (*numbers, *words)}

    def summary(self):
        """Say in one line how long it takes, by which tool, and how coarsely it is told."""
        spread = ""
        if self.p5_us is not None:
            spread = f", 5 to 95 % of runs {self.p5_us:,.10g} to {self.p95_us:,.10g}"
        threads = self.threads and f"{self.threads} thread{'s'[: self.threads != 1]}"
        told = ", ".join(filter(None, (self.device, self.delegate, threads, self.tool)))
        return (
            f"{self.latency_us:,.10g} µs, {self.statistic} of {self.runs or 'untold'} runs"
            f"{spread}, rounded to {self.rounded_us:g} µs ({told})"
        )


def device_latency(printed, *, device=""):
    """Read what a benchmark printed on a device: the latency there, in µs.

    Parameters
    ----------
    printed : str, Path or dict
        Of litert-benchmark the file of ``--result_json``, its dict, or what it prints; of
        TensorFlow's benchmark_model what it prints. A path or the text itself, of one run.
    device : str, what it ran on, in your words: the tools do not tell

    Returns
    -------
    DeviceLatency, of the median where the tool tells it, else of the mean

    Examples
    --------
    >>> line = "Inference timings in us: Init: 9, First inference: 8, Warmup (avg): 7, "
    >>> print(device_latency(line + "Inference (avg): 6.5", device="a phone"))
    6.5 µs, mean of untold runs, rounded to 1e-05 µs (a phone, benchmark_model)
    """
    validate.instance(device, str, name="device_latency: device")
    validate.instance(printed, (str, os.PathLike, Mapping), name="device_latency: printed")
    found = printed if isinstance(printed, Mapping) else _text(printed)
    if isinstance(found, str) and found.lstrip().startswith("{"):
        try:
            found = json.loads(found)
        except ValueError as error:
            raise ValueError(f"device_latency: the JSON is cut off or damaged: {error}.") from error
    if isinstance(found, str) and len(re.findall(rf"{_TIMINGS}|{_MEDIAN}", found)) > 1:
        raise ValueError("device_latency: this is of several runs: pass the text of one at a time.")
    try:
        read = _of_json if isinstance(found, Mapping) else _of_text
        result = DeviceLatency(device=device, **read(found))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        got = str(printed)[:60]
        raise ValueError(f"device_latency: {got!r} is no benchmark's result. {_WANTED}") from error
    if not 0 < result.latency_us < math.inf:
        raise ValueError(
            f"device_latency: {result.tool} tells {result.latency_us:g} µs, rounded to "
            f"{result.rounded_us:g}: that is no time. Of a model so fast, or a run that failed, "
            "take benchmark_model, which prints single µs."
        )
    return result


def _text(printed):
    """Return the text of a file where there is one, else what was given."""
    if os.path.isfile(printed):
        return Path(printed).read_text(encoding="utf-8", errors="replace")
    if isinstance(printed, str):
        return printed
    raise FileNotFoundError(f"device_latency: there is no file {printed}. {_WANTED}")


def _of_json(found):
    """Return what litert-benchmark tells, in ms and MiB of two decimals."""
    times, size = found["latency"], found["model_size_mb"]
    return {
        **_of_litert(*(times[f"{name}_ms"] for name in ("median", "p5", "p95")), times["num_runs"]),
        "delegate": " and ".join(found["accelerators"]),
        "threads": int(found["num_threads"]),
        "file_bytes": ((size - 0.005) * 2**20, (size + 0.005) * 2**20),
    }


def _of_litert(median, p5, p95, runs):
    median, p5, p95 = (round(1000 * float(ms), 6) for ms in (median, p5, p95))
    return {
        "tool": "litert-benchmark", "statistic": "median", "latency_us": median,
        "p5_us": p5, "p95_us": p95, "runs": int(runs), "rounded_us": 10.0,
        "delegate": None, "threads": None, "file_bytes": None,
    }  # fmt: skip


def _of_text(text):
    """Return what either tool prints, of one run."""
    if re.search(_MEDIAN, text):
        told = dict(re.findall(rf"Inference \((\w+)\): +({_NUMBER}) ms", text))
        runs = re.search(r"Inference \(avg\): .*\((\d+) runs\)", text)[1]
        return _of_litert(told["median"], told["p5"], told["p95"], runs)
    timings = re.search(_TIMINGS, text)
    mean = float(timings["mean"])
    counted = re.findall(r"count=.*", text[: timings.start()]) or [""]  # of the warm-up, of the run
    run = dict(re.findall(rf"(\w+)=({_NUMBER})", counted[-1]))
    size = re.search(rf"input model file size \(MB\): ({_NUMBER})", text)
    threads = re.search(r"(?:Num threads|#threads used for CPU inference): \[(\d+)\]", text)
    applied = re.search(r"applied (\w+) delegate, .* be (\w+) executed", text)
    found = {
        "tool": "benchmark_model",
        "statistic": "mean",
        "latency_us": mean,
        "p5_us": None,
        "p95_us": None,
        "runs": int(run["count"]) if run else None,
        "rounded_us": 10.0 ** (math.floor(math.log10(mean)) - 5),  # it has six digits
        "delegate": applied and f"{applied[1]}, {applied[2]}",
        "threads": threads and int(threads[1]),
        "file_bytes": size and tuple(1e6 * float(size[1]) * (1 + e) for e in (-1e-5, 1e-5)),
    }
    if "median" in run:  # of newer ones, in whole µs
        found |= {"statistic": "median", "rounded_us": 1.0, "latency_us": float(run["median"])}
        found |= {"p5_us": float(run["p5"]), "p95_us": float(run["p95"])}
    return found
