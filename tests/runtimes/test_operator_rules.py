"""Published rules of where operators run: what they may say, and what is observed here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import onnx
import pytest

from affnet.artifact import Artifact
from affnet.errors import UnknownNameError
from affnet.runtimes.litert import LiteRtRuntime
from affnet.runtimes.mlprogram.operators import find_operator
from affnet.runtimes.operator_rules.graph import GraphNode, Tensor, read_graph
from affnet.runtimes.operator_rules.rules import TARGETS, Rule, get_target

FLOAT, HALF = Tensor("float32", 4), Tensor("float16", 4)
WEIGHTS = Tensor("float32", 4, constant=True)


def node(*inputs: Tensor, **fields: object) -> GraphNode:
    return GraphNode("n", "OP", inputs, (FLOAT,), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "given", "reason"),
    [
        (Rule(), node(FLOAT, WEIGHTS), None),
        (Rule(inputs=(2, 3)), node(FLOAT), "1 inputs, not 2 to 3"),
        (Rule(constant=(1,)), node(FLOAT, WEIGHTS), None),
        (Rule(constant=(1, 2)), node(FLOAT, FLOAT), "input 1 is not constant"),
        (Rule(), node(HALF), "of float16, not float32"),
        (Rule(types=("float16", "float32")), node(HALF), None),
        (Rule(), node(FLOAT, Tensor("int64", 1, constant=True)), None),  # constants are converted
        (Rule(typed=(0,)), node(FLOAT, Tensor("int64", 1)), None),
        (Rule(typed=(0,)), node(HALF, FLOAT), "of float16, not float32"),
        (Rule(), node(Tensor("unknown", None)), None),
        (Rule(), node(Tensor("float32", 5)), "a tensor of 5 axes, at most 4 are supported"),
        (Rule(max_rank=5), node(Tensor("float32", 5)), None),
        (Rule(max_version=2), node(FLOAT, version=3), "version 3, at most 2 is supported"),
        (Rule(attributes={"beta": [1.0]}), node(FLOAT), None),
        (
            Rule(attributes={"beta": [1.0, 3]}),
            node(FLOAT, attributes={"beta": 2.0}),
            "beta is 2.0, not 1.0 or 3",
        ),
        (Rule(attributes={"mode": ["linear"]}), node(FLOAT, attributes={"mode": b"linear"}), None),
        (
            Rule(attributes={"dilations": [[1, 1]]}),
            node(FLOAT, attributes={"dilations": np.array([2, 2])}),
            "dilations is [2, 2], not [1, 1]",
        ),
    ],
)
def test_a_rule_says_why_it_refuses(rule: Rule, given: GraphNode, reason: str | None) -> None:
    assert rule.refusal(given, ("float32",), 4) == reason


def test_what_is_not_listed_falls_back_with_what_to_change() -> None:
    target = get_target("tflite-gpu")
    listed = GraphNode("a", "CONV_2D", (FLOAT, WEIGHTS), (FLOAT,))
    found = target.place([listed, GraphNode("b", "GATHER_ND", (FLOAT,), (FLOAT,))])
    assert found.text() == "50 % gpu, 1 on CPU"
    assert found.fallen[0].reason == "LiteRT's GPU delegate has no GATHER_ND"
    assert target.change_for("GATHER_ND") == "use a slice, or a product with a constant matrix"
    assert "at most 4 axes" in str(target.change_for("WHERE"))


@pytest.mark.parametrize("name", TARGETS)
def test_each_file_of_rules_has_sources_and_operators_of_its_format(name: str) -> None:
    target = get_target(name)
    assert target.version
    assert target.sources
    assert all(source.startswith("https://") for source in target.sources)
    if target.format == "tflite":
        schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
        known = {one for one in vars(schema.BuiltinOperator) if one.isupper()}
    elif target.format == "coreml":
        names = (*target.operators, *target.changes)
        known = {one for one in names if find_operator(one) is not None}
    else:
        known = {one.name for one in onnx.defs.get_all_schemas()}
        known |= {f"com.microsoft::{one}" for one in MICROSOFT} | {"SimplifiedLayerNormalization"}
    assert target.operators.keys() <= known
    assert target.changes.keys() <= known | {"*"}


#: Of ONNX Runtime's own domain, for which there is no public list in Python.
MICROSOFT = (
    "Attention", "BiasAdd", "BiasSplitGelu", "FastGelu", "FusedConv", "GatherBlockQuantized",
    "Gelu", "GroupQueryAttention", "MatMulNBits", "MultiHeadAttention", "QuickGelu",
    "RotaryEmbedding", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization",
)  # fmt: skip


def test_the_names_of_targets_are_those_of_the_files() -> None:
    folder = files("affnet").joinpath("data", "placement")
    assert sorted(f"{name}.toml" for name in TARGETS) == sorted(f.name for f in folder.iterdir())
    with pytest.raises(UnknownNameError, match="Unknown target 'xnnpak'; valid: coreml-ane, "):
        get_target("xnnpak")


#: Of one input, without options, that keep its shape, and that LiteRT has a kernel for.
UNARY = (
    "ABS", "CEIL", "COS", "ELU", "EXP", "FLOOR", "HARD_SWISH", "LOGISTIC", "LOG", "LOG_SOFTMAX",
    "NEG", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "ROUND", "RSQRT", "SIGN", "SIN",
    "SQRT", "SQUARE", "TANH", "ZEROS_LIKE",
)  # fmt: skip


@pytest.mark.converters
def test_the_rules_of_xnnpack_are_what_litert_does(tmp_path: Path) -> None:
    from tests.runtimes.tflite_files import write_chain

    file = write_chain(tmp_path / "chain.tflite", UNARY)
    seen = LiteRtRuntime.placement(file, threads=1, inputs=())
    predicted = get_target("xnnpack").place(read_graph(file, "tflite"))
    units = [{one.operator: one.unit for one in found.operators} for found in (predicted, seen)]
    assert units[0] == units[1]
    assert set(units[0].values()) == {"cpu", "xnnpack"}


@pytest.mark.converters
def test_a_whole_network_is_predicted_as_it_is_observed(tiny_tflite: Artifact) -> None:
    nodes = read_graph(tiny_tflite.path, "tflite")
    seen = LiteRtRuntime.placement(tiny_tflite.path, threads=1, inputs=())
    predicted = get_target("xnnpack").place(nodes)
    assert predicted.units == seen.units
    assert [one.operator for one in nodes] == [one.operator for one in seen.operators]
    assert any(one.constant for each in nodes for one in each.inputs)


def test_an_onnx_graph_has_types_ranks_and_constants(digits_onnx: Artifact) -> None:
    nodes = read_graph(digits_onnx.path, "onnx")
    assert "Constant" not in {one.operator for one in nodes}  # they run nowhere
    conv = next(one for one in nodes if one.operator == "Conv")
    assert (conv.inputs[0], conv.inputs[1].constant) == (FLOAT, True)
    assert conv.outputs == (FLOAT,)
    assert get_target("webgpu").place(nodes).text() == "100 % webgpu"


@pytest.mark.converters
def test_the_neural_engine_computes_in_float16_without_gathers(tiny_coreml: Artifact) -> None:
    target = get_target("coreml-ane")
    nodes = read_graph(tiny_coreml.path, "coreml")
    found = target.place(nodes)
    assert (tiny_coreml.manifest.precision, found.text()) == ("fp16", "100 % ane")
    assert {"conv", "matmul"} <= {one.operator for one in nodes}
    single = GraphNode("a", "conv", (FLOAT,), (FLOAT,))
    gather = GraphNode("b", "gather", (HALF,), (HALF,))
    reasons = [one.reason for one in target.place([single, gather]).fallen]
    assert reasons == ["of float32, not float16", "the Neural Engine has no gather"]
