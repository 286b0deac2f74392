"""Data sets are the genuine ones, or there is an error that names the file and the remedy."""

import gzip
import hashlib
import io
import os
import socket
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

import qkit as qk
from qkit import data
from qkit.data import DataError, DataNotFoundError

SHAPES = {"x_train": (30, 28, 28), "y_train": (30,), "x_test": (20, 28, 28), "y_test": (20,)}
GENUINE = os.environ.get("QKIT_DATA")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Make a machine without data and without a network; return the folder of QKIT_DATA."""
    folder = tmp_path / "my data"
    folder.mkdir()
    monkeypatch.setenv("QKIT_DATA", str(folder))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


@pytest.fixture
def offline(nowhere, tf, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(f"no route to host within {socket.getdefaulttimeout()} s")

    monkeypatch.setattr(tf.keras.utils, "get_file", fail)
    return nowhere


def as_idx(array):
    header = struct.pack(f">{1 + array.ndim}i", 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def small(monkeypatch):
    """Return arrays that stand for MNIST and Fashion-MNIST: the published sums are theirs here."""
    rng = np.random.default_rng(0)
    arrays = {
        key: rng.integers(256 if key[0] == "x" else 10, size=shape).astype(np.uint8)
        for key, shape in SHAPES.items()
    }
    arrays["x_train"][0, 0, :2] = 0, 255
    sums = {key: hashlib.md5(as_idx(array)).hexdigest() for key, array in arrays.items()}
    monkeypatch.setattr(data, "_MNIST_MD5", sums)
    return arrays


@pytest.fixture
def fashion(small, monkeypatch):
    """Return the four Fashion-MNIST files by name; the published sums are theirs here."""
    files, sums = {}, {}
    for key, (filename, _) in data._FASHION_MD5.items():
        files[filename] = gzip.compress(as_idx(small[key]), mtime=0)
        sums[key] = filename, hashlib.md5(files[filename]).hexdigest()
    monkeypatch.setattr(data, "_FASHION_MD5", sums)
    return files


def assert_holds(dataset, arrays):
    for key in ("x_train", "x_test"):
        x = getattr(dataset, key)
        assert x.dtype == np.float32
        np.testing.assert_array_equal(x, arrays[key] / np.float32(255))
    for key in ("y_train", "y_test"):
        assert getattr(dataset, key).dtype == np.int64
        np.testing.assert_array_equal(getattr(dataset, key), arrays[key])
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0, 1)


def test_mnist_from_the_users_folder(offline, small):
    np.savez(offline / "mnist.npz", **small)
    dataset = qk.load_data()
    assert_holds(dataset, small)
    assert (dataset.name, dataset.source) == ("mnist", "MD5 verified, from mnist.npz")
    assert str(dataset).startswith("mnist: 30 training and 20 test images of 28×28")


def test_what_was_checked_is_what_is_used(offline, small):
    shifted = {key: array + 256.0 * (key[0] == "x") for key, array in small.items()}
    np.savez(offline / "mnist.npz", **shifted)  # the same MD5 once it is cut to eight bits
    assert_holds(qk.load_data(), small)


def test_mnist_from_keras_cache_comes_second(offline, small, tmp_path, monkeypatch):
    cached = tmp_path / "keras" / "datasets"
    cached.mkdir(parents=True)
    np.savez(cached / "mnist.npz", **small)
    assert_holds(qk.load_data(), small)
    monkeypatch.delenv("QKIT_DATA")
    assert_holds(qk.load_data(), small)
    (offline / "mnist.npz").write_bytes(b"the users' own file goes first")
    monkeypatch.setenv("QKIT_DATA", str(offline))
    with pytest.raises(DataError, match="my data"):
        qk.load_data()


def test_mnist_is_downloaded_by_keras_last(nowhere, small, tf, tmp_path, monkeypatch):
    asked = []

    def get_file(filename, url, **options):
        asked.append(url)
        np.savez(tmp_path / filename, **small)
        return str(tmp_path / filename)

    monkeypatch.setattr(tf.keras.utils, "get_file", get_file)
    assert_holds(qk.load_data(), small)
    (url,) = asked
    assert url.endswith("/mnist.npz")


def one_pixel(path, arrays):
    arrays["x_test"][3, 14, 14] ^= 1
    np.savez(path, **arrays)


def one_label(path, arrays):
    arrays["y_train"][3] ^= 1
    np.savez(path, **arrays)


def other_order(path, arrays):
    np.savez(path, **{**arrays, "x_train": arrays["x_train"][::-1]})


def scaled(path, arrays):
    np.savez(path, **{**arrays, "x_train": arrays["x_train"] / 255})


def truncated(path, arrays):
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[:-300])


def cut_in_half(path, arrays):
    np.savez(path, **arrays)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pickled(path, arrays):
    np.savez(path, **{**arrays, "x_train": np.array([1, "two", None], dtype=object)})


def missing_key(path, arrays):
    del arrays["y_test"]
    np.savez(path, **arrays)


def no_archive(path, arrays):
    np.save(path.with_suffix(".npy"), arrays["x_train"])
    path.with_suffix(".npy").rename(path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (one_pixel, "x_test is not MNIST's"),
        (one_label, "y_train is not MNIST's"),
        (other_order, "x_train is not MNIST's"),
        (scaled, "x_train is not MNIST's"),
        (truncated, "damaged, half-written"),
        (cut_in_half, "damaged, half-written"),
        (pickled, "cannot read x_train"),
        (missing_key, "cannot read y_test"),
        (no_archive, "no MNIST archive"),
        (lambda path, arrays: path.write_bytes(b""), "half-written"),
        (lambda path, arrays: path.write_text("<html>404</html>"), "no MNIST archive"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.parametrize("fallback", [None, "digits"])
def test_damaged_mnist_is_an_error_that_names_file_and_remedy(
    offline, small, damage, told, fallback
):
    damage(offline / "mnist.npz", small)
    with pytest.raises(DataError, match=told) as error:
        qk.load_data("mnist", fallback=fallback)
    assert str(offline / "mnist.npz") in str(error.value)
    assert "Delete it" in str(error.value)


def claimed(path, arrays, dtype, shape):
    """Write an archive whose first array has a header and next to nothing behind it."""
    np.savez(path, **arrays)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**members, "x_train.npy": header.getvalue() + bytes(99)}.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("|u1", (10**7, 28, 28)),
        ("<f8", (60_001, 28, 28)),
        ("|u1", (2**62, 4, 4)),
        ("<c16", (30, 28, 28)),
        ("<U900", (30,)),
        ("|O", (30,)),
        ("|V1000000", (30,)),
    ],
)
def test_array_is_refused_by_its_header_before_memory_is_taken(offline, small, dtype, shape):
    claimed(offline / "mnist.npz", small, dtype, shape)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"shape \(.*, not 47,040,000 numbers at most"):
        qk.load_data("mnist")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_header_that_promises_more_than_there_is(offline, small):
    claimed(offline / "mnist.npz", small, "|u1", (60_000, 28, 28))
    with pytest.raises(DataError, match="cannot read x_train"):
        qk.load_data("mnist")


def test_arrays_in_the_order_of_columns_are_the_same(offline, small):
    np.savez(offline / "mnist.npz", **{key: np.asfortranarray(a) for key, a in small.items()})
    assert_holds(qk.load_data("mnist"), small)


class Leaver:
    """What a pickle may hold: a call that leaves its mark when it is opened."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_pickled_mnist_is_not_opened(offline, small, tmp_path):
    pickled = np.array([Leaver(tmp_path / "it was opened")], dtype=object)
    np.savez(offline / "mnist.npz", **{**small, "x_train": pickled})
    with pytest.raises(DataError, match="cannot read x_train"):
        qk.load_data("mnist")
    assert not (tmp_path / "it was opened").exists()


def test_any_flipped_byte_of_mnist_is_seen_or_harmless(offline, small):
    np.savez(offline / "mnist.npz", **small)
    whole = (offline / "mnist.npz").read_bytes()
    middle = np.random.default_rng(0).integers(len(whole), size=100)
    for position in (*range(300), *middle, *range(len(whole) - 600, len(whole))):
        spoilt = bytearray(whole)
        spoilt[position] ^= 0xFF
        (offline / "mnist.npz").write_bytes(spoilt)
        try:
            dataset = qk.load_data()
        except DataError:
            continue
        assert_holds(dataset, small)


def test_mnist_that_cannot_be_had_says_where_it_was_looked_for(offline):
    with pytest.raises(DataNotFoundError) as error:
        qk.load_data("mnist")
    for text in (
        str(offline),
        "no route to host within 20.0 s",
        "set QKIT_DATA",
        "fallback='digits'",
    ):
        assert text in str(error.value)


def test_fallback_bears_its_own_name_and_shouts(offline):
    with pytest.warns(UserWarning, match=r"MNIST COULD NOT BE HAD.*DIGITS"):
        dataset = qk.load_data("mnist", fallback="digits")
    assert dataset.name == "digits"


def test_fallback_is_not_used_where_it_is_not_needed(offline, small, recwarn):
    np.savez(offline / "mnist.npz", **small)
    assert qk.load_data("mnist", fallback="digits").name == "mnist"
    assert not recwarn.list


@pytest.mark.parametrize("folder", ["", "fashion-mnist"])
def test_fashion_mnist_from_idx_files(offline, small, fashion, folder):
    (offline / folder).mkdir(exist_ok=True)
    for filename, content in fashion.items():
        (offline / folder / filename).write_bytes(content)
    dataset = qk.load_data("fashion_mnist")
    assert_holds(dataset, small)
    assert dataset.name == "fashion_mnist"


def test_fashion_mnist_damaged_or_not_there(offline, fashion):
    for filename, content in fashion.items():
        (offline / filename).write_bytes(content)
    damaged = offline / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz.*Delete it"):
        qk.load_data("fashion_mnist", fallback="digits")
    damaged.unlink()
    with pytest.raises(DataNotFoundError, match=r"t10k-images-idx3-ubyte\.gz is neither"):
        qk.load_data("fashion_mnist")
    with pytest.warns(UserWarning, match="FASHION_MNIST COULD NOT BE HAD"):
        assert qk.load_data("fashion_mnist", fallback="digits").name == "digits"


def test_file_that_may_not_be_read_is_named(offline, fashion, monkeypatch):
    for filename, content in fashion.items():
        (offline / filename).write_bytes(content)

    def refuse(path, *how):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(data.Path, "open", refuse)
    with pytest.raises(DataError, match=r"Permission denied: .*train-images-idx3-ubyte\.gz"):
        qk.load_data("fashion_mnist")


def test_user_without_a_home_gets_the_data_or_the_remedy(offline, small, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    pwd = pytest.importorskip("pwd")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "KERAS_HOME"):
        monkeypatch.delenv(name)
    with pytest.raises(RuntimeError):
        data.Path.home()
    with pytest.raises(DataNotFoundError, match="set QKIT_DATA"):
        qk.load_data("mnist")
    np.savez(offline / "mnist.npz", **small)
    assert_holds(qk.load_data("mnist"), small)
    monkeypatch.setenv("QKIT_DATA", "~/data")
    with pytest.raises(DataNotFoundError, match="set QKIT_DATA"):
        qk.load_data("mnist")


def test_digits(digits):
    assert (len(digits.x_train), len(digits.x_test)) == (1297, 500)
    for x, y in ((digits.x_train, digits.y_train), (digits.x_test, digits.y_test)):
        assert x.shape[1:] == (28, 28)
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert (x.min(), x.max()) == (0, 1)
        np.testing.assert_array_equal(np.unique(y), np.arange(10))
        assert np.bincount(y).min() > 0.9 * len(y) / 10
    again = qk.load_data("digits")
    np.testing.assert_array_equal(again.x_test, digits.x_test)
    seen = {image.tobytes() for image in digits.x_train}
    assert not any(image.tobytes() in seen for image in digits.x_test)


@pytest.mark.skipif(not GENUINE, reason="QKIT_DATA names no folder with the genuine MNIST")
def test_genuine_mnist():
    try:
        dataset = qk.load_data("mnist")
    except DataNotFoundError as error:
        pytest.skip(str(error))
    assert dataset.x_train.shape == (60000, 28, 28)
    assert dataset.x_test.shape == (10000, 28, 28)
    assert (dataset.x_train.dtype, dataset.y_train.dtype) == (np.float32, np.int64)
    assert (dataset.x_train.min(), dataset.x_train.max()) == (0, 1)
    # the first ten labels of both parts, as everybody has seen them
    assert dataset.y_train[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.y_test[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": "cifar"}, "name must be one of 'mnist', 'fashion_mnist', 'digits'; got 'cifar'"),
        ({"fallback": "random"}, "fallback must be one of None, 'digits'; got 'random'"),
    ],
)
def test_load_data_refuses(arguments, told):
    with pytest.raises(ValueError, match=told):
        qk.load_data(**arguments)
