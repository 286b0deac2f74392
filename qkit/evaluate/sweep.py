"""One function over many items, here or on the workers of an executor, to the same results."""

import contextlib
import functools
import pickle
import tempfile
import time
import warnings
from concurrent import futures
from pathlib import Path


def sweep(function, items, *, executor=None, shared=None, show=None, what="sweep"):
    """Return what ``function(item)``, or ``function(shared, item)``, gives for each item, in order.

    What is shared is sent once to a worker and not changed: by Dask's `scatter`, else in a file
    among the temporary ones. What an item raises comes back as it is, of the first that does. An
    item whose worker is lost is tried once more, then reported; as a process pool that lost one
    takes nothing any more, the rest runs in one process, so that one item is to blame.
    """
    executor, items, results = checked_executor(executor, what=what), [*items], []
    if executor is None:
        each = map(function if shared is None else functools.partial(function, shared), items)
    else:
        each = _elsewhere(executor, function, shared, items, what)
    for result in each:
        results.append(result)
        if show is not None:
            show(f"{what}: {len(results)} of {len(items)} …")
    return results


def checked_executor(executor, *needed, what):
    """Return an executor, of a Dask client its own; refuse what is none, or what it cannot take."""
    if executor is not None and (isinstance(executor, type) or not hasattr(executor, "submit")):
        raise TypeError(
            f"{what}: executor must be None or a concurrent.futures.Executor, got {executor!r:.60}."
            " Try ProcessPoolExecutor(2), or Client(…).get_executor() of Dask."
        )
    if _reads_file(executor):
        _packed(needed, what)
    return getattr(executor, "get_executor", lambda: executor)()


def _elsewhere(executor, function, shared, items, what):
    """Yield the results in order, each as soon as it is there."""
    with _sent(executor, function, shared, what) as head, contextlib.ExitStack() as stack:
        call, started = head(), []
        stack.callback(lambda: [future.cancel() for future in started])
        started += [_submitted(executor, call, item, what) for item in items]
        for item, future in zip(items, started, strict=True):
            if not (found := _found(future)):
                again = _submitted(executor, head(), item, what)
                if again.done() and isinstance(again.exception(), futures.BrokenExecutor):
                    said = "the pool lost a worker and is broken; the rest runs in one process"
                    warnings.warn(f"{what}: {said} of its own.", stacklevel=4)
                    kind = getattr(executor, "_mp_context", None)
                    executor = stack.enter_context(futures.ProcessPoolExecutor(1, kind))
                    again = _submitted(executor, call, item, what)
                if not (found := _found(again)):
                    raise RuntimeError(
                        f"{what}: the item {item!r:.99} lost its worker twice. The usual cause is "
                        "want of memory: take fewer workers, or machines with more."
                    )
            yield found[0]


def _submitted(executor, call, item, what):
    """Return the future of an item; of a broken pool one that says so."""
    try:
        if hasattr(executor, "_client"):  # Dask's own executor may wait for ever for what is lost
            return executor._client.submit(*call, item, pure=False, **executor._kwargs)
        return executor.submit(*call, item)
    except futures.BrokenExecutor as error:
        (future := futures.Future()).set_exception(error)
        return future
    except RuntimeError as error:
        raise ValueError(f"{what}: the executor takes no work: {error}. Make a new one.") from error


def _found(future):
    """Wait for an item; return its result in a tuple, an empty one where its worker ended."""
    try:
        return (future.result(),)
    except (futures.BrokenExecutor, futures.CancelledError):
        return ()
    except Exception as error:
        if type(error).__module__.startswith("distributed."):  # by which Dask tells of it
            return ()
        raise


@contextlib.contextmanager
def _sent(executor, function, shared, what):
    """Yield what returns the head of a call, by which a worker finds what all items share."""
    if shared is None:
        yield lambda: (function,)
    elif _reads_file(executor):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            path = Path(folder, "shared")
            path.write_bytes(_packed(shared, what))
            yield lambda: (_from_file, function, str(path))
    elif hasattr(executor, "_client"):  # anew for a second try: it is lost with the last worker
        yield lambda: (function, _scattered(executor._client, shared))
    else:
        yield lambda: (function, shared)


def _scattered(client, shared, tries=10):
    """Send it to all of Dask's workers; anew where one ends meanwhile, or none is there yet."""
    client.wait_for_workers(1)
    try:
        return client.scatter([shared], broadcast=True, hash=False)[0]
    except OSError:
        if tries == 1:
            raise
    time.sleep(1)
    return _scattered(client, shared, tries - 1)


def _reads_file(executor):
    """Whether its workers take what they share from a file: threads have it, Dask sends it."""
    own = hasattr(executor, "_client") or hasattr(executor, "get_executor")
    return not (own or isinstance(executor, (futures.ThreadPoolExecutor, type(None))))


def _packed(value, what):
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ValueError(
            f"{what}: {error}, and so it is not sent to another process. Define it in a module, or "
            "pass executor=None, a ThreadPoolExecutor or Dask's."
        ) from error


def _from_file(function, path, item):
    return function(_loaded(path), item)


@functools.lru_cache(1)  # a worker reads the file once, and keeps it until the next sweep's
def _loaded(path):
    try:
        return pickle.loads(Path(path).read_bytes())
    except OSError as error:
        raise RuntimeError(
            f"a worker does not see {path}: set TMPDIR to a folder that all machines share, or use "
            "Dask, which sends it."
        ) from error
