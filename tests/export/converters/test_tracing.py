"""Tests of the one trace that stands for an export and its decomposition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affnet.export.converters import tracing
from affnet.export.converters.executorch.decompositions import decompositions
from affnet.export.converters.tracing import decomposed

aten = torch.ops.aten
pytestmark = [pytest.mark.converters, pytest.mark.filterwarnings("ignore")]


class Small(nn.Module):
    """What networks do: in place, with buffers of either kind, constants and types."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.group_norm = nn.GroupNorm(1, 4)
        self.register_buffer("shift", torch.ones(4, 1, 1))
        self.register_buffer("scale", torch.full((4, 1, 1), 2.0), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.group_norm(self.norm(self.convolution(image))).relu_()
        x += self.shift
        x[:, :1] = 0.5
        x = x * torch.tensor(2.0).detach() + torch.arange(4.0).view(4, 1, 1)
        x = torch.nn.functional.silu(x * self.scale.to(torch.float32))
        return x.flatten(1).reshape(1, 4, -1).mean((1, 2)), image


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return Small().eval()


def described(program: torch.export.ExportedProgram) -> list[Any]:
    """Return the inputs, in any order, and the operators, but for checks of what was traced."""
    for node in program.graph.find_nodes(op="call_function", target=aten.clone.default):
        node._rename("copy")
    nodes = [
        (str(node.target), str(node.args), node.meta.get("stack_trace"))
        for node in program.graph.nodes
        if node.target is not aten._assert_tensor_metadata.default
    ]
    inputs = len(program.graph_signature.input_specs)
    return sorted(nodes[:inputs]) + nodes[inputs:]


@pytest.mark.parametrize("table", [dict, decompositions])
def test_one_trace_gives_the_program_of_two(
    network: nn.Module, table: Callable[[], dict[Any, Any]]
) -> None:
    example = (torch.rand(1, 3, 8, 8),)
    expected = torch.export.export(network, example).run_decompositions(table())
    program = tracing._traced(network, example, table())
    assert described(program) == described(expected)
    signatures = program.graph_signature, expected.graph_signature
    inputs, wanted_inputs = (sorted(map(str, each.input_specs)) for each in signatures)
    assert inputs == wanted_inputs
    assert signatures[0].output_specs == signatures[1].output_specs
    assert program.state_dict.keys() == expected.state_dict.keys()
    assert program.constants.keys() == expected.constants.keys()
    for found, wanted in zip(program.module()(*example), network(*example), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", [name for _, name in tracing._PRIVATE])
def test_other_versions_of_torch_trace_twice(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    example = (torch.rand(1, 3, 8, 8),)
    private = [(module, f"{each}{'_of_old' * (each == name)}") for module, each in tracing._PRIVATE]
    monkeypatch.setattr(tracing, "_PRIVATE", private)
    monkeypatch.setattr(tracing, "_traced", None)
    program = decomposed(network, example, {})
    assert aten.silu.default in {node.target for node in program.graph.nodes}


def test_a_trace_that_fails_leaves_all_as_it_was(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tracing.import_module("torch.export._trace")
    to_aten = trace._export_to_aten_ir

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(trace, "_export", fail)
        with pytest.raises(AssertionError):
            tracing._traced(network, (torch.rand(1, 3, 8, 8),), {})
    assert trace._export_to_aten_ir is to_aten
    assert decomposed(network, (torch.rand(1, 3, 8, 8),), {}).dialect == "ATEN"


def test_what_no_trace_can_hold_is_said_by_the_public_function() -> None:
    class Branch(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image + 1 if image.sum() > 0 else image

    with pytest.raises(Exception, match="data-dependent"):
        decomposed(Branch().eval(), (torch.rand(1, 3, 8, 8),), {})
