"""Tests of the one trace that stands for an export and its decomposition."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
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


class Pure(Small):
    """The same, but for what it does in place."""

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.group_norm(self.norm(self.convolution(image))).relu() + self.shift
        x = x * torch.tensor(2.0).detach() + torch.arange(4.0).view(4, 1, 1)
        x = torch.nn.functional.silu(x * self.scale.to(torch.float32))
        rows = x.flatten(2).transpose(1, 2) @ x.flatten(2).contiguous()
        return rows.softmax(-1).reshape(1, 4, -1).mean((1, 2)) + image[0, 0, 0, 0], image


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


@pytest.mark.parametrize("table", [dict, decompositions])
def test_a_network_without_writes_is_run_once_for_the_same_program(
    monkeypatch: pytest.MonkeyPatch, table: Callable[[], dict[Any, Any]]
) -> None:
    network, example = Pure().eval(), (torch.rand(1, 3, 8, 8),)
    with monkeypatch.context() as patched:
        patched.setattr(tracing, "run_once", nullcontext)
        expected = tracing._traced(network, example, table())
    runs = []
    network.register_forward_hook(lambda *_: runs.append(1))
    program = decomposed(network, example, table())
    assert len(runs) == 1
    assert described(program) == described(expected)
    assert str(program.graph_signature) == str(expected.graph_signature)
    assert program.state_dict.keys() == expected.state_dict.keys()
    assert program.constants.keys() == expected.constants.keys()
    assert program.dialect == expected.dialect
    assert [_meta(node) for node in program.graph.nodes] == [
        _meta(node) for node in expected.graph.nodes
    ]


def _meta(node: torch.fx.Node) -> dict[str, str]:
    """Return what converters may read of a node, as text."""
    kept = ("val", "tensor_meta", "nn_module_stack", "stack_trace", "torch_fn")
    return {key: str(node.meta.get(key)) for key in kept}


class Written(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        image = image + 1
        image[:, 0] = 0
        return image * 2


class Looped(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        found: Tensor = torch.cond(image.sum() > 0, lambda x: x + 1, lambda x: x - 1, (image,))
        return found


@pytest.mark.parametrize(
    "network",
    [
        Small(),
        Written(),
        Looped(),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True)),
        nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4).train()),
    ],
    ids=["every kind", "a part", "a branch", "inplace", "training"],
)
def test_what_writes_in_place_is_wrapped(network: nn.Module) -> None:
    if not isinstance(network, nn.Sequential):
        network.eval()
    example = (torch.rand(1, 3, 8, 8),)
    expected = torch.export.export(network, example).run_decompositions({})
    program = decomposed(network, example, {})
    targets = {node.target for node in program.graph.nodes}
    assert not any(getattr(getattr(t, "_schema", None), "is_mutable", False) for t in targets)
    found, wanted = ([entry[:2] for entry in described(each)] for each in (program, expected))
    assert found == wanted
    mutated = program.graph_signature.buffers_to_mutate.values()
    assert sorted(mutated) == sorted(expected.graph_signature.buffers_to_mutate.values())


class InPlace(nn.Module):
    """Writes into what it has just made, and once into a float32 tensor what is of float64."""

    def __init__(self, *, wide: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU6(inplace=True))
        self.register_buffer("wide", torch.ones(4, 1, 1, dtype=torch.float64 if wide else None))

    def forward(self, image: Tensor) -> Tensor:
        x = self.layers(image)
        x = (x * 2).add_(x).mul_(3.0).clamp_(min=0.1)
        y = x * 2
        y += self.wide
        return y


@pytest.fixture
def unwrapped(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that grows by each run without wrapped tensors; whether it was of use."""
    found: list[bool] = []
    run = tracing._unwrapped

    def run_and_note(*arguments: Any) -> Any:
        artifact = run(*arguments)
        found.append(not tracing.writes(artifact.gm))
        return artifact

    monkeypatch.setattr(tracing, "_unwrapped", run_and_note)
    return found


@pytest.mark.parametrize("wide", [False, True])
def test_writes_into_what_was_just_made_need_one_run(unwrapped: list[bool], wide: bool) -> None:
    network, example = InPlace(wide=wide).eval(), (torch.rand(1, 3, 8, 8),)
    expected = torch.export.export(network, example).run_decompositions({})
    program = decomposed(network, example, {})
    assert unwrapped == [not wide]
    targets = [node.target for node in program.graph.nodes]
    assert targets == [node.target for node in expected.graph.nodes]
    torch.testing.assert_close(program.module()(*example), network(*example), rtol=0, atol=0)


def test_what_a_view_reads_later_is_written_in_place(unwrapped: list[bool]) -> None:
    class Viewed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x - 1
            rows = y[:, 1:]
            y.relu_()
            return rows + y.sum()

    network, example = Viewed(), (torch.rand(3, 4),)
    program = decomposed(network, example, {})
    assert unwrapped == [False]
    torch.testing.assert_close(program.module()(*example), network(*example), rtol=0, atol=0)


def test_a_program_that_writes_elsewhere_is_not_tried(unwrapped: list[bool]) -> None:
    example = (torch.rand(1, 3, 8, 8),)
    program = torch.export.export(Written().eval(), example)
    decomposed(program.module(), example, {})
    assert not unwrapped


def test_a_program_is_decomposed_in_one_run_as_in_two() -> None:
    network, example = Pure().eval(), (torch.rand(1, 3, 8, 8),)
    program = torch.export.export(network, example)
    expected = program.run_decompositions(decompositions())
    with tracing.run_once():
        found = program.run_decompositions(decompositions())
    assert described(found) == described(expected)
    assert str(found.graph_signature) == str(expected.graph_signature)
    assert found.constants.keys() == expected.constants.keys()
    assert [*map(_meta, found.graph.nodes)] == [*map(_meta, expected.graph.nodes)]


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
    before = trace._export_to_aten_ir, trace.make_fx

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patched:
        patched.setattr(trace, "_export", fail)
        with pytest.raises(AssertionError):
            tracing._traced(network, (torch.rand(1, 3, 8, 8),), {})
    assert before == (trace._export_to_aten_ir, trace.make_fx)
    assert decomposed(network, (torch.rand(1, 3, 8, 8),), {}).dialect == "ATEN"


def test_what_no_trace_can_hold_is_said_by_the_public_function() -> None:
    class Branch(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image + 1 if image.sum() > 0 else image

    with pytest.raises(Exception, match="data-dependent"):
        decomposed(Branch().eval(), (torch.rand(1, 3, 8, 8),), {})
