"""Figures of operators as node data: what Model Explorer shows beside the network it draws."""

import json
import math
from pathlib import Path

from qkit.notebook import COLOURS

_GRADIENT = [{"stop": 0, "bgColor": "#ffffff"}, {"stop": 1, "bgColor": "#0072B2"}]


def node_data(values_by_operator, file):
    """Return the content of a file of node data: of each operator one figure, or one word.

    Keys are the operators' numbers in the main graph; None is left out.
    """
    found = {n: getattr(v, "tolist", lambda v=v: v)() for n, v in values_by_operator.items()}
    words = dict.fromkeys(value for value in found.values() if isinstance(value, str))
    colours = {word: COLOURS[1 + i % (len(COLOURS) - 1)] for i, word in enumerate(words)}
    keys, results = _keys(file), {}
    for number, value in found.items():
        if isinstance(value, str):
            results[keys[number]] = {"value": value, "bgColor": colours[value]}
        elif value is not None:  # JSON has no word for a number that is not finite
            value = value if math.isfinite(value) else str(value)
            results[keys[number]] = {"value": value}
    return {file.graph_name: {"results": results, "gradient": _GRADIENT}}


def _keys(file):
    """Return the operators' numbers as the viewer has them, which asks for a tensor's name first.

    Where a tensor is called like a number, the operator goes by the name of its own output.
    """
    taken = {tensor.name for op in file.operators for tensor in op.outputs}
    own = [op.outputs[0].name if op.outputs else "" for op in file.operators]
    return [name if name and str(n) in taken else str(n) for n, name in enumerate(own)]


def write_node_data(file, path):
    """Write what is known of each operator into a folder, a file for each figure; return these."""
    folder, plan = Path(path), file.memory_plan
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"to_model_explorer writes a file for each figure into a folder, and {folder} is none. "
            "Pass the path of a folder; it is made where it is missing."
        )
    operators = plan.operators
    figures = {
        "multiply_accumulates": [op.multiply_accumulates for op in operators],
        "written_bytes": [op.written_bytes for op in operators],
        "alive_bytes": plan.alive_bytes,
        "dtype": [op.outputs[0].dtype if op.outputs else None for op in operators],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for figure, values in figures.items():
        data = node_data(dict(enumerate(values)), file)
        (folder / f"{figure}.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return [folder / f"{figure}.json" for figure in figures]
