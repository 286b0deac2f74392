"""Entries of the cache are whole, or are not there; two processes may write the same one."""

import json
import os
import stat
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from qkit import cache

WEIGHTS = [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(3, np.float32)]
SHAPES = [w.shape for w in WEIGHTS]
RECORD = {"loss": [0.5, 0.25], "seconds": 1.5}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "my cache"))
    cache.require_writable()
    return tmp_path / "my cache"


def assert_whole(found):
    weights, record = found
    assert record == RECORD
    for stored, given in zip(weights, WEIGHTS, strict=True):
        assert stored.dtype == given.dtype
        np.testing.assert_array_equal(stored, given)


def test_what_is_stored_comes_back(folder):
    assert cache.load("abc", SHAPES) is None
    cache.store("abc", WEIGHTS, RECORD)
    assert_whole(cache.load("abc", SHAPES))
    assert cache.load("abd", SHAPES) is None
    assert [p.name for p in folder.iterdir()] == ["abc.npz"]


def test_folder_is_the_platforms_where_none_is_named(monkeypatch):
    monkeypatch.delenv("QKIT_CACHE")
    assert cache.cache_folder().name == "qkit"
    assert cache.cache_folder().is_absolute()


def test_entry_of_another_shape_counts_as_damaged():
    cache.store("abc", WEIGHTS, RECORD)
    with pytest.warns(UserWarning, match="other shapes"):
        assert cache.load("abc", [(2, 3), (4,)]) is None


def test_any_flipped_byte_is_seen_or_harmless(folder):
    cache.store("abc", WEIGHTS, RECORD)
    whole = (folder / "abc.npz").read_bytes()
    for position in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[position] ^= 0xFF
        (folder / "abc.npz").write_bytes(spoilt)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = cache.load("abc", SHAPES)
        if found:
            assert_whole(found)
        else:
            assert "damaged" in str(said[0].message)
            assert str(folder / "abc.npz") in str(said[0].message)


@pytest.mark.parametrize("length", [0, 1, 100, -1])
def test_half_written_entry_is_told(folder, length):
    cache.store("abc", WEIGHTS, RECORD)
    (folder / "abc.npz").write_bytes((folder / "abc.npz").read_bytes()[:length])
    with pytest.warns(UserWarning, match=r"damaged .* training again"):
        assert cache.load("abc", SHAPES) is None


def test_pickled_entry_is_not_opened(folder):
    np.savez(folder / "abc.npz", record=np.array("{}"), w0=np.array([print], dtype=object))
    with pytest.warns(UserWarning, match="damaged"):
        assert cache.load("abc", [(1,)]) is None


def test_two_writers_of_one_entry_never_show_half_of_it(folder):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_cache import *\n"
        "for _ in range(60):\n"
        "    cache.store('abc', WEIGHTS, RECORD)\n"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(Path(__file__).parent)]
    writers = [subprocess.Popen(command) for _ in range(2)]
    reads = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while any(writer.poll() is None for writer in writers):
            found = cache.load("abc", SHAPES)
            if found:
                assert_whole(found)
                reads += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert reads > 5
    assert [p.name for p in folder.iterdir()] == ["abc.npz"]


@pytest.mark.parametrize(
    ("name", "age_s", "stays"),
    [
        ("abc.npz.0123456789abcdef0123456789abcdef.tmp", 7200, False),
        ("tmp0a1b_2c3.tmp", 7200, False),  # as it was named before
        ("abc.npz.0123456789abcdef0123456789abcdef.tmp", 0, True),  # another run is writing it
        ("somebody's.tmp", 7200, True),
    ],
)
def test_what_a_killed_run_left_unfinished_goes(folder, name, age_s, stays):
    (folder / name).write_bytes(b"half")
    then = (folder / name).stat().st_mtime - age_s
    os.utime(folder / name, (then, then))
    cache.store("abc", WEIGHTS, RECORD)
    assert (folder / name).exists() == stays
    assert_whole(cache.load("abc", SHAPES))


def test_a_run_that_is_killed_leaves_what_the_next_one_removes(folder):
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_cache import *\n"
        "os.replace = lambda *paths: os._exit(9)\n"
        "cache.store('abc', WEIGHTS, RECORD)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)]).returncode == 9
    (left,) = folder.iterdir()
    os.utime(left, (0, 0))
    cache.store("abc", WEIGHTS, RECORD)
    assert [p.name for p in folder.iterdir()] == ["abc.npz"]


def test_entry_of_another_machine_does_not_count(folder):
    cache.store("abc", WEIGHTS, {**RECORD, "machine": "two threads"})
    assert cache.load("abc", SHAPES, machine="two threads")
    assert cache.load("abc", SHAPES, machine="one thread") is None


def test_shipped_entry_counts_on_every_machine(tmp_path, monkeypatch, ship):
    cache.store("abc", WEIGHTS, {**RECORD, "machine": "two threads"})
    ship(cache.cache_folder())
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "another"))
    assert cache.load("abc", SHAPES, machine="one thread")[1]["shipped"]


@pytest.mark.parametrize(
    "record",
    [
        {"loss": [0.5, 0.25], "seconds": 1.5},
        {"format": cache.FORMAT - 1, "loss": [0.5, 0.25], "seconds": 1.5},
        {"format": cache.FORMAT, "seconds": 1.5},
        {"format": cache.FORMAT, "loss": [0.5, 0.25]},
        {"format": cache.FORMAT, "loss": None, "seconds": 1.5},
        [],
        "loss",
    ],
    ids=str,
)
def test_record_of_another_format_is_told(folder, record):
    arrays = {f"w{i}": w for i, w in enumerate(WEIGHTS)}
    np.savez(folder / "abc.npz", record=json.dumps(record), **arrays)
    with pytest.warns(UserWarning, match=r"damaged .* training again"):
        assert cache.load("abc", SHAPES, ["loss"]) is None


@pytest.mark.parametrize("home", [RuntimeError("no home"), Path("~/.cache/qkit")], ids=repr)
def test_without_a_home_the_cache_is_among_the_temporary_files(monkeypatch, tmp_path, home):
    def asked(name):
        if isinstance(home, Exception):
            raise home
        return home

    monkeypatch.delenv("QKIT_CACHE")
    monkeypatch.setattr(cache, "user_cache_path", asked)
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "qkit"
    cache.require_writable()


def test_entry_in_a_folder_that_is_full_is_not_kept_and_that_is_said(monkeypatch, folder):
    def full(*names):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    with pytest.warns(UserWarning, match=r"could not be cached in .*No space left"):
        cache.store("abc", WEIGHTS, RECORD)
    assert not list(folder.iterdir())


def test_failure_to_store_is_said_and_costs_nothing_else(monkeypatch, tmp_path):
    (tmp_path / "plain file").write_text("")
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "plain file" / "below"))
    with pytest.warns(UserWarning, match=r"could not be cached in .*plain file"):
        cache.store("abc", WEIGHTS, RECORD)


def test_folder_that_cannot_be_made_is_an_error_with_the_remedy(monkeypatch, tmp_path):
    (tmp_path / "plain file").write_text("")
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "plain file" / "below"))
    with pytest.raises(PermissionError, match=r"plain file.*Set QKIT_CACHE .* cache=False"):
        cache.require_writable()


def test_shipped_weights_are_found_after_ones_own(tmp_path, monkeypatch, ship):
    cache.store("abc", WEIGHTS, RECORD)
    ship(cache.cache_folder())
    assert "shipped" not in cache.load("abc", SHAPES)[1]
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path / "another"))
    weights, record = cache.load("abc", SHAPES)
    assert record.pop("shipped") is True
    assert_whole((weights, record))
    assert cache.load("abd", SHAPES) is None


def test_replaces_the_content_and_leaves_nothing_beside_it(tmp_path):
    path = tmp_path / "a file"
    for content in (b"first", b"second, longer"):
        cache.write_atomically(path, content)
        assert path.read_bytes() == content
    assert {p.name for p in tmp_path.iterdir()} == {"a file", "my cache"}


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_mode_follows_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        cache.write_atomically(tmp_path / "a file", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a file").stat().st_mode) == 0o666 & ~mask


def test_failed_write_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "a file"
    cache.write_atomically(path, b"old")
    with pytest.raises(TypeError):
        cache.write_atomically(path, "text is not bytes")

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        cache.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} == {"a file", "my cache"}


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        cache.write_atomically(tmp_path / "nowhere" / "a file", b"content")
