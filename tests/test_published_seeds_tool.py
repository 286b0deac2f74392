"""The table of seeds grows row by row, and is taken up again where it was left."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import qkit as qk
from qkit.published.relatives import RELATIVES, TOP_1, Relative

TOOL = Path(__file__).parent.parent / "tools" / "published_seeds.py"
OWN = Relative("my own", None, qk.models.walkthrough_cnn, TOP_1, epochs=1)


@pytest.fixture(scope="module")
def tool():
    """Return the tool as a module, with a table of networks of its own."""
    spec = importlib.util.spec_from_file_location("published_seeds", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.NETWORKS = (OWN, replace(OWN, name="another"))
    return module


def test_interrupted_and_taken_up_again(tool, digits, tmp_path, monkeypatch):
    path, measured, whole = tmp_path / "seeds.csv", [], qk.published.int16_effects

    def counted(networks, data, *, seeds, executor):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.extend((network.name, seed) for network in networks for seed in seeds)
        return whole(networks, data, seeds=seeds, executor=executor, cache=False)

    monkeypatch.setattr(qk.published, "int16_effects", counted)
    with pytest.raises(KeyboardInterrupt):
        tool.main(tool.NETWORKS[::-1], (0, 1), path=path, data=digits)
    left = pd.read_csv(path)
    assert left[["network", "seed"]].to_numpy().tolist() == [["another", 0], ["another", 1]]
    measured.clear()
    table = tool.main(tool.NETWORKS, (0, 1), path=path, data=digits)
    assert measured == [("my own", 0), ("my own", 1)]
    assert table["network"].tolist() == ["my own", "my own", "another", "another"]
    stored = pd.read_csv(path)
    assert stored["network"].tolist() == table["network"].tolist()
    # the same network and seed, so the same figures, whichever run they come from
    first, second = (stored[stored["network"] == name] for name in ("my own", "another"))
    assert first["int8_lost"].tolist() == second["int8_lost"].tolist()
    assert (stored["int8_lost_low"] <= stored["int8_lost"]).all()
    assert list(tmp_path.iterdir()) == [path]


def test_committed_table_has_each_network_under_three_seeds(tool):
    stored = pd.read_csv(tool.TABLE)
    assert stored.groupby("network").seed.apply(sorted).map(lambda s: s == [0, 1, 2]).all()
    assert set(RELATIVES) <= set(stored["network"])
