"""The weights that come with qkit: small, listed, found by the notebooks' calls, and made again."""

import importlib.metadata
import json
import lzma

import numpy as np
import pytest

import qkit as qk
from qkit.data import DataNotFoundError
from tools import weights

LIST = json.loads(weights.LIST.read_text(encoding="utf-8"))
PATHS = sorted(weights.FOLDER.glob("*.npz.xz"))


def named(path):
    return path.name.partition(".")[0]


def test_they_take_little_room():
    assert sum(path.stat().st_size for path in weights.FOLDER.iterdir()) <= weights.MOST_BYTES


def test_each_is_in_the_list_as_it_is():
    assert {named(path): weights.described(path.read_bytes()) for path in PATHS} == LIST["entries"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: named(path)[:8])
def test_each_is_whole_and_holds_numbers_alone(path):
    with lzma.open(path) as file, np.load(file, allow_pickle=False) as entry:
        arrays = [entry[f"w{i}"] for i in range(len(entry.files) - 1)]
        assert entry["record"].dtype.kind == "U"
    assert all(np.isfinite(array).all() for array in arrays)


@pytest.fixture(scope="module")
def trained_here():
    """Skip where the versions are not those of the shipped trainings."""
    known = [f"{name} {LIST['trained']['versions'][name]}" for name in ("tensorflow", "numpy")]
    here = [f"{name} {importlib.metadata.version(name)}" for name in ("tensorflow", "numpy")]
    if here != known:
        pytest.skip(f"trained with {known}, and here are {here}: other versions train anew")


@pytest.fixture(scope="module")
def mnist(trained_here):
    try:
        return qk.load_data("mnist")
    except DataNotFoundError as error:
        pytest.skip(str(error))


def test_each_bears_the_name_that_todays_code_gives_it(trained_here):
    """Else nobody finds it: see that trainings are as they were, then weights.py --rename."""
    records = {named(path): weights.record_of(path.read_bytes()) for path in PATHS}
    assert {name: weights.name_today(record) for name, record in records.items()} == {
        name: name for name in records
    }


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QKIT_CACHE", str(tmp_path))
    return tmp_path


def test_main_networks_of_the_first_notebooks_are_found(tf, mnist, empty_cache):
    first, model = qk.models.walkthrough_cnn(), qk.models.walkthrough_cnn()
    assert qk.fit(first, mnist, epochs=2).shipped
    assert qk.fit(model, mnist, epochs=10).shipped
    assert qk.fit(qk.quantization_aware(qk.models.walkthrough_cnn()), mnist, epochs=10).shipped
    tuned = qk.fine_tune_with_control(model, mnist, epochs=3)
    assert tuned.qat_history.shipped
    assert tuned.control_history.shipped
    assert not list(empty_cache.iterdir())


@pytest.mark.slow
def test_one_trained_again_answers_alike(tf, mnist, empty_cache):
    shipped, anew = qk.models.walkthrough_cnn(), qk.models.walkthrough_cnn()
    assert qk.fit(shipped, mnist, epochs=2).shipped
    qk.fit(anew, mnist, epochs=2, cache=False)
    # another processor adds up in another order, and thousands of steps make something of it
    for ours, theirs in zip(anew.get_weights(), shipped.get_weights(), strict=True):
        assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.1 * np.sqrt(np.mean(theirs**2))
    a, b = (qk.accuracy(model, mnist.x_test, mnist.y_test) for model in (shipped, anew))
    assert len(qk.paired(a, b).disagreements) < 100
