"""`make published` can be stopped at any time, and goes on where it was."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

TOOL = Path(__file__).parent.parent / "tools" / "published.py"


@pytest.fixture(scope="module")
def tool():
    """Return the tool as a module."""
    sys.path.insert(0, str(TOOL.parent))
    import published

    yield published
    sys.path.remove(str(TOOL.parent))


def rows_of(name, *, date="2026-11-21", schemes=("float32", "qat")):
    return pd.DataFrame(
        [
            {"architecture": name, "scheme": s, "size_bytes": 178_196_224.0, "date": date}
            for s in schemes
        ]
    )


def test_rows_are_stored_in_the_order_of_the_networks_and_replaced_whole(tool, tmp_path):
    path = tmp_path / "table.csv"
    table = tool.store(path, tool.stored(path), rows_of("InceptionV3"))
    table = tool.store(path, table, rows_of("MobileNet"))
    again = rows_of("InceptionV3", date="2027-01-01", schemes=["float32"])
    tool.store(path, table, again)
    found = tool.stored(path)
    assert found["architecture"].tolist() == ["MobileNet", "MobileNet", "InceptionV3"]
    assert found["scheme"].tolist() == ["float32", "qat", "float32"]
    assert found["date"].tolist() == ["2026-11-21", "2026-11-21", "2027-01-01"]
    assert found["size_bytes"].tolist() == [178_196_224] * 3
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_is_another_table_is_left_alone(tool, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(SystemExit, match="is no table of this tool"):
        tool.main(["--out", str(path)])
    assert path.read_text() == "a,b\n1,2\n"


def test_only_what_is_missing_is_measured_and_a_failure_costs_one_row(
    tool, tmp_path, monkeypatch, capsys
):
    path, asked = tmp_path / "table.csv", []

    def measured_apart(name, arguments):
        asked.append(name)
        assert arguments == ["--out", str(path)]
        if name == "InceptionV3" and asked.count(name) == 1:
            return None
        return rows_of(name).assign(status="measured", seconds=1, peak_memory_mb=900)

    monkeypatch.setattr(tool, "measured_apart", measured_apart)
    monkeypatch.setattr(tool.signal, "signal", lambda *_: None)
    assert tool.main(["--out", str(path)]) == 1
    assert asked == list(tool.ARCHITECTURES)
    assert "InceptionV3 FAILED" in capsys.readouterr().out
    assert len(tool.stored(path)) == 10
    assert tool.main(["--out", str(path)]) == 0
    assert asked[6:] == ["InceptionV3"]
    assert tool.main(["--out", str(path)]) == 0
    assert len(asked) == 7
    assert "all 6 networks are in" in capsys.readouterr().out
    assert tool.main(["--out", str(path), "MobileNet"]) == 0
    assert asked[7:] == ["MobileNet"]


def test_stopped_table_is_complete_up_to_there(tool, tmp_path, monkeypatch, capsys):
    path = tmp_path / "table.csv"

    def measured_apart(name, arguments):
        if name == "MobileNetV2":
            raise KeyboardInterrupt
        return rows_of(name).assign(status="measured", seconds=1, peak_memory_mb=900)

    monkeypatch.setattr(tool, "measured_apart", measured_apart)
    monkeypatch.setattr(tool.signal, "signal", lambda *_: None)
    assert tool.main(["--out", str(path)]) == 130
    assert "stopped at MobileNetV2; the same command goes on" in capsys.readouterr().out
    assert set(tool.stored(path)["architecture"]) == {"MobileNet"}


def test_unknown_network_is_told(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(["VGG16"])
    assert "unknown network VGG16; there are MobileNet, MobileNetV2" in capsys.readouterr().err


def started(path, names):
    command = [TOOL, "--out", path, "--image-size", "32", "--schemes", "float32", "--", *names]
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        text=True,
        # tests that run in the background are deaf to it, and so would be what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def measured(path):
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [(row["architecture"], row["scheme"]) for row in csv.DictReader(file)]


def stopped(path, count, stop):
    """Stop the tool amid MobileNetV2, the last of so many; return its exit code and last words."""
    run = started(path, ["MobileNet", "MobileNetV2"][-count:])
    lines = []
    while f"MobileNetV2, {count} of {count}" not in "".join(lines[-1:]):
        lines.append(run.stdout.readline())
        assert lines[-1], lines
    assert measured(path) == [("MobileNet", "float32")]
    time.sleep(2)  # amid the network
    below = psutil.Process(run.pid).children(recursive=True)
    assert below
    os.kill(run.pid, stop)
    rest = run.communicate(timeout=60)[0]
    psutil.wait_procs(below, timeout=60)
    assert not any(process.is_running() for process in below)  # nothing measures on alone
    return run.returncode, rest


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_really_stopped_table_is_what_it_was(tool, tmp_path, stop):
    path = tmp_path / "table.csv"
    tool.store(path, tool.stored(path), rows_of("MobileNet", schemes=["float32"]))
    kept = path.read_bytes()
    code, rest = stopped(path, 1, stop)
    assert code == 130
    assert "stopped at MobileNetV2" in rest
    assert path.read_bytes() == kept


@pytest.mark.slow
def test_really_killed_and_started_again(tool, tmp_path):
    path = tmp_path / "table.csv"
    stopped(path, 2, signal.SIGKILL)
    kept = path.read_bytes()
    assert measured(path) == [("MobileNet", "float32")]
    table = tool.stored(path)
    assert (table["image_size"][0], table["weights"][0]) == (32, "drawn")
    assert table["peak_memory_mb"][0] > 300
    assert table["seconds"][0] > 1
    # what goes on after the hardest end goes on after the others
    again = tool.measured_apart("MobileNetV2", ["--image-size", "32", "--schemes", "float32"])
    tool.store(path, table, again)
    assert measured(path) == [("MobileNet", "float32"), ("MobileNetV2", "float32")]
    assert path.read_bytes().startswith(kept)


@pytest.mark.slow
def test_weights_that_cannot_be_downloaded_leave_the_other_columns(tool, tmp_path, monkeypatch):
    def missing(name, *, weights=None, **options):
        if weights == "imagenet":
            raise tool.DataNotFoundError("the weights are not to be had")
        return build(name, **options)

    build = tool.architecture
    monkeypatch.setattr(tool, "architecture", missing)
    options = tool.options_of(
        ["--images", str(tmp_path), "--image-size", "32", "--schemes", "float32"]
    )
    rows = tool.measure("MobileNet", options)
    assert rows["status"].tolist() == ["measured"]
    assert rows["size_bytes"].gt(1e6).all()
    said = rows["accuracy_status"][0]
    assert said == "not measured: the weights are not to be had"
