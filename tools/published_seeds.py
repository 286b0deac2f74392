"""Train the small relatives of published networks under several seeds, for notebook 11.

``python tools/published_seeds.py`` writes what int8 and int16 activations cost each network, a row
for each seed; stopped and started again, it goes on where it was. One seed says how sure a loss is
on the test items, and nothing of the next training.
"""

import datetime
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

import qkit as qk
from qkit.cache import write_atomically
from qkit.published import RELATIVES
from qkit.published.reading import unrolled_rnn

TABLE = Path(__file__).resolve().parent.parent / "notebooks" / "published_seeds.csv"
SEEDS = (0, 1, 2)
_LSTM = RELATIVES["unrolled LSTM"]
# The other recurrent cells have no published counterpart: does the kind of cell matter?
NETWORKS = (
    *RELATIVES.values(),
    *(
        replace(_LSTM, name=name, published=None, build=partial(unrolled_rnn, cell=cell))
        for name, cell in (("unrolled GRU", "gru"), ("unrolled simple RNN", "simple"))
    ),
)


def row_of(effect, seed):
    """Return one row of the table."""
    metric = effect.relative.metric
    row = {"network": effect.relative.name, "seed": seed, "metric": metric.name}
    row |= {"n": effect.scores["float32"].n}
    row |= {name: score.value for name, score in effect.scores.items()}
    row["lost_unit"] = metric.unit or "points"
    for name, (value, low, high) in effect.lost.items():
        row |= {f"{name}_lost": value, f"{name}_lost_low": low, f"{name}_lost_high": high}
    here = qk.environment()
    row |= {"date": datetime.date.today().isoformat(), "cpu": here.cpu}
    return row | {"tensorflow": here.versions["tensorflow"]}


def main(networks=NETWORKS, seeds=SEEDS, *, path=TABLE, data=None, executor=None):
    """Add the rows that are missing, a network after the other; its seeds are stored together."""
    table = pd.read_csv(path) if path.is_file() else pd.DataFrame({"network": [], "seed": []})
    done = set(zip(table["network"], table["seed"], strict=True))
    todo = {n: [seed for seed in seeds if (n.name, seed) not in done] for n in networks}
    data = data or qk.load_data("mnist")
    for network, left in todo.items():
        if not left:
            continue
        print(f"{network.name}, seeds {left} …", flush=True)
        effects = qk.published.int16_effects([network], data, seeds=left, executor=executor)
        rows = pd.DataFrame([row_of(*each) for each in zip(effects, left, strict=True)])
        table = pd.concat([table, rows], ignore_index=True) if len(table) else rows
        table = table.sort_values(["network", "seed"], key=_place)
        write_atomically(path, table.to_csv(index=False, float_format="%.6g").encode())
        print(*(effect.summary() for effect in effects), sep="\n", flush=True)
    return table


def _place(column):
    """Return what to sort a column by: networks as they stand above, seeds as they are."""
    places = {network.name: place for place, network in enumerate(NETWORKS)}
    return column.map(places) if column.name == "network" else column


if __name__ == "__main__":
    sys.exit(main() is None)
