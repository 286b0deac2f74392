"""A trial run of a .tflite file in a process of its own, where a crash does no harm.

The interpreter trusts a file's content: a damaged one can end a notebook's kernel. So what is to
run here has run there before: the same file, in a batch of the same size, with the same threads
and options. One helper serves all files, and is replaced when one killed it. It is this module,
run as a script.
"""

import atexit
import contextlib
import dataclasses
import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

_TIME_LIMIT_S = 60  # unless QKIT_TRIAL_S says otherwise
_SLOW_S = 0.1  # a model this slow gains nothing from batches
# glibc then gives memory back at once, and fills what it hands out: reading beyond one's own, or
# what nobody wrote, ends the helper, not the kernel
_STRICT = {"MALLOC_MMAP_THRESHOLD_": "4096", "MALLOC_TRIM_THRESHOLD_": "0", "MALLOC_TOP_PAD_": "0",
           "MALLOC_PERTURB_": "165"}  # fmt: skip
_KEEPERS = ("ASSIGN_VARIABLE", "MULTINOMIAL", "RANDOM_STANDARD_NORMAL", "RANDOM_UNIFORM")

_helpers = {}  # the one that waits for a file, by process: a fork takes along its parent's
_known = {}


@dataclasses.dataclass(frozen=True)
class Probe:
    """What a trial run found out."""

    error: str = ""  # why the file cannot be run: it does not load, or ends the process
    failed: str = ""  # what it raised on invented inputs, which others need not meet
    stateful: bool = False  # whether a run may leave something behind that changes the next one
    slow: bool = False  # whether batches gain nothing
    batchable: bool = False  # whether what an item of the batch gives hangs on no other
    memory_bytes: int = 0  # that the account which was asked for has


def probe(tflite, *, batch_size=None, threads=1, inputs=None, **options):
    """Load and run a .tflite file elsewhere as `allocated` would here; each content only once.

    Where `inputs` are given, arrays in the file's order, it runs on these, and not on noise. An
    `account`, "plan" or "arena", asks for memory alone: what LiteRT's own kernels keep activations
    in, or what tflite-micro allocates.
    """
    how = {"batch_size": batch_size, "threads": threads, **options}
    content = hashlib.sha256(tflite)
    content.update(pickle.dumps(inputs))
    key = f"{content.hexdigest()} {sorted(how.items())}"
    if key not in _known:
        _known[key] = _asked(key, pickle.dumps((key, tflite, inputs, how)))
    return _known[key]


def allocated(tflite, batch_size=None, threads=1, **options):
    """Return an interpreter that is ready to run; None keeps the file's own batch size."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=bytes(tflite), num_threads=threads, **options)
    if batch_size is not None:
        for detail in interpreter.get_input_details():
            interpreter.resize_tensor_input(detail["index"], (batch_size, *detail["shape"][1:]))
    interpreter.allocate_tensors()
    return interpreter


def _asked(key, request):
    # while it is asked nobody else can meet the helper, whatever interrupts this request, and
    # another thread starts its own: a lock could be left behind
    helper = _helpers.pop(os.getpid(), None)
    answer = helper and _exchange(helper, key, request)
    if not answer:  # may be the fault of an earlier file: the end of a new helper is a verdict
        helper = _started()
        answer = _exchange(helper, key, request)
    if answer:
        if _helpers.setdefault(os.getpid(), helper) is not helper:  # another thread's is back
            _end(helper)
        return Probe(**answer)
    ended = f"running it ended the trial process ({_cause(helper.returncode)})"
    if helper.returncode in (-9, -15):  # sent from outside: by whoever lacks memory, for one
        raise _unfinished(ended)
    return Probe(ended)


def _exchange(helper, key, request):
    """Return what the helper answers; None if that was the end of it, or no answer to this."""
    overdue, answer = threading.Event(), None
    timer = threading.Timer(_time_limit_s(), lambda: (overdue.set(), helper.kill()))
    timer.start()
    try:
        helper.stdin.write(request)
        helper.stdin.flush()
        whose, _, said = helper.stdout.readline().rpartition(b"\t")
        answer = json.loads(said) if whose.decode() == key else None
    except (OSError, ValueError):  # a closed pipe, or what is no answer at all
        pass
    finally:
        timer.cancel()
        if not answer:
            _end(helper)
    if overdue.is_set() and not answer:
        raise _unfinished(
            f"its trial took longer than {_time_limit_s()} s and was ended. It may never end; a "
            "slow model gets ten minutes by os.environ['QKIT_TRIAL_S'] = '600'."
        )
    return answer


def _started():
    # A file in the notebook's folder must not stand in for a module: -I leaves that folder out, and
    # what else the caller's path has comes behind the libraries. A process of `multiprocessing`
    # would run the user's script again, and none starts in a worker of its Pool.
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    try:
        env = {**os.environ, **_STRICT}
        helper = subprocess.Popen([sys.executable, "-I", __file__], env=env, **pipes)
    except OSError as error:
        raise _unfinished(f"the process for its trial does not start: {error}") from error
    atexit.register(helper.kill)  # which may be in the middle of a file
    with helper.stderr:
        if not _exchange(helper, "ready", pickle.dumps([p for p in sys.path if p])):
            said = helper.stderr.read().decode(errors="replace").strip() or "\n"
            reason = said.splitlines()[-1] or _cause(helper.returncode)
            raise _unfinished(f"the process for its trial does not start: {reason}")
    return helper


def _end(helper):
    helper.kill()
    helper.wait()
    atexit.unregister(helper.kill)
    for pipe in (helper.stdin, helper.stdout):
        with contextlib.suppress(OSError):  # of a request that it did not read
            pipe.close()


def _cause(code):
    with contextlib.suppress(ValueError):  # not every signal has a name, and Windows has none
        return signal.Signals(-code).name
    return f"exit code {code}"


def _time_limit_s():
    given = os.environ.get("QKIT_TRIAL_S", "")
    return int(given) if given.isdecimal() else _TIME_LIMIT_S


def _unfinished(reason):
    from qkit.tflite.file import TfliteError

    return TfliteError(f"the .tflite file was not run: {reason}")


def _serve():
    """Answer with a `Probe` for each file that comes in, until the kernel's end closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what interrupts a cell reaches the helper too
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what is printed must not mix with the answers
    sys.path += [str(Path(__file__).parents[2]), *pickle.load(sys.stdin.buffer)]
    # what fails here is no file's fault
    from ai_edge_litert import interpreter  # noqa: F401

    from qkit.tflite import values  # noqa: F401

    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource

        # half of the machine's memory: a damaged file may ask for any amount
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for printed in (1, 2):  # which nobody reads from here on
        os.dup2(os.open(os.devnull, os.O_WRONLY), printed)
    answers.write(b'ready\t"yes"\n')
    with contextlib.suppress(EOFError):
        while True:
            key, *asked = pickle.load(sys.stdin.buffer)
            found = json.dumps(dataclasses.asdict(_trial(*asked)))
            answers.write(f"{key}\t{found}\n".encode())


def _trial(tflite, inputs, how):
    try:
        if account := how.get("account"):
            from qkit.tflite import memory

            return Probe(memory_bytes=memory.ACCOUNTS[account](tflite))
        from qkit.tflite.file import inspect

        file = inspect(tflite)
        stateful = _keeps_state(file)
        if how["batch_size"] is None:
            return _alone(file, tflite, inputs, how, stateful)
        if stateful:
            raise ValueError("it keeps a state from run to run, of its own batch size")
        return _batch(tflite, **how)
    except Exception as error:  # whatever may come of damaged tables
        return Probe(str(error).strip() or type(error).__name__)


def _keeps_state(file):
    """Whether a run may change what the next one gives: by variables, or random numbers."""
    from qkit.tflite.values import stored_values

    for tensor in file.tensors:
        if tensor.sparsity is not None:  # beyond the end of one that does not fit it is read
            stored_values(tensor)
    keeping = any(tensor.variable for tensor in file.tensors)
    return keeping or any(op.name in _KEEPERS for op in file.operators)


def _alone(file, tflite, given_inputs, how, stateful):
    declared = [tensor.dtype for tensor in file.tensors[0].graph]
    try:
        _, inputs, given, slow = ran(tflite, given_inputs, declared, **how)
    except _FailedRunError as error:
        return Probe(failed=str(error), stateful=stateful)
    batchable = not slow and _fixed_batch(tflite, how, inputs, given)
    return Probe(stateful=stateful, slow=slow, batchable=batchable)


class _FailedRunError(RuntimeError):
    """A file that loads, and then takes none of the inputs that are tried."""


def _require_dtypes(interpreter, declared):
    """Refuse an operator that gives another dtype than the file says: XNNPACK reads by the file."""
    for detail in interpreter.get_tensor_details():
        index, made = detail["index"], detail["dtype"]
        if index < len(declared) and made is not getattr(np, declared[index], made):
            raise ValueError(f"{detail['name']!r} is {declared[index]}, and made {made.__name__}")


def ran(tflite, given_inputs=None, declared=(), **how):
    """Return an interpreter that has run, its inputs, what it gave, and whether that was slow."""
    for integers in (0, 1), (0, 0), (1, 1):  # indices may want zeros, and divisors ones
        interpreter = allocated(tflite, **how)
        interpreter.get_output_details()  # fails where a name is no text
        _require_dtypes(interpreter, declared)
        noise = [_noise(d, d["shape"], *integers) for d in interpreter.get_input_details()]
        inputs = noise if given_inputs is None else given_inputs
        try:
            started = time.perf_counter()
            given = _run(interpreter, inputs)
            slow = time.perf_counter() - started > _SLOW_S
            if not slow:
                _run(interpreter, inputs)  # what the first run left behind may end it
            return interpreter, inputs, given, slow
        except (RuntimeError, ValueError) as error:
            failed = str(error).strip() or type(error).__name__
    raise _FailedRunError(failed)


def _fixed_batch(tflite, how, inputs, given):
    """Whether an item gives the same in any place of a batch, and whatever the others are."""
    counts = {values.shape[:1] for values in (*inputs, *given)}
    if len(inputs) != 1 or len(counts) != 1 or counts <= {(), (1,)}:
        return False
    repeated = _run(allocated(tflite, **how), [np.resize(inputs[0][:1], inputs[0].shape)])
    pairs = [(a[:1].astype(float), b) for a, b in zip(given, repeated, strict=True)]
    return not any(np.any(np.abs(a - b) > 1e-3 * np.abs(a).max(initial=0)) for a, b in pairs)


def _batch(tflite, batch_size, **how):
    """Run a batch, and some of its items alone, which should give the same."""
    together, alone = allocated(tflite, batch_size, **how), allocated(tflite, **how)
    details = alone.get_input_details()
    inputs = [_noise(d, (batch_size, *d["shape"][1:]), 0, 1) for d in details]
    given = _run(together, inputs)
    for i in {0, batch_size // 2, batch_size - 1}:
        for batch, row in zip(given, _run(alone, [a[i : i + 1] for a in inputs]), strict=True):
            fits = batch.shape == (batch_size, *row.shape[1:]) and len(row) == 1
            same = fits and np.allclose(batch[i], row[0], rtol=1e-4, atol=1e-5)
            if not same:
                return Probe()
    return Probe(batchable=True)


def _run(interpreter, inputs):
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details()]


def _noise(detail, shape, low, high):
    rng, few = np.random.default_rng(0), 65_537  # a prime: no two items of a batch are the same
    if np.issubdtype(detail["dtype"], np.floating):
        return np.resize(rng.random(few).astype(detail["dtype"]), shape)
    if detail["dtype"] in (np.int8, np.uint8, np.int16) and low < high:
        high = 126
    return np.resize(rng.integers(low, high, few, endpoint=True).astype(detail["dtype"]), shape)


if __name__ == "__main__":
    _serve()
