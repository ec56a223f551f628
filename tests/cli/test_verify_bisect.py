"""``affnet verify --bisect``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from affnet.artifact import Artifact
from affnet.devices import catalog, host
from tests.conftest import Finished
from tests.export.bisection.doubles import WrongDevice

Run = Callable[..., Finished]
Refused = Callable[..., str]


def test_names_the_wrong_operator_its_module_and_a_file_of_it(
    run: Run, onnx_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = WrongDevice({"node_Sigmoid_1": np.zeros_like})
    monkeypatch.setattr(catalog, "devices_to_prove_on", lambda *_, **__: [device])
    done = run("verify", onnx_copy, "--device", "wrong", "--bisect", "--json", "-q")
    assert done.code == 1
    (found,) = done.json["bisections"]
    (wrong,) = found["wrong"]
    assert (wrong["operators"], wrong["kinds"]) == (["node_Sigmoid_1"], ["Sigmoid"])
    assert wrong["module"] == "layer_1.0.block.exp_1x1.block.conv"
    assert Path(wrong["reproducer"]) == onnx_copy.with_name(f"{onnx_copy.name}.bisect") / (
        "5-Sigmoid.onnx"
    )
    assert Path(wrong["reproducer"]).with_suffix(".npz").is_file()


_PROGRAM = """
import torch
from torch import nn

class Branch(nn.Module):
    def forward(self, x):
        return torch.where(x.sum() > 10, 2 * x, x - 1)

def build():
    return Branch(), torch.rand(1, 3, 4, 4)
"""


def _branch(path: Path) -> None:
    """Save what stands for the program as another tool writes it: with control flow."""
    import onnx
    from onnx import TensorProto, helper

    def value(name: str, *shape: int, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, shape)

    def branch(kind: str) -> onnx.GraphProto:
        node = helper.make_node(kind, ["x", kind], [f"{kind}/y"])
        constant = helper.make_tensor(kind, TensorProto.FLOAT, [], [2.0 if kind == "Mul" else 1.0])
        return helper.make_graph([node], kind, [], [value(f"{kind}/y", 1, 3, 4, 4)], [constant])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], "sum", keepdims=0),
        helper.make_node("Greater", ["sum", "ten"], ["much"], "greater"),
        helper.make_node(
            "If", ["much"], ["y"], "if", then_branch=branch("Mul"), else_branch=branch("Sub")
        ),
    ]
    ten = helper.make_tensor("ten", TensorProto.FLOAT, [], [10.0])
    shape = (1, 3, 4, 4)
    graph = helper.make_graph(nodes, "graph", [value("x", *shape)], [value("y", *shape)], [ten])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path
    )


@pytest.mark.parametrize("wrong", [None, "if"])
def test_a_file_of_another_tool_is_what_its_program_says(
    run: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch, wrong: str | None
) -> None:
    """It takes 3 maps, which are no image here; a cut hands over a scalar of truth."""
    (workspace / "own_branch.py").write_text(_PROGRAM)
    _branch(workspace / "their.onnx")
    places = [WrongDevice({wrong: np.zeros_like})] if wrong else [host.HostDevice()]
    monkeypatch.setattr(catalog, "devices_to_prove_on", lambda *_, **__: places)
    against = ("--against", "own_branch:build", "--device", "d", "--bisect", "--json", "-q")
    done = run("verify", "their.onnx", *against)
    assert done.code == (1 if wrong else 0)
    (found,) = done.json["bisections"]
    assert [one["operators"] for one in found["wrong"]] == ([[wrong]] if wrong else [])
    assert (found["operators"], found["refused"], found["unseen"]) == (3, 0, 0)


def test_nothing_is_wrong_on_this_machine(run: Run, digits_onnx: Artifact) -> None:
    done = run("verify", digits_onnx.path, "--device", "host", "--bisect")
    assert done.code == 0
    assert "all 449 agree with onnxruntime with its optimisations off" in done.out
    assert not digits_onnx.path.with_name(f"{digits_onnx.path.name}.bisect").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--bisect"], "--bisect needs a device to run on; add --device."),
        (["--accelerator", "webgpu"], "host: accelerator must be cpu, gpu or npu."),
        (["--reproduce", "x"], "--reproduce is where --bisect writes; add --bisect."),
        (
            ["--device", "fake", "--accelerator", "webgpu"],
            "fake has no accelerator to choose; omit --accelerator.",
        ),
        (
            ["--accelerator", "gpu"],
            "onnxruntime computes on the CPU here, not on the GPU; "
            "choose the runtime openvino, or omit --accelerator.",
        ),
    ],
)
def test_options_that_need_others_are_refused(
    refused: Refused, digits_onnx: Artifact, options: list[str], sentence: str
) -> None:
    assert refused("verify", digits_onnx.path, *options) == sentence
