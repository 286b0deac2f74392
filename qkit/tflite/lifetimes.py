"""Which activations are alive at each operator, as a .tflite file says without being run."""

from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

from qkit.result import Result


@dataclass(frozen=True, eq=False, repr=False)
class MemoryPlan(Result):
    """The activations of a file's main graph, each from its first to its last operator."""

    operators: tuple  # of the main graph; graphs that these call have memory of their own
    lifetimes: MappingProxyType  # by tensor, the numbers of both operators

    @property
    def unsized(self):
        """Those whose bytes the file does not tell, such as texts and states: counted as none."""
        return tuple(tensor for tensor in self.lifetimes if tensor.memory_bytes is None)

    @property
    def alive_bytes(self):
        """Of all that is alive at each operator, what it reads and what it writes included."""
        change = [0] * (len(self.operators) + 1)
        for tensor, (first, last) in self.lifetimes.items() if self.operators else ():
            change[first] += tensor.memory_bytes or 0
            change[last + 1] -= tensor.memory_bytes or 0
        return tuple(accumulate(change[:-1]))

    @property
    def peak_bytes(self):
        """The most that is alive at once."""
        return max(self.alive_bytes, default=0)

    @property
    def peak_operator(self):
        """The number of the first operator where that is so; None where there is none."""
        return self.alive_bytes.index(self.peak_bytes) if self.operators else None

    @property
    def peak_tensors(self):
        """Those that are alive there, the largest first."""
        at = self.peak_operator
        alive = (t for t, (a, z) in self.lifetimes.items() if at is not None and a <= at <= z)
        return tuple(sorted(alive, key=lambda t: -(t.memory_bytes or 0)))

    @property
    def places(self):
        """By tensor, where its bytes may begin: the largest first, each in the least gap it fits.

        Y. Pisarchyk and J. Lee, "Efficient memory management for deep neural net inference", 2020.
        """
        placed, size = {}, {tensor: tensor.memory_bytes or 0 for tensor in self.lifetimes}
        for tensor in sorted(size, key=size.get, reverse=True):
            (first, last), top, gaps = self.lifetimes[tensor], 0, []
            ends = ((t, *self.lifetimes[t]) for t in placed)
            beside = (t for t, start, end in ends if start <= last and first <= end)
            for place, other in sorted((placed[t], size[t]) for t in beside):
                gaps += [(place - top, top)] if place - top >= size[tensor] else []
                top = max(top, place + other)
            placed[tensor] = min(gaps)[1] if gaps else top
        return placed

    def to_frame(self):
        """Return a DataFrame with one row per operator: how many activations, and their bytes."""
        import pandas as pd

        ends, names = self.lifetimes.values(), [op.name for op in self.operators]
        counts = [sum(a <= step <= z for a, z in ends) for step in range(len(names))]
        columns = {"operator": names, "alive": counts, "alive_bytes": self.alive_bytes}
        return pd.DataFrame(columns)

    def summary(self):
        """Say in one line how many bytes are alive at most, where, and what makes them."""
        if not self.operators:
            return "no operators: nothing is kept in memory"
        at, most = self.peak_operator, self.peak_tensors
        said = f"at most {self.peak_bytes:,} bytes are alive, at {at} {self.operators[at].name}"
        if most:
            said += f": {len(most)} activations, the largest {most[0].memory_bytes or 0:,} bytes"
        left_out = f"; {len(self.unsized)} of unknown size not counted" if self.unsized else ""
        return said + left_out


def memory_plan(file):
    """Return the `MemoryPlan` of what `inspect` returned; an input is there from the start on."""
    operators = tuple(op for op in file.operators if op.graph == 0)
    end, alive = max(len(operators) - 1, 0), dict.fromkeys(file.inputs, (0, 0))
    for step, op in enumerate(operators):
        for tensor in op.inputs:  # what no operator wrote is there from the start on as well
            alive[tensor] = (alive.get(tensor, (0,))[0], step)
        for tensor in op.outputs:
            alive[tensor] = (alive.get(tensor, (step,))[0], step)
    for tensor in alive:
        first = 0 if tensor.variable else alive[tensor][0]
        kept = tensor.variable or tensor in file.outputs
        alive[tensor] = (first, end if kept else alive[tensor][1])
    activations = {tensor: ends for tensor, ends in alive.items() if not tensor.constant}
    return MemoryPlan(operators, MappingProxyType(activations))
