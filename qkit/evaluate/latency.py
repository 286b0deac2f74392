"""How long one inference takes: `invoke()` alone, interleaved between models, with intervals."""

from dataclasses import dataclass
from timeit import Timer, timeit
from types import MappingProxyType

import numpy as np

from qkit import validate
from qkit.interpreter.run import at_lengths, filled, require_run, telling
from qkit.machine import environment
from qkit.result import Result
from qkit.samples import first
from qkit.tflite.edit import first_signature

_BLOCK_US = 500  # that a timed block lasts about: the clock itself costs nothing
_FEW = 9  # instances: of fewer, no two ranks hold the median in about 95 %


@dataclass(frozen=True, eq=False, repr=False)
class Latency(Result):
    """Time of one inference of each model, measured side by side; mappings are by model."""

    samples_us: MappingProxyType  # of each timed block, (instances, rounds): one place, one round
    overhead_us: MappingProxyType  # what Python takes to hand an image over and fetch the scores
    threads: int
    cpu: str
    delegates: MappingProxyType  # "XNNPACK", or "built-in kernels" where it takes no operator over
    median_us: MappingProxyType  # medians are over the instances
    interval_us: MappingProxyType  # 95 % intervals, over the instances: the fewer, the wider
    ratio: MappingProxyType  # to the first model
    ratio_interval: MappingProxyType

    def to_frame(self):
        """Return a DataFrame with one row per model."""
        import pandas as pd

        low_us, high_us = zip(*self.interval_us.values(), strict=True)
        low, high = zip(*self.ratio_interval.values(), strict=True)
        columns = {
            "latency_us": self.median_us.values(),
            "latency_low_us": low_us,
            "latency_high_us": high_us,
            "latency_ratio": self.ratio.values(),
            "latency_ratio_low": low,
            "latency_ratio_high": high,
            "python_overhead_us": self.overhead_us.values(),
            "delegate": self.delegates.values(),
        }
        return pd.DataFrame(columns, index=pd.Index(self.median_us, name="model"))

    def summary(self):
        """Say in one line how fast each model is beside the first."""
        first, *others = self.median_us
        parts = [f"{first} {self.median_us[first]:.1f} µs"]
        for name in others:
            low, high = self.ratio_interval[name]
            parts.append(f"{name} {self.ratio[name]:.2f} times that ({low:.2f} to {high:.2f})")
        return f"{'; '.join(parts)} ({self.threads} thread{'s'[: self.threads != 1]}, {self.cpu})"


def latency(models, x, *, threads=1, instances=20, rounds=7, signature=None):
    """Time `invoke()` of several models side by side.

    Each round times a block of inferences of every model, in an order drawn anew: a machine that
    slows down does so for all alike. One file runs at different speeds in different interpreters,
    for where its memory happens to lie; so all are opened afresh several times, and these
    instances, not the rounds, make the intervals. What Python adds is timed apart.

    Parameters
    ----------
    models : dict of str to bytes, .tflite files by name; ratios are to the first
    x : ndarray of shape (n, *input), as for `qk.outputs`, of which the first is run again and again
        A fixed batch is filled with it; its time is that of the whole batch, shared out.
    threads : int
    instances : int, 2 or more
        How often the interpreters are opened afresh; fewer for models of many milliseconds. The
        interval of two is honest, and many times as wide.
    rounds : int, blocks of each model in an instance
    signature : str, optional, of files with several

    Returns
    -------
    Latency

    Examples
    --------
    >>> import qkit as qk
    >>> tflite = qk.convert(qk.models.walkthrough_cnn(), "float32")
    >>> latency({"a": tflite, "b": tflite}, np.zeros((1, 28, 28), np.float32)).ratio["a"]
    1.0
    """
    if not isinstance(models, dict) or not models:
        raise TypeError(
            "latency: models must be a dict from name to .tflite bytes with one entry or more, "
            f"got {'an empty one' if isinstance(models, dict) else type(models).__name__}. "
            "Try {'float32': tflite}."
        )
    validate.whole(instances, name="latency: instances", least=2, most=10**6)
    validate.whole(rounds, name="latency: rounds", most=10**6)
    models = {k: first_signature(f, signature, what="latency") for k, f in models.items()}
    rng, x = np.random.default_rng(0), first(x)
    invoke, overhead = np.empty((2, len(models), instances, rounds))
    for i in range(instances):
        runners = [_Runner(tflite, x, threads) for tflite in models.values()]
        for j in range(rounds):
            for k in rng.permutation(len(models)):
                invoke[k, i, j], overhead[k, i, j] = runners[k].times_us()
    times = np.median(invoke, axis=2)
    ratios = times / times[0]

    def by_name(values):
        return MappingProxyType(dict(zip(models, values, strict=True)))

    return Latency(
        samples_us=by_name(invoke),
        overhead_us=by_name(np.median(overhead, axis=(1, 2)).tolist()),
        threads=threads,
        cpu=environment().cpu,
        delegates=by_name(runner.delegate for runner in runners),
        median_us=by_name(np.median(times, axis=1).tolist()),
        interval_us=by_name(_intervals(times)),
        ratio=by_name(np.median(ratios, axis=1).tolist()),
        ratio_interval=by_name(_intervals(ratios)),
    )


def roughly_us(tflite, x, threads):
    """Return what an inference takes, by the first look."""
    return latency({"": tflite}, x, threads=threads, instances=2, rounds=1).median_us[""]


class _Runner:
    """An interpreter that is warm and holds an image."""

    def __init__(self, tflite, x, threads):
        opened = at_lengths(tflite, x, "latency", threads=threads)
        tflite, self._interpreter, arrays, size = opened
        self._targets = [d["index"] for d in self._interpreter.get_output_details()]
        sources = [d["index"] for d in self._interpreter.get_input_details()]
        inputs = filled(arrays, slice(1), size)
        require_run(tflite, inputs, threads=threads)
        self._inputs = [*zip(sources, inputs, strict=True)]
        self._items = size or 1
        self._hand_over()
        with telling():
            self._repeats = max(1, int(_BLOCK_US / self._warm_up_us()))
            names = {op["op_name"] for op in self._interpreter._get_ops_details()}
        self.delegate = "XNNPACK" if "DELEGATE" in names else "built-in kernels"

    def times_us(self):
        """Time a block of inferences, and what Python adds to one."""
        invoke_us = _time_us(self._interpreter.invoke, self._repeats) / self._items
        return invoke_us, _time_us(self._hand_over_and_fetch, min(self._repeats, 20))

    def _hand_over(self):
        for source, values in self._inputs:
            self._interpreter.set_tensor(source, values)

    def _hand_over_and_fetch(self):
        self._hand_over()
        for target in self._targets:
            self._interpreter.get_tensor(target)

    def _warm_up_us(self):
        """Run until a block's time has passed, which fills the caches; return the fastest."""
        timer, times = Timer(self._interpreter.invoke), []  # made once, as it compiles
        while len(times) < 2 or sum(times) < _BLOCK_US:
            times.append(1e6 * timer.timeit(1))
        return min(times)


def _time_us(call, repeats):
    return 1e6 * timeit(call, number=repeats) / repeats  # with Python's garbage collector held off


def _intervals(values):
    """Return the 95 % interval of the median of each row: the two ranks that hold it so often.

    That is exact whatever the distribution, but for few values, which take Student's interval of
    their logarithms, as times are above 0.
    """
    from scipy.stats import binom, sem, t

    count, medians = values.shape[1], np.median(values, axis=1)
    if count >= _FEW:
        rank = int(binom.ppf(0.025, count, 0.5))  # from either end
        ends = np.sort(values, axis=1)[:, [rank - 1, -rank]].T
    else:
        logs = np.log(values / medians[:, None])
        half = t.ppf(0.975, count - 1) * sem(logs, axis=1)
        ends = medians * np.exp(logs.mean(axis=1) + np.outer([-1, 1], half))
    return list(zip(*ends.tolist(), strict=True))
