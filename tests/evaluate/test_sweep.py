"""A sweep gives the same on every executor, tries a lost worker's item once more, then reports."""

import contextlib
import multiprocessing
import os
import pickle
import re
import tempfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from sklearn.metrics import mean_absolute_error
from sweep_items import Loaded, ending_by_item, ending_its_process, halved, scaled, slowly

import qkit as qk
from qkit.evaluate import compare as comparing
from qkit.evaluate.sweep import sweep
from qkit.evaluate.tasks import METRICS, find_metric
from qkit.tflite import probe

FILES = Path(__file__).parent.parent / "files"


def pool(workers=2):
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))


def closed(workers):
    # its watcher looks up a worker that died after the list was made anew, and close() reports that
    with contextlib.suppress(KeyError):
        workers.close()


@contextlib.contextmanager
def cluster():
    """Yield a client of two worker processes; an item is lost with the first that it loses."""
    once = {"distributed.scheduler.allowed-failures": 0}
    quiet = {"silence_logs": "CRITICAL", "dashboard_address": ":0"}
    with dask.config.set(once), contextlib.ExitStack() as stack:
        workers = LocalCluster(n_workers=2, threads_per_worker=1, **quiet)
        stack.callback(closed, workers)
        yield stack.enter_context(Client(workers))


@pytest.fixture(scope="module")
def executors():
    with pool() as processes, ThreadPoolExecutor(2) as threads, cluster() as client:
        yield {
            "none": None, "threads": threads, "processes": processes,
            "Dask": client.get_executor(), "a Dask client": client,
        }  # fmt: skip


@pytest.fixture(params=["none", "threads", "processes", "Dask", "a Dask client"])
def executor(request, executors):
    return executors[request.param]


def test_results_stand_in_the_order_of_the_items_whatever_runs_them(executor):
    shared, told = {"factor": np.arange(3.0)}, []
    found = sweep(
        scaled, range(6), executor=executor, shared=shared, show=told.append, what="scales"
    )
    assert found == [scaled(shared, item) for item in range(6)]
    assert told == [f"scales: {n} of 6 …" for n in range(1, 7)]
    assert sweep(halved, (0, 2), executor=executor) == [0, 1]
    assert sweep(halved, [], executor=executor) == []


def test_what_an_item_raises_comes_back_as_it_is_and_is_the_first_that_does(executor):
    with pytest.raises(LookupError, match="1 is odd"):
        sweep(halved, [0, 1, 2, 3], executor=executor)
    assert sweep(halved, [4], executor=executor) == [2]  # it goes on after that


@pytest.mark.parametrize("name", ["processes", "Dask"])
def test_what_is_shared_reaches_a_worker_once_and_no_file_is_left(
    name, executors, tmp_path, monkeypatch
):
    (files := tmp_path / "files").mkdir()
    (reads := tmp_path / "reads").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(files))
    found = sweep(slowly, range(20), executor=executors[name], shared=Loaded(reads))
    used = {pid for _, pid in found}
    read = [int(path.name.split()[0]) for path in reads.iterdir()]
    assert len(used) == 2
    assert sorted(read) == sorted(used)
    assert not [*files.iterdir()]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("kind", [pool, pytest.param(cluster, marks=pytest.mark.slow)])
def test_lost_item_is_tried_once_more_and_then_reported(kind, times, tmp_path, recwarn):
    (folder := tmp_path / str(times)).mkdir()
    with kind() as executor:
        if times == 1:
            found = sweep(ending_its_process, range(8), executor=executor, shared=str(folder))
            assert [item for item, _ in found] == [*range(8)]
            assert os.getpid() not in {pid for _, pid in found}  # nor in this process
        else:
            with pytest.raises(RuntimeError, match="ends: the item 3 lost its worker twice"):
                sweep(ending_its_process, range(8), executor=executor, shared=str(folder),
                      what="ends")  # fmt: skip
    assert len([*folder.iterdir()]) == times
    assert any("the pool lost a worker" in str(w.message) for w in recwarn) == (kind is pool)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [1, 2])
def test_workers_of_a_cluster_that_are_killed_midway_change_no_result(killed):
    with cluster() as client:
        workers = [*client.run(os.getpid).values()]

        def show(text):
            for pid in workers[:killed] if " 3 of " in text else ():
                os.kill(pid, 9)  # with both of them what they share is lost, and sent anew

        found = sweep(slowly, range(20), executor=client, shared=1, show=show)
        assert [item for item, _ in found] == [*range(20)]
        assert {pid for _, pid in found} - {*workers[:killed]}


@pytest.mark.slow
def test_second_try_is_one_where_nothing_is_shared_as_well(tmp_path):
    (folder := tmp_path / "1").mkdir()
    with cluster() as client:
        items = [(str(folder), n) for n in range(5)]
        assert [n for n, _ in sweep(ending_by_item, items, executor=client)] == [*range(5)]


@pytest.mark.parametrize("odd", [2, "processes", ProcessPoolExecutor, map, np.zeros(3)])
def test_what_is_no_executor_is_refused_with_one_that_is(odd, digits):
    refused = r"compare: executor must be None or a concurrent.futures.Executor, got .* Try"
    with pytest.raises(TypeError, match=refused):
        qk.compare(FILES / "trained_float32.tflite", digits, ["float32"], executor=odd)


def test_executor_that_was_shut_down_is_refused():
    with pool(1) as executor:
        pass
    with pytest.raises(ValueError, match="takes no work: cannot schedule new"):
        sweep(halved, [2], executor=executor)


def test_pool_that_was_broken_before_is_taken_over_with_a_word():
    with pool(1) as executor:
        executor.submit(os._exit, 1).exception()
        with pytest.warns(UserWarning, match="the rest runs in one process of its own"):
            assert sweep(halved, [2, 4], executor=executor) == [1, 2]


def test_what_cannot_be_sent_is_told_before_work_starts_and_the_ways_out_work(executors, digits):
    def own(y, outputs):
        return float((outputs.argmax(1) == y).mean())

    model, data = (FILES / "trained_float32.tflite").read_bytes(), (digits.x_test, digits.y_test)
    extra = {"other": (FILES / "trained_float16.tflite").read_bytes()}

    def score(name):
        given = {"extra": extra, "metric": own, "executor": executors[name]}
        return qk.compare(model, data, ["float32"], **given).accuracies["other"].value

    with pytest.raises(ValueError, match="not sent to another process"):
        score("processes")
    assert score("threads") == score("Dask") == score("none") > 0.9


def test_metrics_are_the_same_ones_in_another_process():
    for metric in METRICS.values():
        assert pickle.loads(pickle.dumps(metric)) is metric
    own = find_metric(mean_absolute_error, what="")
    y, outputs = np.arange(4.0), np.arange(4.0) + 2
    again = pickle.loads(pickle.dumps(own))
    assert again.score(again.tallies(outputs, y), np.ones(4)) == 2


def untimed(comparison):
    frame = comparison.to_frame()
    return frame[[name for name in frame if not re.search("latency|_us$", name)]]


@pytest.fixture(scope="module")
def compared(digits):
    """Return a function that compares files of the same network, on an executor."""
    names = ("full_integer", "dynamic_range", "float16", "int16_activations", "pruned")
    extra = {name: (FILES / f"trained_{name}.tflite").read_bytes() for name in names}
    model = (FILES / "trained_float32.tflite").read_bytes()

    def compare(x, y=None, *, executor=None, **more):
        data = x if y is None else (x, y)
        return qk.compare(model, data, ["float32"], extra=extra, executor=executor, **more)

    return compare


@pytest.fixture(autouse=True)
def _few_latencies(monkeypatch):
    monkeypatch.setattr(comparing, "_LARGE_US", 0)
    monkeypatch.setattr(comparing, "_FEWER", {"instances": 3, "rounds": 1})


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("threads", "classes"),
        ("Dask", "classes"),
        ("processes", "classes"),
        ("processes", "numbers"),
        ("processes", "none"),
    ],
)
def test_comparison_is_the_same_but_for_its_times(
    name, labels, executors, compared, digits, monkeypatch
):
    y = {"classes": digits.y_test, "numbers": np.eye(10)[digits.y_test] * 0.9, "none": None}[labels]
    plain = compared(digits.x_test, y)
    monkeypatch.setattr(probe, "_known", {})  # trials are made anew, by threads at once
    other = compared(digits.x_test, y, executor=executors[name])
    pd.testing.assert_frame_equal(untimed(plain), untimed(other))
    assert list(plain.accuracies) == list(other.accuracies) == list(other.models)
    assert [found.summary() for found in plain.accuracies.values()] == [
        found.summary() for found in other.accuracies.values()
    ]


@pytest.mark.slow
def test_latency_is_measured_here_after_all_else_is_done(compared, digits, executors, monkeypatch):
    order = []

    def noting(name):
        whole = getattr(comparing, name)

        def noted(*given, **named):
            order.append(name)
            found = whole(*given, **named)
            order.append(f"{name} is done")
            return found

        monkeypatch.setattr(comparing, name, noted)

    noting("sweep")
    noting("latency")
    compared(digits.x_test, digits.y_test, executor=executors["processes"])
    assert order == ["sweep", "sweep is done", "latency", "latency is done"]


@pytest.mark.slow
def test_comparison_on_a_cluster_is_the_same_when_a_worker_is_killed_midway(
    compared, digits, monkeypatch
):
    plain = untimed(compared(digits.x_test, digits.y_test))
    with cluster() as client:
        workers, killed = [*client.run(os.getpid).values()], []

        def show(text):
            if " 1 of " in text:
                os.kill(workers[0], 9)
                killed.append(text)

        monkeypatch.setattr(comparing, "progress_line", lambda: contextlib.nullcontext(show))
        other = compared(digits.x_test, digits.y_test, executor=client.get_executor())
        assert killed
        pd.testing.assert_frame_equal(plain, untimed(other))
