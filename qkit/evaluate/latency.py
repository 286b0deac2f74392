"""How long one inference takes: `invoke()` alone, interleaved between models, with intervals."""

from dataclasses import dataclass, fields, replace
from timeit import timeit
from types import MappingProxyType

import numpy as np

from qkit import validate
from qkit.interpreter.run import open_interpreter, single_shapes, to_grid
from qkit.machine import environment
from qkit.result import Result

_COLUMNS = [
    *("latency_us", "latency_low_us", "latency_high_us"),
    *("latency_ratio", "latency_ratio_low", "latency_ratio_high"),
    *("python_overhead_us", "delegate"),
]
_BLOCK_NS = 500_000  # a timed block lasts about half a millisecond: the clock itself costs nothing


@dataclass(frozen=True, eq=False, repr=False)
class Latency(Result):
    """Time of one inference of each model, measured side by side; mappings are by model."""

    samples_us: MappingProxyType  # of each timed block, (instances, rounds): one place, one round
    overhead_us: MappingProxyType  # what Python takes to hand an image over and fetch the scores
    threads: int
    cpu: str
    delegates: MappingProxyType  # "XNNPACK", or "built-in kernels" where it takes no operator over
    median_us: MappingProxyType  # medians are over the instances
    interval_us: MappingProxyType  # 95 % bootstrap intervals, over the instances
    ratio: MappingProxyType  # to the first model
    ratio_interval: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per model."""
        import pandas as pd

        rows = {
            name: (
                *(self.median_us[name], *self.interval_us[name]),
                *(self.ratio[name], *self.ratio_interval[name]),
                *(self.overhead_us[name], self.delegates[name]),
            )
            for name in self.samples_us
        }
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS)
        return frame.rename_axis("model")

    def summary(self):
        """Say in one line how fast each model is beside the first."""
        first, *others = self.median_us
        parts = [f"{first} {self.median_us[first]:.1f} µs"]
        for name in others:
            low, high = self.ratio_interval[name]
            parts.append(f"{name} {self.ratio[name]:.2f} times that ({low:.2f} to {high:.2f})")
        return f"{'; '.join(parts)} ({self.threads} thread{'s'[: self.threads != 1]}, {self.cpu})"


def latency(models, x, *, threads=1, instances=20, rounds=7):
    """Time `invoke()` of several models side by side.

    Each round times a block of inferences of every model, in an order drawn anew: a machine that
    slows down does so for all alike. One file runs at different speeds in different interpreters,
    for where its memory happens to lie; so all are opened afresh several times, and these
    instances, not the rounds, make the intervals. What Python adds is timed apart.

    Parameters
    ----------
    models : dict of str to bytes
        The .tflite files by name; ratios are to the first.
    x : ndarray of shape (n, *image), float
        Images; the first is run again and again.
    threads : int
    instances : int
        How often the interpreters are opened afresh, 2 or more; fewer for models of many
        milliseconds.
    rounds : int
        Blocks of each model in an instance, 1 or more.

    Returns
    -------
    Latency

    Examples
    --------
    >>> import qkit as qk
    >>> digits = qk.load_data("digits")
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> latency({"a": tflite, "b": tflite}, digits.x_test).ratio["a"]
    1.0
    """
    if not isinstance(models, dict) or not models:
        raise TypeError(
            "latency: models must be a dict from name to .tflite bytes with one entry or more, "
            f"got {'an empty one' if models == {} else type(models).__name__}. "
            "Try {'float32': tflite}."
        )
    validate.whole(instances, name="latency: instances", least=2)
    validate.whole(rounds, name="latency: rounds")
    rng = np.random.default_rng(0)
    samples = {name: np.empty((instances, rounds)) for name in models}
    overhead = {name: np.empty((instances, rounds)) for name in models}
    for i in range(instances):
        runners = {name: _Runner(tflite, x, threads) for name, tflite in models.items()}
        for j in range(rounds):
            for name in rng.permutation(list(models)):
                samples[name][i, j] = runners[name].time_invoke_ns() / 1e3
                overhead[name][i, j] = runners[name].time_overhead_ns() / 1e3
    times = {name: np.median(values, axis=1) for name, values in samples.items()}
    first = next(iter(times.values()))
    ratios = {name: values / first for name, values in times.items()}
    return Latency(
        samples_us=MappingProxyType(samples),
        overhead_us=_medians(overhead),
        threads=threads,
        cpu=environment().cpu,
        delegates=MappingProxyType({name: r.delegate for name, r in runners.items()}),
        median_us=_medians(times),
        interval_us=_intervals(times),
        ratio=_medians(ratios),
        ratio_interval=_intervals(ratios),
    )


def merged(parts, names):
    """Return several measurements as one: of each model what the first part with it says.

    Ratios stay those of the measurement: each has the same model first.
    """
    source = {name: next(part for part in parts if name in part.ratio) for name in names}

    def joined(field):
        return MappingProxyType({name: getattr(part, field)[name] for name, part in source.items()})

    mappings = [field.name for field in fields(Latency) if field.type is MappingProxyType]
    return replace(parts[0], **{field: joined(field) for field in mappings})


class _Runner:
    """An interpreter that is warm and holds an image."""

    def __init__(self, tflite, x, threads):
        self._interpreter = open_interpreter(tflite, threads=threads)
        shape, _ = single_shapes(self._interpreter)
        self._source = self._interpreter.get_input_details()[0]
        self._target = self._interpreter.get_output_details()[0]
        self._image = to_grid(validate.images(x[:1], shape, what="latency: x"), self._source)
        self._interpreter.set_tensor(self._source["index"], self._image)
        self._repeats = max(1, int(_BLOCK_NS / self._warm_up_ns()))

    @property
    def delegate(self):
        names = {op["op_name"] for op in self._interpreter._get_ops_details()}
        return "XNNPACK" if "DELEGATE" in names else "built-in kernels"

    def time_invoke_ns(self):
        return _time_ns(self._interpreter.invoke, self._repeats)

    def time_overhead_ns(self):
        return _time_ns(self._hand_over_and_fetch, min(self._repeats, 20))

    def _hand_over_and_fetch(self):
        self._interpreter.set_tensor(self._source["index"], self._image)
        self._interpreter.get_tensor(self._target["index"])

    def _warm_up_ns(self):
        """Run until a block's time has passed, which fills the caches; return the fastest."""
        times = []
        while len(times) < 2 or sum(times) < _BLOCK_NS:
            times.append(_time_ns(self._interpreter.invoke, 1))
        return min(times)


def _time_ns(call, repeats):
    return 1e9 * timeit(call, number=repeats) / repeats  # with Python's garbage collector held off


def _medians(samples):
    return MappingProxyType({name: float(np.median(values)) for name, values in samples.items()})


def _intervals(samples):
    from scipy.stats import bootstrap

    def interval(values):
        if np.ptp(values) == 0:
            return float(values[0]), float(values[0])
        found = bootstrap((values,), np.median, method="percentile", rng=0, n_resamples=2000)
        return float(found.confidence_interval.low), float(found.confidence_interval.high)

    return MappingProxyType({name: interval(values) for name, values in samples.items()})
