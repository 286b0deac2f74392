"""Node data are what Model Explorer reads; held against its own adapter where that is installed."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

import qkit as qk
from qkit.tflite.model_explorer import node_data

FILES = Path(__file__).parents[1] / "files"


def stored(name):
    return (FILES / f"{name}.tflite").read_bytes()


def test_a_file_for_each_figure_holds_a_value_for_each_operator(tflite, tmp_path):
    file = qk.inspect(tflite("full_integer"))
    paths = file.to_model_explorer(tmp_path / "made" / "here")
    assert all(path.parent == tmp_path / "made" / "here" for path in paths)
    found = {p.stem: json.loads(p.read_text(encoding="utf-8"))["main"]["results"] for p in paths}
    table = file.operator_table
    for figure in ("multiply_accumulates", "written_bytes", "alive_bytes"):
        known = table[figure].dropna()
        assert found[figure] == {str(n): {"value": value} for n, value in known.items()}
    words = {number: result["value"] for number, result in found["dtype"].items()}
    assert words == {str(n): op.outputs[0].dtype for n, op in enumerate(file.operators)}
    assert len({result["bgColor"] for result in found["dtype"].values()}) == len({*words.values()})


def test_a_file_in_the_folders_place_is_left_as_it_is(tflite, tmp_path):
    there = tmp_path / "notes.json"
    there.write_text("mine")
    with pytest.raises(ValueError, match=r"into a folder, and .*notes\.json is none"):
        qk.inspect(tflite("float32")).to_model_explorer(there)
    assert there.read_text() == "mine"


def test_values_of_any_kind_are_json(tflite):
    file = qk.inspect(tflite("float32"))
    values = {0: np.float32(1.5), 1: float("inf"), 2: np.float64("nan"), 3: None, 4: np.int64(7)}
    results = node_data(values, file)["main"]["results"]
    said = {number: result["value"] for number, result in results.items()}
    assert said == {"0": 1.5, "1": "inf", "2": "nan", "4": 7}
    json.dumps(results, allow_nan=False)


def test_a_tensor_that_bears_an_operators_number_takes_no_value_from_it(toy_tflite, edited):
    """The viewer looks for a tensor of this name first."""

    def change(content):
        graph = content.subgraphs[0]
        graph.tensors[graph.operators[0].outputs[0]].name = b"1"

    file = qk.inspect(edited(toy_tflite, change))
    results = node_data({0: 10, 1: 11}, file)["main"]["results"]
    assert {key: result["value"] for key, result in results.items()} == {
        "0": 10,
        file.operators[1].outputs[0].name: 11,
    }


def renamed(name, key):
    """Return a file with another name for its graph, and another key of its signature."""

    def change(content):
        content.subgraphs[0].name = name
        if key is None:
            content.signatureDefs = None
        else:
            content.signatureDefs[0].signatureKey = key

    return change


NAMES = [
    (b"own", b"serving", "own"), (None, b"serving", "serving"), (b"", b"", "main"),
    (None, None, "main"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "key", "said"), NAMES)
def test_the_graph_has_a_name_in_any_case(name, key, said, toy_tflite, edited):
    assert qk.inspect(edited(toy_tflite, renamed(name, key))).graph_name == said


def without_a_name(edited):
    """Return a file of two graphs, whose first has no name, and whose second signs first."""
    from ai_edge_litert import schema_py_generated as schema

    def change(content):
        content.subgraphs[0].name = None
        other = schema.SignatureDefT(signatureKey=b"other", subgraphIndex=1)
        content.signatureDefs = [other, *content.signatureDefs]

    return edited(stored("zoo_state_float32"), change)


def test_a_signature_of_another_graph_gives_no_name(edited):
    assert qk.inspect(without_a_name(edited)).graph_name == "serving_default"


def test_the_viewer_goes_by_the_graphs_own_signature_too(edited, tmp_path):
    assert [*graphs(without_a_name(edited), tmp_path)] == ["serving_default", "NoOp"]


def graphs(tflite, tmp_path):
    """Return by name the nodes of each graph, as the viewer's own adapter makes them."""
    adapter = pytest.importorskip("model_explorer.builtin_tflite_flatbuffer_adapter")
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite)
    (found,) = adapter.BuiltinTfliteFlatbufferAdapter().convert(str(path), {})["graphCollections"]
    return {graph["id"]: {n["id"]: n for n in graph["nodes"]} for graph in asdict(found)["graphs"]}


@pytest.mark.parametrize("path", FILES.glob("*.tflite"), ids=lambda path: path.stem)
def test_the_viewers_nodes_are_numbered_as_operators_are(path, tmp_path):
    file = qk.inspect(path.read_bytes())
    nodes = graphs(path.read_bytes(), tmp_path)[file.graph_name]
    for number, operator in enumerate(file.memory_plan.operators):
        node = nodes[str(number)]
        assert node["label"].replace("_", "") == operator.name.lower().replace("_", "")
        named = [
            attr["value"]
            for output in node["outputsMetadata"]
            for attr in output["attrs"]
            if attr["key"] == "tensor_name"
        ]
        assert named == [tensor.name for tensor in operator.outputs]


@pytest.mark.parametrize(("name", "key", "said"), NAMES)
def test_the_viewer_calls_the_graph_so(name, key, said, toy_tflite, edited, tmp_path):
    assert [*graphs(edited(toy_tflite, renamed(name, key)), tmp_path)] == [said]


def test_the_viewers_own_classes_take_what_is_written(tflite, tmp_path):
    builder = pytest.importorskip("model_explorer.node_data_builder")
    for path in qk.inspect(tflite("full_integer")).to_model_explorer(tmp_path):
        content = json.loads(path.read_text(encoding="utf-8"))["main"]
        results = {n: builder.NodeDataResult(**found) for n, found in content["results"].items()}
        gradient = [builder.GradientItem(**stop) for stop in content["gradient"]]
        data = builder.GraphNodeData(results=results, gradient=gradient)
        written = json.loads(builder.ModelNodeData(graphsData={"main": data}).to_json_string())
        assert written["main"].items() >= content.items()
