"""A trial run of a .tflite file in a process of its own, where a crash does no harm.

The interpreter trusts a file's content: a damaged one can end a notebook's kernel. So each file is
first run once by a helper, which serves every later file too, and is replaced when one killed it.
"""

import atexit
import contextlib
import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

import numpy as np

_TIME_LIMIT_S = 60
_SLOW_S = 0.5  # a model this slow gains nothing from batches, so they are not tried

_lock = threading.Lock()
_known = {}
_helper = None


@dataclass(frozen=True)
class Probe:
    """What a trial run found out."""

    error: str = ""  # why the file cannot be run
    batchable: bool = False  # whether images can be run together, with the results of one by one


def probe(tflite):
    """Load and run a .tflite file once, elsewhere; each content is tried only once."""
    key = hashlib.sha256(tflite).digest()
    with _lock:
        if key not in _known:
            _known[key] = _ask(tflite)
        return _known[key]


def allocated(tflite, batch_size=None, threads=1, **options):
    """Return an interpreter that is ready to run; None keeps the file's own batch size."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=tflite, num_threads=threads, **options)
    if batch_size is not None:
        detail = interpreter.get_input_details()[0]
        interpreter.resize_tensor_input(detail["index"], (batch_size, *detail["shape"][1:]))
    interpreter.allocate_tensors()
    return interpreter


def _ask(tflite):
    helper = _running_helper()
    timer = threading.Timer(_TIME_LIMIT_S, helper.kill)
    timer.start()
    try:
        pickle.dump(tflite, helper.stdin)
        helper.stdin.flush()
        return pickle.load(helper.stdout)
    except (BrokenPipeError, EOFError):
        code = helper.wait()
    except BaseException as error:  # the next file must not get what is left of this answer
        helper.kill()
        code = helper.wait()
        if not isinstance(error, pickle.UnpicklingError):  # not an answer at all
            raise
    finally:
        timer.cancel()
    cause = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Probe(f"running it ended the trial process ({cause})")


def _running_helper():
    global _helper
    if _helper is None or _helper.poll() is not None:
        # a process of `multiprocessing` would run the user's script again, and none starts within
        # a worker of its Pool; -c and not -m: the package's own folder stays out of sys.path
        _helper = subprocess.Popen(
            [sys.executable, "-c", "from qkit.tflite.probe import _serve; _serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        atexit.register(_helper.kill)  # which may be in the middle of a file
    return _helper


def _serve():
    """Answer with a `Probe` for each file that comes in, until the kernel's end closes the pipe."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no such limits
        import resource

        # half of the machine's memory: a damaged file may ask for any amount
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what the interpreter prints must not mix with the answers
    with contextlib.suppress(EOFError):
        while True:
            pickle.dump(_trial(pickle.load(sys.stdin.buffer)), answers)


def _trial(tflite):
    try:
        interpreter = allocated(tflite)
        details = interpreter.get_input_details()
        inputs = [_noise(detail, detail["shape"]) for detail in details]
        started = time.perf_counter()
        _run(interpreter, inputs)
        slow = time.perf_counter() - started > _SLOW_S
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        return Probe(str(error).strip() or type(error).__name__)
    single = len(inputs) == 1 and inputs[0].ndim > 1 and len(inputs[0]) == 1
    return Probe(batchable=single and not slow and _batchable(tflite, details[0]))


def _batchable(tflite, detail):
    """Whether a batch of two gives, row by row, what its images give alone."""
    batch = _noise(detail, (2, *detail["shape"][1:]))
    try:
        together = _run(allocated(tflite, 2), [batch])
        alone = [_run(allocated(tflite), [row[None]]) for row in batch]
    except (RuntimeError, ValueError):
        return False
    return all(
        len(t) == 2 and np.allclose(t, np.concatenate(a), rtol=1e-4, atol=1e-5)
        for t, a in zip(together, zip(*alone, strict=True), strict=True)
    )


def _run(interpreter, inputs):
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(d["index"])) for d in interpreter.get_output_details()]


def _noise(detail, shape):
    rng = np.random.default_rng(0)
    if np.issubdtype(detail["dtype"], np.floating):
        return rng.random(shape).astype(detail["dtype"])
    if detail["dtype"] in (np.int8, np.uint8, np.int16):
        return rng.integers(0, 127, shape).astype(detail["dtype"])
    return np.zeros(shape, detail["dtype"])  # indices and masks: zero is always allowed
